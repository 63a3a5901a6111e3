"""A plot to draw: its data and texts, the program that draws it, and what must be seen then."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from train.demo.tasks.data_formats import Texts, bare, quoted
from train.demo.tasks.family import Check, Exchange, answer
from train.demo.tasks.lexicon import COLORS

Wanted = dict[str, Any]


def number(text: str) -> float | int:
    """What a typed number is worth."""
    return float(text) if "." in text else int(text)


def worth(texts: Texts) -> list[float | int]:
    """What typed numbers are worth."""
    return [number(text) for text in texts]


@dataclass(frozen=True, slots=True)
class Data:
    """The data of a question in its order: labels and numbers as they were typed."""

    names: Texts = ()
    values: Texts = ()
    xs: Texts = ()
    rows: tuple[Texts, ...] = ()
    """Several numbers for each of `keys`."""
    keys: Texts = ()
    columns: Texts = ("name", "value")
    listed: bool = False
    """Whether labels and numbers came as lists of their own, and go into the code so."""

    @property
    def pairs(self) -> str:
        """`data = {...}`, or both lists; labels stand before their numbers as in the question."""
        if self.listed:
            return f"names = {quoted(self.names)}\nvalues = {bare(self.values)}"
        both = zip(self.names, self.values, strict=True)
        return "data = {" + ", ".join(f'"{name}": {value}' for name, value in both) + "}"

    @property
    def split(self) -> str:
        """What makes `names` and `values` of the pairs."""
        return "" if self.listed else "names = list(data)\nvalues = list(data.values())"

    @property
    def frame(self) -> str:
        """The pairs, and `df` of them."""
        first, second = self.columns
        if self.listed:
            return f'{self.pairs}\ndf = pd.DataFrame({{"{first}": names, "{second}": values}})'
        return f'{self.pairs}\ndf = pd.DataFrame(data.items(), columns=["{first}", "{second}"])'

    @property
    def points(self) -> str:
        """`x` and `y`."""
        if self.listed:
            return f"x = {bare(self.xs)}\ny = {bare(self.values)}"
        both = zip(self.xs, self.values, strict=True)
        return "points = [" + ", ".join(f"({x}, {y})" for x, y in both) + "]\nx, y = zip(*points)"

    @property
    def groups(self) -> str:
        """`data` with a list for each key."""
        both = zip(self.keys, self.rows, strict=True)
        return "data = {" + ", ".join(f'"{key}": {bare(row)}' for key, row in both) + "}"


@dataclass(frozen=True, slots=True)
class Chart:
    """A plot, as far as its kind does not say it."""

    kind: str
    data: Data
    title: str = ""
    xlabel: str = ""
    ylabel: str = ""
    color: str = ""
    log: bool = False
    grid: bool = False
    order: str = ""
    """"up" or "down" where the pairs are sorted by value."""
    talk: bool = False
    bins: int = 0
    titles: Texts = ()
    """Of subplots."""

    @property
    def shown(self) -> Data:
        """The data in the order in which they are drawn."""
        if not self.order:
            return self.data
        both = list(zip(self.data.names, self.data.values, strict=True))
        both.sort(key=lambda pair: number(pair[1]), reverse=self.order == "down")
        names, values = zip(*both, strict=True)
        return Data(names, values, columns=self.data.columns, listed=self.data.listed)

    def arguments(self) -> str:
        """The arguments of the call that draws it: the colour, where there is one."""
        return f', color="{self.color}"' if self.color else ""

    def figure(self) -> str:
        """The line that makes its figure; "" where matplotlib may."""
        return ""

    def frame(self) -> str:
        """The arguments for a figure that pandas makes."""
        return ""

    def texts(self) -> list[str]:
        """The lines after the drawing: title, axis labels, scales."""
        lines = []
        for name in ("title", "xlabel", "ylabel"):
            if text := getattr(self, name):
                lines.append(f'plt.{name}("{text}")')
        if self.log:
            lines.append('plt.xscale("log")' if self.kind == "barh" else 'plt.yscale("log")')
        if self.grid:
            lines.append("plt.grid()")
        return lines

    def wanted(self, kind: str, **more: Any) -> Wanted:
        """What the checker looks for: the texts, and `more` for the kind."""
        found: Wanted = {"kind": kind, "title": self.title, **more}
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


def program(imports: str, *parts: str) -> str:
    """Source with a blank line between its parts; empty parts are left out."""
    return "\n\n".join(part for part in (imports, *parts) if part)


def showing(
    question: str, before: str, code: str, wanted: list[Wanted], after: str, group: str
) -> Exchange:
    """An exchange whose program must draw `wanted`."""
    return Exchange(question, answer(before, code, after), Check(drawn=json.dumps(wanted)), group)
