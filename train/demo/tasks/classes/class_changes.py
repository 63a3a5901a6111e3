"""Classes that change from turn to turn: methods, attributes, name, hints, tests."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from train.demo.tasks.classes.class_state import (
    TYPES,
    ClassState,
    Method,
    find_operation,
    with_article_unless_plural,
)
from train.demo.tasks.data_formats import join_words
from train.demo.tasks.family import Check, Drawer, Exchange, Family, TaskSampler, format_answer
from train.demo.tasks.functions.function_families import draw_thanks
from train.demo.tasks.load_yaml import load_phrases, load_phrasings, load_table
from train.demo.tasks.phrasing import (
    ATTRIBUTES,
    CLASS_NAMES,
    NOUNS,
    PEOPLE,
    draw_identifier,
    phrase_question,
    with_article,
)

GROUP = "follow-up classes"
WEIGHTS = {"stack": 1.4, "queue": 1.3, "counter": 1.0, "account": 1.2, "record": 2.0}
SHARED_ASKS = {"record": "class"}
"""Keys in phrases.yaml of the phrasings for a kind, where they differ from the kind."""
AVOIDED_NOUNS = frozenset("data sugar coffee paper light temperature total value".split())
"""Nouns without an article, or with a meaning in the generated code."""
THINGS = tuple(noun for noun in NOUNS if noun not in AVOIDED_NOUNS)
RESERVED_NAMES = frozenset(("items", "value", "balance"))


Step = Callable[[TaskSampler, ClassState], tuple[Exchange, ClassState] | None]


def families() -> tuple[Family, ...]:
    """Return a family for each kind of class."""
    return tuple(
        Family(f"later_class_{kind}", "classes", _make_drawer(kind), weight, stage="finetune")
        for kind, weight in WEIGHTS.items()
    )


def _make_drawer(kind: str) -> Drawer:
    def draw(sampler: TaskSampler) -> tuple[Exchange, ...]:
        first, state = _draw_first(sampler, kind)
        exchanges = [first]
        turns = sampler.rng.choices((1, 2, 3, 4), (35, 35, 20, 10))[0]
        used: list[Step] = []
        while len(exchanges) <= turns:
            exchange, state = _draw_next(sampler, state, used)
            exchanges.append(exchange)
        if len(exchanges) < 5 and sampler.chance(0.12):
            exchanges.append(draw_thanks(sampler))
        return tuple(exchanges)

    return draw


def _choose_phrasing(sampler: TaskSampler, name: str) -> str:
    return sampler.choose_phrasing(load_phrasings("classes", name))


def _draw_first(sampler: TaskSampler, kind: str) -> tuple[Exchange, ClassState]:
    state = _draw_record(sampler) if kind == "record" else _draw_usual(sampler, kind)
    own = tuple(state.facts["asks"])
    shared = load_phrases(SHARED_ASKS.get(kind, kind))
    template = sampler.choose_phrasing(shared if sampler.chance(0.3) else own)
    first = state.methods[0].name if state.methods else ""
    slots = {"c": state.name, "ac": with_article(state.name), "am": with_article(first)}
    if state.attributes:
        slots["a"] = join_words(state.attributes)
    question = phrase_question(sampler, template, **slots, m=first)
    text = format_answer(state.fill_template(state.facts["before"]), state.code)
    return Exchange(question, text, state.check, "classes"), state


def _draw_usual(sampler: TaskSampler, kind: str) -> ClassState:
    facts = load_table("classes")["kinds"][kind]
    methods = tuple(Method(op, sampler.rng.choice(names)) for op, names in facts["base"].items())
    named = kind not in ("stack", "queue")
    return ClassState(kind, sampler.rng.choice(facts["names"]), (), methods, named)


def _draw_record(sampler: TaskSampler) -> ClassState:
    name = (
        sampler.rng.choice(CLASS_NAMES)
        if sampler.chance(0.6)
        else sampler.rng.choice(THINGS).title()
    )
    state = ClassState("record", name)
    some = sampler.rng.sample(
        _list_free_attributes(state), sampler.rng.choice((1, 2, 2, 2, 3, 3, 4))
    )
    return replace(state, attributes=tuple(some))


def _list_free_attributes(state: ClassState) -> list[str]:
    taken = {*state.attributes, *(m.name for m in state.methods), *RESERVED_NAMES, *AVOIDED_NOUNS}
    usual = [a for a in ATTRIBUTES for _ in range(3)]
    return [
        a for a in dict.fromkeys((*usual, *THINGS[:26])) if a not in taken | {state.name.lower()}
    ]


def _draw_next(
    sampler: TaskSampler, state: ClassState, used: list[Step]
) -> tuple[Exchange, ClassState]:
    """Draw a follow-up that fits, by weight; only methods and attributes occur twice.

    This ends: a conversation has at most four follow-ups, and four kinds of them fit any class.
    """
    steps: dict[Step, int] = {
        _add_method: 9,
        _add_attribute: 4,
        _rename_class: 2,
        _add_docstring: 2,
        _add_hints: 2,
        _show_example: 3,
        _write_test: 2,
        _remove_method: 1,
    }
    while True:
        step = sampler.rng.choices(tuple(steps), tuple(steps.values()))[0]
        # Only methods and attributes can be added twice.
        if step in used and step not in (_add_method, _add_attribute):
            continue
        if found := step(sampler, state):
            used.append(step)
            return found


def _build_exchange(
    question: str, before: str, state: ClassState, **more: Any
) -> tuple[Exchange, ClassState]:
    """Build the exchange that gives the new class; return it with the class."""
    check = state.check
    check = replace(check, has=(*check.has, *more.pop("has", ())), **more)
    return Exchange(question, format_answer(before, state.code), check, GROUP), state


def _add_method(sampler: TaskSampler, state: ClassState) -> tuple[Exchange, ClassState] | None:
    methods = load_table("classes")["methods"]
    have = {method.op for method in state.methods}
    names = [n for n, op in methods.items() if state.kind in op.get("kinds", ()) and n not in have]
    if not names:
        return None
    op = methods[name := sampler.rng.choice(names)]
    about = sampler.rng.choice(state.attributes) if state.kind == "record" else ""
    method = Method(name, "", about)
    dunder, describe = "wishes" in op, op.get("needs") == "does" or sampler.chance(0.5)
    usual = state.fill_template(sampler.rng.choice(op["names"]), method)
    free = describe and not dunder and sampler.chance(0.5)
    method = replace(method, name=draw_identifier(sampler.rng) if free else usual)
    if method.name in {
        *state.attributes,
        *RESERVED_NAMES,
        *state.removed,
        *(m.name for m in state.methods),
    }:
        return None
    question = _ask_for_method(sampler, state, method, describe=describe)
    new = replace(state, methods=(*state.methods, method))
    has = (f"def {method.name}(",)
    return _build_exchange(question, f"Here it is with the method `{method.name}`:", new, has=has)


def _ask_for_method(
    sampler: TaskSampler, state: ClassState, method: Method, *, describe: bool
) -> str:
    op = find_operation(method)
    if "wishes" in op:
        template = (
            sampler.choose_phrasing(tuple(op["wishes"]))
            if describe
            else _choose_phrasing(sampler, "dunder")
        )
        return phrase_question(sampler, template, m=method.name, am=with_article(method.name))
    does = state.fill_template(sampler.rng.choice(op["does"]), method)
    template = _choose_phrasing(sampler, "described" if describe else "named")
    return phrase_question(sampler, template, m=method.name, am=with_article(method.name), d=does)


def _add_attribute(sampler: TaskSampler, state: ClassState) -> tuple[Exchange, ClassState] | None:
    if state.kind not in ("record", "account") or len(state.attributes) > 4:
        return None
    free = _list_free_attributes(state) if state.kind == "record" else ["owner", "name", "color"]
    free = [a for a in free if a not in state.attributes]
    if not free:
        return None
    a = sampler.rng.choice(free)
    question = phrase_question(
        sampler, _choose_phrasing(sampler, "attribute"), a=a, an=with_article_unless_plural(a)
    )
    new = replace(state, attributes=(*state.attributes, a))
    return _build_exchange(question, f"Here it is with the attribute `{a}`:", new)


def _rename_class(sampler: TaskSampler, state: ClassState) -> tuple[Exchange, ClassState] | None:
    names = state.facts["renames"] or [*CLASS_NAMES, *(noun.title() for noun in THINGS)]
    name = sampler.rng.choice(names)
    if name == state.name or name.lower() in state.attributes:
        return None
    new = replace(state, name=name, named=True)
    question = phrase_question(sampler, _choose_phrasing(sampler, "rename"), c=name)
    return _build_exchange(
        question, f"Now it is called `{name}`:", new, lacks=(f"class {state.name}:",)
    )


def _add_docstring(sampler: TaskSampler, state: ClassState) -> tuple[Exchange, ClassState]:
    new = replace(state, documented=True)
    return _build_exchange(
        phrase_question(sampler, _choose_phrasing(sampler, "docstring")),
        "Here it is with a docstring:",
        new,
    )


def _add_hints(sampler: TaskSampler, state: ClassState) -> tuple[Exchange, ClassState]:
    new = replace(state, hinted=True)
    return _build_exchange(
        phrase_question(sampler, _choose_phrasing(sampler, "hints")),
        "Here it is with type hints:",
        new,
    )


def _remove_method(sampler: TaskSampler, state: ClassState) -> tuple[Exchange, ClassState] | None:
    if not state.added_methods:
        return None
    gone = sampler.rng.choice(state.added_methods)
    left = tuple(method for method in state.methods if method != gone)
    new = replace(state, methods=left, removed=(*state.removed, gone.name))
    question = phrase_question(sampler, _choose_phrasing(sampler, "remove"), m=gone.name)
    before = f"Here it is without the method `{gone.name}`:"
    return _build_exchange(question, before, new, lacks=(f"def {gone.name}(",))


def _draw_values(sampler: TaskSampler, state: ClassState) -> list[str]:
    """Draw a literal for each attribute."""
    texts = {"name": PEOPLE, "user": PEOPLE, "owner": PEOPLE, "color": ("red", "blue", "green")}
    return [
        str(sampler.rng.randint(1, 99))
        if TYPES.get(a) == "int"
        else f'"{sampler.rng.choice(texts.get(a, NOUNS))}"'
        for a in state.attributes
    ]


def _create_object(
    sampler: TaskSampler, state: ClassState, method: Method | None
) -> tuple[str, dict[str, str]]:
    """Return the line that creates an object, and the slots for lines about it."""
    values = _draw_values(sampler, state)
    call = f"{state.name}({', '.join(values)})"
    about = method.about if method and method.about else (state.attributes or ("",))[0]
    sample = values[state.attributes.index(about)] if about else ""
    pairs = zip(state.attributes, values, strict=True)
    holds = "\n".join(f"assert $v.{a} == {value}" for a, value in pairs)
    return state.fill_template(f"$v = {call}"), {"again": call, "sample": sample, "holds": holds}


def _show_example(sampler: TaskSampler, state: ClassState) -> tuple[Exchange, ClassState]:
    method = state.added_methods[-1] if state.added_methods else None
    create, more = _create_object(sampler, state, method)
    use = find_operation(method).get("use", "") if method else ""
    lines = [create, *state.facts["example"], *([use] if use else [])]
    if "print(" not in use:
        shows = state.facts["shows"]
        shown = {
            "stack": "print($v.items)",
            "queue": "print($v.items)",
            "counter": "print($v.value)",
        }
        lines.append(shown.get(state.kind, shows) if use else shows)
    code = "\n".join(state.fill_template(line, method, **more) for line in lines)
    check = Check(
        stdout=_capture_output(state.code, code), setup=state.code, has=(f"{state.name}(",)
    )
    question = phrase_question(sampler, _choose_phrasing(sampler, "example"))
    return Exchange(question, format_answer("Use it like this:", code), check, GROUP), state


def _capture_output(setup: str, code: str) -> str:
    """Run a generated class with its example and return what it prints."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        exec(f"{setup}\n{code}", {})
    return out.getvalue().strip()


def _write_test(sampler: TaskSampler, state: ClassState) -> tuple[Exchange, ClassState]:
    method = state.added_methods[-1] if state.added_methods else None
    create, more = _create_object(sampler, state, method)
    extra = find_operation(method).get("assert", []) if method else []
    usual = state.facts["asserts"] or more["holds"].splitlines()[:2]
    asserts = [*usual, *extra] if state.kind in ("counter", "record") else [*extra, *usual]
    lines = [create, *state.facts["test"], *dict.fromkeys(asserts)]
    body = "\n".join(f"    {state.fill_template(line, method, **more)}" for line in lines)
    name = state.fill_template("test_$v")
    # The mutant breaks what the test asserts, so an empty test fails the check.
    old, new = (state.fill_template(part) for part in state.facts["broken"])
    check = Check(
        probes=((f"{name}()", "None"),),
        name=name,
        setup=state.code,
        mutants=(state.code.replace(old, new),),
        has=("assert", f"{state.name}("),
    )
    text = format_answer("Here is a test:", f"def {name}():\n{body}", "Run it with `pytest`.")
    return Exchange(
        phrase_question(sampler, _choose_phrasing(sampler, "test")), text, check, GROUP
    ), state
