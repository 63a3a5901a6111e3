"""Generation loop: prefill of the prompt in chunks, then one decode step for each token.

Both are iterators that compute one forward pass at a time, so that others can run in between.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence

from torch import Tensor

from starchat_tui.engine.cache.prefix import PrefixCache
from starchat_tui.engine.sampling import Sampler

# Nothing interrupts a computation on the device, so the length of a chunk is how long a client that
# hung up can keep the next one waiting; it also bounds the memory of the attention scores.
PREFILL_CHUNK = 512
"""Tokens of the prompt read in one forward pass."""


def prefill_chunks(
    cache: PrefixCache, ids: Sequence[int], chunk: int = PREFILL_CHUNK
) -> Iterator[tuple[int, Tensor]]:
    """Read a prompt chunk by chunk; yield after each the tokens read and the last logits [V].

    Args:
        cache: Cache whose current sequence the tokens continue.
        ids: Token ids [T], T >= 1.
        chunk: Tokens in one forward pass.
    """
    assert ids
    for start in range(0, len(ids), chunk):
        logits = cache.forward(ids[start : start + chunk])
        yield min(start + chunk, len(ids)), logits


def prefill(
    cache: PrefixCache,
    ids: Sequence[int],
    *,
    keep_going: Callable[[int], bool],
    chunk: int = PREFILL_CHUNK,
) -> Tensor | None:
    """Read a prompt at once; return the logits [V] of its last token.

    `keep_going` is called before each chunk with the number of tokens read. If it returns false,
    the prefill ends and returns None; what was read until then stays cached.
    """
    done, logits = 0, None
    chunks = prefill_chunks(cache, ids, chunk)
    while done < len(ids):
        if not keep_going(done):
            return None
        done, logits = next(chunks)
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
