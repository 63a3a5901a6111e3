"""Placement of a model: estimated memory, refusals, quantization, spreading over devices."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from starchat_tui.config.byte_units import GIB
from starchat_tui.engine.models import bigcode, placement
from starchat_tui.engine.models import device as devices
from starchat_tui.engine.models.placement import choose_placement
from starchat_tui.engine.models.weights import Checkpoint, find_checkpoint
from starchat_tui.errors import ConfigError, OutOfMemory
from starchat_tui.models.registry import find_model
from tests.engine.requests import ignore_progress


def create_checkpoint(size: int, **config: object) -> Checkpoint:
    """Return a checkpoint in bfloat16 of `size` bytes, without a file of that size."""

    class File:
        def stat(self) -> File:
            return self

        st_size = size
        suffix = ".safetensors"

    return Checkpoint(Path("big"), {"dtype": "bfloat16", **config}, (File(),))  # type: ignore[arg-type]


@pytest.fixture
def one_card(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine with one card of 24 GiB, 100 GiB of main memory, and bitsandbytes."""
    monkeypatch.setattr(devices, "choose_device", lambda name: torch.device("cuda", 0))
    monkeypatch.setattr(devices, "choose_dtype", lambda device: torch.bfloat16)
    monkeypatch.setattr(devices, "get_free_bytes", lambda device: 24 * GIB)
    monkeypatch.setattr(devices, "get_total_free_bytes", lambda device: 124 * GIB)
    monkeypatch.setattr(placement.importlib.util, "find_spec", lambda name: object())


def test_a_model_that_cannot_fit_is_refused_before_it_is_read() -> None:
    with pytest.raises(OutOfMemory, match=r"needs 20000\.0 GiB") as caught:
        choose_placement(create_checkpoint(10_000 * GIB), device="cpu", quantize="none")
    assert "smaller" in caught.value.hint


def test_float32_on_a_cpu_doubles_half_precision_files() -> None:
    half = create_checkpoint(1000)
    assert choose_placement(half, device="cpu", quantize="none").bytes == 2000
    quantized = create_checkpoint(1000, quantization_config={})
    assert choose_placement(quantized, device="cpu", quantize="none").bytes == 1000


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({}, 2000),
        ({"dtype": None, "torch_dtype": "bfloat16"}, 2000),
        ({"dtype": None}, 1000),
        ({"dtype": "float32"}, 1000),
    ],
)
def test_the_number_format_of_the_files_is_that_of_the_config(
    config: dict[str, object], expected: int
) -> None:
    checkpoint = create_checkpoint(1000, **config)
    assert choose_placement(checkpoint, device="cpu", quantize="none").bytes == expected


def test_quantizing_without_the_means_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match="works on cpu for StarCoder models"):
        choose_placement(create_checkpoint(10), device="cpu", quantize="int8")
    with pytest.raises(ConfigError, match="Unknown quantization") as caught:
        choose_placement(create_checkpoint(10), device="cpu", quantize="int3")
    assert "auto, none, int8, int4" in caught.value.hint
    monkeypatch.setattr(devices, "choose_device", lambda name: torch.device("cuda"))
    monkeypatch.setattr(placement.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ConfigError, match="bitsandbytes") as caught:
        choose_placement(create_checkpoint(10), device="auto", quantize="int4")
    assert "pip install" in caught.value.hint


@pytest.mark.usefixtures("one_card")
def test_quantization_makes_a_model_fit() -> None:
    starcoder = create_checkpoint(31 * GIB)
    found = choose_placement(starcoder, device="cuda:0", quantize="int8")
    assert not found.spread
    assert found.bytes == int(31 * GIB / 2 * 1.1)
    assert choose_placement(starcoder, device="cuda:0", quantize="int4").bytes < found.bytes


@pytest.mark.usefixtures("one_card")
def test_only_a_device_left_to_the_engine_is_exceeded() -> None:
    starcoder = create_checkpoint(31 * GIB)
    assert choose_placement(starcoder, device="auto", quantize="none").spread
    with pytest.raises(OutOfMemory, match=r"24\.0 GiB free") as caught:
        choose_placement(starcoder, device="cuda:0", quantize="none")
    assert "--quantize auto" in caught.value.hint
    with pytest.raises(OutOfMemory):
        choose_placement(create_checkpoint(200 * GIB), device="auto", quantize="none")


STARCODER = {"model_type": "gpt_bigcode", "vocab_size": 49_152, "n_positions": 8192, "n_embd": 2048}
"""Configuration of the model of 1B parameters."""
PARAMETERS = 1_137_207_296


@pytest.mark.parametrize(
    ("free", "expected"), [(20.0, "none"), (4.0, "int8"), (1.5, "int8"), (1.1, "int4")]
)
def test_auto_quantizes_as_little_as_the_memory_allows(
    monkeypatch: pytest.MonkeyPatch, free: float, expected: str
) -> None:
    monkeypatch.setattr(devices, "get_free_bytes", lambda device: free * GIB)
    checkpoint = create_checkpoint(2 * PARAMETERS, **STARCODER)
    found = choose_placement(checkpoint, device="cpu", quantize="auto")
    assert found.quantize == expected
    assert found.bytes <= free * GIB


def test_auto_says_how_much_the_smallest_one_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "get_free_bytes", lambda device: GIB / 2)
    starcoder = create_checkpoint(2 * PARAMETERS, **STARCODER)
    with pytest.raises(OutOfMemory, match=r"needs 0\.9 GiB and cpu has 0\.5 GiB free") as caught:
        choose_placement(starcoder, device="cpu", quantize="auto")
    assert "--quantize" not in caught.value.hint
    with pytest.raises(OutOfMemory, match=r"needs 4\.2 GiB"):
        choose_placement(create_checkpoint(2 * PARAMETERS), device="cpu", quantize="auto")


@pytest.mark.usefixtures("one_card")
def test_auto_keeps_a_model_on_one_card() -> None:
    starcoder = create_checkpoint(31 * GIB)
    found = choose_placement(starcoder, device="auto", quantize="auto")
    assert (found.quantize, found.spread) == ("int8", False)
    huge = choose_placement(create_checkpoint(100 * GIB), device="auto", quantize="auto")
    assert huge.spread


def test_the_memory_of_packed_weights_is_foreseen() -> None:
    for name in ("int8", "int4"):
        checkpoint = find_checkpoint(find_model("nano-chat"), ignore_progress)
        placement = choose_placement(checkpoint, device="cpu", quantize=name)
        model = bigcode.load_model(checkpoint, placement, ignore_progress)
        assert 0.9 < placement.bytes / model.bytes < 1.1
