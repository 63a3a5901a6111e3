"""Packed weights: products as with the rounded weight in full, and the quality of a real model."""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping
from pathlib import Path

import pytest
import torch

from starchat_tui.config.settings import Quantization
from starchat_tui.engine.models import bigcode, hub_model
from starchat_tui.engine.models.bigcode import BigCodeModel
from starchat_tui.engine.models.packed_weights import (
    Int4Weight,
    Int8Weight,
    create_projection,
    pack_weight,
)
from starchat_tui.engine.models.placement import choose_placement
from starchat_tui.engine.models.rounding import (
    restore_int4,
    round_groups_to_int4,
    round_rows_to_int8,
)
from starchat_tui.engine.models.weights import find_checkpoint
from starchat_tui.models.hub_files import find_model_file
from starchat_tui.models.registry import find_model
from starchat_tui.templates.tokenizer import Tokenizer
from tests.engine.requests import ignore_progress

TEXT = Path(__file__).parents[2] / "snippets"
"""Folder of code in which the perplexity is measured: no model has read it."""
LENGTH = 480
"""Tokens of each piece of the text."""


def draw(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("count", [1, 2, 7, 70])
@pytest.mark.parametrize("shape", [(16, 64), (896, 768), (160, 3072)])
@pytest.mark.parametrize("quantization", ["int8", "int4"])
def test_products_are_those_of_the_rounded_weight(
    quantization: Quantization, shape: tuple[int, int], count: int
) -> None:
    weight, bias, x = draw(*shape) * 0.02, draw(shape[0], seed=1), draw(count, shape[1], seed=2)
    packed = pack_weight(weight, quantization)
    assert not isinstance(packed, torch.Tensor)
    if quantization == "int8":
        assert isinstance(packed, Int8Weight)
        levels, scales = round_rows_to_int8(weight)
        rounded = levels.float() * scales[:, None].bfloat16().float()
    else:
        assert isinstance(packed, Int4Weight)
        rounded = restore_int4(*round_groups_to_int4(weight))
    found = create_projection(packed, bias)(x)
    expected = x.bfloat16().float() @ rounded.T + bias
    assert found.dtype == torch.float32
    # The sum is rounded to bfloat16, which has 8 significant bits.
    assert (found - expected).abs().max() <= 2**-7 * (expected - bias).abs().max()
    assert packed.bytes < weight.nbytes / (3.5 if quantization == "int8" else 6)


@pytest.mark.parametrize("quantization", ["int8", "int4"])
def test_rows_are_padded_and_no_more_seen(quantization: Quantization) -> None:
    weight, x = draw(17, 64), draw(3, 64, seed=2)
    found = create_projection(pack_weight(weight, quantization), torch.zeros(17))(x)
    assert found.shape == (3, 17)
    assert (found - x @ weight.T).abs().max() < (0.2 if quantization == "int8" else 3)


def test_rows_that_are_no_multiple_of_a_group_stay_as_they_are() -> None:
    weight = draw(16, 40)
    assert pack_weight(weight, "int4") is weight
    assert pack_weight(weight, "int8") is weight


def test_a_product_has_the_axes_of_its_argument() -> None:
    projection = create_projection(pack_weight(draw(48, 64), "int4"), draw(48))
    x = draw(2, 3, 64)
    assert projection(x).shape == (2, 3, 48)
    assert torch.equal(projection(x[0, 0]), projection(x)[0, 0])


@functools.cache
def load(name: str, quantization: Quantization) -> BigCodeModel:
    checkpoint = find_checkpoint(find_model(name), ignore_progress)
    placement = choose_placement(checkpoint, device="cpu", quantize=quantization)
    return bigcode.load_model(checkpoint, placement, ignore_progress)


@functools.cache
def encode_text(name: str) -> list[int]:
    """Return the ids of the text in the vocabulary of a bundled model."""
    path = find_model_file(find_model(name), "tokenizer.json")
    tokenizer = Tokenizer.load(path, add_chat_tokens=False)
    text = "\n".join(file.read_text(encoding="utf-8") for file in sorted(TEXT.glob("*.py")))
    return list(tokenizer.encode(text)[: 6 * LENGTH])


def measure_perplexity(name: str, quantization: Quantization) -> float:
    """Return the perplexity of a bundled model in this code."""
    model, ids, losses = load(name, quantization), encode_text(name), []
    for start in range(0, len(ids) - LENGTH + 1, LENGTH):
        piece = ids[start : start + LENGTH]
        logits = model.forward_all(piece[:-1], model.new_cache())
        losses.append(torch.nn.functional.cross_entropy(logits, torch.tensor(piece[1:])))
    return math.exp(float(torch.stack(losses).mean()))


# Of the base model: the other one has learned to answer, and not to continue a file.
@pytest.mark.parametrize(("quantization", "bound"), [("int8", 1.01), ("int4", 1.05)])
def test_the_perplexity_hardly_rises(quantization: Quantization, bound: float) -> None:
    found = measure_perplexity("nano-base", quantization)
    assert found <= bound * measure_perplexity("nano-base", "none")


def test_a_quantized_model_is_smaller_and_keeps_its_limits() -> None:
    models = [load("nano-chat", name) for name in ("none", "int8", "int4")]
    sizes = [model.bytes for model in models]
    assert sizes == sorted(sizes, reverse=True)
    assert len({(model.window, model.vocabulary_size, model.dtype) for model in models}) == 1
    assert [model.quantization for model in models] == ["none", "int8", "int4"]


def test_transformers_still_computes_the_same_model() -> None:
    """The most likely next tokens of the packed model are those of transformers, nearly always."""
    checkpoint = find_checkpoint(find_model("nano-base"), ignore_progress)
    placement = choose_placement(checkpoint, device="cpu", quantize="none")
    theirs = hub_model.load_model(checkpoint, placement, ignore_progress)
    ids = encode_text("nano-base")[:LENGTH]
    expected = theirs.forward_all(ids, theirs.new_cache()).argmax(-1)
    shares: Mapping[Quantization, float] = {"int8": 0.95, "int4": 0.8}
    for quantization, share in shares.items():
        model = load("nano-base", quantization)
        found = model.forward_all(ids, model.new_cache()).argmax(-1)
        assert (found == expected).float().mean() >= share
