"""Specification of a plot: data and texts, the program that draws it, the expected axes."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from train.demo.tasks.data_formats import Texts, format_numbers, format_strings
from train.demo.tasks.family import Check, Exchange, format_answer
from train.demo.tasks.lexicon import COLORS

ExpectedAxes = dict[str, Any]


def parse_number(text: str) -> float | int:
    """Parse a number as it was typed."""
    return float(text) if "." in text else int(text)


def parse_numbers(texts: Texts) -> list[float | int]:
    """Parse numbers as they were typed."""
    return [parse_number(text) for text in texts]


@dataclass(frozen=True, slots=True)
class PlotData:
    """Data of a question in its order: labels and numbers as they were typed."""

    names: Texts = ()
    values: Texts = ()
    xs: Texts = ()
    rows: tuple[Texts, ...] = ()
    """Several numbers for each of `keys`."""
    keys: Texts = ()
    columns: Texts = ("name", "value")
    listed: bool = False
    """True if labels and numbers are separate lists, in the question and in the code."""

    @property
    def pairs(self) -> str:
        """Code that defines the pairs: `data = {...}`, or two lists."""
        if self.listed:
            return f"names = {format_strings(self.names)}\nvalues = {format_numbers(self.values)}"
        both = zip(self.names, self.values, strict=True)
        return "data = {" + ", ".join(f'"{name}": {value}' for name, value in both) + "}"

    @property
    def split(self) -> str:
        """Code that makes `names` and `values` from the pairs."""
        return "" if self.listed else "names = list(data)\nvalues = list(data.values())"

    @property
    def frame(self) -> str:
        """Code that defines the pairs and the data frame `df`."""
        first, second = self.columns
        if self.listed:
            return f'{self.pairs}\ndf = pd.DataFrame({{"{first}": names, "{second}": values}})'
        return f'{self.pairs}\ndf = pd.DataFrame(data.items(), columns=["{first}", "{second}"])'

    @property
    def points(self) -> str:
        """Code that defines `x` and `y`."""
        if self.listed:
            return f"x = {format_numbers(self.xs)}\ny = {format_numbers(self.values)}"
        both = zip(self.xs, self.values, strict=True)
        return "points = [" + ", ".join(f"({x}, {y})" for x, y in both) + "]\nx, y = zip(*points)"

    @property
    def groups(self) -> str:
        """Code that defines `data` with a list for each key."""
        both = zip(self.keys, self.rows, strict=True)
        return "data = {" + ", ".join(f'"{key}": {format_numbers(row)}' for key, row in both) + "}"


@dataclass(frozen=True, slots=True)
class PlotSpec:
    """Specification of a plot, as far as its kind leaves it open."""

    kind: str
    data: PlotData
    title: str = ""
    xlabel: str = ""
    ylabel: str = ""
    color: str = ""
    log: bool = False
    grid: bool = False
    order: str = ""
    """"up" or "down" if the pairs are sorted by value."""
    talk: bool = False
    bins: int = 0

    @property
    def ordered_data(self) -> PlotData:
        """Data in the order in which they are drawn."""
        if not self.order:
            return self.data
        both = list(zip(self.data.names, self.data.values, strict=True))
        both.sort(key=lambda pair: parse_number(pair[1]), reverse=self.order == "down")
        names, values = zip(*both, strict=True)
        return PlotData(names, values, columns=self.data.columns, listed=self.data.listed)

    def render_arguments(self) -> str:
        """Return further arguments of the drawing call: the colour, if there is one."""
        return f', color="{self.color}"' if self.color else ""

    def render_figure(self) -> str:
        """Return the line that creates the figure, "" if matplotlib may."""
        return ""

    def render_frame_arguments(self) -> str:
        """Return further arguments for a figure that pandas creates."""
        return ""

    def render_texts(self) -> list[str]:
        """Return the lines after the drawing call: title, axis labels, scales."""
        lines = []
        for name in ("title", "xlabel", "ylabel"):
            if text := getattr(self, name):
                lines.append(f'plt.{name}("{text}")')
        if self.log:
            lines.append('plt.xscale("log")' if self.kind == "barh" else 'plt.yscale("log")')
        if self.grid:
            lines.append("plt.grid()")
        return lines

    def expect_axes(self, kind: str, **more: Any) -> ExpectedAxes:
        """Return the expected axes: texts, and `more` for the kind."""
        found: ExpectedAxes = {"kind": kind, "title": self.title, **more}
        for name in ("xlabel", "ylabel"):
            if text := getattr(self, name):
                found[name] = text
        if self.log:
            found["xscale" if self.kind == "barh" else "yscale"] = "log"
            if self.kind == "barh":
                found["yscale"] = "linear"
        if self.color:
            found["color"] = COLORS[self.color]
        return found


def join_program(imports: str, *parts: str) -> str:
    """Join the parts of a program with blank lines, leaving out empty parts."""
    return "\n\n".join(part for part in (imports, *parts) if part)


def build_plot_exchange(
    question: str, before: str, code: str, wanted: list[ExpectedAxes], after: str, group: str
) -> Exchange:
    """Build an exchange whose program must draw `wanted`."""
    return Exchange(
        question, format_answer(before, code, after), Check(drawn=json.dumps(wanted)), group
    )
