"""Speculative decoding: proposals, their number, and that no answer changes."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import torch
from torch import Tensor

from starchat_tui.client.protocol import Sampling
from starchat_tui.engine.cache.prefix import PrefixCache
from starchat_tui.engine.generate import decode_steps
from starchat_tui.engine.models.bigcode import BigCodeModel
from starchat_tui.engine.models.hub_model import HubModel
from starchat_tui.engine.models.interface import CausalLM
from starchat_tui.engine.sampling import Sampler
from starchat_tui.engine.serving.model_pool import LoadedModel, ModelPool
from starchat_tui.engine.speculation import SIZES, PromptLookup, Speculator, StepCosts
from tests.engine.generation import read_prompt
from tests.engine.requests import ignore_progress

COUNT = 40
CPU = torch.device("cpu")
GREEDY = Sampling(temperature=0.0)


class FreeCosts(StepCosts):
    """Costs of a device on which a pass takes equally long, whatever its number of tokens."""

    def estimate_ratio(self, size: int) -> float:
        return 1.0


@dataclass
class Answer:
    """Tokens by forward pass, and what the cache holds after them."""

    steps: list[list[int]]
    speculator: Speculator | None
    cached: list[int] = field(default_factory=list)

    @property
    def ids(self) -> list[int]:
        return [token for step in self.steps for token in step]


def answer(
    model: CausalLM,
    prompt: Sequence[int],
    sampling: Sampling,
    *,
    speculates: bool,
    count: int = COUNT,
    stop_ids: tuple[int, ...] = (),
) -> Answer:
    cache = PrefixCache(model)
    logits = read_prompt(cache, prompt)
    sampler = Sampler(sampling, prompt, vocabulary_size=len(logits), device=CPU)
    speculator = Speculator(prompt, FreeCosts()) if speculates else None
    steps = decode_steps(
        cache, logits, sampler, max_tokens=count, stop_ids=stop_ids, speculator=speculator
    )
    return Answer([*steps], speculator, cache.ids)


def repeat_randomly(rng: random.Random, ids: int) -> list[int]:
    """Return a prompt with parts that occur again, so that much is proposed."""
    part = rng.choices(range(ids), k=rng.randrange(4, 15))
    return [*part, *rng.choices(range(ids), k=rng.randrange(1, 10)), *part, *part[:5]]


@pytest.fixture(scope="module")
def nano(tmp_path_factory: pytest.TempPathFactory) -> LoadedModel:
    pool = ModelPool(device="cpu", cache_dir=tmp_path_factory.mktemp("cache"))
    return pool.get_model("nano-chat", ignore_progress)


def quote_code(nano: LoadedModel, rng: random.Random) -> list[int]:
    """Return a prompt that ends where some of its code begins again."""
    tokens = nano.tokenizer.encode(Path(__file__).read_text())
    start = rng.randrange(len(tokens) - 80)
    code = tokens[start : start + rng.randrange(20, 80)]
    return [*code, *nano.tokenizer.encode("\n# the same again\n"), *code[: rng.randrange(9)]]


def test_greedy_answers_of_200_prompts_are_the_same(nano: LoadedModel) -> None:
    rng, lengths = random.Random(0), Counter[int]()
    for _ in range(200):
        prompt = quote_code(nano, rng)
        plain = answer(nano.model, prompt, GREEDY, speculates=False, count=20)
        fast = answer(nano.model, prompt, GREEDY, speculates=True, count=20)
        assert fast.ids == plain.ids
        assert fast.cached == plain.cached
        lengths.update(map(len, fast.steps))
    assert sum(lengths[size] for size in range(5, 17)) > 50, lengths


@pytest.mark.parametrize(
    "sampling",
    [
        GREEDY,
        Sampling(temperature=0.0, repetition_penalty=1.3),
        Sampling(temperature=0.3, seed=1),
        Sampling(temperature=0.9, top_k=40, top_p=0.9, repetition_penalty=1.1, seed=2),
    ],
    ids=["greedy", "greedy penalized", "cool", "warm penalized"],
)
def test_the_same_seed_gives_the_same_answer(nano: LoadedModel, sampling: Sampling) -> None:
    rng, accepted = random.Random(1), 0
    for _ in range(10):
        prompt = quote_code(nano, rng)
        plain = answer(nano.model, prompt, sampling, speculates=False)
        fast = answer(nano.model, prompt, sampling, speculates=True)
        assert fast.ids == plain.ids
        assert fast.cached == plain.cached
        assert fast.speculator
        assert fast.speculator.accepted_tokens == COUNT - len(fast.steps)
        accepted += fast.speculator.accepted_tokens
        assert fast.speculator.accepted_tokens <= fast.speculator.proposed_tokens
    assert accepted > 0


def test_a_stop_id_among_accepted_tokens_ends_the_answer(reference: HubModel) -> None:
    rng, inside = random.Random(2), 0
    for _ in range(30):
        prompt = repeat_randomly(rng, 256)
        free = answer(reference, prompt, GREEDY, speculates=True)
        step = max(free.steps, key=len)
        stop = (step[len(step) // 2],)
        plain = answer(reference, prompt, GREEDY, speculates=False, stop_ids=stop)
        fast = answer(reference, prompt, GREEDY, speculates=True, stop_ids=stop)
        assert fast.ids == plain.ids
        assert fast.cached == plain.cached, "the stop token is not read"
        inside += len(fast.steps[-1]) > 1
    assert inside > 3


@pytest.mark.parametrize("count", [0, 1, 2, 3, 17])
def test_no_more_tokens_come_than_allowed(reference: HubModel, count: int) -> None:
    prompt = [1, 2, 3] * 20
    plain = answer(reference, prompt, GREEDY, speculates=False, count=count)
    fast = answer(reference, prompt, GREEDY, speculates=True, count=count)
    assert len(fast.ids) == count
    assert fast.ids == plain.ids
    assert fast.cached == plain.cached


def test_samples_have_the_distribution_of_the_model() -> None:
    """Proposals do not favor a token: 4,000 draws from known probabilities, by chi-squared."""
    probabilities = torch.tensor([0.5, 0.3, 0.15, 0.05])

    class FixedModel(BigCodeModel):
        """The same distribution after any token."""

        def __init__(self) -> None:
            self.device = CPU

        def forward_all(self, ids: Sequence[int], cache: object) -> Tensor:
            return probabilities.log().expand(len(ids), -1)

        def forward(self, ids: Sequence[int], cache: object) -> Tensor:
            return probabilities.log()

        def new_cache(self) -> object:  # type: ignore[override]
            return RewindableCache()

    sampling = Sampling(temperature=1.0, top_k=0, top_p=1.0, seed=3)
    found = answer(FixedModel(), [0, 1, 0, 0, 1], sampling, speculates=True, count=4_000)
    assert max(map(len, found.steps)) > 3
    counts = Counter(found.ids)
    expected = {token: 4_000 * float(share) for token, share in enumerate(probabilities)}
    deviation = sum((counts[token] - number) ** 2 / number for token, number in expected.items())
    assert deviation < 16.27, "exceeded with probability 0.001 at three degrees of freedom"


class RewindableCache:
    """Cache of a model that looks at no earlier token."""

    rewindable = True

    def crop(self, length: int) -> None:
        """Do nothing."""


def test_all_logits_are_those_of_single_steps(reference: HubModel, nano: LoadedModel) -> None:
    for model in (reference, nano.model):
        ids = random.Random(4).choices(range(200), k=30)
        cache, other = model.new_cache(), model.new_cache()
        model.forward(ids[:20], cache)
        model.forward(ids[:20], other)
        rows = model.forward_all(ids[20:], cache)
        assert rows.dtype is torch.float32
        for row, token in zip(rows, ids[20:], strict=True):
            assert (row - model.forward([token], other)).abs().max() < 1e-3


def test_the_tokens_after_the_last_occurrence_are_found() -> None:
    lookup = PromptLookup([1, 2, 3, 4, 5, 1, 2, 3, 6, 7, 8])
    assert lookup.find(3) == (0, [])
    lookup.extend([2, 3])
    assert lookup.find(3) == (2, [6, 7, 8]), "the later of two occurrences"
    lookup.extend([4])
    assert lookup.find(2) == (3, [5, 1]), "a longer n-gram is more telling"
    assert PromptLookup([]).find(3) == PromptLookup([1]).find(3) == (0, [])


def test_a_repetition_is_taken_to_go_on() -> None:
    assert PromptLookup([1, 9, 9, 9]).find(4) == (2, [9, 9, 9, 9])
    assert PromptLookup([5, 6, 7, 5, 6, 7]).find(7) == (3, [5, 6, 7, 5, 6, 7, 5])
    assert PromptLookup([5, 6, 7, 5, 6, 7, 5]).find(5) == (3, [6, 7, 5, 6, 7])


class Repetition:
    """A text that repeats itself, and a speculator that reads it."""

    PERIOD = (1, 2, 3)

    def __init__(self, costs: StepCosts) -> None:
        self.length = 60
        self.speculator = Speculator(self.PERIOD * 20, costs)

    def take_step(self, *, most: int = 100, accepts: bool = True) -> int:
        """Take a step whose proposals are all right, or all wrong; return the tokens it reads."""
        size = 1 + len(self.speculator.propose(most))
        following = [self.PERIOD[(self.length + index) % 3] for index in range(size)]
        self.length += size
        self.speculator.record_step(size, 0.01, following if accepts else [99])
        return size


def fill_costs(costs: StepCosts, growth: float) -> StepCosts:
    """Record passes of which each further token costs `growth` of the first."""
    for size in SIZES:
        for _ in range(9):
            costs.record(size, 0.01 * (1 + growth * (size - 1)))
    return costs


def test_more_is_proposed_the_more_is_accepted() -> None:
    text = Repetition(fill_costs(StepCosts(), 0.15))
    sizes = [text.take_step() for _ in range(40)]
    assert sizes == sorted(sizes)
    assert sizes[0] < sizes[-1] == SIZES[-1]
    assert text.speculator.accepted_tokens == text.speculator.proposed_tokens == sum(sizes) - 40


def test_nothing_is_computed_for_proposals_that_are_wrong() -> None:
    speculator = Speculator([1, 2, 3, 1, 2], fill_costs(StepCosts(), 0.05))
    sizes = []
    # After each pair of 1 and 2 comes another token than the time before.
    for token in range(100, 140):
        sizes.append(1 + len(speculator.propose(100)))
        speculator.record_step(sizes[-1], 0.01, [token])
        speculator.append(1)
        speculator.append(2)
    assert sizes[0] > 1
    assert set(sizes[20:]) == {1}
    for _ in range(20):
        sizes.append(1 + len(speculator.propose(100)))
        speculator.record_step(sizes[-1], 0.01, [139])
        speculator.append(1)
        speculator.append(2)
    assert sizes[-1] > 1, "those that would have been right count, too"


def test_a_device_without_gain_computes_no_proposals() -> None:
    text = Repetition(fill_costs(StepCosts(), 1.0))
    assert {text.take_step() for _ in range(40)} == {1}


def test_the_end_of_the_answer_limits_the_proposals() -> None:
    text = Repetition(FreeCosts())
    assert [text.take_step(most=most) for most in (0, 1, 2, 3, 6, 7)] == [1, 2, 2, 4, 4, 8]


def test_costs_are_assumed_until_they_are_measured() -> None:
    costs = StepCosts()
    assumed = [costs.estimate_ratio(size) for size in SIZES]
    assert assumed == sorted(assumed)
    assert assumed[0] == 1.0
    costs.record(4, 0.05)
    for _ in range(3):
        costs.record(1, 0.01)
    costs.record(4, 9.0)
    costs.record(4, 0.02)
    assert costs.estimate_ratio(4) == assumed[2], "the first pass of a size may be slow"
    costs.record(4, 0.02)
    assert costs.estimate_ratio(4) == 2.0
    assert costs.estimate_ratio(2) == assumed[1]
    assert costs.estimate_ratio(8) == assumed[3]


def test_fewer_tokens_cost_no_more_than_more() -> None:
    costs = StepCosts()
    for size, seconds in ((1, 0.01), (4, 0.05), (16, 0.02)):
        for _ in range(9):
            costs.record(size, seconds)
    assert costs.estimate_ratio(4) == costs.estimate_ratio(16) == 2.0


def test_costs_of_sizes_that_are_not_used_are_forgotten() -> None:
    costs = fill_costs(StepCosts(), 10.0)
    slow = costs.estimate_ratio(4)
    for _ in range(3_000):
        costs.record(1, 0.01)
    assert slow > 10 > 2 > costs.estimate_ratio(4)


def test_costs_are_relative_to_the_passes_just_before() -> None:
    costs = StepCosts()
    for slowness in (1.0, 5.0, 1.0):
        for _ in range(9):
            costs.record(1, 0.01 * slowness)
        for _ in range(3):
            costs.record(8, 0.015 * slowness)
    assert costs.estimate_ratio(8) == pytest.approx(1.5)
