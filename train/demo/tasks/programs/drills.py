"""Data of the question as a dict, as lists, as tuples, as JSON, as a table: nothing but copying."""

from __future__ import annotations

from train.demo.tasks import data_formats, lexicon
from train.demo.tasks.data_formats import bare, quoted
from train.demo.tasks.family import Check, Draw, Drawer, Exchange, Family, answer
from train.demo.tasks.phrasing import ask
from train.demo.tasks.plots.chart import Data
from train.demo.tasks.plots.drawing import asks

GROUP = "drills"


def families() -> tuple[Family, ...]:
    """One for each form of the answer."""
    makers: dict[str, tuple[Drawer, float]] = {
        "drill_dict": (_dict, 4.0),
        "drill_lists": (_lists, 2.0),
        "drill_tuples": (_tuples, 1.5),
        "drill_frame": (_frame, 2.5),
        "drill_names": (_names, 1.5),
        "drill_values": (_values, 1.5),
        "drill_words": (_words, 2.0),
        "drill_json": (_json, 1.5),
        "drill_groups": (_groups, 2.0),
        "drill_add": (_add, 1.5),
    }
    return tuple(Family(name, GROUP, maker, weight) for name, (maker, weight) in makers.items())


def _pairs(dice: Draw, *, columns: bool = False) -> tuple[Data, data_formats.Told]:
    many = lexicon.count(dice.rng)
    names = lexicon.names(dice.rng, many)
    values = lexicon.numbers(dice.rng, many, negative=True)
    heads = lexicon.columns(dice.rng) if columns else ("", "")
    text = data_formats.pairs(dice, names, values, heads)
    used = heads if columns and text.block and heads[0] in text.text else ("name", "value")
    return Data(names, values, columns=used, listed=text.listed), text


def _made(
    question: str,
    before: str,
    code: str,
    probes: tuple[tuple[str, str], ...],
    *,
    packages: bool = False,
) -> Exchange:
    check = Check(probes=probes, packages=packages)
    return Exchange(question, answer(before, code), check, GROUP)


def _asked(dice: Draw, name: str, text: data_formats.Told) -> str:
    return data_formats.question(dice, dice.phrase(asks(name)) + dice.rng.choice(("", ".")), text)


def _literal(data: Data) -> str:
    return Data(data.names, data.values).pairs.partition(" = ")[2]


def _dict(dice: Draw) -> tuple[Exchange, ...]:
    data, text = _pairs(dice)
    code = f"data = {_literal(data)}"
    probes = (("data", _literal(data)), ("list(data)", quoted(data.names)))
    return (_made(_asked(dice, "to_dict", text), "Here is the dict:", code, probes),)


def _split(data: Data) -> str:
    return f"names = {quoted(data.names)}\nvalues = {bare(data.values)}"


def _lists(dice: Draw) -> tuple[Exchange, ...]:
    data, text = _pairs(dice)
    probes = (("names", quoted(data.names)), ("values", bare(data.values)))
    return (_made(_asked(dice, "to_lists", text), "Here are both lists:", _split(data), probes),)


def _tuples(dice: Draw) -> tuple[Exchange, ...]:
    data, text = _pairs(dice)
    both = zip(data.names, data.values, strict=True)
    literal = "[" + ", ".join(f'("{name}", {value})' for name, value in both) + "]"
    probes = (("pairs", literal),)
    question = _asked(dice, "to_tuples", text)
    return (_made(question, "Here is the list of tuples:", f"pairs = {literal}", probes),)


def _frame(dice: Draw) -> tuple[Exchange, ...]:
    data, text = _pairs(dice, columns=True)
    code = f"import pandas as pd\n\n{data.frame}\nprint(df)"
    first, second = data.columns
    probes = (
        ("list(df.columns)", quoted(data.columns)),
        (f'df["{first}"].tolist()', quoted(data.names)),
        (f'[float(v) for v in df["{second}"]]', f"[float(v) for v in {bare(data.values)}]"),
    )
    question = _asked(dice, "to_frame", text)
    return (_made(question, "Here is the DataFrame:", code, probes, packages=True),)


def _names(dice: Draw) -> tuple[Exchange, ...]:
    data, text = _pairs(dice)
    code = f"names = {quoted(data.names)}"
    question = _asked(dice, "to_names", text)
    return (_made(question, "Here are the names:", code, (("names", quoted(data.names)),)),)


def _values(dice: Draw) -> tuple[Exchange, ...]:
    data, text = _pairs(dice)
    code = f"values = {bare(data.values)}"
    question = _asked(dice, "to_values", text)
    return (_made(question, "Here are the values:", code, (("values", bare(data.values)),)),)


def _words(dice: Draw) -> tuple[Exchange, ...]:
    names = lexicon.names(dice.rng, lexicon.count(dice.rng))
    ways = (", ".join(names), data_formats.spoken(names), " and ".join(names), "; ".join(names))
    text = data_formats.Told(dice.rng.choice(ways))
    if dice.chance(0.3):
        text = data_formats.Told("\n".join(names), block=True)
    code = f"items = {quoted(names)}"
    question = _asked(dice, "to_words", text)
    return (_made(question, "Here is the list:", code, (("items", quoted(names)),)),)


def _json(dice: Draw) -> tuple[Exchange, ...]:
    data, text = _pairs(dice)
    code = f"import json\n\ndata = {_literal(data)}\nprint(json.dumps(data))"
    question = _asked(dice, "to_json", text)
    probes = (("data", _literal(data)),)
    return (_made(question, "This prints it as JSON:", code, probes),)


def _groups(dice: Draw) -> tuple[Exchange, ...]:
    keys = lexicon.names(dice.rng, dice.rng.choice((2, 2, 3)))
    rows = tuple(lexicon.numbers(dice.rng, dice.rng.randint(2, 5), negative=True) for _ in keys)
    literal = Data(keys=keys, rows=rows).groups
    question = _asked(dice, "to_groups", data_formats.groups(dice, keys, rows))
    probes = (("data", literal.partition(" = ")[2]),)
    return (_made(question, "Here is the dict of lists:", literal, probes),)


def _add(dice: Draw) -> tuple[Exchange, ...]:
    """A dict, and then one item more in each turn."""
    data, text = _pairs(dice)
    probes = (("data", _literal(data)),)
    code = f"data = {_literal(data)}"
    exchanges = [_made(_asked(dice, "to_dict", text), "Here is the dict:", code, probes)]
    for _ in range(dice.rng.choice((1, 1, 2))):
        (name,) = lexicon.names(dice.rng, 1)
        (value,) = lexicon.numbers(dice.rng, 1)
        if name in data.names or len(data.names) >= lexicon.MOST:
            continue
        data = Data((*data.names, name), (*data.values, value))
        question = ask(dice, dice.phrase(asks("add")), n=name, v=value)
        probes = (("data", _literal(data)),)
        code = f"data = {_literal(data)}"
        before = f"Here it is with {name}:"
        after = Exchange(question, answer(before, code), Check(probes=probes), f"follow-up {GROUP}")
        exchanges.append(after)
    return tuple(exchanges)
