"""How the next token is drawn, value for value in the order of transformers' `generate`.

repetition_penalty, temperature, top_k, top_p, then one draw from what is left.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

from starchat_tui.client.protocol import Sampling
from starchat_tui.errors import StarChatError

_NOTHING = float("-inf")


def penalize(logits: Tensor, seen: Tensor, penalty: float) -> Tensor:
    """Logits [V] of tokens in `seen` [V] (bool) pushed down by `penalty`; same shape."""
    pushed = torch.where(logits < 0, logits * penalty, logits / penalty)
    return torch.where(seen, pushed, logits)


def top_k_filter(logits: Tensor, top_k: int) -> Tensor:
    """Logits [V] with all but the `top_k` likeliest (and their ties) at -inf; same shape."""
    weakest = torch.topk(logits, min(top_k, logits.shape[-1])).values[-1]
    return logits.masked_fill(logits < weakest, _NOTHING)


def top_p_filter(logits: Tensor, top_p: float) -> Tensor:
    """Logits [V] with everything outside the nucleus of mass `top_p` at -inf; same shape."""
    ordered, order = torch.sort(logits, descending=False)
    outside = ordered.softmax(dim=-1).cumsum(dim=-1) <= 1 - top_p
    outside[-1] = False
    return logits.masked_fill(outside.scatter(0, order, outside), _NOTHING)


class Sampler:
    """Draws the tokens of one answer; knows which tokens occurred."""

    def __init__(
        self,
        sampling: Sampling,
        prompt: Iterable[int],
        *,
        vocabulary_size: int,
        device: torch.device,
    ) -> None:
        self._sampling = sampling
        self._generator = torch.Generator(device=device)
        if sampling.seed is None:
            self._generator.seed()
        else:
            self._generator.manual_seed(sampling.seed)
        self._seen: Tensor | None = None
        if sampling.repetition_penalty != 1.0:
            self._seen = torch.zeros(vocabulary_size, dtype=torch.bool, device=device)
            self._seen[torch.tensor(sorted(set(prompt)), dtype=torch.long, device=device)] = True

    def scores(self, logits: Tensor) -> Tensor:
        """Logits [V] after every filter; what cannot be drawn is -inf; same shape."""
        assert logits.ndim == 1, logits.shape
        chosen = self._sampling
        if self._seen is not None:
            logits = penalize(logits, self._seen, chosen.repetition_penalty)
        if chosen.temperature == 0:
            return logits
        logits = logits / chosen.temperature
        if chosen.top_k:
            logits = top_k_filter(logits, chosen.top_k)
        if chosen.top_p < 1:
            logits = top_p_filter(logits, chosen.top_p)
        return logits

    def draw(self, logits: Tensor) -> int:
        """The next token, from logits [V]; raises `StarChatError` where the model computed NaN."""
        scores = self.scores(logits.float())
        likeliest = int(scores.argmax())
        # On CUDA a draw from NaN is a device assert, which ends the process.
        if not torch.isfinite(scores[likeliest]):
            raise StarChatError(
                "The model computed numbers that are not finite",
                "its weights are damaged, or too large for float16: try `--device cpu`",
            )
        token = likeliest if self._sampling.temperature == 0 else self._drawn(scores)
        if self._seen is not None:
            self._seen[token] = True
        return token

    def _drawn(self, scores: Tensor) -> int:
        chances = scores.softmax(dim=-1)[None]
        return int(torch.multinomial(chances, num_samples=1, generator=self._generator))
