"""Trees, and small models, for the tests of training data."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import torch
from transformers import GPTBigCodeConfig, GPTBigCodeForCausalLM

from tests.vocabularies import texts
from train.data.encode import Encoded
from train.data.trees import ROOT, Message, Tree, grown


def forest(dice: Random, count: int, *, most: int = 12) -> Iterator[Tree]:
    """Random trees of any shape, with texts that try to break out of their turns."""
    text = texts(dice)
    for number in range(count):
        messages = [Message("user", next(text))]
        for _ in range(dice.randrange(1, most)):
            parent = dice.randrange(len(messages))
            role = "assistant" if messages[parent].role == "user" else "user"
            messages.append(Message(role, next(text), parent, learned=dice.random() < 0.9))
        yield grown(depth_first(messages), system=next(text), where=f"forest:{number}")


def depth_first(messages: list[Message]) -> list[Message]:
    """The same messages, every subtree in one run."""
    ordered: list[Message] = []
    pending = [(0, ROOT)]
    while pending:
        at, parent = pending.pop()
        one = messages[at]
        ordered.append(Message(one.role, one.text, parent, learned=one.learned))
        below = [index for index, other in enumerate(messages) if other.parent == at]
        pending += [(index, len(ordered) - 1) for index in reversed(below)]
    return ordered


def tiny_model(
    size: int, *, kind: str = "sdpa", window: int = 1024, dtype: torch.dtype = torch.float64
) -> GPTBigCodeForCausalLM:
    """A GPTBigCode of two layers with weights large enough for attention to matter."""
    torch.manual_seed(0)
    config = GPTBigCodeConfig(
        vocab_size=size,
        n_positions=window,
        n_embd=32,
        n_layer=2,
        n_head=4,
        resid_pdrop=0.0,
        embd_pdrop=0.0,
        attn_pdrop=0.0,
        initializer_range=0.2,
        use_cache=False,
        attn_implementation=kind,
    )
    return GPTBigCodeForCausalLM(config).to(dtype)


def tensors(row: Encoded) -> dict[str, torch.Tensor]:
    """A row as tensors [1, T]."""
    names = ("ids", "labels", "positions", "exits", "weights")
    return {name: torch.from_numpy(getattr(row, name))[None] for name in names}


def jsonl(path: Path, *rows: Any) -> str:
    """The rows in a file; its name."""
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return str(path)
