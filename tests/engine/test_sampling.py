"""Sampling, value for value that of transformers."""

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
from starchat_tui.engine.sampling import Sampler, apply_top_k, apply_top_p
from starchat_tui.errors import StarChatError

ROWS = 1_000
CPU = torch.device("cpu")
SETTINGS = [
    Sampling(temperature=temperature, top_k=top_k, top_p=top_p, repetition_penalty=penalty)
    for temperature, top_k, top_p, penalty in itertools.product(
        (0.2, 1.0, 1.7), (0, 1, 50, ROWS + 5), (0.0, 0.5, 0.95, 1.0), (1.0, 1.3, 0.8)
    )
]


def create_sampler(sampling: Sampling, prompt: list[int]) -> Sampler:
    return Sampler(sampling, prompt, vocabulary_size=ROWS, device=CPU)


def process_with_transformers(
    sampling: Sampling, prompt: list[int], logits: torch.Tensor
) -> torch.Tensor:
    """Return the scores that `generate` samples from: its processors in its order."""
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
    rng = torch.Generator().manual_seed(0)
    prompt = [3, 3, 7, 500, 999]
    for spread in (0.1, 3.0, 30.0):
        logits = torch.randn(ROWS, generator=rng) * spread
        ours = create_sampler(sampling, prompt).process_logits(logits)
        assert torch.equal(ours, process_with_transformers(sampling, prompt, logits))


@pytest.mark.parametrize("sampling", SETTINGS[::7], ids=str)
def test_the_same_seed_samples_the_token_of_transformers(sampling: Sampling) -> None:
    logits = torch.randn(ROWS, generator=torch.Generator().manual_seed(1)) * 3
    probabilities = process_with_transformers(sampling, [1], logits).softmax(-1)[None]
    for seed in range(20):
        torch.manual_seed(seed)
        expected = int(torch.multinomial(probabilities, num_samples=1))
        seeded = Sampling(**{**get_fields(sampling), "seed": seed})
        assert create_sampler(seeded, [1]).sample_token(logits) == expected


def get_fields(sampling: Sampling) -> dict[str, float | int | None]:
    return {name: getattr(sampling, name) for name in Sampling.__slots__}


def test_ties_with_the_last_of_the_top_k_stay() -> None:
    kept = apply_top_k(torch.tensor([1.0, 2.0, 2.0, 0.0]), 1)
    assert kept.isfinite().tolist() == [False, True, True, False]


def test_a_nucleus_is_never_empty() -> None:
    kept = apply_top_p(torch.tensor([5.0, 1.0, 1.0]), 0.0)
    assert kept.isfinite().tolist() == [True, False, False]


def test_temperature_zero_takes_the_likeliest_after_the_penalty() -> None:
    logits = torch.tensor([2.0, 1.9, -1.0])
    greedy = Sampling(temperature=0, repetition_penalty=1.5, seed=0)
    greedy_sampler = Sampler(greedy, [0], vocabulary_size=3, device=CPU)
    assert greedy_sampler.sample_token(logits) == 1
    assert greedy_sampler.sample_token(logits) == 0, "both are penalized now"


def test_without_a_seed_answers_differ() -> None:
    logits = torch.zeros(ROWS)
    unseeded = Sampling(temperature=1.0, top_k=0, top_p=1.0)
    assert len({create_sampler(unseeded, []).sample_token(logits) for _ in range(10)}) > 1


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_numbers_that_are_not_finite_are_an_error(bad: float) -> None:
    logits = torch.zeros(ROWS)
    logits[5] = bad
    with pytest.raises(StarChatError, match="not finite"):
        create_sampler(Sampling(), []).sample_token(logits)
