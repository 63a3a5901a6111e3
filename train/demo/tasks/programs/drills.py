"""Copying drills: the data of the question as a dict, lists, tuples, JSON or a table."""

from __future__ import annotations

from train.demo.tasks import data_formats, lexicon
from train.demo.tasks.data_formats import format_numbers, format_strings
from train.demo.tasks.family import Check, Drawer, Exchange, Family, TaskSampler, format_answer
from train.demo.tasks.phrasing import phrase_question
from train.demo.tasks.plots.plot_questions import load_chart_phrasings
from train.demo.tasks.plots.plot_spec import PlotData

GROUP = "drills"


def families() -> tuple[Family, ...]:
    """Return a family for each form of the answer."""
    makers: dict[str, tuple[Drawer, float]] = {
        "drill_dict": (_draw_dict, 4.0),
        "drill_lists": (_draw_lists, 2.0),
        "drill_tuples": (_draw_tuples, 1.5),
        "drill_frame": (_draw_frame, 2.5),
        "drill_names": (_draw_names, 1.5),
        "drill_values": (_draw_values, 1.5),
        "drill_words": (_draw_words, 2.0),
        "drill_json": (_draw_json, 1.5),
        "drill_groups": (_draw_groups, 2.0),
        "drill_add": (_draw_additions, 1.5),
    }
    return tuple(Family(name, GROUP, maker, weight) for name, (maker, weight) in makers.items())


def _draw_pairs(
    sampler: TaskSampler, *, columns: bool = False
) -> tuple[PlotData, data_formats.FormattedData]:
    many = lexicon.draw_count(sampler.rng)
    names = lexicon.draw_names(sampler.rng, many)
    values = lexicon.draw_numbers(sampler.rng, many, negative=True)
    heads = lexicon.draw_columns(sampler.rng) if columns else ("", "")
    text = data_formats.format_pairs(sampler, names, values, heads)
    used = heads if columns and text.block and heads[0] in text.text else ("name", "value")
    return PlotData(names, values, columns=used, listed=text.listed), text


def _build_exchange(
    question: str,
    before: str,
    code: str,
    probes: tuple[tuple[str, str], ...],
    *,
    packages: bool = False,
) -> Exchange:
    check = Check(probes=probes, packages=packages)
    return Exchange(question, format_answer(before, code), check, GROUP)


def _ask_for_data(sampler: TaskSampler, name: str, text: data_formats.FormattedData) -> str:
    return data_formats.build_question(
        sampler,
        sampler.choose_phrasing(load_chart_phrasings(name)) + sampler.rng.choice(("", ".")),
        text,
    )


def _render_dict(data: PlotData) -> str:
    return PlotData(data.names, data.values).pairs.partition(" = ")[2]


def _draw_dict(sampler: TaskSampler) -> tuple[Exchange, ...]:
    data, text = _draw_pairs(sampler)
    code = f"data = {_render_dict(data)}"
    probes = (("data", _render_dict(data)), ("list(data)", format_strings(data.names)))
    return (
        _build_exchange(_ask_for_data(sampler, "to_dict", text), "Here is the dict:", code, probes),
    )


def _render_lists(data: PlotData) -> str:
    return f"names = {format_strings(data.names)}\nvalues = {format_numbers(data.values)}"


def _draw_lists(sampler: TaskSampler) -> tuple[Exchange, ...]:
    data, text = _draw_pairs(sampler)
    probes = (("names", format_strings(data.names)), ("values", format_numbers(data.values)))
    return (
        _build_exchange(
            _ask_for_data(sampler, "to_lists", text),
            "Here are both lists:",
            _render_lists(data),
            probes,
        ),
    )


def _draw_tuples(sampler: TaskSampler) -> tuple[Exchange, ...]:
    data, text = _draw_pairs(sampler)
    both = zip(data.names, data.values, strict=True)
    literal = "[" + ", ".join(f'("{name}", {value})' for name, value in both) + "]"
    probes = (("pairs", literal),)
    question = _ask_for_data(sampler, "to_tuples", text)
    return (_build_exchange(question, "Here is the list of tuples:", f"pairs = {literal}", probes),)


def _draw_frame(sampler: TaskSampler) -> tuple[Exchange, ...]:
    data, text = _draw_pairs(sampler, columns=True)
    code = f"import pandas as pd\n\n{data.frame}\nprint(df)"
    first, second = data.columns
    probes = (
        ("list(df.columns)", format_strings(data.columns)),
        (f'df["{first}"].tolist()', format_strings(data.names)),
        (
            f'[float(v) for v in df["{second}"]]',
            f"[float(v) for v in {format_numbers(data.values)}]",
        ),
    )
    question = _ask_for_data(sampler, "to_frame", text)
    return (_build_exchange(question, "Here is the DataFrame:", code, probes, packages=True),)


def _draw_names(sampler: TaskSampler) -> tuple[Exchange, ...]:
    data, text = _draw_pairs(sampler)
    code = f"names = {format_strings(data.names)}"
    question = _ask_for_data(sampler, "to_names", text)
    return (
        _build_exchange(
            question, "Here are the names:", code, (("names", format_strings(data.names)),)
        ),
    )


def _draw_values(sampler: TaskSampler) -> tuple[Exchange, ...]:
    data, text = _draw_pairs(sampler)
    code = f"values = {format_numbers(data.values)}"
    question = _ask_for_data(sampler, "to_values", text)
    return (
        _build_exchange(
            question, "Here are the values:", code, (("values", format_numbers(data.values)),)
        ),
    )


def _draw_words(sampler: TaskSampler) -> tuple[Exchange, ...]:
    names = lexicon.draw_names(sampler.rng, lexicon.draw_count(sampler.rng))
    ways = (", ".join(names), data_formats.join_words(names), " and ".join(names), "; ".join(names))
    text = data_formats.FormattedData(sampler.rng.choice(ways))
    if sampler.chance(0.3):
        text = data_formats.FormattedData("\n".join(names), block=True)
    code = f"items = {format_strings(names)}"
    question = _ask_for_data(sampler, "to_words", text)
    return (
        _build_exchange(question, "Here is the list:", code, (("items", format_strings(names)),)),
    )


def _draw_json(sampler: TaskSampler) -> tuple[Exchange, ...]:
    data, text = _draw_pairs(sampler)
    code = f"import json\n\ndata = {_render_dict(data)}\nprint(json.dumps(data))"
    question = _ask_for_data(sampler, "to_json", text)
    probes = (("data", _render_dict(data)),)
    return (_build_exchange(question, "This prints it as JSON:", code, probes),)


def _draw_groups(sampler: TaskSampler) -> tuple[Exchange, ...]:
    keys = lexicon.draw_names(sampler.rng, sampler.rng.choice((2, 2, 3)))
    rows = tuple(
        lexicon.draw_numbers(sampler.rng, sampler.rng.randint(2, 5), negative=True) for _ in keys
    )
    literal = PlotData(keys=keys, rows=rows).groups
    question = _ask_for_data(sampler, "to_groups", data_formats.format_groups(sampler, keys, rows))
    probes = (("data", literal.partition(" = ")[2]),)
    return (_build_exchange(question, "Here is the dict of lists:", literal, probes),)


def _draw_additions(sampler: TaskSampler) -> tuple[Exchange, ...]:
    """Draw a dict, then one more item in each turn."""
    data, text = _draw_pairs(sampler)
    probes = (("data", _render_dict(data)),)
    code = f"data = {_render_dict(data)}"
    exchanges = [
        _build_exchange(_ask_for_data(sampler, "to_dict", text), "Here is the dict:", code, probes)
    ]
    for _ in range(sampler.rng.choice((1, 1, 2))):
        (name,) = lexicon.draw_names(sampler.rng, 1)
        (value,) = lexicon.draw_numbers(sampler.rng, 1)
        # A second value under the same name would replace the first.
        if name in data.names or len(data.names) >= lexicon.MAX_ITEMS:
            continue
        data = PlotData((*data.names, name), (*data.values, value))
        question = phrase_question(
            sampler, sampler.choose_phrasing(load_chart_phrasings("add")), n=name, v=value
        )
        probes = (("data", _render_dict(data)),)
        code = f"data = {_render_dict(data)}"
        before = f"Here it is with {name}:"
        after = Exchange(
            question, format_answer(before, code), Check(probes=probes), f"follow-up {GROUP}"
        )
        exchanges.append(after)
    return tuple(exchanges)
