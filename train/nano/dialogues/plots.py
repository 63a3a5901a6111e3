"""Small plots of data that the question gives: values, labels and titles must be copied."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from train.nano.dialogues.family import Check, Draw, Exchange, Family, Plot, answer
from train.nano.dialogues.functions import WELCOME
from train.nano.dialogues.phrasing import NOUNS, SYLLABLES, ask
from train.nano.dialogues.tables import phrases

THINGS = (
    "apples pears plums bananas cherries kiwis lemons oranges grapes melons cats dogs birds fish "
    "mice cows sheep goats red green blue yellow black white Monday Tuesday Wednesday Thursday "
    "Friday Saturday Sunday Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec north south east west "
    "Berlin Paris Rome Madrid Oslo London Vienna Prague Tokyo Lima Cairo Delhi tea coffee "
    "milk juice "
    "water cars buses trains bikes planes gold silver iron copper Python Java Rust Go C SQL"
    " A B C D "
    "rock pop jazz soul rent food travel books games sport small medium large low high math"
    " art music "
    "history alpha beta gamma delta Anna Ben Clara David Emma Felix Greta Hugo 2019 2020 "
    "2021 2022 2023 2024"
).split()
TITLES = (
    "Sales Fruit Results Scores Visitors Weather Animals Votes Growth Rain Output Speed "
    "Profit Costs Budget "
    "Income Points Orders Users Energy Population Exports Rainfall Temperature Marks "
    "Downloads Errors Runs"
).split()
TITLE_TAILS = (
    "",
    "",
    "",
    " per month",
    " in 2023",
    " by city",
    " of the team",
    " over time",
    " this year",
    " report",
    " per day",
)
AXES = (
    "time day month year price count amount value score speed distance weight height age "
    "size hours temperature kg euros items"
).split()
SERIES_KINDS = {"line": "plot", "scatter": "scatter"}
LABEL_KINDS = {"bar": "bar", "pie": "pie"}


@dataclass(frozen=True, slots=True)
class Chart:
    """A plot to draw: its kind, two columns (or one, for a histogram), and its texts."""

    kind: str
    first: tuple[object, ...]
    second: tuple[object, ...] = ()
    title: str = ""
    xlabel: str = ""
    ylabel: str = ""
    color: str = ""

    @property
    def code(self) -> str:
        """The matplotlib program."""
        color = f', color="{self.color}"' if self.color else ""
        match self.kind:
            case "bar":
                data = f"labels = {_listed(self.first)}\nvalues = {_listed(self.second)}"
                call = f"plt.bar(labels, values{color})"
            case "pie":
                data = f"labels = {_listed(self.first)}\nvalues = {_listed(self.second)}"
                call = "plt.pie(values, labels=labels)"
            case "hist":
                data = f"values = {_listed(self.first)}"
                call = f"plt.hist(values{color})"
            case _:
                data = f"x = {_listed(self.first)}\ny = {_listed(self.second)}"
                call = f"plt.{SERIES_KINDS[self.kind]}(x, y{color})"
        lines = ["import matplotlib.pyplot as plt", "", data, "", call]
        for name in ("title", "xlabel", "ylabel"):
            if text := getattr(self, name):
                lines.append(f'plt.{name}("{text}")')
        return "\n".join([*lines, "plt.show()"])

    @property
    def plot(self) -> Plot:
        """What the checker must find drawn."""
        call = {**SERIES_KINDS, **LABEL_KINDS, "hist": "hist"}[self.kind]
        data = (self.first,) if self.kind == "hist" else (self.first, self.second)
        if self.kind == "pie":
            data = (self.second, self.first)
        return Plot(call, data, self.title, self.xlabel, self.ylabel)


def _listed(values: tuple[object, ...]) -> str:
    return "[" + ", ".join(f'"{v}"' if isinstance(v, str) else str(v) for v in values) + "]"


NAMES = {
    "bar": ("bar chart", "bar plot", "bar graph", "barplot"),
    "pie": ("pie chart", "pie plot", "pie"),
    "line": ("line plot", "line chart", "line graph", "line"),
    "scatter": ("scatter plot", "scatter chart", "scatterplot"),
    "hist": ("histogram", "histogram plot", "hist"),
}


COLORS = "red green blue orange purple black gray pink brown".split()


def families() -> tuple[Family, ...]:
    """One family for each kind of plot."""
    return tuple(Family(f"plot_{kind}", "plots", _drawer(kind), 3.5) for kind in NAMES)


def _drawer(kind: str) -> Callable[[Draw], tuple[Exchange, ...]]:
    def draw(dice: Draw) -> tuple[Exchange, ...]:
        chart = _chart(dice, kind)
        name = dice.rng.choice(NAMES[kind])
        template = dice.phrase(phrases("plots")).replace("{name}", name)
        slots: dict[str, object] = {"data": _told(dice, chart)}
        if chart.title:
            template += dice.phrase(phrases("plot_titled"))
            slots["t"] = chart.title
        if chart.xlabel:
            template += dice.phrase(phrases("plot_labelled"))
            slots |= {"x": chart.xlabel, "y": chart.ylabel}
        if chart.color:
            template += dice.phrase(phrases("plot_colored"))
            slots["c"] = chart.color
        template += "?" if template.startswith(("Can", "How")) else dice.rng.choice(("", "."))
        exchanges = [
            _shown(
                chart,
                ask(dice, template, **slots),
                f"This draws a {NAMES[kind][0]} with matplotlib:",
                "plots",
            )
        ]
        while dice.chance(0.35) and len(exchanges) < 3:
            changed = _change(dice, chart)
            if changed is None:
                break
            chart, exchange = changed
            exchanges.append(exchange)
        return tuple(exchanges)

    return draw


def _shown(chart: Chart, question: str, before: str, group: str) -> Exchange:
    check = Check(plot=chart.plot, has=(chart.color,) if chart.color else ())
    return Exchange(question, answer(before, chart.code), check, group)


def _value(dice: Draw, size: int) -> object:
    if size == 3:
        return round(dice.rng.uniform(0, 100), 1)
    return dice.rng.randint(0, (9, 99, 999)[size])


def _chart(dice: Draw, kind: str) -> Chart:
    rng = dice.rng
    count, size = rng.randint(2, 6), rng.choice((0, 1, 1, 1, 2, 3))
    values = tuple(_value(dice, size) for _ in range(count))
    if kind == "hist":
        values = tuple(_value(dice, size) for _ in range(rng.randint(4, 12)))
        chart = Chart(kind, values)
    elif kind in LABEL_KINDS:
        chart = Chart(kind, _labels(dice, count), values)
    else:
        start, step = rng.choice((0, 1, 1, 10, 2000)), rng.choice((1, 1, 2, 5))
        even = tuple(start + step * i for i in range(count))
        chart = Chart(
            kind,
            even if dice.chance(0.5) else tuple(_value(dice, size) for _ in range(count)),
            values,
        )
    if dice.chance(0.4):
        chart = replace(chart, title=_title(dice))
    if dice.chance(0.25) and kind != "pie":
        x, y = rng.sample(AXES, 2)
        chart = replace(chart, xlabel=x, ylabel=y)
    if dice.chance(0.12) and kind != "pie":
        chart = replace(chart, color=rng.choice(COLORS))
    return chart


def _title(dice: Draw) -> str:
    if dice.chance(0.5):
        return dice.rng.choice(TITLES) + dice.rng.choice(TITLE_TAILS)
    words = " ".join(_word(dice) for _ in range(dice.rng.randint(1, 3)))
    return words[:1].upper() + words[1:] if dice.chance(0.7) else words


def _word(dice: Draw) -> str:
    kind = dice.rng.random()
    if kind < 0.4:
        return dice.rng.choice(NOUNS)
    if kind < 0.7:
        return dice.rng.choice(THINGS)
    word = "".join(dice.rng.choices(SYLLABLES, k=dice.rng.randint(2, 3)))
    return word if dice.chance(0.5) else word.title()


def _labels(dice: Draw, count: int) -> tuple[object, ...]:
    labels: list[object] = []
    while len(labels) < count:
        label = dice.rng.choice(THINGS) if dice.chance(0.6) else _word(dice)
        if label not in labels:
            labels.append(label)
    return tuple(labels)


def _told(dice: Draw, chart: Chart) -> str:
    """The data as a user would type it."""
    style = dice.rng.randrange(5)
    plain = ", ".join(map(str, chart.first))
    if chart.kind == "hist":
        return (
            plain,
            _listed(chart.first),
            plain.replace(",", ""),
            f"the values {plain}",
            _listed(chart.first),
        )[style]
    other = ", ".join(map(str, chart.second))
    pairs = list(zip(chart.first, chart.second, strict=True))
    if chart.kind in LABEL_KINDS:
        return (
            ", ".join(f"{a} {b}" for a, b in pairs),
            ", ".join(f"{a}: {b}" for a, b in pairs),
            "{" + ", ".join(f'"{a}": {b}' for a, b in pairs) + "}",
            f"the labels {plain} and the values {other}",
            ", ".join(f"{b} {a}" for a, b in pairs)
            if not any(str(a).isdigit() for a, _ in pairs)
            else ", ".join(f"{a}={b}" for a, b in pairs),
        )[style]
    return (
        f"x = {_listed(chart.first)} and y = {_listed(chart.second)}",
        f"x: {plain}, y: {other}",
        f"the points {', '.join(f'({a}, {b})' for a, b in pairs)}",
        f"{_listed(chart.first)} and {_listed(chart.second)}",
        f"x={plain.replace(' ', '')} y={other.replace(' ', '')}",
    )[style]


def _change(dice: Draw, chart: Chart) -> tuple[Chart, Exchange] | None:
    kind = dice.rng.choice(("title", "labels", "color", "kind", "thanks"))
    if kind == "title":
        after = replace(chart, title=_title(dice))
        return after, _shown(
            after,
            ask(dice, dice.phrase(phrases("plot_set_title")), t=after.title),
            "Here it is with the title:",
            "follow-up plots",
        )
    if kind == "thanks":
        return chart, Exchange(
            ask(dice, dice.phrase(phrases("thanks"))), WELCOME, Check(says=("welcome",)), "talk"
        )
    if kind == "kind":
        others = {"bar": "pie", "pie": "bar", "line": "scatter", "scatter": "line"}
        if chart.kind not in others:
            return None
        other = others[chart.kind]
        after = replace(chart, kind=other)
        if other == "pie":
            after = replace(after, xlabel="", ylabel="", color="")
        template = dice.phrase(phrases("plot_set_kind")).replace(
            "{name}", dice.rng.choice(NAMES[other])
        )
        return after, _shown(
            after, ask(dice, template), f"Here it is as a {NAMES[other][0]}:", "follow-up plots"
        )
    if chart.kind == "pie":
        return None
    if kind == "labels":
        x, y = dice.rng.sample(AXES, 2)
        after = replace(chart, xlabel=x, ylabel=y)
        return after, _shown(
            after,
            ask(dice, dice.phrase(phrases("plot_set_labels")), x=x, y=y),
            "Here it is with axis labels:",
            "follow-up plots",
        )
    after = replace(chart, color=dice.rng.choice(COLORS))
    return after, _shown(
        after,
        ask(dice, dice.phrase(phrases("plot_set_color")), c=after.color),
        f"Here it is in {after.color}:",
        "follow-up plots",
    )
