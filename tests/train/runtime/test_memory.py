"""The memory a fine-tune needs: known figures, a real count of what autograd saves, and plans."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from starchat_tui.errors import ConfigError, ModelUnavailable, OutOfMemory, UsageError
from tests.train.small import save_base, save_config, save_dialogues
from train.config import Config
from train.modeling import attention
from train.runtime import memory
from train.runtime.memory_plan import GB, Need, Setup, Shape, decided, fits, lines, predict, written

GATHERED = "stage3_gather_16bit_weights_on_model_save"
STARCODER = Shape(
    parameters=15_517_456_384,
    layers=40,
    width=6144,
    inner=24576,
    keys=128,
    vocabulary=49216,
    largest=302_000_000,
)
CARD = Setup(
    devices=8,
    capacity=80 * GB,
    host=128 * GB,
    gpu=True,
    half=True,
    tokens=2048,
    block=2048,
    sharding="zero3",
)


def test_sharded_adam_takes_sixteen_bytes_a_parameter() -> None:
    need = predict(STARCODER, CARD)
    assert (need.weights + need.gradients + need.optimizer) * 8 / STARCODER.parameters == (
        pytest.approx(16, abs=0.01)
    )


def test_eight_cards_keep_their_activations_and_four_do_not() -> None:
    eight, _ = decided(STARCODER, CARD, "auto")
    four, need = decided(STARCODER, replace(CARD, devices=4, tokens=4096, block=4096), "auto")
    assert (eight.checkpointing, four.checkpointing) == (False, True)
    assert fits(need, four)


def test_one_large_card_holds_the_model_in_backward_or_an_adapter() -> None:
    single = replace(CARD, devices=1, sharding="none", capacity=141 * GB)
    with pytest.raises(OutOfMemory):
        decided(STARCODER, single, "on")
    _, whole = decided(STARCODER, replace(single, in_backward=True), "auto")
    _, low = decided(replace(STARCODER, adapter=70_000_000), single, "auto")
    assert low.device < whole.device < 141 * GB


def test_what_cannot_fit_is_refused_with_a_plan_that_fits() -> None:
    with pytest.raises(OutOfMemory, match=r"needs .* GB on each device") as caught:
        decided(STARCODER, replace(CARD, devices=2), "auto")
    assert caught.value.exit_code == 69
    assert "4 such GPUs and ZeRO-3" in caught.value.hint
    fits_on_four, _ = decided(STARCODER, replace(CARD, devices=4), "auto")
    assert fits_on_four.devices == 4


def test_a_plan_for_several_cards_counts_the_gradients_they_exchange() -> None:
    """16 bytes a parameter and 60 GB are eight cards; with 6, as in backward, two seem enough."""
    single = replace(CARD, devices=1, sharding="none", capacity=60 * GB, in_backward=True)
    with pytest.raises(OutOfMemory) as caught:
        decided(STARCODER, single, "auto")
    assert "8 such GPUs and ZeRO-3" in caught.value.hint
    assert "offload" not in caught.value.hint, "186 GB of main memory are not there"


def test_a_card_for_which_there_is_no_way_is_told_so() -> None:
    with pytest.raises(OutOfMemory) as caught:
        decided(STARCODER, replace(CARD, capacity=GB, host=GB), "auto")
    assert "smaller model" in caught.value.hint


def test_a_switch_that_was_set_is_obeyed() -> None:
    assert decided(STARCODER, CARD, "on")[0].checkpointing
    tight = replace(CARD, devices=4, tokens=4096, block=4096)
    with pytest.raises(OutOfMemory) as caught:
        decided(STARCODER, tight, "off")
    assert "`checkpointing: on`" in caught.value.hint


def test_offloading_moves_the_optimizer_to_main_memory() -> None:
    here, there = predict(STARCODER, CARD), predict(STARCODER, replace(CARD, offload=True))
    assert there.optimizer == 0
    assert there.host == here.optimizer


def test_the_table_names_what_is_needed_and_what_is_free() -> None:
    setup, need = decided(STARCODER, CARD, "auto")
    told = "\n".join(lines(need, setup))
    assert "activations, kept" in told
    assert "80.0 GB" in told
    assert isinstance(need, Need)


def saved_bytes(model: Any, tokens: int) -> int:
    """What autograd really keeps of the blocks of a model, weights left out."""
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
def test_activations_are_what_autograd_keeps(
    half: bool, checkpointing: bool, blockwise: bool
) -> None:
    from transformers import GPTBigCodeConfig, GPTBigCodeForCausalLM

    tokens = 512 if blockwise else 128
    attention.register()

    def measured(layers: int) -> int:
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
        return saved_bytes(model, tokens)

    def predicted(layers: int) -> int:
        shape = Shape(1, layers, 256, 1024, 64, 64, heads=4)
        setup = replace(
            CARD,
            half=half,
            tokens=tokens,
            block=tokens,
            checkpointing=checkpointing,
            masked=True,
            blockwise=blockwise,
        )
        return predict(shape, setup).activations

    real, told = measured(4) - measured(2), predicted(4) - predicted(2)
    assert told == pytest.approx(real, rel=0.05)


def test_the_shape_of_a_model_is_counted(tmp_path: Path) -> None:
    from transformers import AutoModelForCausalLM

    base = save_base(tmp_path / "base")
    shape = memory.shape_of(memory.model_config(str(base)), Config(lora_rank=4))
    model = AutoModelForCausalLM.from_pretrained(base)
    assert shape.parameters == sum(weight.numel() for weight in model.parameters())
    assert (shape.layers, shape.width, shape.inner, shape.keys) == (2, 32, 128, 8)
    # c_attn 32 to 48, c_proj 32 to 32 and 128 to 32, c_fc 32 to 128; twice.
    assert shape.adapter == 2 * 4 * ((32 + 48) + (32 + 32) + (32 + 128) + (128 + 32))


def test_a_model_that_is_none_is_a_typed_error(tmp_path: Path) -> None:
    with pytest.raises(ModelUnavailable):
        memory.model_config(str(tmp_path))


@pytest.mark.parametrize("name", ["optimizer", "scheduler"])
def test_a_deepspeed_file_that_overrules_the_recipe_is_refused(tmp_path: Path, name: str) -> None:
    path = tmp_path / "zero.json"
    path.write_text(json.dumps({"zero_optimization": {"stage": 3}, name: {"type": "x"}}))
    with pytest.raises(ConfigError, match=f"has `{name}`"):
        memory.read_deepspeed(str(path))


@pytest.mark.parametrize("zero", [{"stage": 3}, {"stage": 3, GATHERED: False}, [3]])
def test_a_deepspeed_file_that_would_end_without_weights_is_refused(
    tmp_path: Path, zero: Any
) -> None:
    path = tmp_path / "zero.json"
    path.write_text(json.dumps({"zero_optimization": zero}))
    with pytest.raises(ConfigError, match=r"zero_optimization|gather the weights"):
        memory.read_deepspeed(str(path))
    path.write_text(json.dumps({"zero_optimization": {"stage": 3, GATHERED: True}}))
    assert memory.read_deepspeed(str(path))


def test_attention_in_blocks_is_left_to_the_cpu() -> None:
    config = Config(attention="blockwise")
    cpu, gpu = (
        memory.setup_of(config, devices=1, capacity=1, host=1, gpu=card) for card in (False, True)
    )
    assert (cpu.blockwise, cpu.masked) == (True, True)
    assert (gpu.blockwise, gpu.masked) == (False, True), "sdpa takes the same mask"


def test_our_deepspeed_file_leaves_both_to_the_recipe() -> None:
    found = memory.read_deepspeed("train/configs/zero3.json")
    assert found["zero_optimization"][GATHERED]
    assert memory.sharding_of(Config(deepspeed="train/configs/zero3.json")) == ("zero3", False)


def test_the_command_says_what_is_needed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    base = save_base(tmp_path / "base")
    path = save_config(tmp_path, base, save_dialogues(tmp_path / "d.jsonl", 2))
    assert memory.main([str(path), "--gpus", "2", "--block", "512"]) == 0
    assert "weights" in capsys.readouterr().out
    with pytest.raises(OutOfMemory):
        memory.main([str(path), "--gpu-memory", "0.001"])
    with pytest.raises(UsageError, match="--gpus"):
        memory.main([str(path), "--gpus", "0"])


def test_the_disk_is_asked_for_checkpoints_and_the_model() -> None:
    whole = written(STARCODER, CARD, checkpoints=2)
    assert whole == pytest.approx(15.5e9 * (3 * 14 + 4), rel=0.01)
    assert written(replace(STARCODER, adapter=1000), CARD, checkpoints=2) < 100_000
