"""Where training happens, and in which numbers."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from transformers import GPTBigCodeForCausalLM

from train.modeling import attention


def device() -> torch.device:
    """Where training happens: a GPU where there is one."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


@functools.cache
def precision() -> torch.dtype:
    """The type of products: bfloat16 where the machine multiplies it itself.

    A processor without such instructions is several times slower in bfloat16 than in float32.
    """
    if torch.cuda.is_available():
        return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float32
    own = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    return torch.bfloat16 if own else torch.float32


@contextmanager
def prepared(model: GPTBigCodeForCausalLM) -> Iterator[None]:
    """The model ready to be trained: on its device, without a cache, our attention on a CPU."""
    config, where = model.config, device()
    before = config.use_cache, config._attn_implementation
    config.use_cache = False
    attention.register()
    config._attn_implementation = attention.BLOCKWISE if where.type == "cpu" else "sdpa"
    torch.nn.Module.to(model, where)
    model.train()
    try:
        yield
    finally:
        config.use_cache, config._attn_implementation = before
        torch.nn.Module.to(model, "cpu")
