"""A tiny StarCoder without the four tokens, dialogues that it can learn, and a run of both."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml

from tests.sample_tokenizers import build_byte_level, save_tokenizer
from train.runtime import checkpoint as saving

ROWS = 1024
WINDOW = 512
SETTINGS: dict[str, Any] = {
    "block": 256,
    "batch_size": 4,
    "max_steps": 4,
    "learning_rate": 2e-3,
    "eval_share": 0.1,
    "sample": "",
    "threads": 1,
    "save_steps": 1000,
}


def save_base(folder: Path, *, seed: int = 0, tied: bool = True) -> Path:
    """Save a model of StarCoder's shape with 1,024 tokens, none of StarChat's."""
    import torch
    from transformers import GPTBigCodeConfig, GPTBigCodeForCausalLM

    config = GPTBigCodeConfig(
        vocab_size=ROWS,
        n_positions=WINDOW,
        n_embd=32,
        n_layer=2,
        n_head=4,
        bos_token_id=0,
        eos_token_id=0,
        tie_word_embeddings=tied,
    )
    torch.manual_seed(seed)
    GPTBigCodeForCausalLM(config).save_pretrained(folder)
    save_tokenizer(build_byte_level(), folder / "tokenizer.json")
    return folder


def example_dialogue(number: int) -> dict[str, Any]:
    """Return a row in the `messages` schema."""
    said = [
        f"What follows {number}?",
        f"After {number} comes {number + 1}.",
        "Thanks",
        "You are welcome.",
    ]
    roles = ("user", "assistant", "user", "assistant")
    return {"messages": [{"role": r, "content": t} for r, t in zip(roles, said, strict=True)]}


def save_dialogues(path: Path, count: int = 60) -> Path:
    path.write_text("".join(json.dumps(example_dialogue(at)) + "\n" for at in range(count)))
    return path


def save_config(folder: Path, base: Path, dialogues: Path, **changes: Any) -> Path:
    """Write a configuration of four steps, with its output next to it."""
    settings = {"model": str(base), "dataset": str(dialogues), "output": str(folder / "out")}
    path = folder / "run.yaml"
    path.write_text(yaml.safe_dump({**SETTINGS, **settings, **changes}))
    return path


def read_losses(output: Path) -> list[float]:
    """Return the loss of each step from the history of a finished run."""
    history = json.loads((output / "model" / "history.json").read_text())
    return [entry["loss"] for entry in history if "loss" in entry]


def write_checkpoint(output: Path, step: int, **facts: Any) -> Path:
    """Write and seal a checkpoint of 4,000 bytes."""
    folder = output / f"checkpoint-{step}"
    (folder / "deep").mkdir(parents=True)
    (folder / "weights").write_bytes(b"w" * 1000)
    (folder / "deep" / "optimizer").write_bytes(b"o" * 3000)
    saving.seal_checkpoint(folder, {"step": step, "processes": 1, "sharded": False, **facts})
    return folder


def small_disk_command(megabytes: int, folder: Path, *command: str) -> list[str]:
    """Return a command line that runs `command` with a small tmpfs at `folder`."""
    room = str(megabytes * 2**20)
    return [
        *("bwrap", "--dev-bind", "/", "/", "--size", room, "--tmpfs", str(folder)),
        *("--die-with-parent", "--", *command),
    ]
