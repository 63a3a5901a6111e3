"""Follow-up turns on any code that stands in an answer: wrap it, rename it, test it, explain it."""

from __future__ import annotations

import re
from dataclasses import replace

from train.demo.tasks.family import Check, Draw, Exchange, answer
from train.demo.tasks.functions.function_families import thanks
from train.demo.tasks.functions.line_comments import explained
from train.demo.tasks.functions.mutants import mutants
from train.demo.tasks.load_yaml import phrases
from train.demo.tasks.phrasing import NOUNS, ask, identifier

_CODE = re.compile(r"```python\n(.*?)\n```", re.DOTALL)
_CALL = re.compile(r"\$f\((.*)\)")


def followed(
    dice: Draw, first: Exchange, *, share: float = 0.42, most: int = 4
) -> tuple[Exchange, ...]:
    """The conversation that begins with `first`; each further turn with the probability `share`."""
    exchanges = [first]
    now = first
    while dice.chance(share) and len(exchanges) < most:
        changed = _next(dice, now)
        if changed is None:
            break
        exchange, builds = changed
        exchanges.append(exchange)
        if exchange.group == "talk":
            break
        now = exchange if builds else now
    return tuple(exchanges)


def _next(dice: Draw, now: Exchange) -> tuple[Exchange, bool] | None:
    """A follow-up that fits, and whether later ones build on its code; None where none fits."""
    kinds = [_wrap, _rename, _test, _lines, _thanks]
    dice.rng.shuffle(kinds)
    found = _CODE.search(now.answer)
    for kind in kinds:
        if found and (exchange := kind(dice, now, found[1])):
            return exchange, kind in (_wrap, _rename)
    return None


def _wrap(dice: Draw, now: Exchange, code: str) -> Exchange | None:
    """What the program does, as a function without arguments."""
    check = now.check
    if check.stdout is None or check.setup or check.probes or "input(" in code or check.after:
        return None
    name = identifier(dice.rng)
    if re.search(rf"\b{name}\b", code) or "import" in code:
        return None
    body = "\n".join("    " + line if line else "" for line in code.splitlines())
    return Exchange(
        ask(dice, dice.phrase(phrases("wrap")), f=name),
        answer(f"Here it is as the function `{name}`:", f"def {name}():\n{body}"),
        replace(check, after=f"{name}()", has=(f"def {name}(",)),
        "follow-up",
    )


def _rename(dice: Draw, now: Exchange, code: str) -> Exchange | None:
    old = now.check.name
    if not now.check.named or f"{old}" not in code:
        return None
    name = dice.rng.choice(NOUNS).title() if old[:1].isupper() else identifier(dice.rng)
    if re.search(rf"\b{name}\b", code):
        return None
    renamed = re.sub(rf"\b{old}\b", name, code)
    return Exchange(
        ask(dice, dice.phrase(phrases("renames")), f=name),
        answer(f"Now it is called `{name}`:", renamed),
        replace(now.check, name=name, says=()),
        "follow-up",
    )


def _test(dice: Draw, now: Exchange, code: str) -> Exchange | None:
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
        mutants=mutants(code, name, calls[:1]),
        has=("assert", name),
    )
    text = answer("Here is a test:", f"def test_{name}():\n{asserts}", "Run it with `pytest`.")
    return Exchange(ask(dice, dice.phrase(phrases("tests"))), text, check, "tests")


def _lines(dice: Draw, now: Exchange, code: str) -> Exchange | None:
    lines = explained(code)
    if lines is None or len(lines) > 6:
        return None
    question = ask(dice, dice.phrase(phrases("lines_of_it")))
    return Exchange(question, "\n".join(lines), Check(says=tuple(lines)), "explain")


def _thanks(dice: Draw, now: Exchange, code: str) -> Exchange:
    return thanks(dice)
