"""Where an error was raised, and by whose code."""

from __future__ import annotations

from pathlib import Path

import pytest

from starchat_tui.sandbox.guest.hints.origin import Origin, list_owners, trace_origin
from tests.sandbox.guest.hints.cells import run_failing_cell


@pytest.fixture(autouse=True)
def leave_checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def trace(code: str) -> Origin:
    return trace_origin(run_failing_cell(code))


def test_library_that_raised_and_function_that_was_called() -> None:
    origin = trace("import json\ndef read(text):\n    return json.loads(text)\nread('{')")
    assert origin.module == "json.decoder"
    assert origin.entry == ("json", "loads")
    assert origin.calls("json")
    assert not origin.calls("js")
    assert not origin.raised_by_user
    frame, line = origin.user_frame or (None, 0)
    assert frame is not None
    assert (frame.f_code.co_name, line) == ("read", 3)


@pytest.mark.parametrize(
    ("code", "raised"),
    [
        ("raise ValueError", True),
        ("assert False", True),
        ("def f(): raise KeyError\nf()", True),
        ("try:\n    1 / 0\nexcept ZeroDivisionError as e:\n    raise ValueError from e", True),
        ("1 / 0", False),
        ("int('x')", False),
        ("try:\n    {}['x']\nfinally:\n    pass", False),
        ("with open('none') as f: pass", False),
        ("import json\ntry:\n    json.loads('')\nexcept ValueError:\n    raise", False),
    ],
)
def test_raise_of_the_user(code: str, raised: bool) -> None:
    assert trace(code).raised_by_user == raised


def test_compiled_code_is_called_from_the_user_frame() -> None:
    origin = trace("import math\nmath.sqrt(-1)")
    assert origin.in_user_code
    assert origin.entry == ("", "")


def test_error_without_traceback() -> None:
    origin = trace_origin(ValueError("x"))
    assert (origin.frames, origin.user_frame, origin.module) == ((), None, "")
    assert not origin.in_user_code


def test_owners() -> None:
    assert list_owners(pytest) == ["pytest"]
    assert list_owners(True) == ["builtins.bool", "builtins.int", "builtins.object"]
