"""Tokens a second: the engine against `generate` of transformers, same weights, same run.

CPU time of one thread, greedy, the two interleaved. `python -m tests.benchmarks.decode [MODEL]`.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from pathlib import Path

import torch

from starchat_tui.client.protocol import Delta, Progress, Request, Sampling
from starchat_tui.engine.models.hub_model import Reference
from starchat_tui.engine.serving.completion import Answer
from starchat_tui.engine.serving.model_pool import Loaded, Shelf
from tests.benchmarks.record import Goal, publish

TOKENS = 128
REPEATS = 7
QUESTION = "def fibonacci(n):\n    # the first n numbers of Fibonacci\n"


def engine(loaded: Loaded, prompt: tuple[int, ...]) -> tuple[list[int], float]:
    """The tokens the engine answers with, and its CPU seconds, prefill included."""
    greedy = Sampling(max_tokens=TOKENS, temperature=0.0, top_k=0, top_p=1.0)
    ids: list[int] = []

    def emit(event: Delta | Progress) -> None:
        if isinstance(event, Delta):
            ids.extend(event.ids)

    loaded.prefix.clear()
    start = time.process_time()
    Answer(loaded, Request(loaded.name, prompt, greedy), goes_on=lambda: True).run(emit)
    return ids, time.process_time() - start


def library(loaded: Loaded, prompt: tuple[int, ...]) -> tuple[list[int], float]:
    """The same by `generate`."""
    assert isinstance(loaded.model, Reference)
    given = torch.tensor([prompt])
    start = time.process_time()
    with torch.inference_mode():
        found = loaded.model.inner.generate(
            given,
            attention_mask=torch.ones_like(given),
            do_sample=False,
            min_new_tokens=TOKENS,
            max_new_tokens=TOKENS,
            eos_token_id=None,
            pad_token_id=0,
        )
    return found[0, given.shape[1] :].tolist(), time.process_time() - start


def measure() -> dict[str, float | int | str | bool]:
    """The figures."""
    torch.set_num_threads(1)
    name = sys.argv[1] if len(sys.argv) > 1 else "nano-chat"
    with tempfile.TemporaryDirectory() as cache:
        ours, theirs = (
            Shelf(device="cpu", cache=Path(cache), **how).get(name, lambda *_: None)
            for how in ({}, {"light": 0})
        )
        return compared(ours, theirs)


def compared(loaded: Loaded, plain: Loaded) -> dict[str, float | int | str | bool]:
    """The figures of a model as the engine loads it, against `plain`, as transformers does."""
    prompt = tuple(loaded.vocabulary.text_ids(QUESTION))
    runs = [(engine(loaded, prompt), library(plain, prompt)) for _ in range(REPEATS + 1)]
    # The first warms up.
    ours = [seconds for (_, seconds), _ in runs[1:]]
    theirs = [seconds for _, (_, seconds) in runs[1:]]
    (our_ids, _), (their_ids, _) = runs[0]
    return {
        "model": loaded.name,
        "tokens": TOKENS,
        "engine_tokens_per_second": round(TOKENS / statistics.median(ours), 1),
        "generate_tokens_per_second": round(TOKENS / statistics.median(theirs), 1),
        "ratio": round(statistics.median(b / a for a, b in zip(ours, theirs, strict=True)), 2),
        "same_tokens": our_ids == their_ids,
    }


if __name__ == "__main__":
    sys.exit(publish("decode", measure, {"ratio": Goal(least=0.9), "same_tokens": Goal(least=1)}))
