"""Short programs about numbers and words of the question."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from train.demo.tasks.family import Check, Exchange, TaskSampler, format_answer
from train.demo.tasks.lexicon import THINGS
from train.demo.tasks.load_yaml import load_phrases
from train.demo.tasks.phrasing import PEOPLE, phrase_question

REDUCTIONS: dict[str, tuple[str, str, Callable[[list[int]], object]]] = {
    "sum_these": ("Use `sum`:", "sum(numbers)", sum),
    "largest_of_these": ("Use `max`:", "max(numbers)", max),
    "reverse_these": ("The slice `[::-1]` reverses a list:", "numbers[::-1]", lambda v: v[::-1]),
    "length_of": ("Use `len`:", "len(numbers)", len),
}
"""Sentence before the code, expression, and its value."""


def build_printing_exchange(
    question: str, before: str, code: str, stdout: str, after: str = ""
) -> Exchange:
    """Build an exchange whose program prints `stdout`."""
    return Exchange(question, format_answer(before, code, after), Check(stdout=stdout), "scripts")


def draw_integers(rng: Random, least: int = 3, most: int = 7) -> list[int]:
    """Draw between `least` and `most` integers."""
    return [rng.randint(0, rng.choice((9, 99, 999))) for _ in range(rng.randint(least, most))]


def _format_list(sampler: TaskSampler, values: list[int]) -> str:
    return str(values) if sampler.chance(0.6) else ", ".join(map(str, values))


def draw_print_list(sampler: TaskSampler) -> Exchange:
    """Draw a loop over words."""
    things = sampler.rng.sample(sorted({*THINGS, *PEOPLE}), sampler.rng.randint(2, 5))
    name = sampler.rng.choice(("names", "items", "words", "things", "colors", "fruits"))
    listed = "[" + ", ".join(f'"{t}"' for t in things) + "]"
    question = phrase_question(
        sampler,
        sampler.choose_phrasing(load_phrases("print_list")),
        l=listed,
        p=", ".join(things),
    )
    code = f"{name} = {listed}\n\nfor item in {name}:\n    print(item)"
    code = code.replace(name, "items")
    return build_printing_exchange(
        question, "The loop prints one item at a time:", code, "\n".join(things)
    )


def draw_sort_these(sampler: TaskSampler) -> Exchange:
    """Draw a sort, ascending or descending."""
    values = draw_integers(sampler.rng)
    down = sampler.chance(0.3)
    manner = (
        sampler.rng.choice((" in descending order", " from high to low", " in reverse order"))
        if down
        else ""
    )
    question = phrase_question(
        sampler,
        sampler.choose_phrasing(load_phrases("sort_these"))
        + manner
        + sampler.rng.choice(("", ".", "?")),
        l=_format_list(sampler, values),
    )
    code = f"numbers = {values}\nprint(sorted(numbers{', reverse=True' if down else ''}))"
    return build_printing_exchange(
        question, "Use `sorted`:", code, str(sorted(values, reverse=down))
    )


def draw_squares(sampler: TaskSampler) -> Exchange:
    """Draw squares or cubes by a list comprehension."""
    n = sampler.rng.randint(3, 40)
    cube = sampler.chance(0.3)
    word, power = ("cubes", 3) if cube else ("squares", 2)
    question = phrase_question(
        sampler,
        sampler.choose_phrasing(tuple(p.replace("{word}", word) for p in load_phrases("squares"))),
        n=n,
    )
    code = f"{word} = [i ** {power} for i in range(1, {n + 1})]\nprint({word})"
    return build_printing_exchange(
        question, "A list comprehension does it:", code, str([i**power for i in range(1, n + 1)])
    )


def draw_print_evens(sampler: TaskSampler) -> Exchange:
    """Draw a range with a step."""
    odd, n = sampler.chance(0.4), sampler.rng.randint(8, 60)
    word, start = ("odd", 1) if odd else ("even", 2)
    question = phrase_question(
        sampler,
        sampler.choose_phrasing(
            tuple(p.replace("{word}", word) for p in load_phrases("print_evens"))
        ),
        n=n,
    )
    code = f"for i in range({start}, {n + 1}, 2):\n    print(i)"
    return build_printing_exchange(
        question,
        "The third argument of `range` is the step:",
        code,
        "\n".join(map(str, range(start, n + 1, 2))),
    )


def make_reduction(name: str) -> Callable[[TaskSampler], Exchange]:
    """Return the maker of one of `REDUCTIONS`."""
    before, call, result = REDUCTIONS[name]

    def draw(sampler: TaskSampler) -> Exchange:
        values = draw_integers(sampler.rng)
        question = phrase_question(
            sampler, sampler.choose_phrasing(load_phrases(name)), l=_format_list(sampler, values)
        )
        code = f"numbers = {values}\nprint({call})"
        return build_printing_exchange(question, before, code, str(result(values)))

    return draw
