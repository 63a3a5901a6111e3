"""Random trees, and tiny models, for tests of training."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import torch
from transformers import GPTBigCodeConfig, GPTBigCodeForCausalLM

from tests.sample_dialogues import generate_texts
from train.data.encode import EncodedTree
from train.data.trees import ROOT, Message, Tree, build_tree


def generate_trees(rng: Random, count: int, *, largest: int = 12) -> Iterator[Tree]:
    """Yield random trees of any shape, with texts that try to break out of their turns."""
    text = generate_texts(rng)
    for number in range(count):
        messages = [Message("user", next(text))]
        for _ in range(rng.randrange(1, largest)):
            parent = rng.randrange(len(messages))
            role = "assistant" if messages[parent].role == "user" else "user"
            messages.append(Message(role, next(text), parent, may_learn=rng.random() < 0.9))
        yield build_tree(order_depth_first(messages), system=next(text), where=f"forest:{number}")


def order_depth_first(messages: list[Message]) -> list[Message]:
    """Return the messages in depth-first order."""
    ordered: list[Message] = []
    pending = [(0, ROOT)]
    while pending:
        at, parent = pending.pop()
        one = messages[at]
        ordered.append(Message(one.role, one.text, parent, may_learn=one.may_learn))
        below = [index for index, other in enumerate(messages) if other.parent == at]
        pending += [(index, len(ordered) - 1) for index in reversed(below)]
    return ordered


def create_tiny_model(
    size: int, *, kind: str = "sdpa", window: int = 1024, dtype: torch.dtype = torch.float64
) -> GPTBigCodeForCausalLM:
    """Return a two-layer GPTBigCode with weights large enough for attention to matter."""
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


def row_tensors(row: EncodedTree) -> dict[str, torch.Tensor]:
    """Return a row as tensors [1, T]."""
    names = ("ids", "labels", "positions", "exits", "weights")
    return {name: torch.from_numpy(getattr(row, name))[None] for name in names}


def write_jsonl(path: Path, *rows: Any) -> str:
    """Write rows to a file and return its path."""
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return str(path)
