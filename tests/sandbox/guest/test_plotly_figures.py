"""Figures of plotly: drawn where their traces are simple, else described by their data."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from starchat_tui.sandbox.guest.describe.figure_description import describe_figure
from starchat_tui.sandbox.guest.plotly_figures import describe_data, draw_figure

ATTRIBUTES = ("x y z name mode orientation labels values nbinsx nbinsy showlegend").split()


def create_trace(kind: str, **values: Any) -> SimpleNamespace:
    """Return a trace with the attributes that plotly's have, None unless given."""
    return SimpleNamespace(**{**dict.fromkeys(ATTRIBUTES), **values, "type": kind})


def create_figure(*traces: SimpleNamespace, title: str = "", **layout: Any) -> Any:
    """Return an object with the attributes of a plotly figure that are read."""
    text = SimpleNamespace(text=None)
    axis = SimpleNamespace(title=text, type=None)
    parts = {"xaxis": axis, "yaxis": axis, "barmode": None, **layout}

    class Layout(SimpleNamespace):
        def __getitem__(self, name: str) -> Any:
            return getattr(self, name)

    legend = SimpleNamespace(title=text)
    return SimpleNamespace(
        data=traces,
        layout=Layout(title=SimpleNamespace(text=title or None), legend=legend, **parts),
    )


def describe(*traces: SimpleNamespace, **layout: Any) -> str:
    """Return the card of the drawn figure."""
    drawn = draw_figure(create_figure(*traces, **layout))
    assert drawn is not None
    drawn.canvas.draw()
    return describe_figure(drawn).removeprefix("axes:").strip()


LOG = SimpleNamespace(title=SimpleNamespace(text="size"), type="log")
TWO = [
    create_trace("bar", x=["a", "b"], y=[1, 2], name="u"),
    create_trace("bar", x=["b"], y=[3], name="v"),
]


def test_lines_and_points_are_drawn() -> None:
    line = create_trace("scatter", x=[1, 2], y=[3, 4], mode="lines", name="l")
    assert describe(line, title="T", xaxis=LOG) == '"T"; x "size" (log)\n  line "l": (1, 3), (2, 4)'
    assert describe(create_trace("scatter", y=[3, 4], mode="markers")) == "points: (0, 3), (1, 4)"
    assert describe(create_trace("scattergl", y=[3, 4])) == "line: (0, 3), (1, 4)"


@pytest.mark.parametrize(
    ("mode", "heights"),
    [
        (None, {"a 1, b 2", "b 3"}),
        ("group", {"a 1, b 2", "b 3"}),
        ("relative", {"a 1, b 2", "b 3"}),
    ],
)
def test_bars_keep_their_heights(mode: str | None, heights: set[str]) -> None:
    lines = describe(*TWO, barmode=mode).split("\n")
    assert {line.partition(": ")[2] for line in lines[:2]} == heights
    assert lines[2].strip() == "legend: u, v"


def test_stacked_bars_begin_where_the_others_end() -> None:
    drawn = draw_figure(create_figure(*TWO, barmode="stack"))
    assert drawn is not None
    assert [patch.get_y() for patch in drawn.axes[0].patches] == [0, 0, 2]


def test_horizontal_bars_are_drawn() -> None:
    assert (
        describe(create_trace("bar", x=[1, 2], y=["p", "q"], orientation="h")) == "bars: p 1, q 2"
    )


def test_shares_of_one_label_are_added() -> None:
    pie = create_trace("pie", labels=["a", "b", "a"], values=[1, 1, 2])
    assert describe(pie) == "pie: a 75 %, b 25 %"


def test_a_histogram_is_drawn() -> None:
    assert describe(create_trace("histogram", x=[1, 1, 2, 3], nbinsx=3)).startswith(
        "histogram: 1 to "
    )
    drawn = draw_figure(create_figure(create_trace("histogram", y=[1, 1, 2, 3])))
    assert drawn is not None


def test_a_heat_map_is_drawn_with_its_names() -> None:
    drawn = draw_figure(
        create_figure(create_trace("heatmap", z=[[1, 2], [3, 4]], x=["a", "b"], y=["c", "d"]))
    )
    assert drawn is not None
    assert "a 1, b 2" in describe_figure(drawn)


UNDRAWN: dict[str, tuple[Any, str]] = {
    "an unknown kind": (
        create_figure(create_trace("surface", z=[[1, 2]], name="s"), title="T"),
        'plotly figure "T":\n  surface "s": z [1, 2]',
    ),
    "subplots": (
        create_figure(
            create_trace("scatter", y=[1], xaxis="x", yaxis="y"),
            create_trace("scatter", y=[2], xaxis="x2", yaxis="y"),
        ),
        "plotly figure:\n  scatter: y 1\n  scatter: y 2",
    ),
    "a pie with a line": (
        create_figure(
            create_trace("pie", labels=["a"], values=[1]), create_trace("scatter", y=[2])
        ),
        "plotly figure:\n  pie: labels a; values 1\n  scatter: y 2",
    ),
    "data of another form": (
        create_figure(create_trace("bar", x=["a"], y=None)),
        "plotly figure:\n  bar: x a",
    ),
    "no traces": (create_figure(), "plotly figure:"),
    "many values": (
        create_figure(create_trace("splom", x=list(range(20)))),
        "plotly figure:\n  splom: x 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, … (20 values)",
    ),
}


@pytest.mark.parametrize("name", UNDRAWN)
def test_other_figures_are_described(name: str) -> None:
    figure, expected = UNDRAWN[name]
    assert draw_figure(figure) is None
    assert describe_data(figure) == expected
