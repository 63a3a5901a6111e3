"""Conversations for the fine-tune: one dialogue, or several in a row, as `messages`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from random import Random
from typing import Any

from starchat_tui.dialogue import Dialogue
from starchat_tui.templates.template import training_ids
from starchat_tui.templates.tokenizer import Vocabulary
from train.demo.sizes import Finetune
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
LONGEST_SYSTEM = 24
"""Tokens that are left free for a system turn."""


def dialogue_of(sample: Sample) -> Dialogue:
    """The sample's questions and reference answers."""
    dialogue = Dialogue()
    for exchange in sample.exchanges:
        dialogue = dialogue.plus("user", exchange.question).plus("assistant", exchange.answer)
    return dialogue


def conversations(
    samples: Sequence[Sample], vocabulary: Vocabulary, sizes: Finetune, *, seed: int
) -> Iterator[dict[str, Any]]:
    """Rows of `messages` that hold every sample once in each pass, in another order and company.

    None is longer than the run's block, unless a single sample is.
    """
    tokens = [len(training_ids(dialogue_of(sample), vocabulary)[0]) for sample in samples]
    for turn in range(sizes.passes):
        dice = Random(f"{seed} {turn}")
        order = list(range(len(samples)))
        dice.shuffle(order)
        for group in _grouped(order, tokens, sizes, dice):
            yield _row([samples[at] for at in group], dice)


def _grouped(
    order: Sequence[int], tokens: Sequence[int], sizes: Finetune, dice: Random
) -> Iterator[list[int]]:
    """The order in groups, each as long as a draw between its first sample and the block allows."""
    room = sizes.block - LONGEST_SYSTEM
    group: list[int] = []
    left = 0
    for at in order:
        if group and tokens[at] > left:
            yield group
            group = []
        if not group:
            first = min(tokens[at], room)
            left = 0 if dice.random() < sizes.alone else dice.randint(first, room)
        group.append(at)
        left -= tokens[at]
    if group:
        yield group


def _row(samples: Sequence[Sample], dice: Random) -> dict[str, Any]:
    turns = [turn for sample in samples for turn in dialogue_of(sample).turns]
    messages = [{"role": turn.role, "content": turn.text} for turn in turns]
    if dice.random() < SYSTEM_SHARE:
        messages.insert(0, {"role": "system", "content": dice.choice(SYSTEMS)})
    return {"messages": messages}
