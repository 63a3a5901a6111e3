"""A chart with its looks: line style and width, markers, size, turned labels, a file to save."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import Any

from train.nano.dialogues.family import Check, Exchange, answer
from train.nano.dialogues.plots.chart import Chart, Wanted, number, program, worth
from train.nano.dialogues.plots.kinds import (
    CALLS,
    KINDS,
    PAIRED,
    PANDAS,
    PLT,
    SEABORN,
    SEABORN_CALLS,
    SORTS,
    colored,
    drawing,
)
from train.nano.dialogues.tables import table
from train.nano.dialogues.told import Texts, bare, quoted

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
    return tuple(table("later_plots")[name])


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


def arguments(chart: Styled) -> str:
    """The arguments for the looks of a line, and the colour."""
    found = f', marker="{chart.marker}"' if chart.marker else ""
    found += f', linestyle="{chart.style}"' if chart.style else ""
    found += f", linewidth={chart.width}" if chart.width else ""
    return found + colored(chart)


def code(chart: Styled) -> str:
    """The program that draws it."""
    imports, made, lines = _parts(chart)
    inches = f"figsize=({', '.join(chart.size)})" if chart.size else ""
    figure = f"plt.figure({inches})" if inches and chart.kind not in FRAMED else ""
    return program(imports, made, drawing(chart, figure, *lines))


def _parts(chart: Styled) -> tuple[str, str, tuple[str, ...]]:
    """Imports, data, and the lines that draw them."""
    data, kind = chart.data, chart.kind
    if kind in PAIRED:
        parts = (data.pairs, SORTS.get(chart.order, ""), data.split)
        ready = "\n".join(part for part in parts if part)
        return PLT, ready, (CALLS[kind].format(c=arguments(chart)),)
    if kind in MATRICES:
        return _matrix(chart)
    if kind in (*FRAMED, "lines"):
        return _grouped(chart)
    if kind in SEABORN_CALLS:
        first, second = data.columns
        context = 'sns.set_context("talk")' if chart.talk else ""
        axes = f'data=df, x="{first}", y="{second}"{arguments(chart)}'
        return SEABORN, data.frame, (context, f"sns.{SEABORN_CALLS[kind]}({axes})")
    if kind in ("scatter", "curve"):
        call = "plt.scatter" if kind == "scatter" else "plt.plot"
        return PLT, data.points, (f"{call}(x, y{arguments(chart)})",)
    made = "values = [" + ", ".join(data.values) + "]"
    if kind == "hist":
        bins = f", bins={chart.bins}" if chart.bins else ""
        return PLT, made, (f"plt.hist(values{bins}{colored(chart)})",)
    return PLT, made, ("plt.boxplot(values)",)


def _grouped(chart: Styled) -> tuple[str, str, tuple[str, ...]]:
    made = f"names = {quoted(chart.data.names)}\n{chart.data.groups}"
    if chart.kind == "lines":
        call = f"plt.plot(names, values, label=name{arguments(chart)})"
        return PLT, made, (f"for name, values in data.items():\n    {call}", "plt.legend()")
    options = ", stacked=True" if chart.kind == "stacked" else ""
    options += f", figsize=({', '.join(chart.size)})" if chart.size else ""
    return PANDAS, made, ("df = pd.DataFrame(data, index=names)", f'df.plot(kind="bar"{options})')


def _matrix(chart: Styled) -> tuple[str, str, tuple[str, ...]]:
    made = "grid = [" + ", ".join(bare(row) for row in chart.data.rows) + "]"
    if chart.kind == "sns_matrix":
        imports = f"{PLT}\nimport seaborn as sns"
        return imports, made, ('sns.heatmap(grid, annot=True, fmt="g")',)
    return PLT, made, ("plt.imshow(grid)", "plt.colorbar()", WRITTEN if chart.written else "")


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
