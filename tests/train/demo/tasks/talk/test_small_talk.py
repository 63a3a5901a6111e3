"""No answer of small talk is repeated; questions out of scope are declined."""

from __future__ import annotations

import pytest

from tests.train.demo.drawn_conversations import (
    draw_conversations,
    find_accepted,
    find_wrong_answers,
    iterate_exchanges,
)
from train.demo.evaluation.check import extract_code
from train.demo.tasks.functions.specs import load_functions
from train.demo.tasks.load_yaml import load_table
from train.demo.tasks.talk.small_talk import UNKNOWN, WHY_NOT, families

FAMILIES = {family.name: family for family in families(load_functions())}
TALK = tuple(name for name, family in FAMILIES.items() if name.startswith("talk_"))
CONCEPTS = tuple(name for name in FAMILIES if name.startswith("concept_"))


def test_reference_answers_pass_their_checks() -> None:
    assert find_wrong_answers(iterate_exchanges(FAMILIES.values(), 4)) == {}


@pytest.mark.parametrize("name", TALK)
def test_no_answer_occurs_twice_in_a_conversation(name: str) -> None:
    for conversation in draw_conversations(FAMILIES[name], 40):
        answers = [exchange.answer for exchange in conversation]
        assert len(set(answers)) == len(answers) <= 4


def test_an_answer_to_another_remark_is_refused() -> None:
    entries = load_table("talk")["small_talk"]
    answers = {entry["answer"] for entry in entries.values()}
    firsts = [draw_conversations(FAMILIES[name], 1)[0][0] for name in TALK]
    altered = [(other, e) for e in firsts for other in answers if other != e.answer]
    # Some answers say what another remark asks for: the word "demo model" for example.
    assert len(find_accepted(altered)) < 0.1 * len(altered)


def test_questions_out_of_scope_are_declined_and_explained() -> None:
    conversations = draw_conversations(FAMILIES["unknown"], 80)
    assert {conversation[0].answer for conversation in conversations} == {UNKNOWN}
    explained = [conversation for conversation in conversations if len(conversation) == 2]
    assert 0 < len(explained) < len(conversations) / 2
    assert {conversation[1].answer for conversation in explained} == {WHY_NOT}


def test_an_explanation_names_the_function_of_the_question() -> None:
    for (exchange,) in draw_conversations(FAMILIES["explain_code"], 60):
        name = exchange.answer.split("`")[1]
        assert f"def {name}(" in exchange.question
        assert "$" not in exchange.answer


@pytest.mark.parametrize("name", CONCEPTS)
def test_the_output_of_an_example_is_given_in_words(name: str) -> None:
    ((exchange,),) = draw_conversations(FAMILIES[name], 1)
    assert extract_code(exchange.answer)
    if "\n" not in (exchange.check.stdout or ""):
        assert f"This prints `{exchange.check.stdout}`." in exchange.answer
