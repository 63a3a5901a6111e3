"""The kinds of plots: for each the lines that draw it, and what they must draw."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from train.demo.tasks.data_formats import quoted
from train.demo.tasks.plots.chart import Chart, Wanted, program, worth

PLT = "import matplotlib.pyplot as plt"
PANDAS = f"{PLT}\nimport pandas as pd"
SEABORN = f"{PANDAS}\nimport seaborn as sns"
SORTS = {
    "up": "data = dict(sorted(data.items(), key=lambda pair: pair[1]))",
    "down": "data = dict(sorted(data.items(), key=lambda pair: pair[1], reverse=True))",
}
CALLS = {
    "bar": "plt.bar(names, values{c})",
    "barh": "plt.barh(names, values{c})",
    "line": "plt.plot(names, values{c})",
    "marked": 'plt.plot(names, values, marker="o"{c})',
    "dashed": 'plt.plot(names, values, linestyle="--"{c})',
    "step": "plt.step(names, values{c})",
    "area": "plt.fill_between(names, values{c})",
    "pie": "plt.pie(values, labels=names)",
    "percent": 'plt.pie(values, labels=names, autopct="%1.1f%%")',
    "donut": 'plt.pie(values, labels=names, wedgeprops={{"width": 0.4}})',
}
"""Calls that draw labels with a number each."""
PIES = ("pie", "percent", "donut")
ROUGH: dict[str, dict[str, object]] = {
    "bar": {},
    "barh": {"flat": True},
    "line": {},
    "marked": {"marker": "o"},
    "dashed": {"style": "--"},
    "step": {"step": True},
    "area": {},
    "pie": {},
    "percent": {"percent": True},
    "donut": {"hole": True},
}


@dataclass(frozen=True, slots=True)
class Kind:
    """How one kind is called in questions and answers, drawn and checked."""

    called: tuple[str, ...]
    """The first stands in answers."""
    code: Callable[[Chart], str]
    wanted: Callable[[Chart], list[Wanted]]
    colored: bool = True
    labelled: bool = True
    """Whether it has axes that can be labelled."""


def drawing(chart: Chart, *lines: str) -> str:
    """The last part of each program."""
    made = (line for line in (chart.figure(), *lines) if line)
    return "\n".join([*made, *chart.texts(), "plt.show()"])


def pairs_code(chart: Chart) -> str:
    """Labels with a number each, by matplotlib."""
    data = chart.data
    ready = "\n".join(line for line in (data.pairs, SORTS.get(chart.order, ""), data.split) if line)
    return program(PLT, ready, drawing(chart, CALLS[chart.kind].format(c=chart.arguments())))


def pairs_wanted(chart: Chart) -> list[Wanted]:
    """What `pairs_code` draws."""
    names, values = list(chart.shown.names), worth(chart.shown.values)
    more = ROUGH[chart.kind]
    if chart.kind in PIES:
        return [chart.wanted("pie", labels=names, values=values, **more)]
    if chart.kind == "area":
        return [chart.wanted("area", labels=names, values=values)]
    kind = "bar" if chart.kind in ("bar", "barh") else "line"
    return [chart.wanted(kind, labels=names, series=[values], **more)]


def points_code(chart: Chart) -> str:
    """Numbers against numbers: a scatter plot or a line."""
    call = "plt.scatter" if chart.kind == "scatter" else "plt.plot"
    return program(PLT, chart.data.points, drawing(chart, f"{call}(x, y{chart.arguments()})"))


def points_wanted(chart: Chart) -> list[Wanted]:
    """What `points_code` draws."""
    xs, ys = worth(chart.data.xs), worth(chart.data.values)
    if chart.kind == "scatter":
        return [chart.wanted("scatter", x=xs, y=ys)]
    return [chart.wanted("line", labels=xs, series=[ys])]


def named_code(chart: Chart) -> str:
    """A scatter plot with a name at each point."""
    data = chart.data
    both = zip(data.names, data.xs, data.values, strict=True)
    made = "points = {" + ", ".join(f'"{name}": ({x}, {y})' for name, x, y in both) + "}"
    loop = (
        "for name, (x, y) in points.items():\n"
        f'    plt.scatter(x, y, color="{chart.color or "blue"}")\n'
        "    plt.annotate(name, (x, y))"
    )
    return program(PLT, made, drawing(chart, loop))


def named_wanted(chart: Chart) -> list[Wanted]:
    """What `named_code` draws."""
    xs, ys = worth(chart.data.xs), worth(chart.data.values)
    return [chart.wanted("scatter", x=xs, y=ys, names=list(chart.data.names))]


def hist_code(chart: Chart) -> str:
    """A histogram."""
    bins = f", bins={chart.bins}" if chart.bins else ""
    made = "values = [" + ", ".join(chart.data.values) + "]"
    return program(PLT, made, drawing(chart, f"plt.hist(values{bins}{chart.arguments()})"))


def hist_wanted(chart: Chart) -> list[Wanted]:
    """What `hist_code` draws."""
    more = {"bins": chart.bins} if chart.bins else {}
    return [chart.wanted("hist", values=worth(chart.data.values), **more)]


def box_code(chart: Chart) -> str:
    """One box plot."""
    made = "values = [" + ", ".join(chart.data.values) + "]"
    return program(PLT, made, drawing(chart, "plt.boxplot(values)"))


def boxes_code(chart: Chart) -> str:
    """A box plot for each group."""
    call = "plt.boxplot(list(data.values()), tick_labels=list(data))"
    return program(PLT, chart.data.groups, drawing(chart, call))


def box_wanted(chart: Chart) -> list[Wanted]:
    """What both draw."""
    if chart.kind == "box":
        return [chart.wanted("box", groups=[worth(chart.data.values)])]
    groups = [worth(row) for row in chart.data.rows]
    return [chart.wanted("box", groups=groups, labels=list(chart.data.keys))]


def grouped_code(chart: Chart) -> str:
    """Several numbers for each label: bars beside or upon each other, or lines."""
    made = f"names = {quoted(chart.data.names)}\n{chart.data.groups}"
    if chart.kind == "lines":
        call = f"plt.plot(names, values, label=name{chart.arguments()})"
        loop = f"for name, values in data.items():\n    {call}"
        return program(PLT, made, drawing(chart, loop, "plt.legend()"))
    stacked = ", stacked=True" if chart.kind == "stacked" else ""
    call = f'df.plot(kind="bar"{stacked}{chart.frame()})'
    return program(PANDAS, made, drawing(chart, "df = pd.DataFrame(data, index=names)", call))


def grouped_wanted(chart: Chart) -> list[Wanted]:
    """What `grouped_code` draws."""
    kind = "line" if chart.kind == "lines" else "bar"
    more = {"stacked": True} if chart.kind == "stacked" else {}
    series = [worth(row) for row in chart.data.rows]
    legend = list(chart.data.keys)
    return [chart.wanted(kind, labels=list(chart.data.names), series=series, legend=legend, **more)]


def heat_code(chart: Chart) -> str:
    """A heat map: rows have names, columns too."""
    data = chart.data
    made = f"names = {quoted(data.names)}\n{data.groups}\ngrid = list(data.values())"
    if chart.kind == "heat":
        lines = (
            "plt.imshow(grid)",
            "plt.xticks(range(len(names)), names)",
            "plt.yticks(range(len(data)), list(data))",
            "plt.colorbar()",
        )
        return program(PLT, made, drawing(chart, *lines))
    call = 'sns.heatmap(grid, annot=True, fmt="g", xticklabels=names, yticklabels=list(data))'
    return program(f"{PLT}\nimport seaborn as sns", made, drawing(chart, call))


def heat_wanted(chart: Chart) -> list[Wanted]:
    """What `heat_code` draws."""
    grid = [worth(row) for row in chart.data.rows]
    return [
        chart.wanted("heat", grid=grid, xticks=list(chart.data.names), yticks=list(chart.data.keys))
    ]


SEABORN_CALLS = {
    "sns_bar": "barplot",
    "sns_line": "lineplot",
    "sns_scatter": "scatterplot",
}


def seaborn_code(chart: Chart) -> str:
    """Labels with a number each, by seaborn, out of a DataFrame."""
    first, second = chart.data.columns
    context = 'sns.set_context("talk")' if chart.talk else ""
    call = f'sns.{SEABORN_CALLS[chart.kind]}(data=df, x="{first}", y="{second}"{chart.arguments()})'
    return program(SEABORN, chart.data.frame, drawing(chart, context, call))


def seaborn_wanted(chart: Chart) -> list[Wanted]:
    """What `seaborn_code` draws."""
    names, values = list(chart.data.names), worth(chart.data.values)
    if chart.kind == "sns_scatter":
        return [chart.wanted("scatter", x=names, y=values)]
    kind = "bar" if chart.kind == "sns_bar" else "line"
    return [chart.wanted(kind, labels=names, series=[values])]


PAIRED = {
    "bar": ("bar chart", "bar plot", "bar graph", "barplot"),
    "barh": (
        "horizontal bar chart",
        "horizontal bar plot",
        "barh",
        "bar chart with horizontal bars",
    ),
    "line": ("line plot", "line chart", "line graph", "line"),
    "marked": (
        "line plot with markers",
        "line chart with dots",
        "line with a marker at each value",
    ),
    "dashed": ("dashed line plot", "line chart with a dashed line", "dashed line"),
    "step": ("step plot", "step chart", "step line"),
    "area": ("area chart", "area plot", "filled line plot"),
    "pie": ("pie chart", "pie plot", "pie"),
    "percent": (
        "pie chart with percentages",
        "pie with percent labels",
        "pie chart showing the percent",
    ),
    "donut": ("donut chart", "doughnut chart", "ring chart", "donut plot"),
}
KINDS: dict[str, Kind] = {
    **{
        name: Kind(called, pairs_code, pairs_wanted, name not in PIES, name not in PIES)
        for name, called in PAIRED.items()
    },
    "scatter": Kind(("scatter plot", "scatter chart", "scatterplot"), points_code, points_wanted),
    "curve": Kind(("line plot", "line chart", "line", "curve"), points_code, points_wanted),
    "named": Kind(
        (
            "scatter plot with the names at the points",
            "scatter plot with labels",
            "scatterplot with the name over each point",
            "labelled scatter plot",
        ),
        named_code,
        named_wanted,
    ),
    "hist": Kind(("histogram", "histogram plot", "hist"), hist_code, hist_wanted),
    "box": Kind(("box plot", "boxplot", "box and whisker plot"), box_code, box_wanted, False),
    "boxes": Kind(
        ("box plot for each group", "boxplot per group", "box plot of each"),
        boxes_code,
        box_wanted,
        False,
    ),
    "grouped": Kind(
        (
            "grouped bar chart",
            "grouped bar plot",
            "bar chart with groups",
            "side by side bar chart",
        ),
        grouped_code,
        grouped_wanted,
        False,
    ),
    "stacked": Kind(
        ("stacked bar chart", "stacked bar plot", "stacked bars"),
        grouped_code,
        grouped_wanted,
        False,
    ),
    "lines": Kind(
        ("line plot with a legend", "line chart with one line each", "line plot of all lines"),
        grouped_code,
        grouped_wanted,
        False,
    ),
    "heat": Kind(("heat map", "heatmap", "matrix plot"), heat_code, heat_wanted, False),
    "sns_heat": Kind(
        ("heat map with numbers", "seaborn heat map", "annotated heatmap"),
        heat_code,
        heat_wanted,
        False,
    ),
    "sns_bar": Kind(
        ("seaborn bar plot", "barplot with seaborn", "seaborn bar chart"),
        seaborn_code,
        seaborn_wanted,
        False,
    ),
    "sns_line": Kind(
        ("seaborn line plot", "lineplot with seaborn", "seaborn line chart"),
        seaborn_code,
        seaborn_wanted,
    ),
    "sns_scatter": Kind(
        ("seaborn scatter plot", "scatterplot with seaborn", "seaborn scatter chart"),
        seaborn_code,
        seaborn_wanted,
    ),
}
"""Every kind that is drawn on one pair of axes."""
