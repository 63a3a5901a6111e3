"""Prefill, one step, and the loop that draws tokens."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence

from torch import Tensor

from starchat_tui.engine.cache.prefix import PrefixCache
from starchat_tui.engine.sampling import Sampler

CHUNK = 512
"""Tokens that are read at once; between two chunks a hung-up client is noticed."""


def prefill(
    prefix: PrefixCache, ids: Sequence[int], *, goes_on: Callable[[int], bool], chunk: int = CHUNK
) -> Tensor | None:
    """Read `ids` [T], T >= 1, after the live sequence; the last token's logits [V].

    `goes_on` is told before each chunk how many tokens are read; where it says no, None.
    """
    assert ids
    logits = None
    for start in range(0, len(ids), chunk):
        if not goes_on(start):
            return None
        logits = prefix.extend(ids[start : start + chunk])
    return logits


def step(prefix: PrefixCache, token: int) -> Tensor:
    """Read one drawn token; the logits [V] of the next."""
    return prefix.extend([token])


def stream(
    prefix: PrefixCache,
    logits: Tensor,
    sampler: Sampler,
    *,
    max_tokens: int,
    stop_ids: Collection[int] = (),
) -> Iterator[int]:
    """The tokens that follow a prefilled prompt, at most `max_tokens`, up to one of `stop_ids`.

    The stop token is yielded as well. The last token is not read: the next prompt may go on
    without it.
    """
    for left in range(max_tokens, 0, -1):
        token = sampler.draw(logits)
        yield token
        if token in stop_ids or left == 1:
            return
        logits = step(prefix, token)
