"""Data and texts of a plot are written into its program as they were typed."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from train.demo.tasks.plots.plot_spec import (
    PlotData,
    PlotSpec,
    build_plot_exchange,
    join_program,
    parse_number,
)

FRUIT = PlotData(("pears", "New York", "figs"), ("3.50", "-2", "10"))


def run_code(code: str) -> dict[str, object]:
    """Return the variables that the code defines."""
    space: dict[str, object] = {}
    exec(code, {}, space)
    return space


def test_numbers_are_parsed_as_they_were_typed() -> None:
    assert [parse_number(text) for text in ("7", "7.0", "-0.5")] == [7, 7.0, -0.5]
    assert isinstance(parse_number("7"), int)
    assert isinstance(parse_number("7.0"), float)


@pytest.mark.parametrize("listed", [False, True])
def test_pairs_become_names_and_values(listed: bool) -> None:
    data = replace(FRUIT, listed=listed)
    found = run_code(f"{data.pairs}\n{data.split}")
    assert found["names"] == ["pears", "New York", "figs"]
    assert found["values"] == [3.5, -2, 10]
    assert "3.50" in data.pairs


@pytest.mark.parametrize("listed", [False, True])
def test_points_become_two_sequences(listed: bool) -> None:
    found = run_code(PlotData(values=("4", "5"), xs=("1", "2.5"), listed=listed).points)
    assert list(found["x"]) == [1, 2.5]  # type: ignore[call-overload]
    assert list(found["y"]) == [4, 5]  # type: ignore[call-overload]


def test_groups_have_a_list_for_each_key() -> None:
    data = PlotData(keys=("a", "b"), rows=(("1", "2"), ("3", "4.0")))
    assert run_code(data.groups) == {"data": {"a": [1, 2], "b": [3, 4.0]}}


def test_a_frame_has_the_columns_of_the_question() -> None:
    assert 'columns=["city", "rain"]' in replace(FRUIT, columns=("city", "rain")).frame
    assert '{"name": names, "value": values}' in replace(FRUIT, listed=True).frame


@pytest.mark.parametrize(
    ("order", "names"),
    [
        ("", ("pears", "New York", "figs")),
        ("up", ("New York", "pears", "figs")),
        ("down", ("figs", "pears", "New York")),
    ],
)
def test_order_is_by_value_and_not_by_text(order: str, names: tuple[str, ...]) -> None:
    assert PlotSpec("bar", FRUIT, order=order).ordered_data.names == names


def test_texts_are_in_the_program_and_expected_in_the_figure() -> None:
    chart = PlotSpec("bar", FRUIT, title="T", xlabel="x", ylabel="y", color="red", grid=True)
    assert chart.render_texts() == [
        'plt.title("T")',
        'plt.xlabel("x")',
        'plt.ylabel("y")',
        "plt.grid()",
    ]
    assert chart.render_arguments() == ', color="red"'
    assert chart.expect_axes("bar", labels=["a"]) == {
        "kind": "bar",
        "labels": ["a"],
        "title": "T",
        "xlabel": "x",
        "ylabel": "y",
        "color": "#ff0000",
    }


def test_a_plot_without_texts_is_expected_to_have_no_title() -> None:
    assert PlotSpec("bar", FRUIT).render_texts() == []
    assert PlotSpec("bar", FRUIT).expect_axes("bar") == {"kind": "bar", "title": ""}


@pytest.mark.parametrize(("kind", "axis"), [("bar", "y"), ("barh", "x")])
def test_the_logarithmic_axis_is_that_of_the_values(kind: str, axis: str) -> None:
    chart = PlotSpec(kind, FRUIT, log=True)
    assert chart.render_texts() == [f'plt.{axis}scale("log")']
    assert chart.expect_axes("bar")[f"{axis}scale"] == "log"


def test_an_exchange_expects_the_given_axes() -> None:
    wanted = [{"kind": "bar", "title": ""}]
    exchange = build_plot_exchange("Q", "Here:", join_program("import x", "", "y"), wanted, "", "g")
    assert exchange.answer == "Here:\n\n```python\nimport x\n\ny\n```"
    assert json.loads(exchange.check.drawn) == wanted
