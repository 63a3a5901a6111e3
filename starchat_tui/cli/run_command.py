"""`starchat run`: run a file of Python in the sandbox."""

from __future__ import annotations

import asyncio
import codecs
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from starchat_tui.cli import arguments
from starchat_tui.cli.ask import Terminal
from starchat_tui.cli.code_runner import CodeRunner, RunOptions, run_and_close
from starchat_tui.cli.factory import create_kernel_manager
from starchat_tui.cli.invocation import Invocation
from starchat_tui.cli.script_input import open_script_input
from starchat_tui.cli.stdout import replace_lone_surrogates
from starchat_tui.config.json_file import read_json_object
from starchat_tui.config.text_file import read_text
from starchat_tui.errors import UsageError

MAX_CODE_BYTES = 4 * 2**20
"""Size limit of a file that is run."""


def run_file(argv: Sequence[str]) -> int:
    """Run a file of Python and return its exit code; failures are raised."""
    given, script = split_arguments(argv)
    flags, unknown = arguments.create_run_parser().parse_known_args(given)
    if unknown:
        raise UsageError(
            f"Unrecognized arguments: {' '.join(unknown)}",
            "arguments of the script follow `--`: starchat run FILE -- …",
        )
    invocation = Invocation.from_flags(flags)
    if flags.code.lower().endswith(".ipynb"):
        cells, script = read_notebook(Path(flags.code)), []
    else:
        cells, script = [read_code(flags.code)], [flags.code, *script]
    replace_lone_surrogates()
    # The code itself came from there.
    stdin = -1 if flags.code == "-" else open_script_input()
    return asyncio.run(_run_code(invocation, cells, script, stdin))


def split_arguments(argv: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return our arguments, and those behind `--`, which belong to the script."""
    given = list(argv)
    if "--" not in given:
        return given, []
    at = given.index("--")
    if at == 0:
        # As everywhere else: what follows is no flag, not even `-x.py`.
        return given[:2], given[2:]
    return given[:at], given[at + 1 :]


async def _run_code(
    invocation: Invocation, cells: Sequence[str], script: Sequence[str], stdin: int
) -> int:
    settings = invocation.settings
    terminal = Terminal(color=invocation.uses_color, quiet=not settings.stats)
    kernel_manager = create_kernel_manager(invocation, script=script, stdin=stdin)
    runner = CodeRunner(kernel_manager, RunOptions.from_invocation(invocation), terminal)
    return await run_and_close(kernel_manager, runner.run_file(*cells, is_script=bool(script)))


def read_code(name: str) -> str:
    """Return the text of a file, or of stdin for `-`; raises `UsageError`."""
    if name == "-":
        return read_text(sys.stdin.buffer, "Standard input", limit=MAX_CODE_BYTES)
    code = read_text(Path(name), f"`{name}`", limit=MAX_CODE_BYTES)
    with open(name, "rb") as file:
        if file.read(2) in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
            raise UsageError(
                f"`{name}` is in UTF-16, which Python does not read",
                f"convert it: `iconv -f UTF-16 -t UTF-8 {shlex.quote(name)}`",
            )
    return code


def read_notebook(path: Path) -> list[str]:
    """Return the code cells of a Jupyter notebook; raises `UsageError`."""
    try:
        cells = read_json_object(path)["cells"]
        sources = [cell["source"] for cell in cells if cell["cell_type"] == "code"]
        # A text, or a list of its lines.
        texts = ["".join(source) for source in sources]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(
            f"`{path}` is not a notebook that can be read ({type(error).__name__})",
            "save it in Jupyter's format 4 or later",
        ) from error
    code = [text for text in texts if text.strip()]
    if not code:
        raise UsageError(f"`{path}` has no code cells", "name a notebook that has some")
    if sum(map(len, code)) > MAX_CODE_BYTES:
        raise UsageError(f"`{path}` has more than {MAX_CODE_BYTES >> 20} MiB of code", "divide it")
    return code
