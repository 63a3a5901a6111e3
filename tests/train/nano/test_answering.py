"""Greedy answers: batched, padded and with a shared prefix, they are what one by one would give."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from transformers import AutoTokenizer

from starchat_tui.dialogue import MODES, Dialogue, Mode
from starchat_tui.template import prompt_ids
from starchat_tui.vocabulary import Vocabulary
from train.nano import config, model, score, tokenizer
from train.nano.answering import Answerer, common_prefix
from train.nano.dialogues.registry import draw_samples

SHAPE = config.Shape(n_embd=64, n_layer=2, n_head=2, n_positions=2048)
QUESTIONS = (
    "Write a function called zilpo that adds up all numbers in a list.",
    "Hi",
    "What is wrong with this function?\n\n```python\ndef add(a, b): return a - b\n```",
)


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("weights")
    samples = draw_samples(5, 200, held_out_phrasing=False, held_out_families=False)
    spoken = (f"{e.question}\n{e.answer}" for sample in samples for e in sample.exchanges)
    tokenizer.save(tokenizer.trained(spoken, 1024), folder, window=2048)
    vocabulary = Vocabulary.load(folder / "tokenizer.json", grow=False)
    made = model.new(SHAPE, vocabulary=len(vocabulary), end_of_text=0, seed=1)
    model.export(made, folder, ends=[vocabulary.end_id, vocabulary.end_of_text_id])
    return folder


def alone(answerer: Answerer, dialogue: Dialogue, most: int) -> str:
    """The answer without batch, padding or cache."""
    prompt = prompt_ids(dialogue, answerer.template)
    said: list[int] = []
    while len(said) < most and (not said or answerer._ended(said) is None):
        with torch.inference_mode():
            logits = answerer.model(input_ids=torch.tensor([[*prompt, *said]])).logits
        said.append(int(logits[0, -1].argmax()))
    return answerer.template.answer(answerer.vocabulary.decode(said))


@pytest.mark.parametrize("mode", MODES)
def test_many_answers_at_once_are_those_given_alone(weights: Path, mode: Mode) -> None:
    answerer = Answerer(weights, mode)
    dialogues = [Dialogue().plus("user", question) for question in QUESTIONS]
    answers = answerer.answers(dialogues, most=12)
    assert [answer.text for answer in answers] == [alone(answerer, d, 12) for d in dialogues]


def test_an_answer_ends_where_the_next_role_line_begins(weights: Path) -> None:
    answerer = Answerer(weights, "ta")
    ids = answerer.vocabulary.text_ids(" fine.\n\nHuman: more")
    assert answerer._ended(ids) == " fine.\n"
    assert answerer._ended(answerer.vocabulary.text_ids(" fine.\n\nHum")) is None


def test_the_shared_prefix_leaves_each_prompt_a_token() -> None:
    assert common_prefix([[1, 2, 3], [1, 2, 4]]) == 2
    assert common_prefix([[1, 2, 3], [1, 2, 3]]) == 2
    assert common_prefix([[1], [1, 2]]) == 0


def test_transformers_reads_the_tokenizer_that_was_saved(weights: Path) -> None:
    theirs = AutoTokenizer.from_pretrained(weights)
    ours = Vocabulary.load(weights / "tokenizer.json", grow=False)
    for text in QUESTIONS:
        assert theirs(text)["input_ids"] == ours.text_ids(text)
    assert theirs.eos_token_id == ours.end_of_text_id


def test_a_table_counts_by_group_and_keeps_intervals(weights: Path) -> None:
    samples = draw_samples(7, 4, held_out_phrasing=True, held_out_families=False)
    asked = score.asked_of(samples)
    table, answered = score.score(Answerer(weights, "chat"), asked[:4])
    assert table["all"]["asked"] == len(answered) == 4
    assert sum(table[g]["asked"] for g in table if g not in ("all", "cut off")) == 4
    low, high = table["all"]["interval"]
    assert 0 <= low <= high <= 1
