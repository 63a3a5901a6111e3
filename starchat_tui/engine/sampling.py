"""Sampling of the next token, value for value as `generate` of transformers does it.

In its order: repetition penalty, temperature, top-k, top-p, then one draw from what is left. The
order matters: the temperature changes which tokens are in the nucleus, and top-p counts the
probabilities of the tokens that top-k has left.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
from torch import Tensor

from starchat_tui.client.protocol import Sampling
from starchat_tui.errors import StarChatError

_EXCLUDED = float("-inf")
"""Logit of a token that cannot be drawn: its probability is exactly 0."""


def apply_repetition_penalty(logits: Tensor, seen: Tensor, penalty: float) -> Tensor:
    """Return logits [V] with those of tokens in `seen` [V] (bool) lowered by `penalty`.

    Formula: Keskar et al., CTRL, 2019.
    """
    # Dividing a negative logit would raise it.
    penalized = torch.where(logits < 0, logits * penalty, logits / penalty)
    return torch.where(seen, penalized, logits)


def apply_top_k(logits: Tensor, top_k: int) -> Tensor:
    """Return logits [V] with all but the `top_k` most likely tokens at -inf.

    Tokens that tie with the last of them stay.
    """
    weakest = torch.topk(logits, min(top_k, logits.shape[-1])).values[-1]
    return logits.masked_fill(logits < weakest, _EXCLUDED)


def apply_top_p(logits: Tensor, top_p: float) -> Tensor:
    """Return logits [V] with all but the smallest set of tokens of mass `top_p` at -inf.

    The most likely token always stays. Tokens that tie at the border are not treated alike.
    """
    # Ascending, as transformers sorts: where tokens tie at the border, the order in which the sort
    # leaves them decides which are in, and the sums of float32 depend on the direction, too.
    ordered, order = torch.sort(logits, descending=False)
    outside = ordered.softmax(dim=-1).cumsum(dim=-1) <= 1 - top_p
    outside[-1] = False
    return logits.masked_fill(outside.scatter(0, order, outside), _EXCLUDED)


class Sampler:
    """Sampler of one answer; keeps track of the tokens that occurred."""

    def __init__(
        self,
        sampling: Sampling,
        prompt: Iterable[int],
        *,
        vocabulary_size: int,
        device: torch.device,
    ) -> None:
        """Prepare to draw the tokens that follow a prompt.

        Args:
            sampling: Parameters of the request; a temperature of 0 is greedy decoding.
            prompt: Token ids of the prompt, which the repetition penalty counts as seen.
            vocabulary_size: V, the length of the logits.
            device: Device of the logits.
        """
        self._sampling = sampling
        # One generator for each answer: a seeded answer depends on nothing that ran before it.
        self._generator = torch.Generator(device=device)
        if sampling.seed is None:
            self._generator.seed()
        else:
            self._generator.manual_seed(sampling.seed)
        self._seen: Tensor | None = None
        if sampling.repetition_penalty != 1.0:
            self._seen = torch.zeros(vocabulary_size, dtype=torch.bool, device=device)
            self._seen[torch.tensor(sorted(set(prompt)), dtype=torch.long, device=device)] = True

    def process_logits(self, logits: Tensor) -> Tensor:
        """Return logits [V] after the penalty and every filter; excluded tokens are at -inf."""
        assert logits.ndim == 1, logits.shape
        sampling = self._sampling
        if self._seen is not None:
            logits = apply_repetition_penalty(logits, self._seen, sampling.repetition_penalty)
        # Greedy decoding heeds the penalty; the rest would not change which token is first.
        if sampling.temperature == 0:
            return logits
        logits = logits / sampling.temperature
        if sampling.top_k:
            logits = apply_top_k(logits, sampling.top_k)
        if sampling.top_p < 1:
            logits = apply_top_p(logits, sampling.top_p)
        return logits

    def sample_token(self, logits: Tensor) -> int:
        """Return the next token id, from logits [V].

        Raises `StarChatError` if the model computed NaN or infinity.
        """
        scores = self.process_logits(logits.float())
        likeliest = int(scores.argmax())
        # On CUDA, drawing from NaN is a device-side assertion, which ends the process. One look
        # suffices, because `argmax` takes NaN for the largest value.
        if not math.isfinite(scores[likeliest].item()):
            raise StarChatError(
                "The model computed numbers that are not finite",
                "its weights are damaged, or too large for float16: try `--device cpu`",
            )
        token = likeliest if self._sampling.temperature == 0 else self._draw_token(scores)
        if self._seen is not None:
            self._seen[token] = True
        return token

    def _draw_token(self, scores: Tensor) -> int:
        # With a batch axis, as transformers draws: the same seed gives the same token.
        probabilities = scores.softmax(dim=-1)[None]
        return int(torch.multinomial(probabilities, num_samples=1, generator=self._generator))
