"""Attention masks of packed trees, in the forms that attention kernels take.

Not every form is exact with every kernel. A boolean mask [B, 1, T, T] is exact with `sdpa` and
silently wrong with `eager`, which adds it; no mask, with positions that restart, is exact only
while `use_cache` is off. `require_mask_form` refuses what would let one dialogue see another.
"""

from __future__ import annotations

from typing import Any, Literal

import torch

from starchat_tui.errors import ConfigError
from train.modeling.attention import BLOCKWISE

MaskForm = Literal["dense", "exits"]
"""`dense`: boolean [B, 1, T, T]. `exits`: [B, T], for a block mask built on the device."""
MASK_FORMS: dict[str, MaskForm] = {"sdpa": "dense", BLOCKWISE: "dense", "flex_attention": "exits"}
"""Mask form of each attention implementation of transformers; others take none."""


def build_dense_mask(exits: torch.Tensor, *, dtype: torch.dtype | None = None) -> torch.Tensor:
    """Return the mask [B, 1, T, T] of `exits` [B, T]: i attends to j if `j <= i < exits[j]`.

    Boolean, True where attended, for `sdpa`. With `dtype`, an additive mask: 0 and the lowest
    number.
    """
    assert exits.ndim == 2, exits.shape
    index = torch.arange(exits.shape[1], device=exits.device)
    causal = index[None, :] <= index[:, None]
    attended = (causal & (index[:, None] < exits[:, None, :]))[:, None]
    if dtype is None:
        return attended
    # Not -inf: a row that is masked entirely would give NaN in softmax.
    lowest = torch.finfo(dtype).min
    return torch.zeros(attended.shape, dtype=dtype, device=exits.device).masked_fill(
        ~attended, lowest
    )


def build_block_mask(exits: torch.Tensor, *, block_size: int = 128) -> Any:
    """Return the same mask as a `BlockMask` for flex attention, on the device of `exits` [B, T]."""
    from torch.nn.attention.flex_attention import create_block_mask

    assert exits.ndim == 2, exits.shape

    def is_attended(
        row: torch.Tensor, _head: torch.Tensor, query: torch.Tensor, key: torch.Tensor
    ) -> torch.Tensor:
        return (key <= query) & (query < exits[row, key])

    # One mask per row for all heads (None), so the mask does not grow with the number of heads.
    rows, length = exits.shape
    return create_block_mask(
        is_attended, rows, None, length, length, device=str(exits.device), BLOCK_SIZE=block_size
    )


def enable_flex_attention() -> None:
    """Let transformers run GPTBigCode with flex attention, which its class flag denies.

    Block masks and positions do reach the attention layers; a test compares the logits.
    """
    from transformers.models.gpt_bigcode.modeling_gpt_bigcode import GPTBigCodePreTrainedModel

    GPTBigCodePreTrainedModel._supports_flex_attn = True


def require_mask_form(model: torch.nn.Module) -> MaskForm:
    """Return the mask form the model takes; raises `ConfigError` if dialogues would mix."""
    config: Any = model.config
    kind = str(config._attn_implementation)
    if kind not in MASK_FORMS:
        raise ConfigError(
            f"`{kind}` attention cannot isolate the dialogues of a packed row",
            f"load the model with attn_implementation {' or '.join(MASK_FORMS)}",
        )
    # With a cache transformers no longer derives isolation from restarting positions, and mixes
    # dialogues without any error.
    if config.use_cache:
        raise ConfigError(
            "Packed rows are trained without a KV cache, and the model has `use_cache` on",
            "set `model.config.use_cache = False`",
        )
    return MASK_FORMS[kind]
