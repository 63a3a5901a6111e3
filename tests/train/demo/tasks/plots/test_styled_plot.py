"""A styled plot writes its style into the program and expects it in the figure."""

from __future__ import annotations

from dataclasses import replace

from train.demo.evaluation.check import check_answers
from train.demo.tasks.plots.plot_spec import PlotData, PlotSpec
from train.demo.tasks.plots.styled_plot import (
    StyledPlot,
    build_styled_exchange,
    drop_unfit_styles,
    to_styled,
)

LINE = StyledPlot("line", PlotData(("a", "b", "c"), ("1", "3", "2")))


def check_program(shown: StyledPlot, expected: StyledPlot) -> str:
    """Judge the program of one plot by the check of another."""
    answer = build_styled_exchange(shown, "", "Here it is:", "plots").answer
    check = build_styled_exchange(expected, "", "Here it is:", "plots").check
    return check_answers([(answer, check)])[0]


def test_a_styled_plot_draws_what_it_expects() -> None:
    styled = replace(LINE, style=":", width="3", marker="o", size=("10", "6"), turned="45")
    assert check_program(styled, styled) == ""
    assert check_program(LINE, styled) != ""


def test_saving_comes_before_showing() -> None:
    saved = replace(LINE, saved="chart.png")
    assert check_program(saved, saved) == ""
    assert check_program(LINE, saved).startswith("code lacks")


def test_a_style_that_the_kind_does_not_have_is_dropped() -> None:
    styled = replace(LINE, kind="pie", style=":", width="3", marker="o", turned="45", title="T")
    assert drop_unfit_styles(styled) == replace(LINE, kind="pie", title="T")


def test_converting_a_plot_keeps_all_it_has() -> None:
    plain = PlotSpec("bar", LINE.data, title="T", color="red", log=True)
    styled = to_styled(plain)
    assert (styled.title, styled.color, styled.log) == ("T", "red", True)
    assert styled == to_styled(styled)


def test_the_numbers_of_a_matrix_are_written_into_its_cells() -> None:
    matrix = StyledPlot("matrix", PlotData(rows=(("1", "2"), ("3", "4"))))
    written = replace(matrix, written=True)
    assert check_program(written, written) == ""
    assert check_program(matrix, written).startswith("numbers")
