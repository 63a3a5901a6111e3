"""Tracebacks of cells: what failed, and where in which cell."""

from __future__ import annotations

import pytest

from starchat_tui.sandbox.guest.tracebacks import format_traceback, get_message
from starchat_tui.sandbox.host.kernel import SandboxKernel
from tests.sandbox.kernels import open_kernel, run_code


@pytest.mark.bwrap
async def test_a_traceback_points_into_the_cell(kernel: SandboxKernel) -> None:
    await run_code(kernel, "# the first cell\ndef half(x):\n    return 1 / x")
    run = await run_code(kernel, "\n\na = 0\nhalf(a)\nb = 1")
    assert (run.end.status, run.failure.name) == ("error", "ZeroDivisionError")
    assert run.failure.message == "division by zero"
    assert run.failure.traceback == (
        "Cell 2, line 2:\n      1 a = 0\n----> 2 half(a)\n      3 b = 1\n"
        "Cell 1, line 3, in half:\n      1 # the first cell\n      2 def half(x):\n"
        "----> 3     return 1 / x\n"
        "ZeroDivisionError: division by zero"
    )


FAILURES = {
    "for x in:\n    pass": ("SyntaxError", "----> 1 for x in:"),
    "  if True:\nx": ("IndentationError", "IndentationError"),
    "def r(n): return r(n)\nr(0)": ("RecursionError", "more times"),
    "raise KeyError('a') from ValueError('b')": (
        "KeyError",
        "ValueError: b\n\nThe above exception was the direct cause",
    ),
    "try: 1/0\nexcept Exception: {}['k']": ("KeyError", "During handling of the above exception"),
    "raise ExceptionGroup('many', [ValueError('v'), OSError('o')])": (
        "ExceptionGroup",
        "1. ValueError: v\n  2. OSError: o",
    ),
    "class E(Exception):\n    def __str__(self): raise RuntimeError\nraise E": (
        "E",
        "its message cannot be shown",
    ),
    "import sys; sys.exit('bad')": ("SystemExit", "SystemExit: bad"),
    "%nonsense": ("UsageError", ""),
    "%%bash\nexit 3": ("CalledProcessError", "exit status 3"),
    "import pandas\npandas.DataFrame()['x']": ("KeyError", "pandas/core/"),
    "raise ValueError('\\x1b[2J' + 'x' * 10**6)": ("ValueError", "…"),
}


@pytest.mark.bwrap
@pytest.mark.parametrize("code", FAILURES)
async def test_tracebacks_name_the_error_and_its_place(kernel: SandboxKernel, code: str) -> None:
    name, words = FAILURES[code]
    run = await run_code(kernel, code)
    assert (run.end.status, run.failure.name) == ("error", name)
    assert words in run.failure.traceback
    assert len(run.failure.traceback) < 20_000
    assert "/run/guest" not in run.failure.traceback
    assert (await run_code(kernel, "1")).results == ["1"]


def test_a_cycle_of_causes_ends() -> None:
    first, second = ValueError("first"), KeyError("second")
    first.__cause__, second.__cause__ = second, first
    assert format_traceback(first).splitlines() == [
        "KeyError: 'second'",
        "",
        "The above exception was the direct cause of the following exception:",
        "",
        "ValueError: first",
    ]


def test_a_suppressed_context_is_left_out() -> None:
    error = ValueError("shown")
    error.__context__, error.__suppress_context__ = KeyError("hidden"), True
    assert format_traceback(error) == "ValueError: shown"


def test_a_long_message_is_cut() -> None:
    assert get_message(ValueError("x" * 5000)) == "x" * 4000 + " …"


@pytest.mark.bwrap
async def test_a_traceback_names_the_script_and_the_modules_beside_it() -> None:
    code = "open('helper.py', 'w').write('def f():\\n    return {}[1]')\nimport helper, os\n"
    code += "os.makedirs('x'); os.chdir('x'); os.rmdir('../x')\nhelper.f()"
    async with open_kernel(script=["sub/prog.py"]) as kernel:
        run = await run_code(kernel, code)
    assert run.failure.traceback.split("\n") == [
        "prog.py, line 4:",
        "      2 import helper, os",
        "      3 os.makedirs('x'); os.chdir('x'); os.rmdir('../x')",
        "----> 4 helper.f()",
        "helper.py, line 2, in f:",
        "      1 def f():",
        "----> 2     return {}[1]",
        "KeyError: 1",
    ]
    async with open_kernel(script=["prog.py"]) as kernel:
        run = await run_code(kernel, "x = 1\nif x print(x)")
    assert run.failure.traceback.startswith("prog.py, line 2:\n----> 2 if x print(x)")
