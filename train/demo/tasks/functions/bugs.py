"""Code with one bug, given by the user: the explanation and the fixed code."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from train.demo.tasks.family import Check, Drawer, Exchange, Family, TaskSampler, format_answer
from train.demo.tasks.functions.followups import add_follow_ups
from train.demo.tasks.load_yaml import load_phrases
from train.demo.tasks.phrasing import (
    ATTRIBUTES,
    CLASS_NAMES,
    attach_code,
    draw_identifier,
    phrase_question,
)

OPERATORS = {
    "add": ("+", "adds", "adding", ("add", "sum_two", "plus", "add_numbers", "sum_of")),
    "subtract": ("-", "subtracts", "subtracting", ("subtract", "minus", "difference", "sub")),
    "multiply": ("*", "multiplies", "multiplying", ("multiply", "times", "product", "mul")),
    "divide": ("/", "divides", "dividing", ("divide", "quotient", "div", "ratio")),
}
LETTER_PAIRS = tuple(zip("a x first left m p".split(), "b y second right n q".split(), strict=True))
LISTS = "numbers values items data xs nums elements scores prices".split()
NUMBERS, ITEMS = "n x value number".split(), "item value element entry v".split()
Probes = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Bug:
    """Broken source, its fixed form, the explanation, and probes that tell them apart."""

    broken: str
    fixed: str
    says: str
    probes: Probes
    name: str
    words: tuple[str, ...] = ()


def families() -> tuple[Family, ...]:
    """Return a family for each kind of bug."""
    makers = {
        "operator": _make_operator_bug,
        "missing_return": _make_missing_return_bug,
        "start_value": _make_start_value_bug,
        "early_return": _make_early_return_bug,
        "off_by_one": _make_off_by_one_bug,
        "comparison": _make_comparison_bug,
        "missing_colon": _make_missing_colon_bug,
        "single_equals": _make_single_equals_bug,
        "empty_list": _make_empty_list_bug,
        "default_list": _make_default_list_bug,
        "missing_self": _make_missing_self_bug,
        "string_number": _make_string_number_bug,
        "endless_loop": _make_endless_loop_bug,
        "wrong_name": _make_wrong_name_bug,
        "print_not_return": _make_print_not_return_bug,
        "wrong_index": _make_wrong_index_bug,
        "parity": _make_parity_bug,
        "max_start": _make_max_start_bug,
    }
    return tuple(
        Family(f"bug_{name}", "bugs", _make_drawer(maker), 3.0 if name == "operator" else 1.0)
        for name, maker in makers.items()
    )


def _make_drawer(maker: Callable[[TaskSampler], Bug]) -> Drawer:
    def draw(sampler: TaskSampler) -> tuple[Exchange, ...]:
        bug = maker(sampler)
        question = attach_code(
            sampler,
            phrase_question(sampler, sampler.choose_phrasing(load_phrases("bugs"))),
            bug.broken,
        )
        text = format_answer(f"{bug.says} Here is the corrected code:", bug.fixed)
        check = Check(probes=bug.probes, name=bug.name, named=True, says=bug.words)
        return add_follow_ups(sampler, Exchange(question, text, check, "bugs"))

    return draw


def _make_operator_bug(sampler: TaskSampler) -> Bug:
    right, wrong = sampler.rng.sample(sorted(OPERATORS), 2)
    symbol, _, doing, names = OPERATORS[right]
    bad, does, _, _ = OPERATORS[wrong]
    name = sampler.rng.choice(names)
    a, b = sampler.rng.choice(LETTER_PAIRS)
    signature = f"def {name}({a}, {b}):"
    indent = " " if sampler.chance(0.3) else "\n    "
    expected = {"+": "8", "-": "4", "*": "12", "/": "3.0"}[symbol]
    return Bug(
        f"{signature}{indent}return {a} {bad} {b}",
        f"{signature}\n    return {a} {symbol} {b}",
        f"The function `{name}` {does} instead of {doing}.",
        (("$f(6, 2)", expected),),
        name,
        (f"instead of {doing}",),
    )


def _make_missing_return_bug(sampler: TaskSampler) -> Bug:
    name, param = draw_identifier(sampler.rng), sampler.rng.choice(NUMBERS)
    k, op = sampler.rng.randint(2, 99), sampler.rng.choice("+-*")
    easy = {"+": ("0", str(k)), "-": (str(k), "0"), "*": ("1", str(k))}[op]
    expected = str(eval(f"7 {op} {k}"))
    head = f"def {name}({param}):\n    result = {param} {op} {k}"
    return Bug(
        head,
        f"{head}\n    return result",
        f"The function `{name}` never returns its result.",
        ((f"$f({easy[0]})", easy[1]), ("$f(7)", expected)),
        name,
        ("return",),
    )


def _make_start_value_bug(sampler: TaskSampler) -> Bug:
    name, xs, x = draw_identifier(sampler.rng), sampler.rng.choice(LISTS), sampler.rng.choice(ITEMS)
    adds = sampler.chance(0.5)
    good, bad, op, var = ("0", "1", "+=", "total") if adds else ("1", "0", "*=", "product")

    def source(start: str) -> str:
        head = f"def {name}({xs}):\n    {var} = {start}\n    for {x} in {xs}:\n"
        return f"{head}        {var} {op} {x}\n    return {var}"

    return Bug(
        source(bad),
        source(good),
        f"The variable `{var}` must start at {good}, not at {bad}.",
        (("$f([2, 3])", "5" if adds else "6"),),
        name,
        (f"start at {good}",),
    )


def _make_early_return_bug(sampler: TaskSampler) -> Bug:
    name, xs, x = draw_identifier(sampler.rng), sampler.rng.choice(LISTS), sampler.rng.choice(ITEMS)
    head = f"def {name}({xs}):\n    total = 0\n    for {x} in {xs}:\n        total += {x}\n"
    return Bug(
        head + "        return total",
        head + "    return total",
        "The `return` is inside the loop, so the loop ends after the first round.",
        (("$f([2, 3])", "5"),),
        name,
        ("inside the loop",),
    )


def _make_off_by_one_bug(sampler: TaskSampler) -> Bug:
    name, xs = draw_identifier(sampler.rng), sampler.rng.choice(LISTS)

    def source(stop: str) -> str:
        head = f"def {name}({xs}):\n    total = 0\n    for i in range({stop}):\n"
        return f"{head}        total += {xs}[i]\n    return total"

    good = f"len({xs})"
    if sampler.chance(0.5):
        return Bug(
            source(f"{good} - 1"),
            source(good),
            "The loop stops too early and misses the last element.",
            (("$f([2, 3])", "5"),),
            name,
            ("last element",),
        )
    return Bug(
        source(f"{good} + 1"),
        source(good),
        "The loop goes one step too far and raises an `IndexError`.",
        (("$f([2, 3])", "5"),),
        name,
        ("too far",),
    )


def _make_comparison_bug(sampler: TaskSampler) -> Bug:
    largest = sampler.chance(0.5)
    word, good, bad = ("largest", ">", "<") if largest else ("smallest", "<", ">")
    name = sampler.rng.choice(
        (f"find_{word}", f"get_{word}", word, f"{word}_of", "find_max" if largest else "find_min")
    )
    xs, x = sampler.rng.choice(LISTS), sampler.rng.choice(ITEMS)

    def source(op: str) -> str:
        return (
            f"def {name}({xs}):\n    {word} = {xs}[0]\n    for {x} in {xs}:\n"
            f"        if {x} {op} {word}:\n            {word} = {x}\n    return {word}"
        )

    return Bug(
        source(bad),
        source(good),
        f"The comparison is the wrong way round: it must be `{good}`.",
        (("$f([2, 3, 1])", "3" if largest else "1"),),
        name,
        ("comparison",),
    )


def _draw_names(sampler: TaskSampler, *, least: int) -> tuple[str, str, int]:
    """Draw names for a function and its parameter, and a number of at least `least`."""
    rng = sampler.rng
    return draw_identifier(rng), rng.choice(NUMBERS), rng.randint(least, 99)


def _make_missing_colon_bug(sampler: TaskSampler) -> Bug:
    name, x, k = _draw_names(sampler, least=1)
    body = f"    return {x} + {k}"
    return Bug(
        f"def {name}({x})\n{body}",
        f"def {name}({x}):\n{body}",
        "There is a colon missing at the end of the `def` line.",
        (("$f(0)", str(k)), ("$f(1)", str(k + 1))),
        name,
        ("colon",),
    )


def _make_single_equals_bug(sampler: TaskSampler) -> Bug:
    name, x, k = _draw_names(sampler, least=1)

    def source(op: str) -> str:
        return f"def {name}({x}):\n    if {x} {op} {k}:\n        return True\n    return False"

    return Bug(
        source("="),
        source("=="),
        "A single `=` assigns; to compare, use `==`.",
        ((f"$f({k})", "True"), (f"$f({k + 1})", "False")),
        name,
        ("==",),
    )


def _make_empty_list_bug(sampler: TaskSampler) -> Bug:
    name, xs = draw_identifier(sampler.rng), sampler.rng.choice(LISTS)
    line = f"    return sum({xs}) / len({xs})"
    return Bug(
        f"def {name}({xs}):\n{line}",
        f"def {name}({xs}):\n    if not {xs}:\n        return 0\n{line}",
        "For an empty list it divides by zero.",
        (("$f([])", "0"), ("$f([2, 4])", "3.0")),
        name,
        ("zero",),
    )


def _make_default_list_bug(sampler: TaskSampler) -> Bug:
    name, x, xs = draw_identifier(sampler.rng), sampler.rng.choice(ITEMS), sampler.rng.choice(LISTS)
    tail = f"    {xs}.append({x})\n    return {xs}"
    return Bug(
        f"def {name}({x}, {xs}=[]):\n{tail}",
        f"def {name}({x}, {xs}=None):\n    if {xs} is None:\n        {xs} = []\n{tail}",
        "The default list is made once and shared by all calls.",
        (("($f(1), $f(2))", "([1], [2])"),),
        name,
        ("shared",),
    )


def _make_missing_self_bug(sampler: TaskSampler) -> Bug:
    cls, attr = sampler.rng.choice(CLASS_NAMES), sampler.rng.choice(ATTRIBUTES)
    method = f"get_{attr}"

    def source(params: str) -> str:
        return (
            f"class {cls}:\n    def __init__(self, {attr}):\n        self.{attr} = {attr}\n\n"
            f"    def {method}({params}):\n        return self.{attr}"
        )

    return Bug(
        source(""),
        source("self"),
        f"The method `{method}` lacks the parameter `self`.",
        ((f"$f(5).{method}()", "5"),),
        cls,
        ("self",),
    )


def _make_string_number_bug(sampler: TaskSampler) -> Bug:
    name, x, k = (
        draw_identifier(sampler.rng),
        sampler.rng.choice(("text", "s", "line", "answer")),
        sampler.rng.randint(1, 99),
    )
    return Bug(
        f"def {name}({x}):\n    return {x} + {k}",
        f"def {name}({x}):\n    return int({x}) + {k}",
        f"Text and a number cannot be added; convert `{x}` with `int` first.",
        (("$f('0')", str(k)), ("$f('2')", str(k + 2))),
        name,
        ("int",),
    )


def _make_endless_loop_bug(sampler: TaskSampler) -> Bug:
    name, n = draw_identifier(sampler.rng), sampler.rng.choice(("n", "limit", "end", "stop"))
    head = f"def {name}({n}):\n    i = 0\n    total = 0\n    while i < {n}:\n        total += i\n"
    return Bug(
        f"{head}    return total",
        f"{head}        i += 1\n    return total",
        "The loop never ends, because `i` does not change.",
        (("$f(4)", "6"),),
        name,
        ("never ends",),
    )


def _make_wrong_name_bug(sampler: TaskSampler) -> Bug:
    name, xs = (
        draw_identifier(sampler.rng),
        sampler.rng.choice(("numbers", "values", "items", "elements", "scores")),
    )

    def source(used: str) -> str:
        return f"def {name}({xs}):\n    return sum({used})"

    return Bug(
        source(xs[:-1]),
        source(xs),
        f"The name `{xs[:-1]}` is not defined; it is called `{xs}`.",
        (("$f([1, 2])", "3"),),
        name,
        ("not defined",),
    )


def _make_print_not_return_bug(sampler: TaskSampler) -> Bug:
    name, x, k = _draw_names(sampler, least=2)
    return Bug(
        f"def {name}({x}):\n    print({x} * {k})",
        f"def {name}({x}):\n    return {x} * {k}",
        "The function prints the result but returns `None`.",
        (("$f(1)", str(k)), ("$f(3)", str(3 * k))),
        name,
        ("return",),
    )


def _make_wrong_index_bug(sampler: TaskSampler) -> Bug:
    name, xs = (
        sampler.rng.choice(("last", "get_last", "last_item", "last_element")),
        sampler.rng.choice(LISTS),
    )
    return Bug(
        f"def {name}({xs}):\n    return {xs}[len({xs})]",
        f"def {name}({xs}):\n    return {xs}[-1]",
        "The last index is one less than the length, so this raises an `IndexError`.",
        (("$f([1, 2])", "2"),),
        name,
        ("index",),
    )


def _make_parity_bug(sampler: TaskSampler) -> Bug:
    even = sampler.chance(0.5)
    word, good, bad = ("even", "0", "1") if even else ("odd", "1", "0")
    name, n = (
        sampler.rng.choice((f"is_{word}", f"check_{word}", f"{word}_number")),
        sampler.rng.choice(("n", "x", "number", "num")),
    )
    return Bug(
        f"def {name}({n}):\n    return {n} % 2 == {bad}",
        f"def {name}({n}):\n    return {n} % 2 == {good}",
        f"The remainder of an {word} number is {good}, not {bad}.",
        (("$f(4)", str(even)), ("$f(3)", str(not even))),
        name,
        ("remainder",),
    )


def _make_max_start_bug(sampler: TaskSampler) -> Bug:
    name, xs, x = (
        sampler.rng.choice(("find_max", "largest", "get_max", "maximum")),
        sampler.rng.choice(LISTS),
        sampler.rng.choice(ITEMS),
    )

    def source(start: str) -> str:
        return (
            f"def {name}({xs}):\n    largest = {start}\n    for {x} in {xs}:\n"
            f"        if {x} > largest:\n            largest = {x}\n    return largest"
        )

    return Bug(
        source("0"),
        source(f"{xs}[0]"),
        "It fails for negative numbers: start with the first element.",
        (("$f([-3, -5])", "-3"),),
        name,
        ("negative",),
    )
