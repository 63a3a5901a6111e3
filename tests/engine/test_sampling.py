"""Drawing tokens, value for value as transformers does."""

from __future__ import annotations

import itertools

import pytest
import torch
from transformers.generation.logits_process import (
    LogitsProcessorList,
    RepetitionPenaltyLogitsProcessor,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)

from starchat_tui.client.protocol import Sampling
from starchat_tui.engine.sampling import Sampler, top_k_filter, top_p_filter
from starchat_tui.errors import StarChatError

ROWS = 1_000
CPU = torch.device("cpu")
SETTINGS = [
    Sampling(temperature=temperature, top_k=top_k, top_p=top_p, repetition_penalty=penalty)
    for temperature, top_k, top_p, penalty in itertools.product(
        (0.2, 1.0, 1.7), (0, 1, 50, ROWS + 5), (0.0, 0.5, 0.95, 1.0), (1.0, 1.3, 0.8)
    )
]


def sampler(sampling: Sampling, prompt: list[int]) -> Sampler:
    return Sampler(sampling, prompt, vocabulary_size=ROWS, device=CPU)


def transformers_scores(
    sampling: Sampling, prompt: list[int], logits: torch.Tensor
) -> torch.Tensor:
    """What `generate` draws from, its own processors in its own order."""
    chain = LogitsProcessorList()
    if sampling.repetition_penalty != 1.0:
        chain.append(RepetitionPenaltyLogitsProcessor(penalty=sampling.repetition_penalty))
    chain.append(TemperatureLogitsWarper(sampling.temperature))
    if sampling.top_k:
        chain.append(TopKLogitsWarper(top_k=sampling.top_k))
    if sampling.top_p < 1:
        chain.append(TopPLogitsWarper(top_p=sampling.top_p))
    scores: torch.Tensor = chain(torch.tensor([prompt]), logits[None])[0]
    return scores


@pytest.mark.parametrize("sampling", SETTINGS, ids=str)
def test_scores_are_those_of_transformers(sampling: Sampling) -> None:
    dice = torch.Generator().manual_seed(0)
    prompt = [3, 3, 7, 500, 999]
    for spread in (0.1, 3.0, 30.0):
        logits = torch.randn(ROWS, generator=dice) * spread
        ours = sampler(sampling, prompt).scores(logits)
        assert torch.equal(ours, transformers_scores(sampling, prompt, logits))


@pytest.mark.parametrize("sampling", SETTINGS[::7], ids=str)
def test_the_same_seed_draws_what_transformers_draws(sampling: Sampling) -> None:
    logits = torch.randn(ROWS, generator=torch.Generator().manual_seed(1)) * 3
    chances = transformers_scores(sampling, [1], logits).softmax(-1)[None]
    for seed in range(20):
        torch.manual_seed(seed)
        wanted = int(torch.multinomial(chances, num_samples=1))
        seeded = Sampling(**{**_fields(sampling), "seed": seed})
        assert sampler(seeded, [1]).draw(logits) == wanted


def _fields(sampling: Sampling) -> dict[str, float | int | None]:
    return {name: getattr(sampling, name) for name in Sampling.__slots__}


def test_ties_with_the_last_of_k_stay() -> None:
    kept = top_k_filter(torch.tensor([1.0, 2.0, 2.0, 0.0]), 1)
    assert kept.isfinite().tolist() == [False, True, True, False]


def test_a_nucleus_is_never_empty() -> None:
    kept = top_p_filter(torch.tensor([5.0, 1.0, 1.0]), 0.0)
    assert kept.isfinite().tolist() == [True, False, False]


def test_temperature_zero_takes_the_likeliest_after_the_penalty() -> None:
    logits = torch.tensor([2.0, 1.9, -1.0])
    greedy = Sampling(temperature=0, repetition_penalty=1.5, seed=0)
    drawing = Sampler(greedy, [0], vocabulary_size=3, device=CPU)
    assert drawing.draw(logits) == 1
    assert drawing.draw(logits) == 0, "both are pushed down now"


def test_without_a_seed_answers_differ() -> None:
    logits = torch.zeros(ROWS)
    free = Sampling(temperature=1.0, top_k=0, top_p=1.0)
    assert len({sampler(free, []).draw(logits) for _ in range(10)}) > 1


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_numbers_that_are_not_finite_are_an_error(bad: float) -> None:
    logits = torch.zeros(ROWS)
    logits[5] = bad
    with pytest.raises(StarChatError, match="not finite"):
        sampler(Sampling(), []).draw(logits)
