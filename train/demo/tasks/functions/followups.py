"""Follow-up turns on any code in an answer: wrap it, rename it, test it, explain it."""

from __future__ import annotations

import re
from dataclasses import replace

from train.demo.tasks.family import Check, Exchange, TaskSampler, format_answer
from train.demo.tasks.functions.function_families import draw_thanks
from train.demo.tasks.functions.line_comments import build_explanation
from train.demo.tasks.functions.mutants import make_mutants
from train.demo.tasks.load_yaml import load_phrases
from train.demo.tasks.phrasing import NOUNS, draw_identifier, phrase_question

MAX_EXPLAINED_LINES = 6
_CODE = re.compile(r"```python\n(.*?)\n```", re.DOTALL)
_CALL = re.compile(r"\$f\((.*)\)")


def add_follow_ups(
    sampler: TaskSampler, first: Exchange, *, share: float = 0.42, most: int = 4
) -> tuple[Exchange, ...]:
    """Extend a conversation that begins with `first`, each turn with probability `share`."""
    exchanges = [first]
    now = first
    while sampler.chance(share) and len(exchanges) < most:
        changed = _draw_next(sampler, now)
        if changed is None:
            break
        exchange, builds = changed
        exchanges.append(exchange)
        if exchange.group == "talk":
            break
        now = exchange if builds else now
    return tuple(exchanges)


def _draw_next(sampler: TaskSampler, now: Exchange) -> tuple[Exchange, bool] | None:
    """Draw a follow-up that fits, and whether later ones build on it; None if none fits."""
    kinds = [_wrap_in_function, _rename_function, _write_test, _explain_code, _say_thanks]
    sampler.rng.shuffle(kinds)
    found = _CODE.search(now.answer)
    for kind in kinds:
        if found and (exchange := kind(sampler, now, found[1])):
            return exchange, kind in (_wrap_in_function, _rename_function)
    return None


def _wrap_in_function(sampler: TaskSampler, now: Exchange, code: str) -> Exchange | None:
    """Wrap the program in a function without parameters."""
    check = now.check
    # Only a program that prints and depends on nothing else does the same inside a function.
    if check.stdout is None or check.setup or check.probes or "input(" in code or check.after:
        return None
    name = draw_identifier(sampler.rng)
    # Imports within a function are not the style that is taught.
    if re.search(rf"\b{name}\b", code) or "import" in code:
        return None
    body = "\n".join("    " + line if line else "" for line in code.splitlines())
    return Exchange(
        phrase_question(sampler, sampler.choose_phrasing(load_phrases("wrap")), f=name),
        format_answer(f"Here it is as the function `{name}`:", f"def {name}():\n{body}"),
        replace(check, after=f"{name}()", has=(f"def {name}(",)),
        "follow-up",
    )


def _rename_function(sampler: TaskSampler, now: Exchange, code: str) -> Exchange | None:
    old = now.check.name
    if not now.check.named or f"{old}" not in code:
        return None
    name = sampler.rng.choice(NOUNS).title() if old[:1].isupper() else draw_identifier(sampler.rng)
    if re.search(rf"\b{name}\b", code):
        return None
    renamed = re.sub(rf"\b{old}\b", name, code)
    return Exchange(
        phrase_question(sampler, sampler.choose_phrasing(load_phrases("renames")), f=name),
        format_answer(f"Now it is called `{name}`:", renamed),
        replace(now.check, name=name, says=()),
        "follow-up",
    )


def _write_test(sampler: TaskSampler, now: Exchange, code: str) -> Exchange | None:
    name, probes = now.check.name, now.check.probes
    calls = tuple((found[1], want) for args, want in probes if (found := _CALL.fullmatch(args)))
    if not now.check.named or not calls or len(calls) < len(probes) or now.check.setup:
        return None
    asserts = "\n".join(f"    assert {name}({args}) == {want}" for args, want in calls[:1])
    check = Check(
        probes=((f"test_{name}()", "None"),),
        name=name,
        named=True,
        setup=code,
        mutants=make_mutants(code, name, calls[:1]),
        has=("assert", name),
    )
    text = format_answer(
        "Here is a test:", f"def test_{name}():\n{asserts}", "Run it with `pytest`."
    )
    return Exchange(
        phrase_question(sampler, sampler.choose_phrasing(load_phrases("tests"))),
        text,
        check,
        "tests",
    )


def _explain_code(sampler: TaskSampler, now: Exchange, code: str) -> Exchange | None:
    return build_explanation(sampler, code, max_lines=MAX_EXPLAINED_LINES, group="explain")


def _say_thanks(sampler: TaskSampler, now: Exchange, code: str) -> Exchange:
    return draw_thanks(sampler)
