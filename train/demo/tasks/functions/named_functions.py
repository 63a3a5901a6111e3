"""Functions in the words that users choose: classics by their names, and changes to them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Any

from train.demo.tasks.family import Check, Draw, Drawer, Exchange, Family, answer
from train.demo.tasks.functions import function_families
from train.demo.tasks.functions.bugs import ITEMS, LISTS
from train.demo.tasks.functions.line_comments import explained
from train.demo.tasks.functions.specs import Function, Written
from train.demo.tasks.functions.tiny import TITLES, check_in
from train.demo.tasks.load_yaml import asked, phrases, table
from train.demo.tasks.phrasing import ask, identifier, third_person, with_code
from train.demo.tasks.talk.small_talk import FRAMEWORKS

Turn = tuple[Written, Exchange] | None
CANNOT = (
    "I do not know how to do that. I can add type hints or a docstring, rename it, write a test "
    "or explain it."
)
WHICH_NAME = "Which name? Say for example: rename it to total."
MENDED = " Here is the corrected code:"
SPOKEN = {"javascript": ("JavaScript", "javascript", "JS", "js"), "c": ("C", "C", "c")}
MOST_LINES = 8
STARTS = "total result t s acc amount all_of_it answer value res".split()


def families(
    specs: tuple[Function, ...], bugs: tuple[Family, ...], errors: tuple[Family, ...]
) -> tuple[Family, ...]:
    """Classics by name, known functions with more changes, and what is asked about mistakes.

    `bugs` and `errors` are the families whose mistakes are asked about.
    """
    known = {spec.name: spec for spec in specs}
    named = tuple(known[name] for name in table("later_code")["names"] if name in known)
    rich = tuple(spec for spec in specs if _rich(spec))
    return (
        Family("later_by_name", "lists", _conversation(named, _by_name), 5.0),
        Family("later_changes", "lists", _conversation(rich, function_families.opening), 6.0),
        Family("later_bug_why", "bugs", _explained(bugs), 2.0),
        Family("later_bug_start", "bugs", _start, 1.0),
        Family("later_error_avoid", "concepts", _avoided(errors), 1.0),
    )


def asks(name: str) -> tuple[str, ...]:
    """The phrasings called `name` in data/later_code.yaml; KeyError where there are none."""
    return asked("later_code", name)


def _rich(spec: Function) -> bool:
    """Whether more can be asked about it than about any function."""
    tables = table("later_code")
    held = any(spec.name in tables[name] for name in ("guards", "javascript", "c"))
    return held or bool(_ways(spec))


def _conversation(
    specs: tuple[Function, ...], opening: Callable[[Draw, Function], tuple[Written, Exchange]]
) -> Drawer:
    def draw(dice: Draw) -> tuple[Exchange, ...]:
        now, first = opening(dice, dice.rng.choice(specs))
        exchanges = [first]
        while dice.chance(0.7) and len(exchanges) < 5:
            now, exchange = _follow_up(dice, now)
            exchanges.append(exchange)
        return tuple(exchanges)

    return draw


def _by_name(dice: Draw, spec: Function) -> tuple[Written, Exchange]:
    """A classic that is asked for by what it is called."""
    name = dice.rng.choice(table("later_code")["names"][spec.name])
    question = ask(dice, dice.phrase(asks("by_name")), n=name)
    usual = tuple(param for param, _ in spec.params)
    written = Written(spec, spec.name, usual, spec.drawn(dice.rng), spec.body, spec.why)
    text = answer(f"This function {third_person(written.does)}:", written.code, spec.why)
    text = written.fill(text)
    return written, Exchange(question, text, written.check(), spec.group)


def _follow_up(dice: Draw, now: Written) -> tuple[Written, Exchange]:
    """One of ours where one fits, else one of those that any function has."""
    kinds = [_way, _way, _guarded, _first, _descending, _lines, _translated, _translated, _beyond]
    dice.rng.shuffle(kinds)
    for kind in kinds[:4]:
        turn = kind(dice, now)
        if turn is not None:
            return turn
    return function_families.follow_up(dice, now)


@cache
def _more_ways() -> dict[str, tuple[tuple[str, str, str], ...]]:
    found: dict[str, tuple[tuple[str, str, str], ...]] = {}
    for entry in table("later_code")["more_ways"]:
        way = (entry["manner"], entry["body"], entry["why"])
        found[entry["name"]] = (*found.get(entry["name"], ()), way)
    return found


def _ways(spec: Function) -> tuple[tuple[str, str, str], ...]:
    """The other ways to write it for which users have words of their own."""
    told = table("later_code")["ways"]
    others = tuple(
        ("with recursion" if manner == "recursively" else manner, body, why)
        for manner, body, why in spec.others
    )
    return tuple(way for way in (*others, *_more_ways().get(spec.name, ())) if way[0] in told)


def _way(dice: Draw, now: Written) -> Turn:
    ways = [way for way in _ways(now.spec) if way[1] != now.body]
    if not ways:
        return None
    manner, body, why = dice.rng.choice(ways)
    after = replace(now, body=body, why=why)
    question = ask(dice, dice.phrase(tuple(table("later_code")["ways"][manner])))
    text = answer(f"Here it is {manner}:", after.code, after.fill(why))
    return after, Exchange(question, text, after.check(), "follow-up")


SUFFIX = " changed"
"""In the name of a specification that left its table's results: no way of the table fits it."""


def _respecified(now: Written, body: str, why: str, calls: Any) -> Written:
    """With another body and other results."""
    spec = replace(
        now.spec,
        name=now.spec.name + SUFFIX,
        body=body,
        why=why,
        calls=calls,
        others=(),
        draws=None,
    )
    return replace(now, spec=spec, body=body, why=why)


def _guarded(dice: Draw, now: Written) -> Turn:
    empty = table("later_code")["guards"].get(now.spec.name)
    if empty is None:
        return None
    rest = now.body.removeprefix("if not $a:\n    return 0\n")
    literal = {"an empty list": "[]", "an empty text": "''"}.get(empty, "{}")
    calls = [call for call in now.calls if call[0] != literal]
    after = _respecified(
        now,
        f"if not $a:\n    return None\n{rest}",
        f"{empty[0].upper()}{empty[1:]} is false, so `None` is returned.",
        ((literal, "None"), *calls),
    )
    question = ask(dice, dice.phrase(asks("guard")), e=empty)
    text = answer(f"Now it can handle {empty}:", after.code, after.why)
    return after, Exchange(question, text, after.check(), "follow-up")


def _first(dice: Draw, now: Written) -> Turn:
    """Only the first few of a list that one expression makes, or of a sorted dictionary."""
    n = dice.rng.randint(2, 9)
    body = _cut(now, n)
    if not body:
        return None
    calls = tuple((args, repr(_head(eval(result, {}), n))) for args, result in now.calls)  # ours
    why = f"The slice `[:{n}]` keeps the first {n}."
    after = _respecified(now, body, why, calls)
    question = ask(dice, dice.phrase(asks("first")), n=n)
    text = answer(f"Now it returns only the first {n}:", after.code, why)
    return after, Exchange(question, text, after.check(f"[:{n}]"), "follow-up")


def _cut(now: Written, n: int) -> str:
    """The body with a slice in it; "" where there is no place for one."""
    if now.body.startswith("return dict(sorted("):
        return f"{now.body[:-1]}[:{n}])"
    single = now.spec.returns.startswith("list") and "\n" not in now.body
    fits = single and now.body.endswith((")", "]")) and not now.body.endswith(":-1]")
    return f"{now.body}[:{n}]" if fits else ""


def _head(result: Any, n: int) -> Any:
    return dict(list(result.items())[:n]) if isinstance(result, dict) else result[:n]


def _descending(dice: Draw, now: Written) -> Turn:
    """The largest first."""
    if "sorted(" not in now.body or now.spec.name not in table("later_code")["descending"]:
        return None
    close = "))" if now.body.startswith("return dict(") else ")"
    body = f"{now.body.removesuffix(close)}, reverse=True{close}"
    calls = tuple(
        (args, result) for args, result in table("later_code")["descending"][now.spec.name]
    )
    why = "`reverse=True` puts the largest first."
    after = _respecified(now, body, why, calls)
    question = ask(dice, dice.phrase(asks("descend")))
    text = answer("Here it is in descending order:", after.code, why)
    return after, Exchange(question, text, after.check("reverse=True"), "follow-up")


def _lines(dice: Draw, now: Written) -> Turn:
    """Every line of it in a sentence."""
    lines = explained(now.code)
    if lines is None or len(lines) > MOST_LINES:
        return None
    question = ask(dice, dice.phrase(phrases("lines_of_it")))
    return now, Exchange(question, "\n".join(lines), Check(says=tuple(lines)), "follow-up explain")


def _translated(dice: Draw, now: Written) -> Turn:
    """The function in JavaScript or C, where we know it; then it is about the Python again."""
    language = dice.rng.choice(sorted(SPOKEN))
    question = ask(dice, dice.phrase(asks("in_language")), lang=dice.rng.choice(SPOKEN[language]))
    if now.spec.name not in table("later_code")[language]:
        said = f"I do not know how to write that in {TITLES[language]}."
        return now, Exchange(question, said, Check(says=("do not know how",)), "translation")
    code = _foreign(now, language)
    text = answer(f"Here it is in {TITLES[language]}:", code, language=language)
    return now, Exchange(question, text, check_in(language, now.name, now.calls), "translation")


def _foreign(now: Written, language: str) -> str:
    body = now.fill(table("later_code")[language][now.spec.name])
    indent = "    " if language == "c" else "  "
    lines = "\n".join(indent + line for line in body.splitlines())
    params = ", ".join(f"int {name}" if language == "c" else name for name in now.params)
    head = "int" if language == "c" else "function"
    return f"{head} {now.name}({params}) {{\n{lines}\n}}"


def _beyond(dice: Draw, now: Written) -> Turn:
    """A change that nobody taught, or that does not say what to: said so, with a way on."""
    if dice.chance(0.2):
        question = ask(dice, dice.phrase(asks("rename_to_what")))
        return now, Exchange(question, WHICH_NAME, Check(says=("which name",)), "follow-up")
    if dice.chance(0.5):
        return None
    framework = dice.rng.choice(FRAMEWORKS)
    question = ask(dice, dice.phrase(asks("beyond")), framework=framework)
    return now, Exchange(question, CANNOT, Check(says=("do not know how",)), "follow-up")


def _explained(bugs: tuple[Family, ...]) -> Drawer:
    def draw(dice: Draw) -> tuple[Exchange, ...]:
        first = dice.rng.choice(bugs).draw(dice)[0]
        return first, _why(dice, first)

    return draw


def _why(dice: Draw, first: Exchange) -> Exchange:
    """What was wrong, asked once more."""
    said = first.answer.partition(MENDED)[0]
    question = ask(dice, dice.phrase(asks("why_wrong")))
    return Exchange(question, said, Check(says=(said,)), "follow-up bugs")


def _start(dice: Draw) -> tuple[Exchange, ...]:
    """A wrong start of a sum or a product, whatever the variable is called."""
    rng = dice.rng
    name, xs, x = identifier(rng), rng.choice(LISTS), rng.choice(ITEMS)
    var = rng.choice([start for start in STARTS if start not in (name, xs, x)])
    adds = dice.chance(0.6)
    good, op = ("0", "+") if adds else ("1", "*")
    bad = rng.choice(("1", "1", "10", "-1") if adds else ("0", "0", "2"))
    step = f"{var} {op}= {x}" if dice.chance(0.6) else f"{var} = {var} {op} {x}"
    source = (
        f"def {name}({xs}):\n    {var} = {{}}\n    for {x} in {xs}:\n"
        f"        {step}\n    return {var}"
    )
    said = f"The variable `{var}` must start at {good}, not at {bad}."
    question = with_code(dice, ask(dice, dice.phrase(phrases("bugs"))), source.format(bad))
    probes = (("$f([2, 3])", "5" if adds else "6"),)
    check = Check(probes=probes, name=name, named=True, says=(f"start at {good}",))
    first = Exchange(question, answer(said + MENDED, source.format(good)), check, "bugs")
    return (first, _why(dice, first)) if dice.chance(0.5) else (first,)


def _avoided(errors: tuple[Family, ...]) -> Drawer:
    """An error explained, and then what to do about it."""

    def draw(dice: Draw) -> tuple[Exchange, ...]:
        todo = ""
        while not todo:
            first = dice.rng.choice(errors).draw(dice)[0]
            todo = first.answer.partition(". ")[2]
        question = ask(dice, dice.phrase(asks("avoid")))
        return first, Exchange(question, todo, Check(says=(todo.rstrip("."),)), "concepts")

    return draw
