"""Placement of a model: estimated memory, refusals, quantization, spreading over devices."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from starchat_tui.config.byte_units import GIB
from starchat_tui.engine.models import device as devices
from starchat_tui.engine.models import placement
from starchat_tui.engine.models.placement import choose_placement
from starchat_tui.engine.models.weights import Checkpoint
from starchat_tui.errors import ConfigError, OutOfMemory


def create_checkpoint(size: int, **config: object) -> Checkpoint:
    """Return a checkpoint in bfloat16 of `size` bytes, without a file of that size."""

    class File:
        def stat(self) -> File:
            return self

        st_size = size

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
    with pytest.raises(ConfigError, match="needs a CUDA device"):
        choose_placement(create_checkpoint(10), device="cpu", quantize="int8")
    with pytest.raises(ConfigError, match="Unknown quantization") as caught:
        choose_placement(create_checkpoint(10), device="cpu", quantize="int3")
    assert "none, int8, int4" in caught.value.hint
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
    assert "--quantize int8" in caught.value.hint
    with pytest.raises(OutOfMemory):
        choose_placement(create_checkpoint(200 * GIB), device="auto", quantize="none")
