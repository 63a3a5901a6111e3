"""Functions by their common names: changes of the result, translations and refusals."""

from __future__ import annotations

import re
from itertools import pairwise

from tests.train.demo.drawn_conversations import (
    draw_conversations,
    find_accepted,
    find_wrong_answers,
    iterate_exchanges,
)
from train.demo.evaluation.check import extract_code
from train.demo.tasks.family import Exchange
from train.demo.tasks.functions import bugs
from train.demo.tasks.functions.named_functions import CANNOT, FIX_INTRODUCTION, families
from train.demo.tasks.functions.specs import load_functions
from train.demo.tasks.functions.tiny_functions import LANGUAGE_TITLES
from train.demo.tasks.programs import beginners

ERRORS = tuple(family for family in beginners.families() if family.name.startswith("error_"))
FAMILIES = {f.name: f for f in families(load_functions(), bugs.families(), ERRORS)}


def select_answers(beginning: str, count: int = 150) -> list[Exchange]:
    exchanges = iterate_exchanges((FAMILIES["later_by_name"], FAMILIES["later_changes"]), count)
    found = [e for e in exchanges if e.answer.startswith(beginning)]
    assert found
    return found


def test_reference_answers_pass_their_checks() -> None:
    assert find_wrong_answers(iterate_exchanges(FAMILIES.values(), 15)) == {}


def test_every_family_is_learned_in_the_fine_tune() -> None:
    assert {family.stage for family in FAMILIES.values()} == {"finetune"}


def test_the_first_items_are_as_many_as_asked_for() -> None:
    altered = []
    for exchange in select_answers("Now it returns only the first"):
        (number,) = re.findall(r"only the first (\d+):", exchange.answer)
        assert number in exchange.question
        assert f"[:{number}]" in extract_code(exchange.answer)
        altered.append((exchange.answer.replace(f"[:{number}]", ""), exchange))
    assert find_accepted(altered) == []


def test_the_largest_comes_first_in_descending_order() -> None:
    found = select_answers("Here it is in descending order")
    altered = [(e.answer.replace(", reverse=True", ""), e) for e in found]
    assert find_accepted(altered) == []


def test_an_empty_argument_gives_none_after_the_change() -> None:
    found = select_answers("Now it can handle")
    altered = [(e.answer.replace("return None", "return 0"), e) for e in found]
    assert find_accepted(altered) == []


def test_a_translation_is_in_the_language_of_the_question() -> None:
    titles = {title: language for language, title in LANGUAGE_TITLES.items()}
    translated = 0
    for exchange in select_answers("Here it is in "):
        title = exchange.answer.removeprefix("Here it is in ").partition(":")[0]
        if title in titles:
            assert f"```{titles[title]}\n" in exchange.answer
            assert exchange.check.language == titles[title]
            translated += 1
    assert translated > 5


def test_an_unknown_change_is_declined_without_code() -> None:
    declined = [*select_answers(CANNOT), *select_answers("I do not know how to write that")]
    assert all("```" not in e.answer for e in declined)
    assert find_accepted(("```python\nprint(1)\n```", e) for e in declined) == []


def test_a_rewritten_function_has_another_body() -> None:
    rewritten = 0
    for conversation in draw_conversations(FAMILIES["later_changes"], 80):
        functions = [e for e in conversation if extract_code(e.answer).startswith("def ")]
        functions = [e for e in functions if e.check.language == "python" and not e.check.mutants]
        for before, after in pairwise(functions):
            assert extract_code(before.answer) != extract_code(after.answer)
            rewritten += 1
    assert rewritten > 20


def test_the_reason_of_a_bug_is_that_of_the_first_answer() -> None:
    for name in ("later_bug_why", "later_bug_start"):
        asked = [turns for turns in draw_conversations(FAMILIES[name], 30) if len(turns) > 1]
        assert asked
        for first, again in asked:
            assert again.answer == first.answer.partition(FIX_INTRODUCTION)[0]
            assert "```" not in again.answer


def test_a_wrong_start_is_in_the_question_and_fails_the_check() -> None:
    altered = []
    for first, *_ in draw_conversations(FAMILIES["later_bug_start"], 25):
        found = re.match(r"The variable `(\w+)` must start at (\S+), not at (\S+)\.", first.answer)
        assert found
        name, good, bad = found.groups()
        assert f"{name} = {bad}\n" in first.question
        wrong = first.answer.replace(f"{name} = {good}\n", f"{name} = {bad}\n")
        assert wrong != first.answer
        altered.append((wrong, first))
    assert find_accepted(altered) == []


def test_the_advice_on_an_error_follows_its_meaning() -> None:
    for first, advice in draw_conversations(FAMILIES["later_error_avoid"], 25):
        assert first.answer.endswith(advice.answer)
        assert len(advice.answer) < len(first.answer)
