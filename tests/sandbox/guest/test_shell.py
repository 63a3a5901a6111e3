"""IPython as the shell of a cell: magics, results, exits."""

from __future__ import annotations

import pytest

from starchat_tui.sandbox.host.kernel import SandboxKernel
from tests.sandbox.kernels import run_code

pytestmark = pytest.mark.bwrap


PRINTED = {
    "!echo from a shell": "from a shell\n",
    "name = 'x'\n!echo $name {name * 2}": "x xx\n",
    "%%bash\necho from bash; echo again": "from bash\nagain\n",
    "import asyncio\nawait asyncio.sleep(0)\nprint('awaited')": "awaited\n",
}


@pytest.mark.parametrize("code", PRINTED)
async def test_shell_commands_and_await_run(kernel: SandboxKernel, code: str) -> None:
    run = await run_code(kernel, code)
    assert (run.out, run.err, run.end.status) == (PRINTED[code], "", "ok")


async def test_the_exit_code_of_a_shell_command_is_kept(kernel: SandboxKernel) -> None:
    run = await run_code(kernel, "!exit 3\n_exit_code")
    assert run.results == ["3"]


RESULTS = {
    "1 + 1": ["2"],
    "1 + 1;": [],
    "x = 5": [],
    "'a\\nb'": ["'a\\nb'"],
    "import pandas\npandas.DataFrame({'a': [1, 2]})": ["   a\n0  1\n1  2"],
    "display('one'); display({'two': 2})": ["'one'", "{'two': 2}"],
    "from IPython.display import Markdown\nMarkdown('**bold**')": ["**bold**"],
    "y = !echo a; echo b\ny": ["['a', 'b']"],
    "None": [],
    "_ = 7\n_": ["7"],
    "import matplotlib.pyplot as plt\nplt.plot([1])": [],
}


@pytest.mark.parametrize("code", RESULTS)
async def test_the_last_expression_is_shown_as_text(kernel: SandboxKernel, code: str) -> None:
    run = await run_code(kernel, code)
    assert run.end.status == "ok", run.outputs
    assert run.results == RESULTS[code]


@pytest.mark.parametrize("code", ["exit()", "quit", "exit", "raise SystemExit"])
async def test_exit_ends_only_the_cell(kernel: SandboxKernel, code: str) -> None:
    await run_code(kernel, "x = 1")
    run = await run_code(kernel, code)
    assert (run.end.status, run.err) == ("ok", "")
    assert (await run_code(kernel, "x")).results == ["1"]
