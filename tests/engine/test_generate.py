"""Generation loop, token for token that of transformers."""

from __future__ import annotations

import random

import pytest
import torch

from starchat_tui.client.protocol import Sampling
from starchat_tui.engine.cache.prefix import PrefixCache
from starchat_tui.engine.generate import prefill_chunks
from starchat_tui.engine.models.hub_model import HubModel
from starchat_tui.engine.sampling import Sampler
from tests.engine.generation import generate_tokens, read_prompt
from tests.fakes import END_OF_TEXT_ID

COUNT = 40


def generate(
    reference: HubModel,
    prompt: list[int],
    sampling: Sampling,
    *,
    prefix: PrefixCache | None = None,
    stop_ids: tuple[int, ...] = (END_OF_TEXT_ID,),
    chunk: int = 512,
) -> list[int]:
    prefix = prefix or PrefixCache(reference)
    cached = prefix.reuse_prefix(prompt)
    logits = read_prompt(prefix, prompt[cached:], chunk)
    sampler = Sampler(sampling, prompt, vocabulary_size=len(logits), device=logits.device)
    return generate_tokens(prefix, logits, sampler, COUNT, stop_ids)


def generate_with_transformers(
    reference: HubModel, prompt: list[int], sampling: Sampling
) -> list[int]:
    """Return the tokens of transformers' `generate`, with every parameter stated."""
    is_sampled = sampling.temperature > 0
    options = {"do_sample": is_sampled, "repetition_penalty": sampling.repetition_penalty}
    if is_sampled:
        options |= {
            "temperature": sampling.temperature,
            "top_k": sampling.top_k,
            "top_p": sampling.top_p,
        }
        torch.manual_seed(sampling.seed or 0)
    input_ids = torch.tensor([prompt])
    output = reference.hf_model.generate(
        input_ids, attention_mask=torch.ones_like(input_ids), max_new_tokens=COUNT, **options
    )
    return [int(token) for token in output[0, len(prompt) :]]


@pytest.mark.parametrize("penalty", [1.0, 1.3])
@pytest.mark.parametrize("seed", range(6))
def test_greedy_is_what_transformers_generates(
    reference: HubModel, seed: int, penalty: float
) -> None:
    prompt = random.Random(seed).choices(range(256), k=30)
    greedy = Sampling(temperature=0, repetition_penalty=penalty)
    assert generate(reference, prompt, greedy) == generate_with_transformers(
        reference, prompt, greedy
    )


@pytest.mark.parametrize("seed", range(9))
def test_seeded_samples_are_what_transformers_generates(reference: HubModel, seed: int) -> None:
    prompt = random.Random(seed).choices(range(256), k=30)
    sampling = Sampling(temperature=0.9, top_k=40, top_p=0.9, repetition_penalty=1.1, seed=seed)
    assert generate(reference, prompt, sampling) == generate_with_transformers(
        reference, prompt, sampling
    )


@pytest.mark.parametrize("chunk", [1, 7, 30])
def test_neither_chunks_nor_reuse_change_the_answer(reference: HubModel, chunk: int) -> None:
    rng = random.Random(3)
    prefix, sampling = PrefixCache(reference), Sampling(temperature=0.8, seed=5)
    prompt = rng.choices(range(256), k=50)
    for _ in range(4):
        whole = generate(reference, prompt, sampling)
        assert generate(reference, prompt, sampling, prefix=prefix, chunk=chunk) == whole
        prompt = prompt + whole + rng.choices(range(256), k=5)


def test_the_stop_token_is_yielded_and_not_read(reference: HubModel) -> None:
    prefix, prompt = PrefixCache(reference), [5, 6, 7]
    free = generate(reference, prompt, Sampling(temperature=0), stop_ids=())
    stop = free[10]
    end = free.index(stop)
    found = generate(reference, prompt, Sampling(temperature=0), prefix=prefix, stop_ids=(stop,))
    assert found == free[: end + 1]
    assert prefix.ids == prompt + free[:end]


def test_a_prefill_that_ends_between_chunks_keeps_what_it_has_read(reference: HubModel) -> None:
    prefix = PrefixCache(reference)
    chunks = prefill_chunks(prefix, list(range(50)), chunk=10)
    assert [next(chunks)[0] for _ in range(2)] == [10, 20]
    chunks.close()
    assert prefix.ids == list(range(20))
