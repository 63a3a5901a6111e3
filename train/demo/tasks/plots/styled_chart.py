"""A chart with its looks: line style and width, markers, size, turned labels, a file to save."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import Any

from train.demo.tasks.data_formats import Texts, bare
from train.demo.tasks.family import Check, Exchange, answer
from train.demo.tasks.load_yaml import asked
from train.demo.tasks.plots.chart import Chart, Wanted, number, program, worth
from train.demo.tasks.plots.plot_kinds import KINDS, PLT, drawing

LINES = frozenset(("line", "marked", "step", "curve", "lines", "sns_line"))
"""Kinds whose lines can be dotted, thick and marked."""
TURNED = frozenset(("bar", "line", "marked", "step", "area", "grouped", "stacked", "lines"))
"""Kinds with names along the x axis."""
FRAMED = frozenset(("grouped", "stacked"))
"""Kinds that pandas draws, in a figure of its own."""
MATRICES = ("matrix", "sns_matrix")
"""Heat maps of numbers without names."""
STYLED = frozenset(KINDS) - {"dashed", "donut", "named", "heat", "sns_heat", "boxes"}
WRITTEN = (
    "for row, values in enumerate(grid):\n"
    "    for column, value in enumerate(values):\n"
    '        plt.text(column, row, value, ha="center", va="center")'
)


def says(name: str) -> tuple[str, ...]:
    """The phrasings called `name` in data/later_plots.yaml; KeyError where there are none."""
    return asked("later_plots", name)


@dataclass(frozen=True, slots=True)
class Styled(Chart):
    """A chart and how it looks."""

    style: str = ""
    width: str = ""
    marker: str = ""
    size: Texts = ()
    """Width and height in inches."""
    turned: str = ""
    """Degrees by which the labels of the x axis are turned."""
    saved: str = ""
    """The name of a file."""
    written: bool = False
    """Whether the numbers of a matrix stand in its cells."""

    def arguments(self) -> str:
        """The arguments for the looks of a line, and the colour."""
        found = f', marker="{self.marker}"' if self.marker else ""
        found += f', linestyle="{self.style}"' if self.style else ""
        found += f", linewidth={self.width}" if self.width else ""
        return found + Chart.arguments(self)

    def figure(self) -> str:
        """The line for its size, unless pandas makes the figure."""
        return f"plt.figure({self._inches})" if self.size and self.kind not in FRAMED else ""

    def frame(self) -> str:
        """The argument for its size where pandas makes the figure."""
        return f", {self._inches}" if self.size else ""

    @property
    def _inches(self) -> str:
        return f"figsize=({', '.join(self.size)})"

    def texts(self) -> list[str]:
        """The lines after the drawing, saving at the end."""
        lines = Chart.texts(self)
        if self.turned:
            lines.append(f"plt.xticks(rotation={self.turned})")
        if self.saved:
            lines.append(f'plt.savefig("{self.saved}")')
        return lines

    def wanted(self, kind: str, **more: Any) -> Wanted:
        """What the checker looks for, looks included."""
        found = Chart.wanted(self, kind, **more)
        if self.size:
            found["size"] = worth(self.size)
        if self.turned:
            found["xrotations"] = [number(self.turned)]
        if self.style:
            found["style"] = self.style
        if self.width:
            found["width"] = number(self.width)
        if self.marker:
            found["marker"] = self.marker
        return found


def styled(chart: Chart) -> Styled:
    """The chart, plain as yet."""
    fields = {name: getattr(chart, name) for name in Chart.__dataclass_fields__}
    return Styled(**fields)


def settled(chart: Styled) -> Styled:
    """Without the looks that its kind cannot have."""
    if chart.kind not in LINES:
        chart = replace(chart, style="", width="", marker="")
    if chart.kind not in TURNED:
        chart = replace(chart, turned="")
    return chart


def matrix_code(chart: Styled) -> str:
    """A heat map of numbers without names."""
    made = "grid = [" + ", ".join(bare(row) for row in chart.data.rows) + "]"
    if chart.kind == "sns_matrix":
        call = 'sns.heatmap(grid, annot=True, fmt="g")'
        return program(f"{PLT}\nimport seaborn as sns", made, drawing(chart, call))
    numbers = WRITTEN if chart.written else ""
    return program(PLT, made, drawing(chart, "plt.imshow(grid)", "plt.colorbar()", numbers))


def code(chart: Styled) -> str:
    """The program that draws it."""
    return matrix_code(chart) if chart.kind in MATRICES else KINDS[chart.kind].code(chart)


def wanted(chart: Styled) -> list[Wanted]:
    """What the program must draw."""
    if chart.kind not in MATRICES:
        return KINDS[chart.kind].wanted(chart)
    more = {"written": True} if chart.written or chart.kind == "sns_matrix" else {}
    return [chart.wanted("heat", grid=[worth(row) for row in chart.data.rows], **more)]


def exchange(chart: Styled, question: str, before: str, group: str, after: str = "") -> Exchange:
    """The exchange that ends with this chart."""
    has = (f'savefig("{chart.saved}")\nplt.show()',) if chart.saved else ()
    check = Check(drawn=json.dumps(wanted(chart)), has=has)
    return Exchange(question, answer(before, code(chart), after), check, group)


def again(chart: Styled, made: Exchange) -> Exchange:
    """An exchange of the older changes, with the looks in its program."""
    before = made.answer.partition("\n\n")[0]
    return exchange(chart, made.question, before, made.group)
