"""The small StarCoder, transformers' GPTBigCode with multi-query attention, and its files."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from transformers import GPTBigCodeConfig, GPTBigCodeForCausalLM

from starchat_tui.templates.template import IGNORED
from train.demo import copy_heads
from train.demo.pretrain_data import Batch
from train.demo.sizes import Shape
from train.modeling.compute import precision
from train.modeling.loss import summed


def new(shape: Shape, *, vocabulary: int, end_of_text: int, seed: int) -> GPTBigCodeForCausalLM:
    """A model that has learned nothing, but can copy."""
    torch.manual_seed(seed)
    config = GPTBigCodeConfig(
        vocab_size=vocabulary,
        n_positions=shape.n_positions,
        n_embd=shape.n_embd,
        n_layer=shape.n_layer,
        n_head=shape.n_head,
        multi_query=True,
        activation_function="gelu_pytorch_tanh",
        resid_pdrop=0.0,
        embd_pdrop=0.0,
        attn_pdrop=0.0,
        bos_token_id=end_of_text,
        eos_token_id=end_of_text,
        tie_word_embeddings=True,
        use_cache=False,
    )
    made = GPTBigCodeForCausalLM(config)
    copy_heads.install(made, seed=seed)
    return made


def loss_of(model: GPTBigCodeForCausalLM, batch: Batch) -> torch.Tensor:
    """Mean cross-entropy of the next token over the learned labels of [B, T]."""
    targets = batch.labels[:, 1:]
    learned = targets != IGNORED
    low = precision()
    with torch.autocast(batch.ids.device.type, low, enabled=low is not torch.float32):
        hidden = model.transformer(
            input_ids=batch.ids, position_ids=batch.positions, use_cache=False
        ).last_hidden_state
        count = learned.sum()
        ones = count.new_ones(int(count))
        total = summed(
            hidden[:, :-1][learned].to(low), model.lm_head.weight, targets[learned], ones
        )
        return total / count.clamp_min(1)


def export(model: GPTBigCodeForCausalLM, folder: Path, *, ends: list[int]) -> None:
    """Config, generation config and half-precision weights, the head tied, for transformers."""
    half = GPTBigCodeForCausalLM(model.config)
    half.load_state_dict(model.state_dict())
    half.half()  # type: ignore[no-untyped-call]
    half.config.use_cache = True
    half.config.eos_token_id = ends[0]
    half.generation_config.eos_token_id = ends if len(ends) > 1 else ends[0]
    half.generation_config.pad_token_id = model.config.bos_token_id
    half.generation_config.use_cache = True
    half.save_pretrained(folder)


def read(folder: Path) -> GPTBigCodeForCausalLM:
    """The exported model in full precision, for evaluation."""
    model = GPTBigCodeForCausalLM.from_pretrained(folder, dtype=torch.float32)
    model.eval()  # type: ignore[no-untyped-call]
    return model


def parameters(folder: Path) -> int:
    """The number of parameters of an exported model, the tied head once."""
    return sum(p.numel() for p in read(folder).parameters())


def end_ids(folder: Path) -> list[int]:
    """The ids that end an answer."""
    said = json.loads((folder / "generation_config.json").read_text())["eos_token_id"]
    return said if isinstance(said, list) else [said]
