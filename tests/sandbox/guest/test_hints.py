"""Hints for exceptions that the sandbox, or a newer library, causes."""

from __future__ import annotations

import pytest

from starchat_tui.sandbox.guest.hints import find_hint

HINTS = [
    ("AttributeError", "'DataFrame' object has no attribute 'append'", "pd.concat"),
    ("AttributeError", "module 'numpy' has no attribute 'float'.\nx", "`np.float`"),
    ("AttributeError", "module 'matplotlib.cm' has no attribute 'get_cmap'", "colormaps[name]"),
    (
        "TypeError",
        "barplot() takes from 0 to 1 positional arguments but 2 were given",
        "`barplot(data=df",
    ),
    ("TypeError", "f() got an unexpected keyword argument 'squeeze'", "argument `squeeze`"),
    ("ValueError", "Invalid frequency: M. Failed", "frequency `M`"),
    ("URLError", "<urlopen error [Errno -3] x>", "no network"),
    ("OSError", "[Errno 97] Address family not supported by protocol", "no network"),
    ("StdinNotImplementedError", "raw_input was called", "`input()` has no keyboard"),
    ("ModuleNotFoundError", "No module named 'torch'", "`torch` is not installed"),
    ("FileNotFoundError", "[Errno 2] No such file or directory: 'a.csv'", "files you attached"),
    ("OSError", "[Errno 30] Read-only file system: '/usr/x'", "can write only"),
    ("BlockingIOError", "[Errno 11] Resource temporarily unavailable", "processes and threads"),
    ("OSError", "[Errno 28] No space left on device", "directory is full"),
    ("OSError", "[Errno 27] File too large", "size of a file"),
]


@pytest.mark.parametrize(("name", "message", "expected"), HINTS)
def test_a_known_cause_has_a_hint(name: str, message: str, expected: str) -> None:
    assert expected in find_hint(name, message)


@pytest.mark.parametrize("message", ["x", "division by zero", "'{0}' is not a name"])
def test_other_exceptions_have_none(message: str) -> None:
    assert find_hint("ValueError", message) == ""
