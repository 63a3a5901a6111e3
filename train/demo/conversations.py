"""Conversations for the fine-tune: one dialogue or several in a row, as `messages`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from random import Random
from typing import Any

from starchat_tui.dialogue import Dialogue
from starchat_tui.templates.chatml import encode_training_row
from starchat_tui.templates.tokenizer import Tokenizer
from train.demo.sizes import FinetuneRun
from train.demo.tasks.family import Sample

SYSTEM_SHARE = 0.15
SYSTEMS = (
    "You are a helpful assistant.",
    "You are StarChat, a coding assistant.",
    "Answer briefly.",
    "You are a Python expert.",
    "Below is a conversation between a human user and a helpful AI coding assistant.",
    "Below is a dialogue between a human user and an AI assistant.",
    "You write Python.",
    "Be polite and honest.",
)
SYSTEM_TOKENS = 24
"""Tokens reserved for a system turn."""


def to_dialogue(sample: Sample) -> Dialogue:
    """Convert a sample's questions and reference answers to a dialogue."""
    dialogue = Dialogue()
    for exchange in sample.exchanges:
        dialogue = dialogue.with_message("user", exchange.question).with_message(
            "assistant", exchange.answer
        )
    return dialogue


def generate_conversations(
    samples: Sequence[Sample], tokenizer: Tokenizer, sizes: FinetuneRun, *, seed: int
) -> Iterator[dict[str, Any]]:
    """Yield rows of `messages` that hold every sample once per pass, newly shuffled and grouped.

    No row is longer than the run's block, unless a single sample is.
    """
    tokens = [len(encode_training_row(to_dialogue(sample), tokenizer)[0]) for sample in samples]
    for number in range(sizes.passes):
        rng = Random(f"{seed} {number}")
        order = list(range(len(samples)))
        rng.shuffle(order)
        # The samples of a group have nothing in common: the model learns that a new question may
        # ignore the turns before it.
        for group in _group_samples(order, tokens, sizes, rng):
            yield _build_row([samples[at] for at in group], rng)


def _group_samples(
    order: Sequence[int], tokens: Sequence[int], sizes: FinetuneRun, rng: Random
) -> Iterator[list[int]]:
    """Split the order into groups, each of a random length between its first sample and a block."""
    capacity = sizes.block - SYSTEM_TOKENS
    group: list[int] = []
    left = 0
    for at in order:
        if group and tokens[at] > left:
            yield group
            group = []
        if not group:
            first = min(tokens[at], capacity)
            left = 0 if rng.random() < sizes.alone else rng.randint(first, capacity)
        group.append(at)
        left -= tokens[at]
    if group:
        yield group


def _build_row(samples: Sequence[Sample], rng: Random) -> dict[str, Any]:
    turns = [turn for sample in samples for turn in to_dialogue(sample).turns]
    messages = [{"role": turn.role, "content": turn.text} for turn in turns]
    if rng.random() < SYSTEM_SHARE:
        messages.insert(0, {"role": "system", "content": rng.choice(SYSTEMS)})
    return {"messages": messages}
