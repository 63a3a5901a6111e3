"""Table of the subcommands."""

from __future__ import annotations

import subprocess
import sys

import pytest

from starchat_tui.cli import arguments
from starchat_tui.cli.subcommands import HANDLERS, run_subcommand


def test_every_subcommand_has_a_handler() -> None:
    assert {*HANDLERS, "repl"} == set(arguments.SUBCOMMANDS)


@pytest.mark.parametrize("name", HANDLERS)
def test_help_begins_with_the_summary(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        run_subcommand(name, ["--help"])
    assert caught.value.code == 0
    text = " ".join(capsys.readouterr().out.split())
    assert f"usage: starchat {name}" in text


def test_table_imports_no_command() -> None:
    program = "import sys, starchat_tui.cli.subcommands; print(*sys.modules)"
    modules = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    ).stdout.split()
    assert not {"starchat_tui.chat.store", "starchat_tui.cli.doctor", "httpx2"} & set(modules)
