"""Kinds of plots: for each the code that draws it, and the expected axes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from train.demo.tasks.data_formats import format_strings
from train.demo.tasks.plots.plot_spec import ExpectedAxes, PlotSpec, join_program, parse_numbers

MATPLOTLIB_IMPORT = "import matplotlib.pyplot as plt"
PANDAS_IMPORTS = f"{MATPLOTLIB_IMPORT}\nimport pandas as pd"
SEABORN_IMPORTS = f"{PANDAS_IMPORTS}\nimport seaborn as sns"
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
PIE_KINDS = ("pie", "percent", "donut")
EXTRA_EXPECTATIONS: dict[str, dict[str, object]] = {
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
class PlotKind:
    """Kind of plot with its names, code and expected axes."""

    names: tuple[str, ...]
    """Names in questions; the first is used in answers."""
    render: Callable[[PlotSpec], str]
    expect: Callable[[PlotSpec], list[ExpectedAxes]]
    colored: bool = True
    labelled: bool = True
    """True if it has axes that can be labelled."""


def join_drawing(chart: PlotSpec, *lines: str) -> str:
    """Return the last part of each program."""
    definition = (line for line in (chart.render_figure(), *lines) if line)
    return "\n".join([*definition, *chart.render_texts(), "plt.show()"])


def render_pairs(chart: PlotSpec) -> str:
    """Render labels with a number each, by matplotlib."""
    data = chart.data
    ready = "\n".join(line for line in (data.pairs, SORTS.get(chart.order, ""), data.split) if line)
    return join_program(
        MATPLOTLIB_IMPORT,
        ready,
        join_drawing(chart, CALLS[chart.kind].format(c=chart.render_arguments())),
    )


def expect_pairs(chart: PlotSpec) -> list[ExpectedAxes]:
    """Return the axes that `render_pairs` draws."""
    names, values = list(chart.ordered_data.names), parse_numbers(chart.ordered_data.values)
    more = EXTRA_EXPECTATIONS[chart.kind]
    if chart.kind in PIE_KINDS:
        return [chart.expect_axes("pie", labels=names, values=values, **more)]
    if chart.kind == "area":
        return [chart.expect_axes("area", labels=names, values=values)]
    kind = "bar" if chart.kind in ("bar", "barh") else "line"
    return [chart.expect_axes(kind, labels=names, series=[values], **more)]


def render_points(chart: PlotSpec) -> str:
    """Render numbers against numbers: a scatter plot or a line."""
    call = "plt.scatter" if chart.kind == "scatter" else "plt.plot"
    return join_program(
        MATPLOTLIB_IMPORT,
        chart.data.points,
        join_drawing(chart, f"{call}(x, y{chart.render_arguments()})"),
    )


def expect_points(chart: PlotSpec) -> list[ExpectedAxes]:
    """Return the axes that `render_points` draws."""
    xs, ys = parse_numbers(chart.data.xs), parse_numbers(chart.data.values)
    if chart.kind == "scatter":
        return [chart.expect_axes("scatter", x=xs, y=ys)]
    return [chart.expect_axes("line", labels=xs, series=[ys])]


def render_named_points(chart: PlotSpec) -> str:
    """Render a scatter plot with a name at each point."""
    data = chart.data
    both = zip(data.names, data.xs, data.values, strict=True)
    definition = "points = {" + ", ".join(f'"{name}": ({x}, {y})' for name, x, y in both) + "}"
    loop = (
        "for name, (x, y) in points.items():\n"
        f'    plt.scatter(x, y, color="{chart.color or "blue"}")\n'
        "    plt.annotate(name, (x, y))"
    )
    return join_program(MATPLOTLIB_IMPORT, definition, join_drawing(chart, loop))


def expect_named_points(chart: PlotSpec) -> list[ExpectedAxes]:
    """Return the axes that `render_named_points` draws."""
    xs, ys = parse_numbers(chart.data.xs), parse_numbers(chart.data.values)
    return [chart.expect_axes("scatter", x=xs, y=ys, names=list(chart.data.names))]


def render_histogram(chart: PlotSpec) -> str:
    """Render a histogram."""
    bins = f", bins={chart.bins}" if chart.bins else ""
    definition = "values = [" + ", ".join(chart.data.values) + "]"
    return join_program(
        MATPLOTLIB_IMPORT,
        definition,
        join_drawing(chart, f"plt.hist(values{bins}{chart.render_arguments()})"),
    )


def expect_histogram(chart: PlotSpec) -> list[ExpectedAxes]:
    """Return the axes that `render_histogram` draws."""
    more = {"bins": chart.bins} if chart.bins else {}
    # Without a number of bins the checker assumes matplotlib's default.
    return [chart.expect_axes("hist", values=parse_numbers(chart.data.values), **more)]


def render_box(chart: PlotSpec) -> str:
    """Render one box plot."""
    definition = "values = [" + ", ".join(chart.data.values) + "]"
    return join_program(MATPLOTLIB_IMPORT, definition, join_drawing(chart, "plt.boxplot(values)"))


def render_boxes(chart: PlotSpec) -> str:
    """Render a box plot for each group."""
    call = "plt.boxplot(list(data.values()), tick_labels=list(data))"
    return join_program(MATPLOTLIB_IMPORT, chart.data.groups, join_drawing(chart, call))


def expect_boxes(chart: PlotSpec) -> list[ExpectedAxes]:
    """Return the axes that `render_box` or `render_boxes` draws."""
    if chart.kind == "box":
        return [chart.expect_axes("box", groups=[parse_numbers(chart.data.values)])]
    groups = [parse_numbers(row) for row in chart.data.rows]
    return [chart.expect_axes("box", groups=groups, labels=list(chart.data.keys))]


def render_groups(chart: PlotSpec) -> str:
    """Render several numbers for each label: grouped or stacked bars, or lines."""
    definition = f"names = {format_strings(chart.data.names)}\n{chart.data.groups}"
    if chart.kind == "lines":
        call = f"plt.plot(names, values, label=name{chart.render_arguments()})"
        loop = f"for name, values in data.items():\n    {call}"
        return join_program(
            MATPLOTLIB_IMPORT, definition, join_drawing(chart, loop, "plt.legend()")
        )
    stacked = ", stacked=True" if chart.kind == "stacked" else ""
    call = f'df.plot(kind="bar"{stacked}{chart.render_frame_arguments()})'
    return join_program(
        PANDAS_IMPORTS,
        definition,
        join_drawing(chart, "df = pd.DataFrame(data, index=names)", call),
    )


def expect_groups(chart: PlotSpec) -> list[ExpectedAxes]:
    """Return the axes that `render_groups` draws."""
    kind = "line" if chart.kind == "lines" else "bar"
    more = {"stacked": True} if chart.kind == "stacked" else {}
    series = [parse_numbers(row) for row in chart.data.rows]
    legend = list(chart.data.keys)
    return [
        chart.expect_axes(kind, labels=list(chart.data.names), series=series, legend=legend, **more)
    ]


def render_heat_map(chart: PlotSpec) -> str:
    """Render a heat map with named rows and columns."""
    data = chart.data
    definition = f"names = {format_strings(data.names)}\n{data.groups}\ngrid = list(data.values())"
    if chart.kind == "heat":
        lines = (
            "plt.imshow(grid)",
            "plt.xticks(range(len(names)), names)",
            "plt.yticks(range(len(data)), list(data))",
            "plt.colorbar()",
        )
        return join_program(MATPLOTLIB_IMPORT, definition, join_drawing(chart, *lines))
    call = 'sns.heatmap(grid, annot=True, fmt="g", xticklabels=names, yticklabels=list(data))'
    return join_program(
        f"{MATPLOTLIB_IMPORT}\nimport seaborn as sns", definition, join_drawing(chart, call)
    )


def expect_heat_map(chart: PlotSpec) -> list[ExpectedAxes]:
    """Return the axes that `render_heat_map` draws."""
    grid = [parse_numbers(row) for row in chart.data.rows]
    return [
        chart.expect_axes(
            "heat", grid=grid, xticks=list(chart.data.names), yticks=list(chart.data.keys)
        )
    ]


SEABORN_CALLS = {
    "sns_bar": "barplot",
    "sns_line": "lineplot",
    "sns_scatter": "scatterplot",
}


def render_seaborn(chart: PlotSpec) -> str:
    """Render labels with a number each, by seaborn, from a data frame."""
    first, second = chart.data.columns
    context = 'sns.set_context("talk")' if chart.talk else ""
    arguments = f'data=df, x="{first}", y="{second}"{chart.render_arguments()}'
    call = f"sns.{SEABORN_CALLS[chart.kind]}({arguments})"
    return join_program(SEABORN_IMPORTS, chart.data.frame, join_drawing(chart, context, call))


def expect_seaborn(chart: PlotSpec) -> list[ExpectedAxes]:
    """Return the axes that `render_seaborn` draws."""
    names, values = list(chart.data.names), parse_numbers(chart.data.values)
    if chart.kind == "sns_scatter":
        return [chart.expect_axes("scatter", x=names, y=values)]
    kind = "bar" if chart.kind == "sns_bar" else "line"
    return [chart.expect_axes(kind, labels=names, series=[values])]


PAIRED_KINDS = {
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
PLOT_KINDS: dict[str, PlotKind] = {
    **{
        name: PlotKind(
            called, render_pairs, expect_pairs, name not in PIE_KINDS, name not in PIE_KINDS
        )
        for name, called in PAIRED_KINDS.items()
    },
    "scatter": PlotKind(
        ("scatter plot", "scatter chart", "scatterplot"), render_points, expect_points
    ),
    "curve": PlotKind(("line plot", "line chart", "line", "curve"), render_points, expect_points),
    "named": PlotKind(
        (
            "scatter plot with the names at the points",
            "scatter plot with labels",
            "scatterplot with the name over each point",
            "labelled scatter plot",
        ),
        render_named_points,
        expect_named_points,
    ),
    "hist": PlotKind(("histogram", "histogram plot", "hist"), render_histogram, expect_histogram),
    "box": PlotKind(
        ("box plot", "boxplot", "box and whisker plot"), render_box, expect_boxes, False
    ),
    "boxes": PlotKind(
        ("box plot for each group", "boxplot per group", "box plot of each"),
        render_boxes,
        expect_boxes,
        False,
    ),
    "grouped": PlotKind(
        (
            "grouped bar chart",
            "grouped bar plot",
            "bar chart with groups",
            "side by side bar chart",
        ),
        render_groups,
        expect_groups,
        False,
    ),
    "stacked": PlotKind(
        ("stacked bar chart", "stacked bar plot", "stacked bars"),
        render_groups,
        expect_groups,
        False,
    ),
    "lines": PlotKind(
        ("line plot with a legend", "line chart with one line each", "line plot of all lines"),
        render_groups,
        expect_groups,
        False,
    ),
    "heat": PlotKind(
        ("heat map", "heatmap", "matrix plot"), render_heat_map, expect_heat_map, False
    ),
    "sns_heat": PlotKind(
        ("heat map with numbers", "seaborn heat map", "annotated heatmap"),
        render_heat_map,
        expect_heat_map,
        False,
    ),
    "sns_bar": PlotKind(
        ("seaborn bar plot", "barplot with seaborn", "seaborn bar chart"),
        render_seaborn,
        expect_seaborn,
        False,
    ),
    "sns_line": PlotKind(
        ("seaborn line plot", "lineplot with seaborn", "seaborn line chart"),
        render_seaborn,
        expect_seaborn,
    ),
    "sns_scatter": PlotKind(
        ("seaborn scatter plot", "scatterplot with seaborn", "seaborn scatter chart"),
        render_seaborn,
        expect_seaborn,
    ),
}
"""Every kind that is drawn on one pair of axes."""
