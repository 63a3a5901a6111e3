"""Decoding with weights of 8 and 4 bits, against the same model in float32 and against `generate`.

CPU time of one thread for one token, greedy, interleaved, by shape. The weights are random: what
they are costs no time. `python -m tests.benchmarks.quantization`.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import torch

from starchat_tui.config.settings import Quantization
from starchat_tui.engine.models import bigcode
from starchat_tui.engine.models.bigcode import BigCodeModel
from starchat_tui.engine.models.placement import choose_placement
from starchat_tui.engine.models.weights import read_checkpoint
from tests.benchmarks.record import Goal, publish

SHAPES = {"12x512": (12, 512, 49_152), "20x768": (20, 768, 49_152)}
"""Layers, width and vocabulary; the second is tiny_starcoder's."""
PROMPT, TOKENS, REPEATS = 128, 16, 5


def create_model(layers: int, width: int, vocabulary: int) -> Any:
    """Return a GPTBigCode of transformers with random weights."""
    from transformers import GPTBigCodeConfig, GPTBigCodeForCausalLM

    config = GPTBigCodeConfig(
        vocab_size=vocabulary,
        n_positions=2048,
        n_embd=width,
        n_layer=layers,
        n_head=width // 64,
        n_inner=4 * width,
    )
    torch.manual_seed(0)
    return GPTBigCodeForCausalLM(config).train(False)


def time_decoding(model: BigCodeModel, ids: list[int]) -> float:
    """Return the CPU seconds of one token after a prompt."""
    cache = model.new_cache()
    token = int(model.forward(ids, cache).argmax())
    start = time.process_time()
    for _ in range(TOKENS):
        token = int(model.forward((token,), cache).argmax())
    return (time.process_time() - start) / TOKENS


def time_generate(hf_model: Any, ids: list[int]) -> float:
    """Return the CPU seconds of one token of `generate`, less the prompt."""
    seconds = []
    for count in (1, TOKENS + 1):
        start = time.process_time()
        with torch.inference_mode():
            hf_model.generate(
                torch.tensor([ids]),
                attention_mask=torch.ones(1, len(ids)),
                do_sample=False,
                min_new_tokens=count,
                max_new_tokens=count,
                pad_token_id=0,
            )
        seconds.append(time.process_time() - start)
    return (seconds[1] - seconds[0]) / TOKENS


def measure_shape(name: str) -> dict[str, float]:
    """Return milliseconds a token, and how much faster each is than `generate`."""
    hf_model = create_model(*SHAPES[name])
    ids = list(range(PROMPT))
    steps: dict[str, Callable[[], float]] = {"generate": lambda: time_generate(hf_model, ids)}
    with tempfile.TemporaryDirectory() as folder:
        hf_model.save_pretrained(folder)
        checkpoint = read_checkpoint(Path(folder))
        for quantization in get_args(Quantization):
            placement = choose_placement(checkpoint, device="cpu", quantize=quantization)
            model = bigcode.load_model(checkpoint, placement, lambda *_: None)
            steps[quantization] = lambda model=model: time_decoding(model, ids)
    # Interleaved, so that other load of the machine slows down all of them; the first warms up.
    rounds = [{key: step() for key, step in steps.items()} for _ in range(REPEATS + 1)][1:]
    medians = {key: statistics.median(one[key] for one in rounds) for key in steps}
    figures = {f"{name}_{key}_ms": round(1e3 * value, 2) for key, value in medians.items()}
    for key in get_args(Quantization):
        ratios = [one["generate"] / one[key] for one in rounds]
        figures[f"{name}_{key}_ratio"] = round(statistics.median(ratios), 2)
    return figures


def measure() -> dict[str, float]:
    """Measure all shapes."""
    torch.set_num_threads(1)
    return {key: value for name in SHAPES for key, value in measure_shape(name).items()}


if __name__ == "__main__":
    goals = {"20x768_int8_ratio": Goal(least=1.5), "20x768_int4_ratio": Goal(least=2.4)}
    sys.exit(publish("quantization", measure, goals))
