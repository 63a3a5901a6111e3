"""Plots of a conversation: those of the last run of each code block, numbered in order."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from starchat_tui.chat.session import Session
from starchat_tui.codeblocks import parse_code_blocks
from starchat_tui.errors import UsageError
from starchat_tui.sandbox.outputs import Figure

_MAX_TITLE = 60
"""Characters of a title that are shown."""


@dataclass(frozen=True, slots=True)
class NumberedPlot:
    """A plot, its number in the conversation, and the code block that drew it."""

    number: int
    block: int
    figure: Figure

    @property
    def title(self) -> str:
        """First title in the description, or its first line."""
        card = self.figure.card.strip()
        found = re.search(r'"([^"\n]+)"', card)
        title = found[1] if found else card.partition("\n")[0] or "plot"
        return title if len(title) <= _MAX_TITLE else f"{title[: _MAX_TITLE - 1].rstrip()}…"


def list_plots(session: Session) -> list[NumberedPlot]:
    """Return the plots of the current branch, oldest first; raise `UsageError` without any."""
    plots: list[NumberedPlot] = []
    first_block = 1
    for stored in session.turns:
        if stored.turn.role != "assistant":
            continue
        for block, result in sorted(session.load_run_results(stored.id).items()):
            for figure in result.figures:
                plots.append(NumberedPlot(len(plots) + 1, first_block + block, figure))
        first_block += len(parse_code_blocks(stored.turn.text))
    if not plots:
        raise UsageError("This conversation has no plots", "run a code block that draws one")
    return plots


def choose_plots(plots: Sequence[NumberedPlot], argument: str) -> Sequence[NumberedPlot]:
    """Return the plot whose number is `argument`, all of them without one."""
    if not argument:
        return plots
    if not argument.isdecimal() or not 1 <= int(argument) <= len(plots):
        raise UsageError(f"No plot {argument}", f"plots are numbered 1 to {len(plots)}")
    return [plots[int(argument) - 1]]
