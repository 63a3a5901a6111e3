"""Classes that grow turn by turn: a method, an attribute, a name, hints, a test."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from train.demo.tasks.classes.class_state import TYPES, Made, Method, counted, op_of
from train.demo.tasks.data_formats import spoken
from train.demo.tasks.family import Check, Draw, Drawer, Exchange, Family, answer
from train.demo.tasks.functions.bugs import ATTRIBUTES, NOUN_CLASSES
from train.demo.tasks.functions.function_families import thanks
from train.demo.tasks.load_yaml import asked, phrases, table
from train.demo.tasks.phrasing import NOUNS, PEOPLE, ask, identifier, with_article

GROUP = "follow-up classes"
WEIGHTS = {"stack": 1.4, "queue": 1.3, "counter": 1.0, "account": 1.2, "record": 2.0}
SHARED_ASKS = {"record": "class"}
"""What the asks of a kind are called in phrases.yaml, where not like the kind."""
ODD = frozenset("data sugar coffee paper light temperature total value".split())
"""Nouns that take no article, or that our code uses."""
THINGS = tuple(noun for noun in NOUNS if noun not in ODD)
TAKEN = frozenset(("items", "value", "balance"))


Step = Callable[[Draw, Made], tuple[Exchange, Made] | None]


def families() -> tuple[Family, ...]:
    """A family for each kind of class."""
    return tuple(
        Family(f"later_class_{kind}", "classes", _drawer(kind), weight)
        for kind, weight in WEIGHTS.items()
    )


def _drawer(kind: str) -> Drawer:
    def draw(dice: Draw) -> tuple[Exchange, ...]:
        first, made = _first(dice, kind)
        exchanges = [first]
        turns = dice.rng.choices((1, 2, 3, 4), (35, 35, 20, 10))[0]
        used: list[Step] = []
        while len(exchanges) <= turns:
            exchange, made = _next(dice, made, used)
            exchanges.append(exchange)
        if len(exchanges) < 5 and dice.chance(0.12):
            exchanges.append(thanks(dice))
        return tuple(exchanges)

    return draw


def _phrase(dice: Draw, name: str) -> str:
    return dice.phrase(asked("later_classes", name))


def _first(dice: Draw, kind: str) -> tuple[Exchange, Made]:
    made = _record(dice) if kind == "record" else _usual(dice, kind)
    mine = tuple(made.facts["asks"])
    shared = phrases(SHARED_ASKS.get(kind, kind))
    template = dice.phrase(shared if dice.chance(0.3) else mine)
    first = made.methods[0].name if made.methods else ""
    slots = {"c": made.name, "ac": with_article(made.name), "am": with_article(first)}
    if made.attributes:
        slots["a"] = spoken(made.attributes)
    question = ask(dice, template, **slots, m=first)
    text = answer(made.fill(made.facts["before"]), made.code)
    return Exchange(question, text, made.check, "classes"), made


def _usual(dice: Draw, kind: str) -> Made:
    facts = table("later_classes")["kinds"][kind]
    methods = tuple(Method(op, dice.rng.choice(names)) for op, names in facts["base"].items())
    named = kind not in ("stack", "queue")
    return Made(kind, dice.rng.choice(facts["names"]), (), methods, named)


def _record(dice: Draw) -> Made:
    name = dice.rng.choice(NOUN_CLASSES) if dice.chance(0.6) else dice.rng.choice(THINGS).title()
    made = Made("record", name)
    some = dice.rng.sample(_free_attributes(made), dice.rng.choice((1, 2, 2, 2, 3, 3, 4)))
    return replace(made, attributes=tuple(some))


def _free_attributes(made: Made) -> list[str]:
    taken = {*made.attributes, *(m.name for m in made.methods), *TAKEN, *ODD}
    usual = [a for a in ATTRIBUTES for _ in range(3)]
    return [
        a for a in dict.fromkeys((*usual, *THINGS[:26])) if a not in taken | {made.name.lower()}
    ]


def _next(dice: Draw, made: Made, used: list[Step]) -> tuple[Exchange, Made]:
    """A follow-up that fits, drawn by weight; the same one twice only where it adds something.

    It ends: a conversation has four, and four of them fit any class.
    """
    steps: dict[Step, int] = {
        _method: 9,
        _attribute: 4,
        _rename: 2,
        _docstring: 2,
        _hints: 2,
        _example: 3,
        _test: 2,
        _remove: 1,
    }
    while True:
        step = dice.rng.choices(tuple(steps), tuple(steps.values()))[0]
        if step in used and step not in (_method, _attribute):
            continue
        if found := step(dice, made):
            used.append(step)
            return found


def _whole(question: str, before: str, made: Made, **more: Any) -> tuple[Exchange, Made]:
    """The exchange that gives the new class, and the class."""
    check = made.check
    check = replace(check, has=(*check.has, *more.pop("has", ())), **more)
    return Exchange(question, answer(before, made.code), check, GROUP), made


def _method(dice: Draw, made: Made) -> tuple[Exchange, Made] | None:
    methods = table("later_classes")["methods"]
    have = {method.op for method in made.methods}
    names = [n for n, op in methods.items() if made.kind in op.get("kinds", ()) and n not in have]
    if not names:
        return None
    op = methods[name := dice.rng.choice(names)]
    about = dice.rng.choice(made.attributes) if made.kind == "record" else ""
    method = Method(name, "", about)
    dunder, describe = "wishes" in op, op.get("needs") == "does" or dice.chance(0.5)
    usual = made.fill(dice.rng.choice(op["names"]), method)
    free = describe and not dunder and dice.chance(0.5)
    method = replace(method, name=identifier(dice.rng) if free else usual)
    if method.name in {*made.attributes, *TAKEN, *made.removed, *(m.name for m in made.methods)}:
        return None
    question = _asked(dice, made, method, describe=describe)
    new = replace(made, methods=(*made.methods, method))
    has = (f"def {method.name}(",)
    return _whole(question, f"Here it is with the method `{method.name}`:", new, has=has)


def _asked(dice: Draw, made: Made, method: Method, *, describe: bool) -> str:
    op = op_of(method)
    if "wishes" in op:
        template = dice.phrase(tuple(op["wishes"])) if describe else _phrase(dice, "dunder")
        return ask(dice, template, m=method.name, am=with_article(method.name))
    does = made.fill(dice.rng.choice(op["does"]), method)
    template = _phrase(dice, "described" if describe else "named")
    return ask(dice, template, m=method.name, am=with_article(method.name), d=does)


def _attribute(dice: Draw, made: Made) -> tuple[Exchange, Made] | None:
    if made.kind not in ("record", "account") or len(made.attributes) > 4:
        return None
    free = _free_attributes(made) if made.kind == "record" else ["owner", "name", "color"]
    free = [a for a in free if a not in made.attributes]
    if not free:
        return None
    a = dice.rng.choice(free)
    question = ask(dice, _phrase(dice, "attribute"), a=a, an=counted(a))
    new = replace(made, attributes=(*made.attributes, a))
    return _whole(question, f"Here it is with the attribute `{a}`:", new)


def _rename(dice: Draw, made: Made) -> tuple[Exchange, Made] | None:
    names = made.facts["renames"] or [*NOUN_CLASSES, *(noun.title() for noun in THINGS)]
    name = dice.rng.choice(names)
    if name == made.name or name.lower() in made.attributes:
        return None
    new = replace(made, name=name, named=True)
    question = ask(dice, _phrase(dice, "rename"), c=name)
    return _whole(question, f"Now it is called `{name}`:", new, lacks=(f"class {made.name}:",))


def _docstring(dice: Draw, made: Made) -> tuple[Exchange, Made]:
    new = replace(made, documented=True)
    return _whole(ask(dice, _phrase(dice, "docstring")), "Here it is with a docstring:", new)


def _hints(dice: Draw, made: Made) -> tuple[Exchange, Made]:
    new = replace(made, hinted=True)
    return _whole(ask(dice, _phrase(dice, "hints")), "Here it is with type hints:", new)


def _remove(dice: Draw, made: Made) -> tuple[Exchange, Made] | None:
    if not made.added:
        return None
    gone = dice.rng.choice(made.added)
    left = tuple(method for method in made.methods if method != gone)
    new = replace(made, methods=left, removed=(*made.removed, gone.name))
    question = ask(dice, _phrase(dice, "remove"), m=gone.name)
    before = f"Here it is without the method `{gone.name}`:"
    return _whole(question, before, new, lacks=(f"def {gone.name}(",))


def _values(dice: Draw, made: Made) -> list[str]:
    """A literal for each attribute."""
    texts = {"name": PEOPLE, "user": PEOPLE, "owner": PEOPLE, "color": ("red", "blue", "green")}
    return [
        str(dice.rng.randint(1, 99))
        if TYPES.get(a) == "int"
        else f'"{dice.rng.choice(texts.get(a, NOUNS))}"'
        for a in made.attributes
    ]


def _begun(dice: Draw, made: Made, method: Method | None) -> tuple[str, dict[str, str]]:
    """The line that creates an object, and what the table's lines may say of it."""
    values = _values(dice, made)
    call = f"{made.name}({', '.join(values)})"
    about = method.about if method and method.about else (made.attributes or ("",))[0]
    sample = values[made.attributes.index(about)] if about else ""
    pairs = zip(made.attributes, values, strict=True)
    holds = "\n".join(f"assert $v.{a} == {value}" for a, value in pairs)
    return made.fill(f"$v = {call}"), {"again": call, "sample": sample, "holds": holds}


def _example(dice: Draw, made: Made) -> tuple[Exchange, Made]:
    method = made.added[-1] if made.added else None
    create, more = _begun(dice, made, method)
    use = op_of(method).get("use", "") if method else ""
    lines = [create, *made.facts["example"], *([use] if use else [])]
    if "print(" not in use:
        shows = made.facts["shows"]
        shown = {
            "stack": "print($v.items)",
            "queue": "print($v.items)",
            "counter": "print($v.value)",
        }
        lines.append(shown.get(made.kind, shows) if use else shows)
    code = "\n".join(made.fill(line, method, **more) for line in lines)
    check = Check(stdout=_printed(made.code, code), setup=made.code, has=(f"{made.name}(",))
    question = ask(dice, _phrase(dice, "example"))
    return Exchange(question, answer("Use it like this:", code), check, GROUP), made


def _printed(setup: str, code: str) -> str:
    """What our own class and example print."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        exec(f"{setup}\n{code}", {})
    return out.getvalue().strip()


def _test(dice: Draw, made: Made) -> tuple[Exchange, Made]:
    method = made.added[-1] if made.added else None
    create, more = _begun(dice, made, method)
    extra = op_of(method).get("assert", []) if method else []
    usual = made.facts["asserts"] or more["holds"].splitlines()[:2]
    asserts = [*usual, *extra] if made.kind in ("counter", "record") else [*extra, *usual]
    lines = [create, *made.facts["test"], *dict.fromkeys(asserts)]
    body = "\n".join(f"    {made.fill(line, method, **more)}" for line in lines)
    name = made.fill("test_$v")
    old, new = (made.fill(part) for part in made.facts["broken"])
    check = Check(
        probes=((f"{name}()", "None"),),
        name=name,
        setup=made.code,
        mutants=(made.code.replace(old, new),),
        has=("assert", f"{made.name}("),
    )
    text = answer("Here is a test:", f"def {name}():\n{body}", "Run it with `pytest`.")
    return Exchange(ask(dice, _phrase(dice, "test")), text, check, GROUP), made
