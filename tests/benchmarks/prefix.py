"""Gain of the prefix cache: time to the first token of the tenth turn after a few-shot prompt.

A GPTBigCode of 12 layers of width 512 with random weights and StarCoder's window: the computation
does not depend on the values of the weights. CPU time of one thread, with and without reuse
interleaved.
"""

from __future__ import annotations

import random
import statistics
import sys
import time

import torch
from transformers import GPTBigCodeConfig, GPTBigCodeForCausalLM

from starchat_tui.client.protocol import Sampling
from starchat_tui.engine.cache.prefix import PrefixCache
from starchat_tui.engine.models.hub_model import HubModel
from starchat_tui.engine.sampling import Sampler
from tests.benchmarks.record import Goal, publish
from tests.engine.generation import read_prompt

VOCABULARY = 49_156
WINDOW = 8_192
PROMPT, QUESTION, ANSWER = 3_000, 60, 40
"""Tokens of the few-shot prompt, of each question and of each answer."""
TURNS = 10
REPEATS = 5


def create_model() -> HubModel:
    """Create the model in memory."""
    torch.manual_seed(0)
    config = GPTBigCodeConfig(
        vocab_size=VOCABULARY,
        n_positions=WINDOW,
        n_embd=512,
        n_layer=12,
        n_head=8,
        bos_token_id=0,
        eos_token_id=0,
    )
    return HubModel(GPTBigCodeForCausalLM(config).eval(), torch.device("cpu"))


def sample_first_token(cache: PrefixCache, ids: list[int]) -> int:
    """Compute the rest of a prompt and sample one token; return the number of tokens reused."""
    cached = cache.reuse_prefix(ids)
    logits = read_prompt(cache, ids[cached:])
    greedy = Sampling(temperature=0.0, top_k=0, top_p=1.0)
    Sampler(greedy, ids, vocabulary_size=VOCABULARY, device=logits.device).sample_token(logits)
    return cached


def measure_first_token(cache: PrefixCache, ids: list[int]) -> float:
    """Return the CPU seconds to the first token after `ids`."""
    start = time.process_time()
    sample_first_token(cache, ids)
    assert len(cache.ids) == len(ids)
    return time.process_time() - start


def measure() -> dict[str, float | int]:
    """Hold a conversation of ten turns and measure the last, with and without reuse."""
    torch.set_num_threads(1)
    model, rng = create_model(), random.Random(0)

    def random_ids(count: int) -> list[int]:
        return [rng.randrange(1, VOCABULARY) for _ in range(count)]

    conversation, cache = random_ids(PROMPT), PrefixCache(model)
    for _ in range(TURNS - 1):
        conversation += random_ids(QUESTION)
        sample_first_token(cache, conversation)
        conversation += random_ids(ANSWER)
        sample_first_token(cache, conversation)
    known = len(cache.ids)
    full, reused = [], []
    for _ in range(REPEATS):
        prompt = conversation + random_ids(QUESTION)
        full.append(measure_first_token(PrefixCache(model), prompt))
        # Rewind the question of the last repeat before the clock starts.
        cache.reuse_prefix([*conversation, 0])
        reused.append(measure_first_token(cache, prompt))
    return {
        "prompt_tokens": len(conversation) + QUESTION,
        "cached_tokens": known,
        "full_ms": round(1e3 * statistics.median(full), 1),
        "reused_ms": round(1e3 * statistics.median(reused), 1),
        "ratio": round(statistics.median(a / b for a, b in zip(full, reused, strict=True)), 1),
    }


if __name__ == "__main__":
    sys.exit(publish("prefix", measure, {"ratio": Goal(least=20.0)}))
