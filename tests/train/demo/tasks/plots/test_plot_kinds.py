"""Each kind of plot draws the expected figure, and is not taken for another kind."""

from __future__ import annotations

import ast
from dataclasses import replace

import pytest

from train.demo.evaluation.check import check_answers
from train.demo.tasks.family import Exchange
from train.demo.tasks.plots.plot_kinds import (
    CALLS,
    EXTRA_EXPECTATIONS,
    PAIRED_KINDS,
    PIE_KINDS,
    PLOT_KINDS,
    SEABORN_CALLS,
    render_pairs,
)
from train.demo.tasks.plots.plot_questions import build_exchange
from train.demo.tasks.plots.plot_spec import PlotData, PlotSpec

PAIRS = PlotData(("a", "b", "c"), ("3", "1.5", "4"))
POINTS = PlotData(("a", "b", "c"), ("3", "1.5", "4"), ("1", "2", "5"))
VALUES = PlotData(values=("1", "2", "2", "3", "9"))
SERIES = PlotData(("a", "b"), keys=("k", "l"), rows=(("1", "2"), ("4", "3")))


def create_chart(kind: str, **more: object) -> PlotSpec:
    data = (
        PAIRS
        if kind in PAIRED_KINDS or kind in SEABORN_CALLS
        else POINTS
        if kind in ("scatter", "curve", "named")
        else VALUES
        if kind in ("hist", "box")
        else SERIES
    )
    return PlotSpec(kind, data, **more)  # type: ignore[arg-type]


def create_exchange(kind: str, **more: object) -> Exchange:
    return build_exchange(create_chart(kind, **more), "", "Here it is:", "plots")


@pytest.mark.slow
def test_each_kind_draws_the_expected_figure() -> None:
    exchanges = [create_exchange(kind, title="T") for kind in PLOT_KINDS]
    verdicts = check_answers(((e.answer, e.check) for e in exchanges), trusted=True)
    assert dict(zip(PLOT_KINDS, verdicts, strict=True)) == dict.fromkeys(PLOT_KINDS, "")


@pytest.mark.slow
def test_pairs_drawn_as_another_kind_are_refused() -> None:
    kinds = sorted(set(PAIRED_KINDS) - {"percent", "marked", "dashed"})
    pairs = [
        (shown, asked, create_exchange(shown).answer, create_exchange(asked).check)
        for shown in kinds
        for asked in kinds
        # A donut is a pie, and a step is a line: more than the plain kind asks for.
        if shown != asked and not (EXTRA_EXPECTATIONS[shown] and not EXTRA_EXPECTATIONS[asked])
    ]
    verdicts = check_answers((answer, check) for _, _, answer, check in pairs)
    accepted = [pair[:2] for pair, verdict in zip(pairs, verdicts, strict=True) if not verdict]
    assert accepted == []


@pytest.mark.parametrize("kind", PLOT_KINDS)
def test_data_come_first_and_showing_comes_last(kind: str) -> None:
    code = PLOT_KINDS[kind].render(create_chart(kind, title="T", grid=True))
    ast.parse(code)
    imports, definition, drawing = code.split("\n\n")
    assert imports.startswith("import matplotlib.pyplot as plt")
    assert all(line.partition(" = ")[1] for line in definition.splitlines())
    assert drawing.splitlines()[-3:] == ['plt.title("T")', "plt.grid()", "plt.show()"]


def test_data_are_in_the_order_of_the_question() -> None:
    data = PlotData(("Tom", "New York"), ("5", "7.50"))
    assert 'data = {"Tom": 5, "New York": 7.50}' in render_pairs(PlotSpec("bar", data))
    listed = replace(data, listed=True)
    assert 'names = ["Tom", "New York"]\nvalues = [5, 7.50]' in render_pairs(
        PlotSpec("bar", listed)
    )


@pytest.mark.parametrize("kind", [name for name, kind in PLOT_KINDS.items() if kind.colored])
def test_a_colour_reaches_the_program_and_the_expectation(kind: str) -> None:
    chart = create_chart(kind, color="navy")
    assert 'color="navy"' in PLOT_KINDS[kind].render(chart)
    assert PLOT_KINDS[kind].expect(chart)[0]["color"] == "#000080"


@pytest.mark.parametrize(("order", "names"), [("up", ["b", "a", "c"]), ("down", ["c", "a", "b"])])
def test_the_program_sorts_pairs_as_expected(order: str, names: list[str]) -> None:
    chart = create_chart("bar", order=order)
    space: dict[str, object] = {}
    exec(PLOT_KINDS["bar"].render(chart).split("\n\n")[1], space)
    (axes,) = PLOT_KINDS["bar"].expect(chart)
    assert space["names"] == axes["labels"] == names
    assert [space["values"]] == axes["series"]


def test_bins_reach_the_program_and_the_expectation() -> None:
    chart = create_chart("hist", bins=4)
    assert "plt.hist(values, bins=4)" in PLOT_KINDS["hist"].render(chart)
    assert PLOT_KINDS["hist"].expect(chart)[0]["bins"] == 4
    assert "bins" not in PLOT_KINDS["hist"].expect(create_chart("hist"))[0]


def test_tables_of_the_kinds_agree() -> None:
    assert CALLS.keys() == EXTRA_EXPECTATIONS.keys() == PAIRED_KINDS.keys()
    assert set(PAIRED_KINDS) | set(SEABORN_CALLS) <= set(PLOT_KINDS)
    assert not any(PLOT_KINDS[kind].labelled for kind in PIE_KINDS)
    assert len(PLOT_KINDS) >= 20
    assert all(len(kind.names) >= 3 for kind in PLOT_KINDS.values())
