"""A model copies before its first training step."""

from __future__ import annotations

import pytest
import torch
from transformers import GPTBigCodeForCausalLM

from train.demo import copy_heads, sizes, small_model


@pytest.mark.parametrize("tokens", [1, 2, 3])
def test_a_shift_rotates_the_position_waves(tokens: int) -> None:
    waves = copy_heads.build_position_waves(200, 16)
    assert torch.allclose(
        waves[tokens:] @ copy_heads.build_shift_rotation(16, tokens), waves[:-tokens], atol=1e-5
    )


@pytest.mark.parametrize("distinct", [512, 12])
@pytest.mark.parametrize("start", [0, 1800])
def test_a_new_model_copies_what_followed_the_same_words(distinct: int, start: int) -> None:
    shape = sizes.ModelShape(n_embd=192, n_layer=2, n_head=4, n_positions=2048)
    made = small_model.create_model(shape, vocabulary=512, end_of_text=0, seed=3)
    period = 60
    generator = torch.Generator().manual_seed(0)
    ids = torch.randint(0, distinct, (period,), generator=generator).repeat(3)[None]
    positions = torch.arange(start, start + ids.size(1))[None]
    with torch.no_grad():
        said = made(input_ids=ids, position_ids=positions, use_cache=False).logits[0].argmax(-1)
    right = (said[:-1] == ids[0, 1:])[period + 3 :].float().mean()
    assert right > 0.95


def build_model() -> GPTBigCodeForCausalLM:
    shape = sizes.ModelShape(n_embd=192, n_layer=2, n_head=4, n_positions=512)
    return small_model.create_model(shape, vocabulary=256, end_of_text=0, seed=5)


def test_the_subspaces_are_orthonormal() -> None:
    bases = copy_heads._build_subspaces(192, 48, torch.Generator().manual_seed(0))
    together = torch.cat(bases, 1)
    assert together.shape == (192, 192)
    assert torch.allclose(together.T @ together, torch.eye(192), atol=1e-5)


def test_the_first_heads_attend_one_to_four_tokens_back() -> None:
    model = build_model()
    ids = torch.randint(0, 256, (1, 64), generator=torch.Generator().manual_seed(1))
    model.set_attn_implementation("eager")
    with torch.no_grad():
        attention = model(input_ids=ids, output_attentions=True).attentions[0][0]
    for head in range(4):
        targets = attention[head].argmax(-1)[8:]
        assert (targets == torch.arange(8, 64) - head - 1).float().mean() > 0.9


def test_the_other_heads_of_the_second_layer_start_without_an_output() -> None:
    mix = build_model().get_parameter("transformer.h.1.attn.c_proj.weight")
    assert mix[:, :48].abs().max() > 0
    assert mix[:, 48:].abs().max() == 0


def test_the_same_seed_writes_the_same_weights() -> None:
    for ours, theirs in zip(build_model().parameters(), build_model().parameters(), strict=True):
        assert torch.equal(ours, theirs)


def test_a_model_without_the_heads_does_not_copy() -> None:
    """Otherwise the tests above would prove nothing."""
    model = build_model()
    random = GPTBigCodeForCausalLM(model.config)
    ids = torch.randint(0, 256, (40,), generator=torch.Generator().manual_seed(2)).repeat(3)[None]
    right = []
    for each in (model, random):
        with torch.no_grad():
            guesses = each(input_ids=ids, use_cache=False).logits[0].argmax(-1)
        right.append(float((guesses[:-1] == ids[0, 1:])[45:].float().mean()))
    assert right[0] > 0.95
    assert right[1] < 0.2
