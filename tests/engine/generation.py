"""Whole prompts and answers, in place of one forward pass at a time."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain

from torch import Tensor

from starchat_tui.engine.cache.prefix import PrefixCache
from starchat_tui.engine.generate import PREFILL_CHUNK, decode_steps, prefill_chunks
from starchat_tui.engine.sampling import Sampler


def read_prompt(cache: PrefixCache, ids: Sequence[int], chunk: int = PREFILL_CHUNK) -> Tensor:
    """Read a prompt, and return the logits [V] of its last token."""
    *_, (_, logits) = prefill_chunks(cache, ids, chunk)
    return logits


def generate_tokens(
    cache: PrefixCache,
    logits: Tensor,
    sampler: Sampler,
    max_tokens: int,
    stop_ids: tuple[int, ...] = (),
) -> list[int]:
    """Return the tokens that follow a prompt."""
    steps = decode_steps(cache, logits, sampler, max_tokens=max_tokens, stop_ids=stop_ids)
    return [*chain.from_iterable(steps)]
