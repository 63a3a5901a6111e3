"""Write-a-function families: from one specification, questions, answers, checks and changes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from train.demo.tasks.family import Check, Draw, Exchange, Family, answer
from train.demo.tasks.functions.mutants import mutants
from train.demo.tasks.functions.specs import Function, Written, drawn_params
from train.demo.tasks.load_yaml import phrases
from train.demo.tasks.phrasing import ask, identifier, third_person

COMMON = frozenset(
    (
        "sum_list average median count_items find_max find_min second_largest unique "
        "even_numbers odd_numbers common_items has_duplicates reverse_list sort_list "
        "sort_descending bubble_sort binary_search flatten greater_than add subtract multiply "
        "divide max_of_three power is_even is_odd is_prime factorial gcd fibonacci "
        "fibonacci_list fizzbuzz sum_to_n sum_digits is_leap_year celsius_to_fahrenheit "
        "circle_area reverse_string is_palindrome to_upper count_vowels count_words "
        "word_counts longest_word is_anagram invert_dict merge_dicts sort_by_value read_file "
        "read_lines write_file load_json square_all scale"
    ).split()
)
"""What beginners ask most."""
COMMON_WEIGHT = 8.0
WELCOME = "You are welcome! Ask me if you need anything else."


def family(spec: Function) -> Family:
    """The family that asks for one function and then for changes to it."""

    def draw(dice: Draw) -> tuple[Exchange, ...]:
        written, first = opening(dice, spec)
        exchanges = [first]
        while dice.chance(0.45) and len(exchanges) < 5:
            written, exchange = follow_up(dice, written)
            exchanges.append(exchange)
        return tuple(exchanges)

    return Family(spec.name, spec.group, draw, COMMON_WEIGHT if spec.name in COMMON else 1.0)


def opening(dice: Draw, spec: Function) -> tuple[Written, Exchange]:
    """The first question and its answer."""
    rng = dice.rng
    k = spec.drawn(rng)
    kind = rng.random()
    frames = "plain" if kind < 0.5 else "named" if kind < 0.75 else "signed"
    named = frames != "plain"
    name = identifier(rng) if named else spec.name
    if named and dice.chance(0.15):
        name = spec.name
    usual = tuple(name for name, _ in spec.params)
    params = drawn_params(rng, spec, name) if frames == "signed" else usual
    body, why, manner = spec.body, spec.why, ""
    if spec.others and dice.chance(0.2):
        manner, body, why = rng.choice(spec.others)
    template = asked_in(dice, phrases(frames), spec.asks)
    if manner:
        template = _with_manner(template, manner)
    question = ask(dice, template, f=name, p=", ".join(params), k=k)
    written = Written(spec, name, params, k, body, why, named=named)
    does = third_person(written.does)
    before = f"This function {does}{' ' + manner if manner else ''}:"
    text = answer(before, written.code, written.fill(why))
    return written, Exchange(question, text, written.check(), spec.group)


def asked_in(dice: Draw, frames: tuple[str, ...], asks: tuple[str, ...]) -> str:
    """A frame of this side of the split, with one of the things that can stand in it."""
    frame, do = dice.phrase(frames), dice.rng.choice(asks)
    return frame.replace("{does}", third_person(do)).replace("{do}", do)


def _with_manner(template: str, manner: str) -> str:
    if template.endswith((".", "?")):
        return f"{template[:-1]} {manner}{template[-1]}"
    return f"{template} {manner}"


def follow_up(dice: Draw, now: Written) -> tuple[Written, Exchange]:
    """A change or a question that builds on the function so far."""
    kinds: list[Callable[[Draw, Written], tuple[Written, Exchange] | None]] = [
        hinted,
        documented,
        tried,
        renamed,
        exampled,
        told,
        priced,
        otherwise,
        parametered,
        _thanks,
    ]
    while True:
        result = dice.rng.choice(kinds)(dice, now)
        if result is not None:
            return result


def _changed(
    dice: Draw,
    after: Written,
    asks: tuple[str, ...],
    before: str,
    why: str = "",
    has: tuple[str, ...] = (),
    **slots: object,
) -> tuple[Written, Exchange]:
    question = ask(dice, dice.phrase(asks), **slots)
    check = after.check(*has)
    return after, Exchange(question, answer(before, after.code, why), check, "follow-up")


def hinted(
    dice: Draw, now: Written, frames: tuple[str, ...] = ()
) -> tuple[Written, Exchange] | None:
    """With type hints."""
    if now.hinted or now.signature:
        return None
    after = replace(now, hinted=True)
    return _changed(
        dice, after, frames or phrases("hints"), "Here it is with type hints:", has=("->",)
    )


def documented(
    dice: Draw, now: Written, frames: tuple[str, ...] = ()
) -> tuple[Written, Exchange] | None:
    """With a docstring."""
    if now.documented:
        return None
    after = replace(now, documented=True)
    return _changed(
        dice, after, frames or phrases("docs"), "Here it is with a docstring:", has=('"""',)
    )


def renamed(
    dice: Draw, now: Written, frames: tuple[str, ...] = ()
) -> tuple[Written, Exchange] | None:
    """Under another name."""
    name = identifier(dice.rng)
    if name in now.params or name == now.name:
        return None
    after = replace(now, name=name, named=True)
    return _changed(
        dice, after, frames or phrases("renames"), f"Now it is called `{name}`:", f=name
    )


def parametered(
    dice: Draw, now: Written, frames: tuple[str, ...] = ()
) -> tuple[Written, Exchange] | None:
    """With another name for its parameter."""
    if len(now.params) != 1 or now.signature:
        return None
    (new,) = drawn_params(dice.rng, now.spec, now.name)
    if new == now.params[0]:
        return None
    after = replace(now, params=(new,))
    before = f"Here the parameter is called `{new}`:"
    return _changed(
        dice, after, frames or phrases("param"), before, has=(f"({new}",), a=now.params[0], b=new
    )


def otherwise(
    dice: Draw, now: Written, frames: tuple[str, ...] = ()
) -> tuple[Written, Exchange] | None:
    """Written another way, where there is one."""
    ways = [way for way in now.spec.others if way[1] != now.body]
    if not ways:
        return None
    manner, body, why = dice.rng.choice(ways)
    after = replace(now, body=body, why=why)
    before = f"Here it is {manner}:"
    return _changed(
        dice, after, frames or phrases("others"), before, after.fill(why), manner=manner
    )


def tried(
    dice: Draw, now: Written, frames: tuple[str, ...] = ()
) -> tuple[Written, Exchange] | None:
    """A test that broken versions of the function fail."""
    if now.spec.group == "files":
        return None
    calls = now.calls[:2]
    lines = "\n".join(f"    assert {now.name}({args}) == {result}" for args, result in calls)
    code = f"def test_{now.name}():\n{lines}"
    check = Check(
        probes=((f"test_{now.name}()", "None"),),
        name=now.name,
        named=True,
        setup=now.code,
        mutants=mutants(now.code, now.name, calls),
        has=("assert", now.name),
    )
    text = answer("Here is a test:", code, "Run it with `pytest`.")
    return now, Exchange(
        ask(dice, dice.phrase(frames or phrases("tests"))), text, check, "follow-up"
    )


def exampled(
    dice: Draw, now: Written, frames: tuple[str, ...] = ()
) -> tuple[Written, Exchange] | None:
    """A call, and what it prints."""
    if now.spec.group == "files":
        return None
    args, result = now.calls[0]
    code = f"print({now.name}({args}))"
    check = Check(stdout=f"{_printed(result)}", setup=now.code, has=(f"{now.name}(",))
    text = answer("Call it like this:", code, f"This prints `{_printed(result)}`.")
    return now, Exchange(
        ask(dice, dice.phrase(frames or phrases("examples"))), text, check, "follow-up"
    )


def _printed(literal: str) -> str:
    return str(eval(literal, {"__builtins__": {"set": set}}))  # our own literals only


def told(dice: Draw, now: Written, frames: tuple[str, ...] = ()) -> tuple[Written, Exchange]:
    """What it does and how."""
    why = now.fill(now.why)
    text = f"The function `{now.name}` {third_person(now.does)}. {why}"
    check = Check(says=(now.name,))
    return now, Exchange(
        ask(dice, dice.phrase(frames or phrases("explain"))), text, check, "follow-up"
    )


def priced(
    dice: Draw, now: Written, frames: tuple[str, ...] = ()
) -> tuple[Written, Exchange] | None:
    """What it costs, where it is written the usual way: the table does not know of the others."""
    if now.body != now.spec.body:
        return None
    cost = now.spec.cost
    check = Check(says=(cost.split(" time")[0].split()[-1],))
    return now, Exchange(
        ask(dice, dice.phrase(frames or phrases("costs"))), cost, check, "follow-up"
    )


def thanked(dice: Draw, *so_far: Exchange) -> tuple[Exchange, ...]:
    """The conversation, now and then with the user's thanks at its end."""
    if not dice.chance(0.1):
        return so_far
    return *so_far, thanks(dice)


def thanks(dice: Draw) -> Exchange:
    """The user's thanks, and the reply."""
    question = ask(dice, dice.phrase(phrases("thanks")))
    return Exchange(question, WELCOME, Check(says=("welcome",)), "talk")


def _thanks(dice: Draw, now: Written) -> tuple[Written, Exchange]:
    return now, thanks(dice)
