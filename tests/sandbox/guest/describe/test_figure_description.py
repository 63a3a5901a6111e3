"""Descriptions of whole figures: in the kernel with every library, and of single figures here."""

from __future__ import annotations

import pytest
from matplotlib.artist import Artist
from matplotlib.figure import Figure

from starchat_tui.sandbox.guest.describe.figure_description import describe_figure
from starchat_tui.sandbox.host.kernel import SandboxKernel
from tests.sandbox.kernels import run_code

DESCRIPTIONS = {
    "plt.bar(['a', 'b'], [1, 2.5], label='n'); plt.legend()": 'bars "n": a 1, b 2.5\n  legend: n',
    "plt.barh(['a', 'b'], [1, 2])": "bars: a 1, b 2",
    "plt.hist([1, 1, 2, 4], bins=3)": "histogram: 1 to 2: 2; 2 to 3: 1; 3 to 4: 1",
    "plt.pie([1, 3], labels=['x', 'y'], autopct='%d%%')": "pie: x 25 %, y 75 %",
    "plt.boxplot([[1, 2, 3, 4, 20]])": "box 1: 1 to 4, quartiles 2 and 4, median 3, outliers: 1",
    "sns.heatmap([[1, 2], [3, 4]], annot=True)": "    0: 0 1, 1 2\n    1: 0 3, 1 4",
    "plt.plot(range(1000))": "(1000 points, x 0 to 999, y 0 to 999)",
    "plt.scatter([1], [2]); plt.annotate('name', (1, 2))": "points: name (1, 2)",
    "plt.plot(pd.to_datetime(['2023-01-01', '2023-02-03']), [1, 2])": "(2023-02-03, 2)",
    "plt.plot([1]); plt.axhline(3); plt.yscale('log')": "horizontal line at 3",
    "plt.title('a\\nb'); plt.xlabel('X'); plt.plot([1])": 'axes: "a b"; x "X"',
    "plt.suptitle('S'); plt.text(0, 0.5, 'note')": 'text "note" at (0, 0.5)',
}


@pytest.mark.bwrap
@pytest.mark.parametrize("code", DESCRIPTIONS)
async def test_descriptions_contain_the_values(kernel: SandboxKernel, code: str) -> None:
    run = await run_code(kernel, code)
    assert DESCRIPTIONS[code] in run.descriptions[0]


def test_titles_labels_scales_and_legend() -> None:
    figure = Figure()
    figure.suptitle("S")
    axes = figure.subplots()
    axes.plot([1, 10], label="l")
    axes.set(title="a\nb", xlabel="X", ylabel="Y", yscale="log")
    axes.legend(title="T")
    axes.text(0, 1, "note")
    assert describe_figure(figure).splitlines() == [
        'figure: "S"',
        'axes: "a b"; x "X"; y "Y" (log)',
        '  line "l": (0, 1), (1, 10)',
        '  text "note" at (0, 1)',
        '  legend "T": l',
    ]


def test_several_axes_are_numbered() -> None:
    figure = Figure()
    for axes, value in zip(figure.subplots(1, 2), (1, 2), strict=True):
        axes.plot([value])
    lines = describe_figure(figure).splitlines()
    assert lines == ["axes 1:", "  line: (0, 1)", "axes 2:", "  line: (0, 2)"]


def test_a_color_bar_is_described_by_its_range() -> None:
    figure = Figure()
    axes = figure.subplots()
    figure.colorbar(axes.pcolormesh([[1, 5]]), label="heat")
    assert describe_figure(figure).splitlines()[-1] == 'axes 2: colors for "heat", 1 to 5'


def test_a_failing_artist_leaves_the_rest_of_the_figure(monkeypatch: pytest.MonkeyPatch) -> None:
    figure = Figure()
    first, second = figure.subplots(1, 2)
    first.plot([1])
    second.plot([2])
    monkeypatch.setattr(first.lines[0], "get_xdata", Artist.draw)
    lines = describe_figure(figure).splitlines()
    assert lines[0] == "axes 1:"
    assert "axes 1: cannot be described (TypeError)" in lines
    assert lines[-1] == "  line: (0, 2)"


def test_a_long_description_is_cut() -> None:
    figure = Figure()
    axes = figure.subplots()
    for number in range(40):
        axes.plot(range(40), label=f"{number} " + "x" * 100)
    assert len(describe_figure(figure)) == 8002
