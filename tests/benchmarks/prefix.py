"""What reuse saves: time to the first token of the tenth turn behind a few-shot prompt.

A GPTBigCode of 12 layers of 512 with random weights and StarCoder's window: what is computed does
not depend on what the weights know. CPU time of one thread, full and reused interleaved.
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
from starchat_tui.engine.generate import prefill
from starchat_tui.engine.models.hub_model import Reference
from starchat_tui.engine.sampling import Sampler
from tests.benchmarks.record import Goal, publish

VOCABULARY = 49_156
WINDOW = 8_192
PROMPT, QUESTION, ANSWER = 3_000, 60, 40
"""Tokens of the few-shot prompt, of each question and of each answer."""
TURNS = 10
REPEATS = 5


def model() -> Reference:
    """The model, in memory."""
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
    return Reference(GPTBigCodeForCausalLM(config).eval(), torch.device("cpu"))


def first_token(prefix: PrefixCache, ids: list[int]) -> int:
    """Read what is not known of the prompt and draw a token; returns how many tokens were known."""
    cached = prefix.open(ids)
    logits = prefill(prefix, ids[cached:], goes_on=lambda _: True)
    assert logits is not None
    greedy = Sampling(temperature=0.0, top_k=0, top_p=1.0)
    Sampler(greedy, ids, vocabulary_size=VOCABULARY, device=logits.device).draw(logits)
    return cached


def cpu(prefix: PrefixCache, ids: list[int]) -> float:
    """CPU seconds to the first token after `ids`."""
    start = time.process_time()
    first_token(prefix, ids)
    assert len(prefix.ids) == len(ids)
    return time.process_time() - start


def measure() -> dict[str, float | int]:
    """The figures."""
    torch.set_num_threads(1)
    reader, dice = model(), random.Random(0)

    def some(count: int) -> list[int]:
        return [dice.randrange(1, VOCABULARY) for _ in range(count)]

    conversation, prefix = some(PROMPT), PrefixCache(reader)
    for _ in range(TURNS - 1):
        conversation += some(QUESTION)
        first_token(prefix, conversation)
        conversation += some(ANSWER)
        first_token(prefix, conversation)
    known = len(prefix.ids)
    full, reused = [], []
    for _ in range(REPEATS):
        asked = conversation + some(QUESTION)
        full.append(cpu(PrefixCache(reader), asked))
        # The last repeat's question leaves before the clock starts.
        prefix.open([*conversation, 0])
        reused.append(cpu(prefix, asked))
    return {
        "prompt_tokens": len(conversation) + QUESTION,
        "cached_tokens": known,
        "full_ms": round(1e3 * statistics.median(full), 1),
        "reused_ms": round(1e3 * statistics.median(reused), 1),
        "ratio": round(statistics.median(a / b for a, b in zip(full, reused, strict=True)), 1),
    }


if __name__ == "__main__":
    sys.exit(publish("prefix", measure, {"ratio": Goal(least=20.0)}))
