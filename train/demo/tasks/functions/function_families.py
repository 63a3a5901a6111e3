"""Write-a-function families: questions, answers, checks and changes from one specification."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from train.demo.tasks.family import Check, Exchange, Family, TaskSampler, format_answer
from train.demo.tasks.functions.mutants import make_mutants
from train.demo.tasks.functions.specs import FunctionSpec, WrittenFunction, draw_params
from train.demo.tasks.load_yaml import load_phrases
from train.demo.tasks.phrasing import draw_identifier, phrase_question, to_third_person

COMMON_FUNCTIONS = frozenset(
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
"""Functions that beginners ask for most."""
COMMON_WEIGHT = 8.0
WELCOME = "You are welcome! Ask me if you need anything else."


def make_family(spec: FunctionSpec) -> Family:
    """Return the family that asks for one function and then for changes to it."""

    def draw(sampler: TaskSampler) -> tuple[Exchange, ...]:
        written, first = draw_opening(sampler, spec)
        exchanges = [first]
        while sampler.chance(0.45) and len(exchanges) < 5:
            written, exchange = draw_follow_up(sampler, written)
            exchanges.append(exchange)
        return tuple(exchanges)

    return Family(
        spec.name, spec.group, draw, COMMON_WEIGHT if spec.name in COMMON_FUNCTIONS else 1.0
    )


def draw_opening(sampler: TaskSampler, spec: FunctionSpec) -> tuple[WrittenFunction, Exchange]:
    """Draw the first question and its answer."""
    rng = sampler.rng
    k = spec.draw_value(rng)
    kind = rng.random()
    frames = "plain" if kind < 0.5 else "named" if kind < 0.75 else "signed"
    named = frames != "plain"
    name = draw_identifier(rng) if named else spec.name
    if named and sampler.chance(0.15):
        name = spec.name
    usual = tuple(name for name, _ in spec.params)
    params = draw_params(rng, spec, name) if frames == "signed" else usual
    body, why, manner = spec.body, spec.why, ""
    if spec.others and sampler.chance(0.2):
        manner, body, why = rng.choice(spec.others)
    template = choose_template(sampler, load_phrases(frames), spec.asks)
    if manner:
        template = _append_manner(template, manner)
    question = phrase_question(sampler, template, f=name, p=", ".join(params), k=k)
    written = WrittenFunction(spec, name, params, k, body, why, named=named)
    does = to_third_person(written.purpose)
    before = f"This function {does}{' ' + manner if manner else ''}:"
    text = format_answer(before, written.code, written.fill_template(why))
    return written, Exchange(question, text, written.make_check(), spec.group)


def choose_template(sampler: TaskSampler, frames: tuple[str, ...], asks: tuple[str, ...]) -> str:
    """Return a frame of this side of the split, filled with one description of the task."""
    frame, do = sampler.choose_phrasing(frames), sampler.rng.choice(asks)
    return frame.replace("{does}", to_third_person(do)).replace("{do}", do)


def _append_manner(template: str, manner: str) -> str:
    if template.endswith((".", "?")):
        return f"{template[:-1]} {manner}{template[-1]}"
    return f"{template} {manner}"


def draw_follow_up(sampler: TaskSampler, now: WrittenFunction) -> tuple[WrittenFunction, Exchange]:
    """Draw a change or a question that builds on the current function."""
    kinds: list[
        Callable[[TaskSampler, WrittenFunction], tuple[WrittenFunction, Exchange] | None]
    ] = [
        add_hints,
        add_docstring,
        write_test,
        rename_function,
        show_example,
        explain_function,
        explain_cost,
        rewrite_function,
        rename_parameter,
        _say_thanks,
    ]
    # This ends: a thank-you always fits.
    while True:
        result = sampler.rng.choice(kinds)(sampler, now)
        if result is not None:
            return result


def _build_change(
    sampler: TaskSampler,
    after: WrittenFunction,
    asks: tuple[str, ...],
    before: str,
    why: str = "",
    has: tuple[str, ...] = (),
    **slots: object,
) -> tuple[WrittenFunction, Exchange]:
    question = phrase_question(sampler, sampler.choose_phrasing(asks), **slots)
    check = after.make_check(*has)
    return after, Exchange(question, format_answer(before, after.code, why), check, "follow-up")


def add_hints(
    sampler: TaskSampler, now: WrittenFunction, frames: tuple[str, ...] = ()
) -> tuple[WrittenFunction, Exchange] | None:
    """Add type hints; None if it has them."""
    if now.hinted or now.signature:
        return None
    after = replace(now, hinted=True)
    return _build_change(
        sampler, after, frames or load_phrases("hints"), "Here it is with type hints:", has=("->",)
    )


def add_docstring(
    sampler: TaskSampler, now: WrittenFunction, frames: tuple[str, ...] = ()
) -> tuple[WrittenFunction, Exchange] | None:
    """Add a docstring; None if it has one."""
    if now.documented:
        return None
    after = replace(now, documented=True)
    return _build_change(
        sampler, after, frames or load_phrases("docs"), "Here it is with a docstring:", has=('"""',)
    )


def rename_function(
    sampler: TaskSampler, now: WrittenFunction, frames: tuple[str, ...] = ()
) -> tuple[WrittenFunction, Exchange] | None:
    """Give the function another name; None if the drawn name is taken."""
    name = draw_identifier(sampler.rng)
    if name in now.params or name == now.name:
        return None
    after = replace(now, name=name, named=True)
    return _build_change(
        sampler, after, frames or load_phrases("renames"), f"Now it is called `{name}`:", f=name
    )


def rename_parameter(
    sampler: TaskSampler, now: WrittenFunction, frames: tuple[str, ...] = ()
) -> tuple[WrittenFunction, Exchange] | None:
    """Give the only parameter another name; None if that is not possible."""
    if len(now.params) != 1 or now.signature:
        return None
    (new,) = draw_params(sampler.rng, now.spec, now.name)
    if new == now.params[0]:
        return None
    after = replace(now, params=(new,))
    before = f"Here the parameter is called `{new}`:"
    return _build_change(
        sampler,
        after,
        frames or load_phrases("param"),
        before,
        has=(f"({new}",),
        a=now.params[0],
        b=new,
    )


def rewrite_function(
    sampler: TaskSampler, now: WrittenFunction, frames: tuple[str, ...] = ()
) -> tuple[WrittenFunction, Exchange] | None:
    """Write it another way; None if the table has no other."""
    ways = [way for way in now.spec.others if way[1] != now.body]
    if not ways:
        return None
    manner, body, why = sampler.rng.choice(ways)
    after = replace(now, body=body, why=why)
    before = f"Here it is {manner}:"
    return _build_change(
        sampler,
        after,
        frames or load_phrases("others"),
        before,
        after.fill_template(why),
        manner=manner,
    )


def write_test(
    sampler: TaskSampler, now: WrittenFunction, frames: tuple[str, ...] = ()
) -> tuple[WrittenFunction, Exchange] | None:
    """Write a test that broken versions of the function fail."""
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
        mutants=make_mutants(now.code, now.name, calls),
        has=("assert", now.name),
    )
    text = format_answer("Here is a test:", code, "Run it with `pytest`.")
    return now, Exchange(
        phrase_question(sampler, sampler.choose_phrasing(frames or load_phrases("tests"))),
        text,
        check,
        "follow-up",
    )


def show_example(
    sampler: TaskSampler, now: WrittenFunction, frames: tuple[str, ...] = ()
) -> tuple[WrittenFunction, Exchange] | None:
    """Show a call and its output."""
    if now.spec.group == "files":
        return None
    args, result = now.calls[0]
    code = f"print({now.name}({args}))"
    check = Check(stdout=f"{_evaluate_literal(result)}", setup=now.code, has=(f"{now.name}(",))
    text = format_answer("Call it like this:", code, f"This prints `{_evaluate_literal(result)}`.")
    return now, Exchange(
        phrase_question(sampler, sampler.choose_phrasing(frames or load_phrases("examples"))),
        text,
        check,
        "follow-up",
    )


def _evaluate_literal(literal: str) -> str:
    return str(eval(literal, {"__builtins__": {"set": set}}))  # our own literals only


def explain_function(
    sampler: TaskSampler, now: WrittenFunction, frames: tuple[str, ...] = ()
) -> tuple[WrittenFunction, Exchange]:
    """Explain what the function does and how."""
    why = now.fill_template(now.why)
    text = f"The function `{now.name}` {to_third_person(now.purpose)}. {why}"
    check = Check(says=(now.name,))
    return now, Exchange(
        phrase_question(sampler, sampler.choose_phrasing(frames or load_phrases("explain"))),
        text,
        check,
        "follow-up",
    )


def explain_cost(
    sampler: TaskSampler, now: WrittenFunction, frames: tuple[str, ...] = ()
) -> tuple[WrittenFunction, Exchange] | None:
    """Explain its complexity; None unless it is written the usual way, which the table covers."""
    if now.body != now.spec.body:
        return None
    cost = now.spec.cost
    check = Check(says=(cost.split(" time")[0].split()[-1],))
    return now, Exchange(
        phrase_question(sampler, sampler.choose_phrasing(frames or load_phrases("costs"))),
        cost,
        check,
        "follow-up",
    )


def end_with_thanks(sampler: TaskSampler, *so_far: Exchange) -> tuple[Exchange, ...]:
    """Return the conversation, in a tenth of the draws with the user's thanks at its end."""
    if not sampler.chance(0.1):
        return so_far
    return *so_far, draw_thanks(sampler)


def draw_thanks(sampler: TaskSampler) -> Exchange:
    """Draw the user's thanks and the reply."""
    question = phrase_question(sampler, sampler.choose_phrasing(load_phrases("thanks")))
    return Exchange(question, WELCOME, Check(says=("welcome",)), "talk")


def _say_thanks(sampler: TaskSampler, now: WrittenFunction) -> tuple[WrittenFunction, Exchange]:
    return now, draw_thanks(sampler)
