"""The small StarCoder: transformers' GPTBigCode with multi-query attention."""

from __future__ import annotations

from pathlib import Path

import torch
from transformers import GPTBigCodeConfig, GPTBigCodeForCausalLM

from starchat_tui.templates.template import IGNORE_INDEX
from train.demo import copy_heads
from train.demo.pretrain_data import Batch
from train.demo.sizes import ModelShape
from train.modeling.compute import matmul_dtype
from train.modeling.loss import sum_cross_entropy


def create_model(
    shape: ModelShape, *, vocabulary: int, end_of_text: int, seed: int
) -> GPTBigCodeForCausalLM:
    """Create an untrained model; its first two layers hold the copying heads of `copy_heads`."""
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
        # A tied head lets a copying head write a token's embedding and so raise its logit.
        tie_word_embeddings=True,
        use_cache=False,
    )
    model = GPTBigCodeForCausalLM(config)
    copy_heads.install_copy_heads(model, seed=seed)
    return model


def compute_loss(model: GPTBigCodeForCausalLM, batch: Batch) -> torch.Tensor:
    """Return the mean cross-entropy of the next token over the labels [B, T] that are learned."""
    targets = batch.labels[:, 1:]
    learned = targets != IGNORE_INDEX
    low = matmul_dtype()
    with torch.autocast(batch.ids.device.type, low, enabled=low is not torch.float32):
        hidden = model.transformer(
            input_ids=batch.ids, position_ids=batch.positions, use_cache=False
        ).last_hidden_state
        count = learned.sum()
        ones = count.new_ones(int(count))
        total = sum_cross_entropy(
            hidden[:, :-1][learned].to(low), model.lm_head.weight, targets[learned], ones
        )
        return total / count.clamp_min(1)


def export_model(model: GPTBigCodeForCausalLM, folder: Path, *, end_of_text: int) -> None:
    """Write config, generation config and half-precision weights, with a tied head."""
    half = GPTBigCodeForCausalLM(model.config)
    half.load_state_dict(model.state_dict())
    half.half()  # type: ignore[no-untyped-call]
    half.config.use_cache = True
    half.config.eos_token_id = end_of_text
    half.generation_config.eos_token_id = end_of_text
    half.generation_config.pad_token_id = model.config.bos_token_id
    half.generation_config.use_cache = True
    half.save_pretrained(folder)


def load_model(folder: Path) -> GPTBigCodeForCausalLM:
    """Load an exported model in single precision."""
    model = GPTBigCodeForCausalLM.from_pretrained(folder, dtype=torch.float32)
    model.eval()  # type: ignore[no-untyped-call]
    return model


def count_parameters(folder: Path) -> int:
    """Return the number of parameters of an exported model, counting the tied head once."""
    return sum(p.numel() for p in load_model(folder).parameters())
