"""The function that a call did not fit, told from functions of the user with the same name."""

from __future__ import annotations

import linecache
from pathlib import Path

import pytest

from starchat_tui.sandbox.guest.hints.callee import FailedCall, find_failed_call
from starchat_tui.sandbox.guest.hints.origin import trace_origin
from tests.sandbox.guest.hints.cells import run_failing_cell


@pytest.fixture(autouse=True)
def leave_checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def find(code: str) -> FailedCall | None:
    return find_failed_call(trace_origin(run_failing_cell(code)))


def test_function_method_and_class_of_a_library() -> None:
    assert find("import json\njson.loads('1', x=2, parse=3)") is not None
    assert find("import shutil as s\nf = s.which\nf('a', no=1)") == FailedCall(
        "which", "shutil", "no", False
    )
    assert find("from textwrap import TextWrapper\nTextWrapper(size=3)") == FailedCall(
        "TextWrapper", "textwrap", "size", False
    )
    assert find("import textwrap\nw = textwrap.TextWrapper()\nw.fill('a', 'b')") == FailedCall(
        "fill", "textwrap", "", True
    )
    assert find("import shutil\nshutil.copyfile('a')") == FailedCall(
        "copyfile", "shutil", "missing:dst", False
    )


def test_chain_of_calls_is_not_resolved_but_no_function_of_the_user() -> None:
    code = "import textwrap\ntextwrap.TextWrapper().fill('a', no=1)"
    assert find(code) == FailedCall("fill", "", "no", False)
    mine = "class Mine:\n    def fill(self, text): pass\n"
    assert find(f"{mine}x = Mine()\n(lambda: x)().fill('a', no=1)") is None
    assert find(f"{mine}(lambda: Mine())().fill('a', no=1)") is None


@pytest.mark.parametrize(
    "code",
    [
        "def which(): pass\nwhich(no=1)",
        "def outer():\n    def which(): pass\n    which(no=1)\nouter()",
        "class Mine:\n    def __init__(self): pass\nMine(no=1)",
        "class Mine:\n    def which(self): pass\nm = Mine()\nm.which(1, 2)",
        "raise TypeError(\"which() got an unexpected keyword argument 'no'\")",
        "1 + 'a'",
        "len()",
    ],
)
def test_functions_of_the_user_and_other_errors(code: str) -> None:
    assert find(code) is None


def test_properties_are_not_evaluated() -> None:
    code = (
        "class Mine:\n    @property\n    def tool(self): raise SystemExit\n"
        "import shutil\nm = Mine()\nshutil.which('a', no=[m.tool() for _ in ()])"
    )
    assert find(code) == FailedCall("which", "shutil", "no", False)


def test_cell_with_magics_is_resolved() -> None:
    code = "import shutil\nif True:\n    shutil.which('a', no=1)\n"
    error = run_failing_cell(code)
    name = "<ipython-input-1-hint>"
    lines = [
        "%matplotlib inline\n",
        "if True:\n",
        "    shutil.which('a', no=r'\\d')\n",
        "    !ls\n",
    ]
    linecache.cache[name] = (len(code), None, lines, name)
    assert find_failed_call(trace_origin(error)) == FailedCall("which", "shutil", "no", False)
