"""Short programs about numbers and words that stand in the question."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from train.demo.tasks.family import Check, Draw, Exchange, answer
from train.demo.tasks.lexicon import THINGS
from train.demo.tasks.load_yaml import phrases
from train.demo.tasks.phrasing import PEOPLE, ask

REDUCTIONS: dict[str, tuple[str, str, Callable[[list[int]], object]]] = {
    "sum_these": ("Use `sum`:", "sum(numbers)", sum),
    "largest_of_these": ("Use `max`:", "max(numbers)", max),
    "reverse_these": ("The slice `[::-1]` reverses a list:", "numbers[::-1]", lambda v: v[::-1]),
    "length_of": ("Use `len`:", "len(numbers)", len),
}
"""What is said, the expression, and its value."""


def printing(question: str, before: str, code: str, stdout: str, after: str = "") -> Exchange:
    """An exchange whose program prints `stdout`."""
    return Exchange(question, answer(before, code, after), Check(stdout=stdout), "scripts")


def numbers_of(rng: Random, least: int = 3, most: int = 7) -> list[int]:
    """Between `least` and `most` numbers."""
    return [rng.randint(0, rng.choice((9, 99, 999))) for _ in range(rng.randint(least, most))]


def _told(dice: Draw, values: list[int]) -> str:
    return str(values) if dice.chance(0.6) else ", ".join(map(str, values))


def print_list(dice: Draw) -> Exchange:
    """A loop over words."""
    things = dice.rng.sample(sorted({*THINGS, *PEOPLE}), dice.rng.randint(2, 5))
    name = dice.rng.choice(("names", "items", "words", "things", "colors", "fruits"))
    listed = "[" + ", ".join(f'"{t}"' for t in things) + "]"
    question = ask(
        dice,
        dice.phrase(phrases("print_list")),
        l=listed,
        p=", ".join(things),
    )
    code = f"{name} = {listed}\n\nfor item in {name}:\n    print(item)"
    code = code.replace(name, "items")
    return printing(question, "The loop prints one item at a time:", code, "\n".join(things))


def sort_these(dice: Draw) -> Exchange:
    """Sorting, up or down."""
    values = numbers_of(dice.rng)
    down = dice.chance(0.3)
    manner = (
        dice.rng.choice((" in descending order", " from high to low", " in reverse order"))
        if down
        else ""
    )
    question = ask(
        dice,
        dice.phrase(phrases("sort_these")) + manner + dice.rng.choice(("", ".", "?")),
        l=_told(dice, values),
    )
    code = f"numbers = {values}\nprint(sorted(numbers{', reverse=True' if down else ''}))"
    return printing(question, "Use `sorted`:", code, str(sorted(values, reverse=down)))


def squares(dice: Draw) -> Exchange:
    """Squares or cubes by a list comprehension."""
    n = dice.rng.randint(3, 40)
    cube = dice.chance(0.3)
    word, power = ("cubes", 3) if cube else ("squares", 2)
    question = ask(
        dice,
        dice.phrase(tuple(p.replace("{word}", word) for p in phrases("squares"))),
        n=n,
    )
    code = f"{word} = [i ** {power} for i in range(1, {n + 1})]\nprint({word})"
    return printing(
        question, "A list comprehension does it:", code, str([i**power for i in range(1, n + 1)])
    )


def print_evens(dice: Draw) -> Exchange:
    """A range with a step."""
    odd, n = dice.chance(0.4), dice.rng.randint(8, 60)
    word, start = ("odd", 1) if odd else ("even", 2)
    question = ask(
        dice,
        dice.phrase(tuple(p.replace("{word}", word) for p in phrases("print_evens"))),
        n=n,
    )
    code = f"for i in range({start}, {n + 1}, 2):\n    print(i)"
    return printing(
        question,
        "The third argument of `range` is the step:",
        code,
        "\n".join(map(str, range(start, n + 1, 2))),
    )


def reducing(name: str) -> Callable[[Draw], Exchange]:
    """The maker of one of `REDUCTIONS`."""
    before, call, result = REDUCTIONS[name]

    def made(dice: Draw) -> Exchange:
        values = numbers_of(dice.rng)
        question = ask(dice, dice.phrase(phrases(name)), l=_told(dice, values))
        code = f"numbers = {values}\nprint({call})"
        return printing(question, before, code, str(result(values)))

    return made
