"""Context of a command: flags win over the environment, accessible terminals, color."""

from __future__ import annotations

import os
from typing import Any

import pytest

from starchat_tui.cli import arguments
from starchat_tui.cli.invocation import Invocation


def invoke(*argv: str, **environ: str) -> Invocation:
    flags = arguments.parse_arguments(argv)
    return Invocation.from_flags(flags, {**os.environ, "TERM": "xterm", **environ})


def test_flags_win_over_the_environment() -> None:
    invocation = invoke("-t", "0.5", STARCHAT_TEMPERATURE="0.9", STARCHAT_TOP_K="7")
    assert (invocation.settings.temperature, invocation.settings.top_k) == (0.5, 7)


@pytest.mark.parametrize(
    ("argv", "environ", "expected"),
    [((), {}, False), (("--accessible",), {}, True), ((), {"TERM": "dumb"}, True)],
)
def test_accessible_output(argv: tuple[str, ...], environ: dict[str, Any], expected: bool) -> None:
    assert invoke(*argv, **environ).is_accessible == expected


def test_raw_wins_over_color() -> None:
    assert invoke("--color", "always").uses_color
    assert not invoke("--color", "always", "--raw").uses_color
