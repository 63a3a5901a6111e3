from __future__ import annotations

from contextlib import aclosing

import pytest

from starchat_tui.chat.conversation_plots import NumberedPlot, choose_plots, list_plots
from starchat_tui.errors import UsageError
from starchat_tui.sandbox.outputs import Figure
from tests.chat.conversations import MakeSession, ask_once
from tests.scripted import DRAWN, ScriptedEngine, ScriptedKernelFactory, make_png

TWO_BLOCKS = "```python\nplot()\n```\nand\n```python\nplot()\n```\n"
OTHER = Figure(make_png(4, 4), 4, 4, 'axes: "Other"')


async def test_plots_are_numbered_through_the_conversation(
    make_session: MakeSession, engine: ScriptedEngine, factory: ScriptedKernelFactory
) -> None:
    session = make_session()
    turns = [await ask_once(session, engine, TWO_BLOCKS) for _ in range(2)]
    for turn, block, figures in (
        (turns[1], 1, (OTHER,)),
        (turns[0], 1, (DRAWN, OTHER)),
        (turns[0], 1, (OTHER, DRAWN)),  # the last run of a block counts
        (turns[0], 0, ("no plot",)),
    ):
        factory.enqueue(*figures)
        async with aclosing(session.run_block(turn, block, "code")) as outputs:
            assert [output async for output in outputs]
    plots = list_plots(session)
    assert [(one.number, one.block, one.figure) for one in plots] == [
        (1, 2, OTHER),
        (2, 2, DRAWN),
        (3, 4, OTHER),
    ]
    assert choose_plots(plots, "") == plots
    assert choose_plots(plots, "2") == [plots[1]]
    for wrong in ("0", "4", "-1", "two", "²"):
        with pytest.raises(UsageError, match="No plot"):
            choose_plots(plots, wrong)
    session.start_conversation()
    with pytest.raises(UsageError, match="no plots"):
        list_plots(session)


@pytest.mark.parametrize(
    ("card", "title"),
    [
        ('axes 1: "Bars"; x "name"', "Bars"),
        ("PNG picture 6 × 4 in `i.png`\nmore", "PNG picture 6 × 4 in `i.png`"),
        ("", "plot"),
        (f'axes: "{"long " * 40}"', "long long long long long long long long long long long long…"),
    ],
)
def test_a_plot_has_the_title_of_its_description(card: str, title: str) -> None:
    assert NumberedPlot(1, 1, Figure(b"", 1, 1, card)).title == title
