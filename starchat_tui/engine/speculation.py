"""Speculative decoding without a draft model: proposals from the text itself, and their number.

An answer that changes code repeats most of it. The tokens that followed the last occurrence of the
present n-gram are proposed, and one forward pass computes the logits of all their positions (prompt
lookup: Saxena, Prompt Lookup Decoding, 2023). Each position is sampled as it would be without
proposals, and they count only as far as the samples equal them, so the answer is the same.
"""

from __future__ import annotations

import statistics
from collections import deque
from collections.abc import Sequence

SIZES = (1, 2, 4, 8, 16)
"""Tokens of the forward passes that are compared: the sampled one and the proposed."""
_FIRST_RATES = {3: 0.4, 2: 0.2}
"""Probability that the first proposed token is right, by the n-gram, before anything is known."""
_NEXT_RATE = 0.8
"""Probability that one is right after another that was, before anything is known."""
_FIRST_SMOOTHING, _NEXT_SMOOTHING = 0.2, 0.1
"""Weights of the newest observation in these estimates."""
_LEAST_GAIN = 1.1
"""Expected gain from which on proposals are computed: sampling and bookkeeping cost, too."""
_SAMPLES = 9
"""Durations of each size that are kept."""
_TRUSTED_SAMPLES = 3
"""Durations from which on they are believed: the first pass of a size may initialize a library."""
_ASSUMED_GROWTH = 0.05
"""Share of the cost of a pass that each further token adds, as long as it is not measured."""
_REFRESH_STEPS = 256
"""Passes of one token after which one duration of each larger size is forgotten."""


class StepCosts:
    """Costs of a model's forward passes by their number of tokens, relative to one of a single."""

    def __init__(self) -> None:
        self._single_seconds = deque[float](maxlen=_SAMPLES)
        self._ratios = {size: deque[float](maxlen=_SAMPLES) for size in SIZES[1:]}
        self._steps = 0

    def record(self, size: int, seconds: float) -> None:
        """Add the duration of a forward pass of `size` tokens, one of `SIZES`."""
        if size > 1:
            # Relative to those just before it, which other load of the machine slows down as well.
            if len(self._single_seconds) >= _TRUSTED_SAMPLES:
                self._ratios[size].append(seconds / statistics.median(self._single_seconds))
            return
        self._single_seconds.append(seconds)
        self._steps += 1
        # Measured at a bad moment, a size would never be chosen again.
        if self._steps % _REFRESH_STEPS == 0:
            for ratios in filter(None, self._ratios.values()):
                ratios.popleft()

    def estimate_ratio(self, size: int) -> float:
        """Return the cost of a forward pass of `size` tokens relative to one of a single token."""
        if size == 1:
            return 1.0
        # A pass of fewer tokens costs no more than one of more, whatever a bad moment has measured.
        known = [
            # The lower quartile: other load of the machine makes some longer and none shorter.
            sorted(ratios)[len(ratios) // 4]
            for larger, ratios in self._ratios.items()
            if larger >= size and len(ratios) >= _TRUSTED_SAMPLES
        ]
        if len(self._ratios[size]) < _TRUSTED_SAMPLES:
            known.append(1 + _ASSUMED_GROWTH * (size - 1))
        return min(known)


class PromptLookup:
    """Sequence of one request, in which the tokens that may follow are looked up."""

    def __init__(self, prompt: Sequence[int]) -> None:
        """Index the token ids of a prompt."""
        self._ids: list[int] = []
        self._followers: dict[tuple[int, ...], int] = {}
        """Position of the token that followed the last occurrence of each n-gram."""
        self.extend(prompt)

    def extend(self, ids: Sequence[int]) -> None:
        """Append tokens to the sequence."""
        for token in ids:
            known = self._ids
            for length in _FIRST_RATES:
                if len(known) >= length:
                    self._followers[tuple(known[-length:])] = len(known)
            known.append(token)

    def find(self, count: int) -> tuple[int, list[int]]:
        """Return the length of the n-gram that was found, and the `count` tokens after it.

        (0, []) if the present n-grams are new.
        """
        ids = self._ids
        for length in _FIRST_RATES:
            start = self._followers.get(tuple(ids[-length:])) if len(ids) >= length else None
            if start is not None:
                found = ids[start : start + count]
                # Where the text repeats itself at its end, it is taken to go on doing so.
                period = len(ids) - start
                while len(found) < count:
                    found.append(found[len(found) - period])
                return length, found
        return 0, []


class Speculator:
    """Proposals for one answer, as many as its acceptance and the model's costs make worthwhile."""

    def __init__(self, prompt: Sequence[int], costs: StepCosts) -> None:
        """Prepare to propose what may follow `prompt`, on a model with these costs."""
        self._lookup = PromptLookup(prompt)
        # Two rates, because right proposals come in runs: a text is either copied or not.
        self._first_rates = dict(_FIRST_RATES)
        self._next_rate = _NEXT_RATE
        self._costs = costs
        self._length = 0
        self._proposal: list[int] = []
        self.proposed_tokens = 0
        self.accepted_tokens = 0

    def propose(self, most: int) -> list[int]:
        """Return at most `most` tokens to compute together with the last one that was sampled."""
        self._length, found = self._lookup.find(SIZES[-1] - 1)
        size = self._choose_size(1 + most) if found else 1
        # One is looked at even if none is worth computing: it may be right, and the next is then.
        self._proposal = found[: max(size - 1, 1)]
        return found[: size - 1]

    def record_step(self, size: int, seconds: float, sampled: Sequence[int]) -> None:
        """Note the outcome of a forward pass.

        Args:
            size: Tokens of the pass: the last one sampled before, and those proposed.
            seconds: Its duration.
            sampled: Tokens sampled from its logits: those accepted, and one after them.
        """
        self._costs.record(size, seconds)
        self.proposed_tokens += size - 1
        self.accepted_tokens += len(sampled) - 1 if size > 1 else 0
        for index, (expected, token) in enumerate(zip(self._proposal, sampled, strict=False)):
            hit = expected == token
            if index:
                self._next_rate += _NEXT_SMOOTHING * (hit - self._next_rate)
            else:
                rate = self._first_rates[self._length]
                self._first_rates[self._length] += _FIRST_SMOOTHING * (hit - rate)
        self._lookup.extend(sampled)

    def append(self, token: int) -> None:
        """Append a token that was sampled without a proposal."""
        self._lookup.extend((token,))

    def _choose_size(self, most: int) -> int:
        """Return the size of a forward pass, at most `most`, that yields most tokens for its cost.

        If the first of n proposals is accepted with probability p and each further one with q, then
        1 + p (1 - q^n) / (1 - q) tokens are expected (after Leviathan et al., Fast Inference from
        Transformers via Speculative Decoding, 2023, where p = q).
        """
        first, following = self._first_rates[self._length], min(self._next_rate, 0.99)

        def estimate_speed(size: int) -> float:
            tokens = 1 + first * (1 - following ** (size - 1)) / (1 - following)
            return tokens / self._costs.estimate_ratio(size)

        best = max((size for size in SIZES if size <= most), key=estimate_speed, default=1)
        return best if estimate_speed(best) >= _LEAST_GAIN else 1
