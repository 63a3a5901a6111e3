"""Functions by their common names, and further changes in users' own words."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Any

from train.demo.tasks.family import Check, Drawer, Exchange, Family, TaskSampler, format_answer
from train.demo.tasks.functions import function_families
from train.demo.tasks.functions.bugs import ITEMS, LISTS
from train.demo.tasks.functions.line_comments import build_explanation
from train.demo.tasks.functions.specs import FunctionSpec, WrittenFunction
from train.demo.tasks.functions.tiny_functions import LANGUAGE_TITLES, make_language_check
from train.demo.tasks.load_yaml import load_phrases, load_phrasings, load_table
from train.demo.tasks.phrasing import attach_code, draw_identifier, phrase_question, to_third_person
from train.demo.tasks.talk.small_talk import FRAMEWORKS

Turn = tuple[WrittenFunction, Exchange] | None
CANNOT = (
    "I do not know how to do that. I can add type hints or a docstring, rename it, write a test "
    "or explain it."
)
WHICH_NAME = "Which name? Say for example: rename it to total."
FIX_INTRODUCTION = " Here is the corrected code:"
LANGUAGE_NAMES = {"javascript": ("JavaScript", "javascript", "JS", "js"), "c": ("C", "C", "c")}
MAX_EXPLAINED_LINES = 8
VARIABLE_NAMES = "total result t s acc amount all_of_it answer value res".split()


def families(
    specs: tuple[FunctionSpec, ...], bugs: tuple[Family, ...], errors: tuple[Family, ...]
) -> tuple[Family, ...]:
    """Return families of named functions, of functions with more changes, and of mistakes.

    The mistakes are those of the families `bugs` and `errors`.
    """
    known = {spec.name: spec for spec in specs}
    named = tuple(known[name] for name in load_table("functions")["names"] if name in known)
    rich = tuple(spec for spec in specs if _has_own_changes(spec))
    return (
        Family(
            "later_by_name",
            "lists",
            _make_conversation_drawer(named, _draw_by_name),
            5.0,
            stage="finetune",
        ),
        Family(
            "later_changes",
            "lists",
            _make_conversation_drawer(rich, function_families.draw_opening),
            6.0,
            stage="finetune",
        ),
        Family("later_bug_why", "bugs", _make_bug_drawer(bugs), 2.0, stage="finetune"),
        Family("later_bug_start", "bugs", _draw_wrong_start, 1.0, stage="finetune"),
        Family("later_error_avoid", "concepts", _make_error_drawer(errors), 1.0, stage="finetune"),
    )


def load_code_phrasings(name: str) -> tuple[str, ...]:
    """Return the phrasings called `name` in data/functions.yaml."""
    return load_phrasings("functions", name)


def _has_own_changes(spec: FunctionSpec) -> bool:
    """Return whether the tables have changes for this function in particular."""
    tables = load_table("functions")
    held = any(spec.name in tables[name] for name in ("guards", "javascript", "c"))
    return held or bool(_find_ways(spec))


def _make_conversation_drawer(
    specs: tuple[FunctionSpec, ...],
    opening: Callable[[TaskSampler, FunctionSpec], tuple[WrittenFunction, Exchange]],
) -> Drawer:
    def draw(sampler: TaskSampler) -> tuple[Exchange, ...]:
        now, first = opening(sampler, sampler.rng.choice(specs))
        exchanges = [first]
        while sampler.chance(0.7) and len(exchanges) < 5:
            now, exchange = _draw_follow_up(sampler, now)
            exchanges.append(exchange)
        return tuple(exchanges)

    return draw


def _draw_by_name(sampler: TaskSampler, spec: FunctionSpec) -> tuple[WrittenFunction, Exchange]:
    """Draw the opening for a function that is asked for by its common name."""
    name = sampler.rng.choice(load_table("functions")["names"][spec.name])
    question = phrase_question(
        sampler, sampler.choose_phrasing(load_code_phrasings("by_name")), n=name
    )
    usual = tuple(param for param, _ in spec.params)
    written = WrittenFunction(
        spec, spec.name, usual, spec.draw_value(sampler.rng), spec.body, spec.why
    )
    text = format_answer(
        f"This function {to_third_person(written.purpose)}:", written.code, spec.why
    )
    text = written.fill_template(text)
    return written, Exchange(question, text, written.make_check(), spec.group)


def _draw_follow_up(sampler: TaskSampler, now: WrittenFunction) -> tuple[WrittenFunction, Exchange]:
    """Draw a change from this module if one of four fits, else a general one."""
    kinds = [
        _rewrite_function,
        _rewrite_function,
        _add_guard,
        _keep_first,
        _sort_descending,
        _explain_code,
        _translate_function,
        _translate_function,
        _decline_change,
    ]
    sampler.rng.shuffle(kinds)
    # Four of nine, so that the general follow-ups remain common.
    for kind in kinds[:4]:
        turn = kind(sampler, now)
        if turn is not None:
            return turn
    return function_families.draw_follow_up(sampler, now)


@cache
def _load_more_ways() -> dict[str, tuple[tuple[str, str, str], ...]]:
    found: dict[str, tuple[tuple[str, str, str], ...]] = {}
    for entry in load_table("functions")["more_ways"]:
        way = (entry["manner"], entry["body"], entry["why"])
        found[entry["name"]] = (*found.get(entry["name"], ()), way)
    return found


def _find_ways(spec: FunctionSpec) -> tuple[tuple[str, str, str], ...]:
    """Return the other ways to write it for which the tables have users' words."""
    phrasings = load_table("functions")["ways"]
    others = tuple(
        ("with recursion" if manner == "recursively" else manner, body, why)
        for manner, body, why in spec.others
    )
    return tuple(
        way for way in (*others, *_load_more_ways().get(spec.name, ())) if way[0] in phrasings
    )


def _rewrite_function(sampler: TaskSampler, now: WrittenFunction) -> Turn:
    ways = [way for way in _find_ways(now.spec) if way[1] != now.body]
    if not ways:
        return None
    manner, body, why = sampler.rng.choice(ways)
    after = replace(now, body=body, why=why)
    question = phrase_question(
        sampler, sampler.choose_phrasing(tuple(load_table("functions")["ways"][manner]))
    )
    text = format_answer(f"Here it is {manner}:", after.code, after.fill_template(why))
    return after, Exchange(question, text, after.make_check(), "follow-up")


CHANGED_SUFFIX = " changed"
"""Suffix of a specification with changed results: no entry of the tables matches it."""


def _replace_spec(now: WrittenFunction, body: str, why: str, calls: Any) -> WrittenFunction:
    """Replace body and expected results."""
    spec = replace(
        now.spec,
        name=now.spec.name + CHANGED_SUFFIX,
        body=body,
        why=why,
        calls=calls,
        others=(),
        draws=None,
    )
    return replace(now, spec=spec, body=body, why=why)


def _add_guard(sampler: TaskSampler, now: WrittenFunction) -> Turn:
    empty = load_table("functions")["guards"].get(now.spec.name)
    if empty is None:
        return None
    rest = now.body.removeprefix("if not $a:\n    return 0\n")
    literal = {"an empty list": "[]", "an empty text": "''"}.get(empty, "{}")
    calls = [call for call in now.calls if call[0] != literal]
    after = _replace_spec(
        now,
        f"if not $a:\n    return None\n{rest}",
        f"{empty[0].upper()}{empty[1:]} is false, so `None` is returned.",
        ((literal, "None"), *calls),
    )
    question = phrase_question(
        sampler, sampler.choose_phrasing(load_code_phrasings("guard")), e=empty
    )
    text = format_answer(f"Now it can handle {empty}:", after.code, after.why)
    return after, Exchange(question, text, after.make_check(), "follow-up")


def _keep_first(sampler: TaskSampler, now: WrittenFunction) -> Turn:
    """Return only the first few items of a list or of a sorted dictionary."""
    n = sampler.rng.randint(2, 9)
    body = _slice_body(now, n)
    if not body:
        return None
    calls = tuple(
        (args, repr(_take_first(eval(result, {}), n))) for args, result in now.calls
    )  # ours
    why = f"The slice `[:{n}]` keeps the first {n}."
    after = _replace_spec(now, body, why, calls)
    question = phrase_question(sampler, sampler.choose_phrasing(load_code_phrasings("first")), n=n)
    text = format_answer(f"Now it returns only the first {n}:", after.code, why)
    return after, Exchange(question, text, after.make_check(f"[:{n}]"), "follow-up")


def _slice_body(now: WrittenFunction, n: int) -> str:
    """Return the body with a slice in it, "" if there is no place for one."""
    if now.body.startswith("return dict(sorted("):
        return f"{now.body[:-1]}[:{n}])"
    single = now.spec.returns.startswith("list") and "\n" not in now.body
    fits = single and now.body.endswith((")", "]")) and not now.body.endswith(":-1]")
    return f"{now.body}[:{n}]" if fits else ""


def _take_first(result: Any, n: int) -> Any:
    return dict(list(result.items())[:n]) if isinstance(result, dict) else result[:n]


def _sort_descending(sampler: TaskSampler, now: WrittenFunction) -> Turn:
    """Sort in descending order."""
    if "sorted(" not in now.body or now.spec.name not in load_table("functions")["descending"]:
        return None
    close = "))" if now.body.startswith("return dict(") else ")"
    body = f"{now.body.removesuffix(close)}, reverse=True{close}"
    calls = tuple(
        (args, result) for args, result in load_table("functions")["descending"][now.spec.name]
    )
    why = "`reverse=True` puts the largest first."
    after = _replace_spec(now, body, why, calls)
    question = phrase_question(sampler, sampler.choose_phrasing(load_code_phrasings("descend")))
    text = format_answer("Here it is in descending order:", after.code, why)
    return after, Exchange(question, text, after.make_check("reverse=True"), "follow-up")


def _explain_code(sampler: TaskSampler, now: WrittenFunction) -> Turn:
    """Explain every line in a sentence."""
    exchange = build_explanation(
        sampler, now.code, max_lines=MAX_EXPLAINED_LINES, group="follow-up explain"
    )
    return None if exchange is None else (now, exchange)


def _translate_function(sampler: TaskSampler, now: WrittenFunction) -> Turn:
    """Translate the function into JavaScript or C if the tables have it, else decline."""
    language = sampler.rng.choice(sorted(LANGUAGE_NAMES))
    question = phrase_question(
        sampler,
        sampler.choose_phrasing(load_code_phrasings("in_language")),
        lang=sampler.rng.choice(LANGUAGE_NAMES[language]),
    )
    if now.spec.name not in load_table("functions")[language]:
        explanation = f"I do not know how to write that in {LANGUAGE_TITLES[language]}."
        return now, Exchange(question, explanation, Check(says=("do not know how",)), "translation")
    code = _render_translation(now, language)
    text = format_answer(f"Here it is in {LANGUAGE_TITLES[language]}:", code, language=language)
    return now, Exchange(
        question, text, make_language_check(language, now.name, now.calls), "translation"
    )


def _render_translation(now: WrittenFunction, language: str) -> str:
    body = now.fill_template(load_table("functions")[language][now.spec.name])
    indent = "    " if language == "c" else "  "
    lines = "\n".join(indent + line for line in body.splitlines())
    params = ", ".join(f"int {name}" if language == "c" else name for name in now.params)
    head = "int" if language == "c" else "function"
    return f"{head} {now.name}({params}) {{\n{lines}\n}}"


def _decline_change(sampler: TaskSampler, now: WrittenFunction) -> Turn:
    """Decline a change that is out of scope, or ask back for a missing detail."""
    if sampler.chance(0.2):
        question = phrase_question(
            sampler, sampler.choose_phrasing(load_code_phrasings("rename_to_what"))
        )
        return now, Exchange(question, WHICH_NAME, Check(says=("which name",)), "follow-up")
    if sampler.chance(0.5):
        return None
    framework = sampler.rng.choice(FRAMEWORKS)
    question = phrase_question(
        sampler, sampler.choose_phrasing(load_code_phrasings("beyond")), framework=framework
    )
    return now, Exchange(question, CANNOT, Check(says=("do not know how",)), "follow-up")


def _make_bug_drawer(bugs: tuple[Family, ...]) -> Drawer:
    def draw(sampler: TaskSampler) -> tuple[Exchange, ...]:
        first = sampler.rng.choice(bugs).draw(sampler)[0]
        return first, _ask_why(sampler, first)

    return draw


def _ask_why(sampler: TaskSampler, first: Exchange) -> Exchange:
    """Ask once more what was wrong."""
    explanation = first.answer.partition(FIX_INTRODUCTION)[0]
    question = phrase_question(sampler, sampler.choose_phrasing(load_code_phrasings("why_wrong")))
    return Exchange(question, explanation, Check(says=(explanation,)), "follow-up bugs")


def _draw_wrong_start(sampler: TaskSampler) -> tuple[Exchange, ...]:
    """Draw a wrong initial value of a sum or a product, with any variable name."""
    rng = sampler.rng
    name, xs, x = draw_identifier(rng), rng.choice(LISTS), rng.choice(ITEMS)
    var = rng.choice([start for start in VARIABLE_NAMES if start not in (name, xs, x)])
    adds = sampler.chance(0.6)
    good, op = ("0", "+") if adds else ("1", "*")
    bad = rng.choice(("1", "1", "10", "-1") if adds else ("0", "0", "2"))
    step = f"{var} {op}= {x}" if sampler.chance(0.6) else f"{var} = {var} {op} {x}"
    source = (
        f"def {name}({xs}):\n    {var} = {{}}\n    for {x} in {xs}:\n"
        f"        {step}\n    return {var}"
    )
    explanation = f"The variable `{var}` must start at {good}, not at {bad}."
    question = attach_code(
        sampler,
        phrase_question(sampler, sampler.choose_phrasing(load_phrases("bugs"))),
        source.format(bad),
    )
    probes = (("$f([2, 3])", "5" if adds else "6"),)
    check = Check(probes=probes, name=name, named=True, says=(f"start at {good}",))
    first = Exchange(
        question, format_answer(explanation + FIX_INTRODUCTION, source.format(good)), check, "bugs"
    )
    return (first, _ask_why(sampler, first)) if sampler.chance(0.5) else (first,)


def _make_error_drawer(errors: tuple[Family, ...]) -> Drawer:
    """Return a drawer that explains an error, then how to avoid it."""

    def draw(sampler: TaskSampler) -> tuple[Exchange, ...]:
        todo = ""
        while not todo:
            first = sampler.rng.choice(errors).draw(sampler)[0]
            todo = first.answer.partition(". ")[2]
        question = phrase_question(sampler, sampler.choose_phrasing(load_code_phrasings("avoid")))
        return first, Exchange(question, todo, Check(says=(todo.rstrip("."),)), "concepts")

    return draw
