"""Pandas with the data of the question: sort, filter, group, add a column, plot."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from statistics import fmean

from train.demo.tasks import data_formats, lexicon
from train.demo.tasks.data_formats import FormattedData, format_strings
from train.demo.tasks.family import Check, Drawer, Exchange, Family, TaskSampler, format_answer
from train.demo.tasks.lexicon import COLORS
from train.demo.tasks.phrasing import phrase_question
from train.demo.tasks.plots.plot_questions import load_chart_phrasings
from train.demo.tasks.plots.plot_spec import PlotData, parse_number, parse_numbers

GROUP = "data"
PANDAS_IMPORT = "import pandas as pd"
PLOT_IMPORTS = "import matplotlib.pyplot as plt\nimport pandas as pd"
Probes = tuple[tuple[str, str], ...]
FrameAnswer = tuple[str, str, Probes]
"""Sentence before the code, lines after the table, and probes."""


def families() -> tuple[Family, ...]:
    """Return a family for each operation on a table."""
    makers: dict[
        str, Callable[[TaskSampler, PlotData], tuple[str, dict[str, object], FrameAnswer]]
    ] = {
        "frame_sort": _draw_sort,
        "frame_filter": _draw_filter,
        "frame_largest": _draw_largest,
        "frame_mean": _draw_mean,
        "frame_sum": _draw_sum,
        "frame_add": _draw_add_column,
    }
    single = [Family(name, GROUP, _make_drawer(name, maker), 1.6) for name, maker in makers.items()]
    return (
        *single,
        Family("frame_group_mean", GROUP, _make_group_drawer("mean"), 2.0),
        Family("frame_group_sum", GROUP, _make_group_drawer("sum"), 1.4),
        Family("frame_count", GROUP, _draw_count, 1.4),
        Family("frame_plot", GROUP, _draw_plot, 2.0),
        Family("frame_rows", GROUP, _draw_rows, 2.0),
    )


def _draw_pairs(sampler: TaskSampler) -> tuple[PlotData, FormattedData]:
    rng = sampler.rng
    many = lexicon.draw_count(rng)
    names = lexicon.draw_names(rng, many)
    sort = rng.choice(lexicon.NUMBER_FORMATS)
    # Different values, so that the largest is one row and a sorted table has one order.
    values: list[str] = []
    while len(values) < many:
        value = sort(rng)
        if all(parse_number(value) != parse_number(other) for other in values):
            values.append(value)
    heads = lexicon.draw_columns(rng)
    text = data_formats.format_pairs(sampler, names, tuple(values), heads)
    headed = text.block and heads[0] in text.text
    used = heads if headed else ("name", "value")
    return PlotData(names, tuple(values), columns=used, listed=text.listed), text


def _make_drawer(
    name: str, maker: Callable[[TaskSampler, PlotData], tuple[str, dict[str, object], FrameAnswer]]
) -> Drawer:
    def draw(sampler: TaskSampler) -> tuple[Exchange, ...]:
        data, text = _draw_pairs(sampler)
        more, slots, made = maker(sampler, data)
        template = (
            sampler.choose_phrasing(load_chart_phrasings(name)).replace("{col}", data.columns[1])
            + more
        )
        exchanges = [
            _build_exchange(
                data, data_formats.build_question(sampler, template, text, **slots), made, GROUP
            )
        ]
        if sampler.chance(0.35):
            other = sampler.rng.choice(sorted(set(FOLLOW_UPS) - {name}))
            more, slots, made = FOLLOW_UPS[other](sampler, data)
            template = (
                sampler.choose_phrasing(load_chart_phrasings(f"then_{other}")).replace(
                    "{col}", data.columns[1]
                )
                + more
            )
            exchanges.append(
                _build_exchange(
                    data, phrase_question(sampler, template, **slots), made, f"follow-up {GROUP}"
                )
            )
        return tuple(exchanges)

    return draw


def _build_exchange(data: PlotData, question: str, made: FrameAnswer, group: str) -> Exchange:
    before, lines, probes = made
    code = f"{PANDAS_IMPORT}\n\n{data.frame}\n\n{lines}"
    return Exchange(
        question, format_answer(before, code), Check(probes=probes, packages=True), group
    )


def _probe_data(data: PlotData) -> Probes:
    """Return probes that the table holds the data of the question."""
    first, second = data.columns
    return _probe_column("df", first, data.names), _probe_numbers(
        "df", second, parse_numbers(data.values)
    )


def _probe_numbers(frame: str, column: str, values: Sequence[float]) -> tuple[str, str]:
    return f'[float(v) for v in {frame}["{column}"]]', repr([float(v) for v in values])


def _probe_column(frame: str, column: str, names: tuple[str, ...] | list[str]) -> tuple[str, str]:
    return f'{frame}["{column}"].tolist()', format_strings(names)


def _draw_sort(sampler: TaskSampler, data: PlotData) -> tuple[str, dict[str, object], FrameAnswer]:
    down = sampler.chance(0.5)
    first, second = data.columns
    ordered = sorted(zip(parse_numbers(data.values), data.names, strict=True), reverse=down)
    lines = f'df = df.sort_values("{second}"{", ascending=False" if down else ""})\nprint(df)'
    probes = (
        _probe_column("df", first, [name for _, name in ordered]),
        _probe_numbers("df", second, [value for value, _ in ordered]),
    )
    more = (
        sampler.rng.choice((", largest first", ", descending", " in descending order"))
        if down
        else ""
    )
    return more, {}, ("Use `sort_values`:", lines, probes)


def _draw_filter(
    sampler: TaskSampler, data: PlotData
) -> tuple[str, dict[str, object], FrameAnswer]:
    first, second = data.columns
    border = sorted(data.values, key=parse_number)[sampler.rng.randrange(len(data.values) - 1)]
    both = zip(data.names, parse_numbers(data.values), strict=True)
    selected = [(name, value) for name, value in both if value > parse_number(border)]
    probes = (
        _probe_column("df", first, [name for name, _ in selected]),
        _probe_numbers("df", second, [value for _, value in selected]),
    )
    lines = f'df = df[df["{second}"] > {border}]\nprint(df)'
    return "", {"k": border}, ("A condition picks the rows:", lines, probes)


def _draw_largest(
    sampler: TaskSampler, data: PlotData
) -> tuple[str, dict[str, object], FrameAnswer]:
    first, second = data.columns
    name = max(zip(parse_numbers(data.values), data.names, strict=True))[1]
    lines = f'best = df.loc[df["{second}"].idxmax(), "{first}"]\nprint(best)'
    return "", {}, ("Use `idxmax`:", lines, (("str(best)", repr(name)), *_probe_data(data)))


def _draw_mean(sampler: TaskSampler, data: PlotData) -> tuple[str, dict[str, object], FrameAnswer]:
    value = round(fmean(parse_numbers(data.values)), 6)
    lines = f'mean = df["{data.columns[1]}"].mean()\nprint(mean)'
    return (
        "",
        {},
        ("Use `mean`:", lines, (("round(float(mean), 6)", repr(value)), *_probe_data(data))),
    )


def _draw_sum(sampler: TaskSampler, data: PlotData) -> tuple[str, dict[str, object], FrameAnswer]:
    value = round(float(sum(parse_numbers(data.values))), 6)
    lines = f'total = df["{data.columns[1]}"].sum()\nprint(total)'
    return (
        "",
        {},
        ("Use `sum`:", lines, (("round(float(total), 6)", repr(value)), *_probe_data(data))),
    )


def _draw_add_column(
    sampler: TaskSampler, data: PlotData
) -> tuple[str, dict[str, object], FrameAnswer]:
    name = (
        lexicon.invent_word(sampler.rng)
        if sampler.chance(0.5)
        else sampler.rng.choice(("double", "scaled", "total", "extra", "new", "tax"))
    )
    if name in data.columns:
        name = f"{name}_new"
    factor = sampler.rng.choice(("2", "3", "5", "10", "100", "0.5", "1.5"))
    lines = f'df["{name}"] = df["{data.columns[1]}"] * {factor}\nprint(df)'
    products = [round(float(v * parse_number(factor)), 6) for v in parse_numbers(data.values)]
    probe = (f'[round(float(v), 6) for v in df["{name}"]]', repr(products))
    return (
        "",
        {"n": name, "k": factor},
        ("Columns are multiplied as a whole:", lines, (probe, *_probe_data(data))),
    )


FOLLOW_UPS: dict[
    str, Callable[[TaskSampler, PlotData], tuple[str, dict[str, object], FrameAnswer]]
] = {
    "frame_sort": _draw_sort,
    "frame_filter": _draw_filter,
    "frame_largest": _draw_largest,
    "frame_mean": _draw_mean,
}
"""Operations of follow-up turns; sums are held out."""


def _draw_repeated(sampler: TaskSampler) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Draw labels that occur more than once, each with a number."""
    rng = sampler.rng
    few = lexicon.draw_names(rng, rng.choice((2, 2, 3)), single=True)
    many = rng.randint(len(few) + 2, len(few) + 4)
    labels = [*few, *few[:1], *(rng.choice(few) for _ in range(many - len(few) - 1))]
    rng.shuffle(labels)
    return tuple(labels), lexicon.draw_numbers(rng, many)


def _format_rows(
    sampler: TaskSampler, heads: tuple[str, ...], rows: Sequence[tuple[str, ...]]
) -> FormattedData:
    """Format rows as a table, as tuples or in a sentence, with the names of the columns."""
    if sampler.chance(0.6):
        return FormattedData(data_formats.format_table(sampler, heads, rows), block=True)
    last = [f'("{row[0]}", {", ".join(row[1:])})' for row in rows]
    tuples = "[" + ", ".join(last) + "]"
    listing = ", ".join(" ".join(row) for row in rows)
    columns = " and ".join(heads) if len(heads) == 2 else ", ".join(heads)
    return FormattedData(f"{sampler.rng.choice((tuples, listing))} with the columns {columns}")


def _render_frame(heads: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    made = ", ".join(f'("{row[0]}", {", ".join(row[1:])})' for row in rows)
    return f"rows = [{made}]\ndf = pd.DataFrame(rows, columns={format_strings(heads)})"


def _make_group_drawer(how: str) -> Drawer:
    def draw(sampler: TaskSampler) -> tuple[Exchange, ...]:
        labels, values = _draw_repeated(sampler)
        heads = lexicon.draw_columns(sampler.rng)
        rows = list(zip(labels, values, strict=True))
        template = sampler.choose_phrasing(load_chart_phrasings(f"frame_group_{how}"))
        template = template.replace("{a}", heads[0]).replace("{b}", heads[1])
        question = data_formats.build_question(
            sampler, template, _format_rows(sampler, heads, rows)
        )
        found = {label: [parse_number(v) for n, v in rows if n == label] for label in labels}
        reduce = fmean if how == "mean" else sum
        expected = {label: round(float(reduce(of)), 6) for label, of in found.items()}
        lines = f'result = df.groupby("{heads[0]}")["{heads[1]}"].{how}()\nprint(result)'
        code = f"{PANDAS_IMPORT}\n\n{_render_frame(heads, rows)}\n\n{lines}"
        probe = ("{k: round(float(v), 6) for k, v in result.items()}", repr(expected))
        numbers = _probe_numbers("df", heads[1], parse_numbers(values))
        check = Check(probes=(probe, _probe_column("df", heads[0], labels), numbers), packages=True)
        before = f"Group by `{heads[0]}` and take the {how}:"
        return (Exchange(question, format_answer(before, code), check, GROUP),)

    return draw


def _draw_count(sampler: TaskSampler) -> tuple[Exchange, ...]:
    labels, _ = _draw_repeated(sampler)
    ways = (", ".join(labels), format_strings(labels), " ".join(labels))
    question = data_formats.build_question(
        sampler,
        sampler.choose_phrasing(load_chart_phrasings("frame_count")),
        FormattedData(sampler.rng.choice(ways)),
    )
    code = (
        f"{PANDAS_IMPORT}\n\nitems = {format_strings(labels)}\n\n"
        "counts = pd.Series(items).value_counts()\nprint(counts)"
    )
    expected = {label: labels.count(label) for label in labels}
    check = Check(
        probes=(("{k: int(v) for k, v in counts.items()}", repr(expected)),), packages=True
    )
    return (Exchange(question, format_answer("Use `value_counts`:", code), check, GROUP),)


def _draw_plot(sampler: TaskSampler) -> tuple[Exchange, ...]:
    data, text = _draw_pairs(sampler)
    first, second = data.columns
    kind = sampler.rng.choice(("bar", "barh", "line"))
    called = {"bar": "bar chart", "barh": "horizontal bar chart", "line": "line plot"}[kind]
    template = sampler.choose_phrasing(load_chart_phrasings("frame_plot")).replace("{name}", called)
    color = lexicon.draw_color(sampler) if sampler.chance(0.25) else ""
    slots: dict[str, object] = {}
    if color:
        template += sampler.choose_phrasing(load_chart_phrasings("colored"))
        slots["c"] = color
    argument = f', color="{color}"' if color else ""
    lines = f'df.plot(x="{first}", y="{second}", kind="{kind}"{argument})\nplt.show()'
    code = f"{PLOT_IMPORTS}\n\n{data.frame}\n\n{lines}"
    names, values = list(data.names), parse_numbers(data.values)
    wanted: dict[str, object] = {
        "kind": "line" if kind == "line" else "bar",
        "labels": names,
        "series": [values],
        "legend": [second],
    }
    wanted |= {"flat": True} if kind == "barh" else {}
    wanted |= {"color": COLORS[color]} if color else {}
    question = data_formats.build_question(sampler, template, text, **slots)
    check = Check(drawn=json.dumps([wanted]))
    return (Exchange(question, format_answer("pandas draws it with `plot`:", code), check, GROUP),)


def _draw_rows(sampler: TaskSampler) -> tuple[Exchange, ...]:
    """Draw a table of three columns."""
    rng = sampler.rng
    many = rng.randint(3, 5)
    heads = lexicon.draw_columns(rng, 3)
    rows = list(
        zip(
            lexicon.draw_names(rng, many),
            lexicon.draw_numbers(rng, many),
            lexicon.draw_numbers(rng, many),
            strict=True,
        )
    )
    question = data_formats.build_question(
        sampler,
        sampler.choose_phrasing(load_chart_phrasings("to_frame")),
        _format_rows(sampler, heads, rows),
    )
    code = f"{PANDAS_IMPORT}\n\n{_render_frame(heads, rows)}\nprint(df)"
    columns = list(zip(*rows, strict=True))
    probes = [
        ("list(df.columns)", format_strings(heads)),
        _probe_column("df", heads[0], columns[0]),
    ]
    for head, column in zip(heads[1:], columns[1:], strict=True):
        probes.append(_probe_numbers("df", head, parse_numbers(column)))
    check = Check(probes=tuple(probes), packages=True)
    return (Exchange(question, format_answer("Here is the DataFrame:", code), check, GROUP),)
