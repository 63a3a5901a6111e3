"""Code with one mistake, given by the user: what is wrong, and the mended code."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from train.demo.tasks.family import Check, Draw, Drawer, Exchange, Family, answer
from train.demo.tasks.functions.followups import followed
from train.demo.tasks.load_yaml import phrases
from train.demo.tasks.phrasing import ask, identifier, with_code

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
    """A broken source, its mended form, what to say, and the probes that tell them apart."""

    broken: str
    mended: str
    says: str
    probes: Probes
    name: str
    words: tuple[str, ...] = ()


def families() -> tuple[Family, ...]:
    """Every kind of bug."""
    makers = (
        _operator,
        _missing_return,
        _start_value,
        _early_return,
        _off_by_one,
        _comparison,
        _missing_colon,
        _single_equals,
        _empty_list,
        _default_list,
        _missing_self,
        _string_number,
        _endless_loop,
        _wrong_name,
        _print_not_return,
        _wrong_index,
        _parity,
        _max_start,
    )
    named = {maker.__name__.strip("_"): maker for maker in makers}
    return tuple(
        Family(f"bug_{name}", "bugs", _drawer(maker), 3.0 if name == "operator" else 1.0)
        for name, maker in named.items()
    )


def _drawer(maker: Callable[[Draw], Bug]) -> Drawer:
    def draw(dice: Draw) -> tuple[Exchange, ...]:
        bug = maker(dice)
        question = with_code(dice, ask(dice, dice.phrase(phrases("bugs"))), bug.broken)
        text = answer(f"{bug.says} Here is the corrected code:", bug.mended)
        check = Check(probes=bug.probes, name=bug.name, named=True, says=bug.words)
        return followed(dice, Exchange(question, text, check, "bugs"))

    return draw


def _operator(dice: Draw) -> Bug:
    right, wrong = dice.rng.sample(sorted(OPERATORS), 2)
    symbol, _, doing, names = OPERATORS[right]
    bad, does, _, _ = OPERATORS[wrong]
    name = dice.rng.choice(names)
    a, b = dice.rng.choice(LETTER_PAIRS)
    signature = f"def {name}({a}, {b}):"
    indent = " " if dice.chance(0.3) else "\n    "
    expected = {"+": "8", "-": "4", "*": "12", "/": "3.0"}[symbol]
    return Bug(
        f"{signature}{indent}return {a} {bad} {b}",
        f"{signature}\n    return {a} {symbol} {b}",
        f"The function `{name}` {does} instead of {doing}.",
        (("$f(6, 2)", expected),),
        name,
        (f"instead of {doing}",),
    )


def _missing_return(dice: Draw) -> Bug:
    name, param = identifier(dice.rng), dice.rng.choice(NUMBERS)
    k, op = dice.rng.randint(2, 99), dice.rng.choice("+-*")
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


def _start_value(dice: Draw) -> Bug:
    name, xs, x = identifier(dice.rng), dice.rng.choice(LISTS), dice.rng.choice(ITEMS)
    adds = dice.chance(0.5)
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


def _early_return(dice: Draw) -> Bug:
    name, xs, x = identifier(dice.rng), dice.rng.choice(LISTS), dice.rng.choice(ITEMS)
    head = f"def {name}({xs}):\n    total = 0\n    for {x} in {xs}:\n        total += {x}\n"
    return Bug(
        head + "        return total",
        head + "    return total",
        "The `return` is inside the loop, so the loop ends after the first round.",
        (("$f([2, 3])", "5"),),
        name,
        ("inside the loop",),
    )


def _off_by_one(dice: Draw) -> Bug:
    name, xs = identifier(dice.rng), dice.rng.choice(LISTS)

    def source(stop: str) -> str:
        head = f"def {name}({xs}):\n    total = 0\n    for i in range({stop}):\n"
        return f"{head}        total += {xs}[i]\n    return total"

    good = f"len({xs})"
    if dice.chance(0.5):
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


def _comparison(dice: Draw) -> Bug:
    largest = dice.chance(0.5)
    word, good, bad = ("largest", ">", "<") if largest else ("smallest", "<", ">")
    name = dice.rng.choice(
        (f"find_{word}", f"get_{word}", word, f"{word}_of", "find_max" if largest else "find_min")
    )
    xs, x = dice.rng.choice(LISTS), dice.rng.choice(ITEMS)

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


def _missing_colon(dice: Draw) -> Bug:
    name, x, k = (
        identifier(dice.rng),
        dice.rng.choice(NUMBERS),
        dice.rng.randint(1, 99),
    )
    body = f"    return {x} + {k}"
    return Bug(
        f"def {name}({x})\n{body}",
        f"def {name}({x}):\n{body}",
        "There is a colon missing at the end of the `def` line.",
        (("$f(0)", str(k)), ("$f(1)", str(k + 1))),
        name,
        ("colon",),
    )


def _single_equals(dice: Draw) -> Bug:
    name, x, k = (
        identifier(dice.rng),
        dice.rng.choice(NUMBERS),
        dice.rng.randint(1, 99),
    )

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


def _empty_list(dice: Draw) -> Bug:
    name, xs = identifier(dice.rng), dice.rng.choice(LISTS)
    line = f"    return sum({xs}) / len({xs})"
    return Bug(
        f"def {name}({xs}):\n{line}",
        f"def {name}({xs}):\n    if not {xs}:\n        return 0\n{line}",
        "For an empty list it divides by zero.",
        (("$f([])", "0"), ("$f([2, 4])", "3.0")),
        name,
        ("zero",),
    )


def _default_list(dice: Draw) -> Bug:
    name, x, xs = identifier(dice.rng), dice.rng.choice(ITEMS), dice.rng.choice(LISTS)
    tail = f"    {xs}.append({x})\n    return {xs}"
    return Bug(
        f"def {name}({x}, {xs}=[]):\n{tail}",
        f"def {name}({x}, {xs}=None):\n    if {xs} is None:\n        {xs} = []\n{tail}",
        "The default list is made once and shared by all calls.",
        (("($f(1), $f(2))", "([1], [2])"),),
        name,
        ("shared",),
    )


def _missing_self(dice: Draw) -> Bug:
    cls, attr = dice.rng.choice(NOUN_CLASSES), dice.rng.choice(ATTRIBUTES)
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


NOUN_CLASSES = (
    "Person Car Book Dog Cat Player Robot Student Product Account House Ticket Song Planet Lamp"
).split()
ATTRIBUTES = "name age price title color speed size weight score level power year".split()


def _string_number(dice: Draw) -> Bug:
    name, x, k = (
        identifier(dice.rng),
        dice.rng.choice(("text", "s", "line", "answer")),
        dice.rng.randint(1, 99),
    )
    return Bug(
        f"def {name}({x}):\n    return {x} + {k}",
        f"def {name}({x}):\n    return int({x}) + {k}",
        f"Text and a number cannot be added; convert `{x}` with `int` first.",
        (("$f('0')", str(k)), ("$f('2')", str(k + 2))),
        name,
        ("int",),
    )


def _endless_loop(dice: Draw) -> Bug:
    name, n = identifier(dice.rng), dice.rng.choice(("n", "limit", "end", "stop"))
    head = f"def {name}({n}):\n    i = 0\n    total = 0\n    while i < {n}:\n        total += i\n"
    return Bug(
        f"{head}    return total",
        f"{head}        i += 1\n    return total",
        "The loop never ends, because `i` does not change.",
        (("$f(4)", "6"),),
        name,
        ("never ends",),
    )


def _wrong_name(dice: Draw) -> Bug:
    name, xs = (
        identifier(dice.rng),
        dice.rng.choice(("numbers", "values", "items", "elements", "scores")),
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


def _print_not_return(dice: Draw) -> Bug:
    name, x, k = (
        identifier(dice.rng),
        dice.rng.choice(NUMBERS),
        dice.rng.randint(2, 99),
    )
    return Bug(
        f"def {name}({x}):\n    print({x} * {k})",
        f"def {name}({x}):\n    return {x} * {k}",
        "The function prints the result but returns `None`.",
        (("$f(1)", str(k)), ("$f(3)", str(3 * k))),
        name,
        ("return",),
    )


def _wrong_index(dice: Draw) -> Bug:
    name, xs = (
        dice.rng.choice(("last", "get_last", "last_item", "last_element")),
        dice.rng.choice(LISTS),
    )
    return Bug(
        f"def {name}({xs}):\n    return {xs}[len({xs})]",
        f"def {name}({xs}):\n    return {xs}[-1]",
        "The last index is one less than the length, so this raises an `IndexError`.",
        (("$f([1, 2])", "2"),),
        name,
        ("index",),
    )


def _parity(dice: Draw) -> Bug:
    even = dice.chance(0.5)
    word, good, bad = ("even", "0", "1") if even else ("odd", "1", "0")
    name, n = (
        dice.rng.choice((f"is_{word}", f"check_{word}", f"{word}_number")),
        dice.rng.choice(("n", "x", "number", "num")),
    )
    return Bug(
        f"def {name}({n}):\n    return {n} % 2 == {bad}",
        f"def {name}({n}):\n    return {n} % 2 == {good}",
        f"The remainder of an {word} number is {good}, not {bad}.",
        (("$f(4)", str(even)), ("$f(3)", str(not even))),
        name,
        ("remainder",),
    )


def _max_start(dice: Draw) -> Bug:
    name, xs, x = (
        dice.rng.choice(("find_max", "largest", "get_max", "maximum")),
        dice.rng.choice(LISTS),
        dice.rng.choice(ITEMS),
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
