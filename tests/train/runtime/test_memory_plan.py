"""Memory prediction: known figures, autograd's own count, and suggestions."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch

from starchat_tui.errors import OutOfMemory
from tests.train.starcoder_shape import CARD, STARCODER
from train.modeling import attention
from train.run_setup import ModelShape
from train.runtime.memory_plan import (
    GB,
    MemoryNeed,
    choose_checkpointing,
    fits_in_memory,
    format_need,
    predict_memory,
)


def test_sharded_adam_takes_sixteen_bytes_a_parameter() -> None:
    need = predict_memory(STARCODER, CARD)
    assert (need.weights + need.gradients + need.optimizer) * 8 / STARCODER.parameters == (
        pytest.approx(16, abs=0.01)
    )


def test_eight_gpus_keep_their_activations_and_four_do_not() -> None:
    eight, _ = choose_checkpointing(STARCODER, CARD, "auto")
    four, need = choose_checkpointing(
        STARCODER, replace(CARD, devices=4, tokens=4096, block=4096), "auto"
    )
    assert (eight.checkpointing, four.checkpointing) == (False, True)
    assert fits_in_memory(need, four)


def test_one_large_gpu_fits_in_backward_or_an_adapter() -> None:
    single = replace(CARD, devices=1, sharding="none", capacity=141 * GB)
    with pytest.raises(OutOfMemory):
        choose_checkpointing(STARCODER, single, "on")
    _, whole = choose_checkpointing(STARCODER, replace(single, in_backward=True), "auto")
    _, low = choose_checkpointing(replace(STARCODER, adapter=70_000_000), single, "auto")
    assert low.device < whole.device < 141 * GB


def test_a_run_that_does_not_fit_is_refused_with_suggestions() -> None:
    with pytest.raises(OutOfMemory, match=r"needs .* GB on each device") as caught:
        choose_checkpointing(STARCODER, replace(CARD, devices=2), "auto")
    assert caught.value.exit_code == 69
    assert "4 such GPUs and ZeRO-3" in caught.value.hint
    fits_on_four, _ = choose_checkpointing(STARCODER, replace(CARD, devices=4), "auto")
    assert fits_on_four.devices == 4


def test_suggestions_for_several_gpus_count_exchanged_gradients() -> None:
    """16 bytes a parameter and 60 GB are eight cards; with 6, as in backward, two seem enough."""
    single = replace(CARD, devices=1, sharding="none", capacity=60 * GB, in_backward=True)
    with pytest.raises(OutOfMemory) as caught:
        choose_checkpointing(STARCODER, single, "auto")
    assert "8 such GPUs and ZeRO-3" in caught.value.hint
    assert "offload" not in caught.value.hint, "186 GB of main memory are not there"


def test_a_hopeless_gpu_gets_no_suggestion() -> None:
    with pytest.raises(OutOfMemory) as caught:
        choose_checkpointing(STARCODER, replace(CARD, capacity=GB, host=GB), "auto")
    assert "smaller model" in caught.value.hint


def test_explicit_checkpointing_is_obeyed() -> None:
    assert choose_checkpointing(STARCODER, CARD, "on")[0].checkpointing
    tight = replace(CARD, devices=4, tokens=4096, block=4096)
    with pytest.raises(OutOfMemory) as caught:
        choose_checkpointing(STARCODER, tight, "off")
    assert "`checkpointing: on`" in caught.value.hint


def test_offloading_moves_the_optimizer_to_main_memory() -> None:
    here, there = (
        predict_memory(STARCODER, CARD),
        predict_memory(STARCODER, replace(CARD, offload=True)),
    )
    assert there.optimizer == 0
    assert there.host == here.optimizer


def test_the_table_shows_the_need_and_the_capacity() -> None:
    setup, need = choose_checkpointing(STARCODER, CARD, "auto")
    estimate = "\n".join(format_need(need, setup))
    assert "activations, kept" in estimate
    assert "80.0 GB" in estimate
    assert isinstance(need, MemoryNeed)


def count_saved_bytes(model: Any, tokens: int) -> int:
    """Return the bytes autograd saves in the blocks of a model, weights excluded."""
    weights = {w.untyped_storage().data_ptr() for w in model.parameters()}
    kept: dict[int, tuple[int, torch.Tensor]] = {}

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            kept[storage.data_ptr()] = (storage.nbytes(), tensor)
        return tensor

    ids = torch.randint(0, 64, (1, tokens))
    mask = torch.ones(1, 1, tokens, tokens, dtype=torch.bool).tril()
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        found = model.transformer(input_ids=ids, attention_mask=mask, use_cache=False)
    assert found.last_hidden_state.requires_grad
    return sum(size for size, _ in kept.values())


@pytest.mark.parametrize("half", [False, True])
@pytest.mark.parametrize("checkpointing", [False, True])
@pytest.mark.parametrize("blockwise", [False, True])
def test_predicted_activations_match_autograd(
    half: bool, checkpointing: bool, blockwise: bool
) -> None:
    from transformers import GPTBigCodeConfig, GPTBigCodeForCausalLM

    tokens = 512 if blockwise else 128
    attention.register_attention()

    def measure(layers: int) -> int:
        config = GPTBigCodeConfig(
            vocab_size=64,
            n_positions=tokens,
            n_embd=256,
            n_layer=layers,
            n_head=4,
            bos_token_id=0,
            eos_token_id=0,
            attn_pdrop=0.0,
            resid_pdrop=0.0,
            embd_pdrop=0.0,
        )
        model: Any = GPTBigCodeForCausalLM(config)
        model.to(torch.bfloat16 if half else torch.float32)
        model.train()
        if blockwise:
            model.config._attn_implementation = attention.BLOCKWISE
        if checkpointing:
            model.activation_checkpointing_enable({"use_reentrant": False})
        return count_saved_bytes(model, tokens)

    def predict(layers: int) -> int:
        shape = ModelShape(1, layers, 256, 1024, 64, 64, heads=4)
        setup = replace(
            CARD,
            half=half,
            tokens=tokens,
            block=tokens,
            checkpointing=checkpointing,
            masked=True,
            blockwise=blockwise,
        )
        return predict_memory(shape, setup).activations

    real, estimate = measure(4) - measure(2), predict(4) - predict(2)
    assert estimate == pytest.approx(real, rel=0.05)
