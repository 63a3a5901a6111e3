"""Device and number format of training on this machine."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from transformers import GPTBigCodeForCausalLM

from train.modeling import attention


def training_device() -> torch.device:
    """Return the device to train on: a GPU if there is one, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


@functools.cache
def matmul_dtype() -> torch.dtype:
    """Return the dtype of matrix products: bfloat16 if the hardware multiplies it natively.

    Without such instructions a CPU is several times slower in bfloat16 than in float32.
    """
    if torch.cuda.is_available():
        return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float32
    own = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    return torch.bfloat16 if own else torch.float32


@contextmanager
def prepare_for_training(model: GPTBigCodeForCausalLM) -> Iterator[None]:
    """Move the model to its device, without a cache and with blockwise attention on a CPU."""
    config, where = model.config, training_device()
    # Restored afterwards: the configuration is saved with the model.
    before = config.use_cache, config._attn_implementation
    config.use_cache = False
    attention.register_attention()
    config._attn_implementation = attention.BLOCKWISE if where.type == "cpu" else "sdpa"
    torch.nn.Module.to(model, where)
    model.train()
    try:
        yield
    finally:
        config.use_cache, config._attn_implementation = before
        torch.nn.Module.to(model, "cpu")
