"""Conversations that are longer than the context window."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from random import Random

import pytest

from starchat_tui.dialogue import Dialogue
from starchat_tui.errors import PromptTooLong
from starchat_tui.templates.chatml import ChatMLTemplate
from starchat_tui.templates.context_window import (
    KEPT_BUDGET_SHARE,
    KEPT_WINDOW_SHARE,
    Prompt,
    fit_prompt,
)
from starchat_tui.templates.few_shot import FewShotTemplate
from starchat_tui.templates.template import Template, encode_prompt
from starchat_tui.templates.tokenizer import Tokenizer
from tests.sample_dialogues import SHORT_PROMPT, build_dialogue, generate_dialogues, prepend_turns


def build_long_dialogue(turns: int) -> Dialogue:
    """Build a dialogue of short turns that begins with a question."""
    dialogue = Dialogue("s")
    for number in range(turns):
        dialogue = dialogue.with_message(
            "assistant" if number % 2 else "user", f"this is turn {number}"
        )
    return dialogue


def create_few_shot(tokenizer: Tokenizer, window: int) -> Template:
    return FewShotTemplate(tokenizer, SHORT_PROMPT, window=max(window, 100))


def find_cut_by_trial(dialogue: Dialogue, template: Template, window: int, reserve: int) -> int:
    """Return the cut by its definition, encoding every prompt along the way."""

    def size(first: int, last: int) -> int:
        part = replace(dialogue, turns=dialogue.turns[first : last + 1])
        return len(encode_prompt(part, template))

    budget = window - reserve
    goal = int(min(window * KEPT_WINDOW_SHARE, budget * KEPT_BUDGET_SHARE))
    asked = [at for at, turn in enumerate(dialogue.turns) if turn.role == "user"]
    first = 0
    for at in asked:
        if size(first, at) > budget:
            later = [start for start in asked if first < start <= at]
            first = next((start for start in later if size(start, at) <= goal), at)
    return first


def check_prompt(dialogue: Dialogue, template: Template, window: int, reserve: int) -> None:
    budget = window - reserve
    newest = max(at for at, turn in enumerate(dialogue.turns) if turn.role == "user")
    alone = len(encode_prompt(dialogue.drop_oldest(newest), template))
    try:
        found = fit_prompt(dialogue, template, window=window, reserve=reserve)
    except PromptTooLong:
        assert alone > budget
        return
    dialogue_sent = dialogue.drop_oldest(found.dropped_turns)
    assert alone <= budget
    assert found.dropped_turns <= newest
    assert found.ids == tuple(encode_prompt(dialogue_sent, template))
    assert len(found.ids) <= budget
    assert found.quoted_lines == template.count_quoted_lines(dialogue_sent)
    if found.dropped_turns:
        assert dialogue_sent.turns[0].role == "user"
        assert len(encode_prompt(dialogue, template)) > budget


def test_a_dialogue_that_fits_is_sent_whole(small: Tokenizer) -> None:
    dialogue = build_dialogue("s", "a", "b", "c")
    template = ChatMLTemplate(small)
    ids = tuple(encode_prompt(dialogue, template))
    assert fit_prompt(dialogue, template, window=len(ids) + 7, reserve=7) == Prompt(
        ids, template.get_stops(), dropped_turns=0, quoted_lines=0, window=len(ids) + 7
    )


def test_one_token_too_many_drops_old_turns(small: Tokenizer) -> None:
    dialogue = build_long_dialogue(20)
    size = len(encode_prompt(dialogue, ChatMLTemplate(small)))
    found = fit_prompt(dialogue, ChatMLTemplate(small), window=size + 6, reserve=7)
    assert found.dropped_turns > 0
    assert len(found.ids) <= KEPT_WINDOW_SHARE * (size + 6)


def test_a_question_that_is_too_long_is_an_error(small: Tokenizer) -> None:
    dialogue = build_long_dialogue(6).with_message("user", "word " * 200)
    with pytest.raises(PromptTooLong, match="in a window of 150") as raised:
        fit_prompt(dialogue, ChatMLTemplate(small), window=150, reserve=20)
    assert raised.value.hint


def test_a_large_reserve_drops_more(small: Tokenizer) -> None:
    """A reserve of more than the share that a cut frees is respected."""
    dialogue = build_long_dialogue(40)
    found = fit_prompt(dialogue, ChatMLTemplate(small), window=300, reserve=220)
    assert len(found.ids) <= 80
    assert dialogue.drop_oldest(found.dropped_turns).turns[0].role == "user"


def test_an_answer_at_the_end_counts_too(small: Tokenizer) -> None:
    dialogue = build_long_dialogue(9).with_message("assistant", "word " * 60)
    found = fit_prompt(dialogue, ChatMLTemplate(small), window=200, reserve=10)
    assert len(found.ids) <= 190


@pytest.mark.parametrize("reserve", [40, 100, 200])
def test_the_cut_rarely_moves(small: Tokenizer, reserve: int) -> None:
    """A cut that moved with each turn would void the prefix cache each time."""
    window, cuts = 400, []
    dialogue = Dialogue("s")
    for number in range(60):
        dialogue = dialogue.with_message("user", f"question number {number}")
        found = fit_prompt(dialogue, ChatMLTemplate(small), window=window, reserve=reserve)
        cuts.append(found.dropped_turns)
        assert len(found.ids) <= window - reserve
        dialogue = dialogue.with_message("assistant", f"the answer to question {number} is no")
    changes = sum(before != after for before, after in pairwise(cuts))
    assert cuts == sorted(cuts)
    assert cuts[-1] > 80
    assert changes <= 30


@pytest.mark.parametrize("mode", ["chat", "ta"])
def test_the_cut_is_the_one_found_by_trial(small: Tokenizer, mode: str) -> None:
    template = ChatMLTemplate(small) if mode == "chat" else create_few_shot(small, 300)
    random = Random(9)
    for dialogue in generate_dialogues(random, 60):
        longer = prepend_turns(dialogue, random)
        reserve = random.randrange(20, 150)
        wanted = find_cut_by_trial(longer, template, 300, reserve)
        try:
            assert fit_prompt(longer, template, window=300, reserve=reserve).dropped_turns == wanted
        except PromptTooLong:
            assert len(encode_prompt(longer.drop_oldest(wanted), template)) > 300 - reserve


@pytest.mark.parametrize("mode", ["chat", "ta"])
def test_a_prompt_fits_or_its_question_is_too_long(small: Tokenizer, mode: str) -> None:
    random = Random(7)
    for dialogue in generate_dialogues(random, 150):
        window = random.randrange(80, 600)
        reserve = random.randrange(window)
        template = ChatMLTemplate(small) if mode == "chat" else create_few_shot(small, window)
        check_prompt(prepend_turns(dialogue, random), template, window, reserve)
