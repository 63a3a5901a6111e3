"""Generation loop: prefill of the prompt in chunks, then one decode step for each token."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence

from torch import Tensor

from starchat_tui.engine.cache.prefix import PrefixCache
from starchat_tui.engine.sampling import Sampler

# Nothing interrupts a computation on the device, so the length of a chunk is how long a client that
# hung up can keep the next one waiting; it also bounds the memory of the attention scores.
PREFILL_CHUNK = 512
"""Tokens of the prompt read in one forward pass."""


def prefill(
    cache: PrefixCache,
    ids: Sequence[int],
    *,
    keep_going: Callable[[int], bool],
    chunk: int = PREFILL_CHUNK,
) -> Tensor | None:
    """Read a prompt in chunks; return the logits [V] of its last token.

    Args:
        cache: Cache whose current sequence the tokens continue.
        ids: Token ids [T], T >= 1.
        keep_going: Called before each chunk with the number of tokens read; false ends the prefill.
        chunk: Tokens in one forward pass.

    Returns:
        The logits, or None if the prefill was ended. What was read until then stays cached.
    """
    assert ids
    logits = None
    for start in range(0, len(ids), chunk):
        if not keep_going(start):
            return None
        logits = cache.forward(ids[start : start + chunk])
    return logits


def decode_token(cache: PrefixCache, token: int) -> Tensor:
    """Read one sampled token; return the logits [V] of the next."""
    return cache.forward([token])


def generate_tokens(
    cache: PrefixCache,
    logits: Tensor,
    sampler: Sampler,
    *,
    max_tokens: int,
    stop_ids: Collection[int] = (),
) -> Iterator[int]:
    """Yield the tokens that follow a prefilled prompt, up to and with the first of `stop_ids`.

    Args:
        cache: Cache whose current sequence is the prompt.
        logits: Logits [V] of the last token of the prompt.
        sampler: Sampler of this answer.
        max_tokens: Tokens to yield at most.
        stop_ids: Ids that end the answer.
    """
    for left in range(max_tokens, 0, -1):
        token = sampler.sample_token(logits)
        yield token
        # The last token is not read: nobody needs its logits, and the next prompt may continue
        # without it.
        if token in stop_ids or left == 1:
            return
        logits = decode_token(cache, token)
