"""Bytes that are not text, at every place of the command line."""

from __future__ import annotations

import pytest

from starchat_tui.cli.argument_text import require_text
from starchat_tui.cli.arguments import SUBCOMMANDS
from starchat_tui.cli.main import run
from starchat_tui.errors import ConfigError, UsageError

ODD = "\udcff"
"""The byte 0xff as Python reads it from the command line."""


def test_text_passes_and_bytes_do_not() -> None:
    require_text(["why", "ü", "\x00", "x" * 10**7], {"OTHER": ODD, "STARCHAT_MODEL": "ü"})
    with pytest.raises(UsageError, match="not text in UTF-8"):
        require_text(["a", f"b{ODD}"], {})
    with pytest.raises(ConfigError, match="STARCHAT_STOP is not text"):
        require_text([], {"STARCHAT_STOP": ODD})


@pytest.mark.parametrize(
    "argv",
    [
        [ODD],
        *([name, ODD] for name in SUBCOMMANDS),
        *(
            [flag, ODD, "hi"]
            for flag in ("-m", "--stop", "--url", "--cid", "-f", "--system", "--token", "--prompt")
        ),
        [f"--url={ODD}", "hi"],
        ["--", ODD],
    ],
)
def test_every_command_and_flag_refuses_them(
    argv: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(argv) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "is not text in UTF-8" in printed.err
    assert "bug" not in printed.err
