"""The loop equals transformers' own, token for token."""

from __future__ import annotations

import random

import pytest
import torch

from starchat_tui.client.protocol import Sampling
from starchat_tui.engine.cache.prefix import PrefixCache
from starchat_tui.engine.generate import prefill, stream
from starchat_tui.engine.models.hub_model import Reference
from starchat_tui.engine.sampling import Sampler
from tests.fakes import END_OF_TEXT_ID

COUNT = 40


def ours(
    reference: Reference,
    prompt: list[int],
    sampling: Sampling,
    *,
    prefix: PrefixCache | None = None,
    stop_ids: tuple[int, ...] = (END_OF_TEXT_ID,),
    chunk: int = 512,
) -> list[int]:
    prefix = prefix or PrefixCache(reference)
    cached = prefix.open(prompt)
    logits = prefill(prefix, prompt[cached:], goes_on=lambda _: True, chunk=chunk)
    assert logits is not None
    sampler = Sampler(sampling, prompt, vocabulary_size=len(logits), device=logits.device)
    return [*stream(prefix, logits, sampler, max_tokens=COUNT, stop_ids=stop_ids)]


def theirs(reference: Reference, prompt: list[int], sampling: Sampling) -> list[int]:
    """`generate` of transformers, every value stated."""
    drawn = sampling.temperature > 0
    chosen = {"do_sample": drawn, "repetition_penalty": sampling.repetition_penalty}
    if drawn:
        chosen |= {
            "temperature": sampling.temperature,
            "top_k": sampling.top_k,
            "top_p": sampling.top_p,
        }
        torch.manual_seed(sampling.seed or 0)
    given = torch.tensor([prompt])
    found = reference.inner.generate(
        given, attention_mask=torch.ones_like(given), max_new_tokens=COUNT, **chosen
    )
    return [int(token) for token in found[0, len(prompt) :]]


@pytest.mark.parametrize("penalty", [1.0, 1.3])
@pytest.mark.parametrize("seed", range(6))
def test_greedy_is_what_transformers_generates(
    reference: Reference, seed: int, penalty: float
) -> None:
    prompt = random.Random(seed).choices(range(256), k=30)
    greedy = Sampling(temperature=0, repetition_penalty=penalty)
    assert ours(reference, prompt, greedy) == theirs(reference, prompt, greedy)


@pytest.mark.parametrize("seed", range(9))
def test_seeded_samples_are_what_transformers_generates(reference: Reference, seed: int) -> None:
    prompt = random.Random(seed).choices(range(256), k=30)
    drawn = Sampling(temperature=0.9, top_k=40, top_p=0.9, repetition_penalty=1.1, seed=seed)
    assert ours(reference, prompt, drawn) == theirs(reference, prompt, drawn)


@pytest.mark.parametrize("chunk", [1, 7, 30])
def test_neither_chunks_nor_reuse_change_the_answer(reference: Reference, chunk: int) -> None:
    dice = random.Random(3)
    prefix, sampling = PrefixCache(reference), Sampling(temperature=0.8, seed=5)
    prompt = dice.choices(range(256), k=50)
    for _ in range(4):
        whole = ours(reference, prompt, sampling)
        assert ours(reference, prompt, sampling, prefix=prefix, chunk=chunk) == whole
        prompt = prompt + whole + dice.choices(range(256), k=5)


def test_the_stop_token_is_the_last_and_is_not_read(reference: Reference) -> None:
    prefix, prompt = PrefixCache(reference), [5, 6, 7]
    free = ours(reference, prompt, Sampling(temperature=0), stop_ids=())
    stop = free[10]
    end = free.index(stop)
    found = ours(reference, prompt, Sampling(temperature=0), prefix=prefix, stop_ids=(stop,))
    assert found == free[: end + 1]
    assert prefix.ids == prompt + free[:end]


def test_prefill_ends_between_chunks(reference: Reference) -> None:
    prefix = PrefixCache(reference)
    told: list[int] = []

    def goes_on(done: int) -> bool:
        told.append(done)
        return done < 20

    assert prefill(prefix, list(range(50)), goes_on=goes_on, chunk=10) is None
    assert told == [0, 10, 20]
    assert prefix.ids == list(range(20))
