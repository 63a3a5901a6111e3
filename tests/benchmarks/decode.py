"""Decoding speed: the engine against `generate` of transformers, same weights, same run.

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
from starchat_tui.engine.models.hub_model import HubModel
from starchat_tui.engine.serving.completion import Completion
from starchat_tui.engine.serving.model_pool import LoadedModel, ModelPool
from tests.benchmarks.record import Goal, publish

TOKENS = 128
REPEATS = 7
QUESTION = "def fibonacci(n):\n    # the first n numbers of Fibonacci\n"


def run_engine(loaded: LoadedModel, prompt: tuple[int, ...]) -> tuple[list[int], float]:
    """Return the token ids that the engine answers with, and its CPU seconds with the prefill."""
    greedy = Sampling(max_tokens=TOKENS, temperature=0.0, top_k=0, top_p=1.0)
    ids: list[int] = []

    def emit(event: Delta | Progress) -> None:
        if isinstance(event, Delta):
            ids.extend(event.ids)

    loaded.cache_pool.clear()
    start = time.process_time()
    request = Request(loaded.name, prompt, greedy, ignore_eos=True)
    Completion(loaded, request, keep_going=lambda: True).run(emit)
    return ids, time.process_time() - start


def run_transformers(loaded: LoadedModel, prompt: tuple[int, ...]) -> tuple[list[int], float]:
    """Return the token ids of transformers' `generate`, and its CPU seconds."""
    assert isinstance(loaded.model, HubModel)
    input_ids = torch.tensor([prompt])
    start = time.process_time()
    with torch.inference_mode():
        output = loaded.model.hf_model.generate(
            input_ids,
            attention_mask=torch.ones_like(input_ids),
            do_sample=False,
            min_new_tokens=TOKENS,
            max_new_tokens=TOKENS,
            eos_token_id=None,
            pad_token_id=0,
        )
    return output[0, input_ids.shape[1] :].tolist(), time.process_time() - start


def measure() -> dict[str, float | int | str | bool]:
    """Measure the model named on the command line, by default `nano-chat`."""
    torch.set_num_threads(1)
    name = sys.argv[1] if len(sys.argv) > 1 else "nano-chat"
    with tempfile.TemporaryDirectory() as directory:
        cache_dir = Path(directory)
        pools = (
            ModelPool(device="cpu", cache_dir=cache_dir),
            ModelPool(device="cpu", cache_dir=cache_dir, uses_own_forward=False),
        )
        ours, theirs = (pool.get_model(name, lambda *_: None) for pool in pools)
        return compare(ours, theirs)


def compare(ours: LoadedModel, theirs: LoadedModel) -> dict[str, float | int | str | bool]:
    """Measure a model as the engine loads it, against the same as transformers loads it."""
    prompt = tuple(ours.tokenizer.encode(QUESTION))
    # Interleaved, so that other load of the machine slows down both.
    runs = [
        (run_engine(ours, prompt), run_transformers(theirs, prompt)) for _ in range(REPEATS + 1)
    ]
    # The first run warms up.
    engine_seconds = [seconds for (_, seconds), _ in runs[1:]]
    library_seconds = [seconds for _, (_, seconds) in runs[1:]]
    (engine_ids, _), (library_ids, _) = runs[0]
    ratios = [b / a for a, b in zip(engine_seconds, library_seconds, strict=True)]
    return {
        "model": ours.name,
        "tokens": TOKENS,
        "engine_tokens_per_second": round(TOKENS / statistics.median(engine_seconds), 1),
        "generate_tokens_per_second": round(TOKENS / statistics.median(library_seconds), 1),
        "ratio": round(statistics.median(ratios), 2),
        "same_tokens": engine_ids == library_ids,
    }


if __name__ == "__main__":
    sys.exit(publish("decode", measure, {"ratio": Goal(least=0.9), "same_tokens": Goal(least=1)}))
