"""Who attends whom, in the forms that attention kernels take.

Not every form is exact with every kernel. A boolean mask [B, 1, T, T] is exact with `sdpa` and
silently wrong with `eager`, which adds it; no mask at all, with positions that begin anew, is exact
only while `use_cache` is off. So `held` refuses what would let one dialogue see another.
"""

from __future__ import annotations

from typing import Any, Literal

import torch

from starchat_tui.errors import ConfigError
from train.modeling.attention import BLOCKWISE

Form = Literal["dense", "exits"]
"""`dense`: a boolean [B, 1, T, T]. `exits`: [B, T], for a block mask on the device."""
FORMS: dict[str, Form] = {"sdpa": "dense", BLOCKWISE: "dense", "flex_attention": "exits"}
"""The form that each attention implementation of transformers takes; others take none."""


def attention_4d(exits: torch.Tensor, *, dtype: torch.dtype | None = None) -> torch.Tensor:
    """The mask [B, 1, T, T] of `exits` [B, T]: token i attends j where `j <= i < exits[j]`.

    Boolean, True where attended, for `sdpa`; with `dtype`, 0 and the lowest number, to be added.
    """
    assert exits.ndim == 2, exits.shape
    index = torch.arange(exits.shape[1], device=exits.device)
    causal = index[None, :] <= index[:, None]
    seen = (causal & (index[:, None] < exits[:, None, :]))[:, None]
    if dtype is None:
        return seen
    lowest = torch.finfo(dtype).min
    return torch.zeros(seen.shape, dtype=dtype, device=exits.device).masked_fill(~seen, lowest)


def flex_block_mask(exits: torch.Tensor, *, block_size: int = 128) -> Any:
    """The same as a `BlockMask` for flex attention, on the device of `exits` [B, T]."""
    from torch.nn.attention.flex_attention import create_block_mask

    assert exits.ndim == 2, exits.shape

    def sees(
        row: torch.Tensor, _head: torch.Tensor, query: torch.Tensor, key: torch.Tensor
    ) -> torch.Tensor:
        return (key <= query) & (query < exits[row, key])

    rows, length = exits.shape
    return create_block_mask(
        sees, rows, None, length, length, device=str(exits.device), BLOCK_SIZE=block_size
    )


def allow_flex() -> None:
    """Let transformers run GPTBigCode with flex attention, which its class says it cannot.

    It can: BlockMask and positions reach the attention as they should.
    """
    from transformers.models.gpt_bigcode.modeling_gpt_bigcode import GPTBigCodePreTrainedModel

    GPTBigCodePreTrainedModel._supports_flex_attn = True


def held(model: torch.nn.Module) -> Form:
    """The form of mask the model takes; `ConfigError` where it would let dialogues mix."""
    config: Any = model.config
    kind = str(config._attn_implementation)
    if kind not in FORMS:
        raise ConfigError(
            f"Packed rows cannot be kept apart with `{kind}` attention",
            f"load the model with attn_implementation set to {' or '.join(FORMS)}",
        )
    if config.use_cache:
        raise ConfigError(
            "Packed rows are trained without a key-value cache, and the model has `use_cache` on",
            "set `model.config.use_cache = False`",
        )
    return FORMS[kind]


def varlen(positions: torch.Tensor) -> dict[str, Any]:
    """Flash attention's arguments for rows of separate dialogues, `positions` [1, T].

    Only for rows without branches: every fall of the position must begin a new dialogue.
    """
    assert positions.ndim == 2, positions.shape
    assert positions.shape[0] == 1, "flash attention takes one flattened row"
    starts = torch.nonzero(positions[0] == 0).flatten().to(torch.int32)
    steps = positions[0].diff()
    if bool(((steps != 1) & (positions[0, 1:] != 0)).any()):
        raise ConfigError(
            "Flash attention keeps dialogues apart, but not the branches of trees",
            "encode each dialogue alone (`--paths`), or use flex attention",
        )
    end = torch.tensor([positions.shape[1]], dtype=torch.int32, device=positions.device)
    bounds = torch.cat([starts, end])
    longest = int(bounds.diff().max())
    return {
        "cu_seq_lens_q": bounds,
        "cu_seq_lens_k": bounds,
        "max_length_q": longest,
        "max_length_k": longest,
    }
