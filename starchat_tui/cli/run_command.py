"""`starchat run`: run a file of Python in the sandbox."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path

from starchat_tui.cli import arguments
from starchat_tui.cli.ask import Terminal
from starchat_tui.cli.code_runner import CodeRunner, RunOptions, run_and_close
from starchat_tui.cli.factory import create_kernel_manager
from starchat_tui.cli.invocation import Invocation
from starchat_tui.cli.stdout import replace_lone_surrogates
from starchat_tui.config.text_file import read_text

MAX_CODE_BYTES = 4 * 2**20
"""Size limit of a file that is run."""


def run_file(argv: Sequence[str]) -> int:
    """Run a file of Python and return the exit code 0; failures are raised."""
    invocation = Invocation.from_flags(arguments.create_run_parser().parse_args(argv))
    code = read_code(invocation.flags.code)
    replace_lone_surrogates()
    asyncio.run(_run_code(invocation, code))
    return 0


async def _run_code(invocation: Invocation, code: str) -> None:
    settings = invocation.settings
    terminal = Terminal(color=invocation.uses_color, quiet=not settings.stats)
    kernel_manager = create_kernel_manager(settings, unsafe=invocation.flags.unsafe_run)
    runner = CodeRunner(kernel_manager, RunOptions.from_invocation(invocation), terminal)
    await run_and_close(kernel_manager, runner.run_file(code))


def read_code(name: str) -> str:
    """Return the text of a file, or of stdin for `-`; raises `UsageError`."""
    if name == "-":
        return read_text(sys.stdin.buffer, "Standard input", limit=MAX_CODE_BYTES)
    return read_text(Path(name), f"`{name}`", limit=MAX_CODE_BYTES)
