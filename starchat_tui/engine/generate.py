"""Generation loop: prefill of the prompt in chunks, then decode steps of one token or several.

Both are iterators that compute one forward pass at a time, so that others can run in between.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator, Sequence

from torch import Tensor

from starchat_tui.engine.cache.prefix import PrefixCache
from starchat_tui.engine.sampling import Sampler
from starchat_tui.engine.speculation import Speculator

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


def decode_steps(
    cache: PrefixCache,
    logits: Tensor,
    sampler: Sampler,
    *,
    max_tokens: int,
    stop_ids: Collection[int] = (),
    speculator: Speculator | None = None,
) -> Iterator[list[int]]:
    """Yield the tokens that follow a prefilled prompt, up to and with the first of `stop_ids`.

    They come by forward pass: one token, or with a `speculator` those accepted and the next.

    Args:
        cache: Cache whose current sequence is the prompt.
        logits: Logits [V] of the last token of the prompt.
        sampler: Sampler of this answer.
        max_tokens: Tokens to yield at most.
        stop_ids: Ids that end the answer.
        speculator: Source of proposals; for a cache that can be rewound only.
    """
    if max_tokens <= 0:
        return
    tokens = [sampler.sample_token(logits)]
    if speculator:
        speculator.append(tokens[0])
    yield tokens
    left = max_tokens - 1
    # The last token is not read: nobody needs its logits, and the next prompt may continue
    # without it.
    while left and tokens[-1] not in stop_ids:
        if speculator:
            tokens = decode_proposed(cache, tokens[-1], sampler, speculator, left, stop_ids)
        else:
            tokens = [sampler.sample_token(cache.forward(tokens[-1:]))]
        yield tokens
        left -= len(tokens)


def decode_proposed(
    cache: PrefixCache,
    token: int,
    sampler: Sampler,
    speculator: Speculator,
    most: int,
    stop_ids: Collection[int],
) -> list[int]:
    """Read a sampled token and the proposed ones; return at most `most` tokens sampled after them.

    Each is sampled from the logits of its own position, once and in order, as without proposals: a
    seed gives the same answer, and the penalty has seen the same tokens. The first that differs
    from its proposal is the last, because the next logits follow from a token that is not there.
    """
    proposal = speculator.propose(most - 1)
    length, start = len(cache.ids), time.perf_counter()
    read = [token, *proposal]
    rows = cache.forward_all(read) if proposal else cache.forward(read)[None]
    tokens = [sampler.sample_token(rows[0])]
    # With the first sample, because it waits for a device that computes on its own.
    seconds = time.perf_counter() - start
    for row, expected in zip(rows[1:], proposal, strict=True):
        if tokens[-1] != expected or expected in stop_ids:
            break
        tokens.append(sampler.sample_token(row))
    cache.crop(length + len(tokens))
    speculator.record_step(len(read), seconds, tokens)
    return tokens
