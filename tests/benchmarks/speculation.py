"""Prompt lookup: tokens for each forward pass and speed, with proposals against without.

Greedy chats with the model, of which some ask for a change of code that is in the question and some
do not. CPU time of one thread after the first token, with and without interleaved; the ids must be
the same. `python -m tests.benchmarks.speculation [MODEL]`.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

import torch

from starchat_tui.client.protocol import Delta, Progress, Request, Sampling
from starchat_tui.dialogue import Dialogue
from starchat_tui.engine.cache.prefix import PrefixCache
from starchat_tui.engine.serving.completion import Completion
from starchat_tui.engine.serving.model_pool import LoadedModel, ModelPool
from starchat_tui.engine.speculation import SIZES
from starchat_tui.templates.chatml import ChatMLTemplate
from starchat_tui.templates.template import encode_prompt
from tests.benchmarks.record import Goal, publish

TOKENS = 200
"""Tokens of an answer at most."""
REPEATS = 15
AVERAGE = """def average(values):
    total = 0
    for value in values:
        total += value
    return total / len(values)"""
COUNT_WORDS = """def count_words(text):
    counts = {}
    for word in text.lower().split():
        counts[word] = counts.get(word, 0) + 1
    return counts"""
IS_PRIME = """def is_prime(n):
    if n < 2:
        return False
    for divisor in range(2, int(n ** 0.5) + 1):
        if n % divisor == 0:
            return False
    return True"""
STACK = """class Stack:
    def __init__(self):
        self.items = []

    def push(self, item):
        self.items.append(item)

    def pop(self):
        return self.items.pop()"""
EDITS = tuple(
    f"{request}\n\n```python\n{code}\n```"
    for request, code in (
        ("Add type hints to this function.", AVERAGE),
        ("Rename this function to mean.", AVERAGE),
        ("Add a docstring to this function.", COUNT_WORDS),
        ("Rename counts to totals.", COUNT_WORDS),
        ("Add a docstring to this function.", IS_PRIME),
        ("Rename the parameter n to number.", IS_PRIME),
        ("Add a docstring to this class.", STACK),
        ("Add a method `peek` to this class.", STACK),
    )
)
OTHERS = (
    "Write a function that reverses a string.",
    "How do I read a file line by line?",
    "What is the difference between a list and a tuple?",
    "Write a program that prints the first ten Fibonacci numbers.",
)


@dataclass
class Answer:
    """Token ids of an answer, the CPU seconds after its first token, and the tokens accepted."""

    ids: tuple[int, ...]
    seconds: float
    accepted: int

    @property
    def steps(self) -> int:
        """Forward passes after the prefill."""
        return len(self.ids) - 1 - self.accepted


def answer(loaded: LoadedModel, prompt: tuple[int, ...], *, speculates: bool) -> Answer:
    """Return the answer to a prompt whose prefix is not known."""
    ids: list[int] = []
    started = 0.0

    def emit(event: Delta | Progress) -> None:
        nonlocal started
        if isinstance(event, Delta):
            started = started or time.process_time()
            ids.extend(event.ids)

    loaded.cache_pool.clear()
    request = Request(loaded.name, prompt, Sampling(max_tokens=TOKENS, temperature=0.0))
    completion = Completion(loaded, request, keep_going=lambda: True)
    without = mock.patch.object(PrefixCache, "is_rewindable", False)
    with nullcontext() if speculates else without:
        timings = completion.run(emit).timings
    assert timings
    return Answer(tuple(ids), time.process_time() - started, timings.accepted_tokens)


def compare(loaded: LoadedModel, questions: tuple[str, ...]) -> dict[str, float]:
    """Return the gain on some questions: tokens for each forward pass, speed, same answers."""
    template = ChatMLTemplate(loaded.tokenizer)
    prompts = [
        tuple(encode_prompt(Dialogue().with_message("user", question), template))
        for question in questions
    ]
    rounds = [
        [
            (answer(loaded, prompt, speculates=True), answer(loaded, prompt, speculates=False))
            for prompt in prompts
        ]
        for _ in range(REPEATS)
    ]
    pairs = [pair for pairs in rounds for pair in pairs]
    ratios = [
        sum(plain.seconds for _, plain in pairs) / sum(fast.seconds for fast, _ in pairs)
        for pairs in rounds
    ]
    return {
        "tokens_per_pass": round(
            sum(plain.steps for _, plain in pairs) / sum(fast.steps for fast, _ in pairs), 2
        ),
        "speed": round(statistics.median(ratios), 2),
        "same_tokens": all(fast.ids == plain.ids for fast, plain in pairs),
    }


def measure() -> dict[str, float | str]:
    """Measure the model named on the command line, by default `nano-chat`."""
    torch.set_num_threads(1)
    name = sys.argv[1] if len(sys.argv) > 1 else "nano-chat"
    with tempfile.TemporaryDirectory() as directory:
        loaded = ModelPool(device="cpu", cache_dir=Path(directory)).get_model(name, lambda *_: None)
        # The first answers warm up.
        compare(loaded, OTHERS[:1])
        figures = {"edits": compare(loaded, EDITS), "others": compare(loaded, OTHERS)}
    costs = {
        f"cost_of_{size}": round(loaded.step_costs.estimate_ratio(size), 2) for size in SIZES[1:]
    }
    return {
        "model": name,
        **{f"{kind}_{key}": found for kind, part in figures.items() for key, found in part.items()},
        **costs,
    }


GOALS = {
    "edits_speed": Goal(least=2.0),
    "others_speed": Goal(least=0.97),
    "edits_same_tokens": Goal(least=1),
    "others_same_tokens": Goal(least=1),
}

if __name__ == "__main__":
    sys.exit(publish("speculation", measure, GOALS))
