"""Greedy answers of the engine: they are what transformers finds likeliest, token by token."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from transformers import AutoTokenizer

from starchat_tui.dialogue import MODES, Dialogue, Mode
from starchat_tui.errors import EngineGone
from starchat_tui.templates.context_window import fit_prompt
from starchat_tui.templates.tokenizer import Tokenizer
from train.demo import bpe_training, sizes, small_model
from train.demo.evaluation.generate import Answer, Answerer, run_engine
from train.demo.tasks.registry import draw_samples

SHAPE = sizes.ModelShape(n_embd=64, n_layer=2, n_head=2, n_positions=2048)
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
    bpe_training.save_tokenizer(bpe_training.train_tokenizer(spoken, 1024), folder, window=2048)
    tokenizer = Tokenizer.load(folder / "tokenizer.json", add_chat_tokens=False)
    made = small_model.create_model(SHAPE, vocabulary=len(tokenizer), end_of_text=0, seed=1)
    small_model.export_model(made, folder, end_of_text=tokenizer.end_id)
    return folder


def answer_with_transformers(
    folder: Path, answerer: Answerer, dialogue: Dialogue, most: int
) -> str:
    """Answer of transformers without a cache, up to its end token."""
    inner = small_model.load_model(folder)
    tokenizer, stops = answerer.template.tokenizer, answerer.template.get_stops()
    prompt = fit_prompt(dialogue, answerer.template, window=answerer.window, reserve=most).ids
    said: list[int] = []
    while len(said) < most:
        with torch.inference_mode():
            logits = inner(input_ids=torch.tensor([[*prompt, *said]])).logits
        said.append(int(logits[0, -1].argmax()))
        if said[-1] in stops.ids:
            said.pop()
            break
    text = tokenizer.decode(said)
    ends = [text.index(stop) for stop in stops.texts if stop in text]
    return answerer.template.clean_answer(text[: min(ends, default=len(text))])


async def ask_model(
    weights: Path, mode: Mode, dialogues: Sequence[Dialogue], most: int
) -> tuple[Answerer, list[Answer]]:
    async with run_engine() as client:
        answerer = Answerer(client, weights, mode)
        return answerer, [await answerer.answer(each, most=most) for each in dialogues]


@pytest.mark.slow
@pytest.mark.parametrize("mode", MODES)
def test_the_engine_says_what_transformers_finds_likeliest(weights: Path, mode: Mode) -> None:
    dialogues = [Dialogue().with_message("user", question) for question in QUESTIONS]
    dialogues.append(
        dialogues[1].with_message("assistant", "Hello!").with_message("user", "add a docstring")
    )
    answerer, answers = asyncio.run(ask_model(weights, mode, dialogues, 12))
    assert [answer.text for answer in answers] == [
        answer_with_transformers(weights, answerer, dialogue, 12) for dialogue in dialogues
    ]


def test_an_engine_that_does_not_start_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    async def start_engine() -> None:
        async with run_engine():
            raise AssertionError("it started")

    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(EngineGone, match="did not start"):
        asyncio.run(start_engine())


def test_transformers_reads_the_tokenizer_that_was_saved(weights: Path) -> None:
    theirs = AutoTokenizer.from_pretrained(weights)
    ours = Tokenizer.load(weights / "tokenizer.json", add_chat_tokens=False)
    for text in QUESTIONS:
        assert theirs(text)["input_ids"] == ours.encode(text)
    assert theirs.eos_token_id == ours.end_of_text_id


@pytest.mark.parametrize("word", ["<|user|>", "user: more", "  Human: hi", "\nAssistant:"])
def test_a_role_name_or_token_begins_another_turn(word: str) -> None:
    assert Answer(f"Done.\n{word}", cut=False).runs_on
    assert not Answer(f"The {word.strip()} is here", cut=False).runs_on or "<|" in word
