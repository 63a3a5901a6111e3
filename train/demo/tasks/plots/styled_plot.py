"""Plots with a style: lines, markers, size, rotated labels, a file to save."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import Any

from train.demo.tasks.data_formats import Texts, format_numbers
from train.demo.tasks.family import Check, Exchange, format_answer
from train.demo.tasks.load_yaml import load_phrasings
from train.demo.tasks.plots.plot_kinds import MATPLOTLIB_IMPORT, PLOT_KINDS, join_drawing
from train.demo.tasks.plots.plot_spec import (
    ExpectedAxes,
    PlotSpec,
    join_program,
    parse_number,
    parse_numbers,
)

LINE_KINDS = frozenset(("line", "marked", "step", "curve", "lines", "sns_line"))
"""Kinds whose lines can be dotted, thick and marked."""
NAMED_AXIS_KINDS = frozenset(
    ("bar", "line", "marked", "step", "area", "grouped", "stacked", "lines")
)
"""Kinds with names along the x axis."""
PANDAS_KINDS = frozenset(("grouped", "stacked"))
"""Kinds that pandas draws, in a figure of its own."""
MATRIX_KINDS = ("matrix", "sns_matrix")
"""Heat maps of numbers without names."""
STYLED_KINDS = frozenset(PLOT_KINDS) - {"dashed", "donut", "named", "heat", "sns_heat", "boxes"}
WRITE_NUMBERS = (
    "for row, values in enumerate(grid):\n"
    "    for column, value in enumerate(values):\n"
    '        plt.text(column, row, value, ha="center", va="center")'
)


def load_style_phrasings(name: str) -> tuple[str, ...]:
    """Return the phrasings called `name` in data/plot_styles.yaml."""
    return load_phrasings("plot_styles", name)


@dataclass(frozen=True, slots=True)
class StyledPlot(PlotSpec):
    """Plot with its style."""

    style: str = ""
    width: str = ""
    marker: str = ""
    size: Texts = ()
    """Width and height in inches."""
    turned: str = ""
    """Rotation of the labels of the x axis, in degrees."""
    saved: str = ""
    """Name of the file to save."""
    written: bool = False
    """True if the numbers of a matrix are written into its cells."""

    def render_arguments(self) -> str:
        """Return the arguments for line style and colour."""
        found = f', marker="{self.marker}"' if self.marker else ""
        found += f', linestyle="{self.style}"' if self.style else ""
        found += f", linewidth={self.width}" if self.width else ""
        return found + PlotSpec.render_arguments(self)

    def render_figure(self) -> str:
        """Return the line that sets the size, unless pandas creates the figure."""
        return f"plt.figure({self._inches})" if self.size and self.kind not in PANDAS_KINDS else ""

    def render_frame_arguments(self) -> str:
        """Return the argument that sets the size if pandas creates the figure."""
        return f", {self._inches}" if self.size else ""

    @property
    def _inches(self) -> str:
        return f"figsize=({', '.join(self.size)})"

    def render_texts(self) -> list[str]:
        """Return the lines after the drawing call; saving comes last."""
        lines = PlotSpec.render_texts(self)
        if self.turned:
            lines.append(f"plt.xticks(rotation={self.turned})")
        if self.saved:
            lines.append(f'plt.savefig("{self.saved}")')
        return lines

    def expect_axes(self, kind: str, **more: Any) -> ExpectedAxes:
        """Return the expected axes, including the style."""
        found = PlotSpec.expect_axes(self, kind, **more)
        if self.size:
            found["size"] = parse_numbers(self.size)
        if self.turned:
            found["xrotations"] = [parse_number(self.turned)]
        if self.style:
            found["style"] = self.style
        if self.width:
            found["width"] = parse_number(self.width)
        if self.marker:
            found["marker"] = self.marker
        return found


def to_styled(chart: PlotSpec) -> StyledPlot:
    """Convert a plot to a styled one, without any style yet."""
    fields = {name: getattr(chart, name) for name in PlotSpec.__dataclass_fields__}
    return StyledPlot(**fields)


def drop_unfit_styles(chart: StyledPlot) -> StyledPlot:
    """Drop the styles that the kind of plot does not have."""
    if chart.kind not in LINE_KINDS:
        chart = replace(chart, style="", width="", marker="")
    if chart.kind not in NAMED_AXIS_KINDS:
        chart = replace(chart, turned="")
    return chart


def render_matrix(chart: StyledPlot) -> str:
    """Render a heat map of numbers without names."""
    definition = "grid = [" + ", ".join(format_numbers(row) for row in chart.data.rows) + "]"
    if chart.kind == "sns_matrix":
        call = 'sns.heatmap(grid, annot=True, fmt="g")'
        return join_program(
            f"{MATPLOTLIB_IMPORT}\nimport seaborn as sns", definition, join_drawing(chart, call)
        )
    numbers = WRITE_NUMBERS if chart.written else ""
    return join_program(
        MATPLOTLIB_IMPORT,
        definition,
        join_drawing(chart, "plt.imshow(grid)", "plt.colorbar()", numbers),
    )


def render_code(chart: StyledPlot) -> str:
    """Return the program that draws the plot."""
    return (
        render_matrix(chart) if chart.kind in MATRIX_KINDS else PLOT_KINDS[chart.kind].render(chart)
    )


def expect_axes(chart: StyledPlot) -> list[ExpectedAxes]:
    """Return the axes that the program must draw."""
    if chart.kind not in MATRIX_KINDS:
        return PLOT_KINDS[chart.kind].expect(chart)
    more = {"written": True} if chart.written or chart.kind == "sns_matrix" else {}
    return [chart.expect_axes("heat", grid=[parse_numbers(row) for row in chart.data.rows], **more)]


def build_styled_exchange(
    chart: StyledPlot, question: str, before: str, group: str, after: str = ""
) -> Exchange:
    """Build the exchange whose answer is this plot."""
    # `show` closes the figure in a script: saved after it, the file would be empty.
    has = (f'savefig("{chart.saved}")\nplt.show()',) if chart.saved else ()
    check = Check(drawn=json.dumps(expect_axes(chart)), has=has)
    return Exchange(question, format_answer(before, render_code(chart), after), check, group)


def restyle_exchange(chart: StyledPlot, definition: Exchange) -> Exchange:
    """Rebuild an exchange of `plot_changes` with the style in its program."""
    before = definition.answer.partition("\n\n")[0]
    return build_styled_exchange(chart, definition.question, before, definition.group)
