"""Choice of the device and its number format, and the memory that is free."""

from __future__ import annotations

import pytest
import torch

from starchat_tui.config.byte_units import GIB
from starchat_tui.engine.models import device as devices
from starchat_tui.errors import ConfigError

CPU, CUDA = torch.device("cpu"), torch.device("cuda", 0)


@pytest.mark.parametrize("name", ["cuda:99", "tpu", "cuda:x", "gpu"])
def test_a_device_that_is_not_there_is_a_typed_error(name: str) -> None:
    with pytest.raises(ConfigError) as caught:
        devices.choose_device(name)
    assert caught.value.hint


def test_a_named_device_is_chosen() -> None:
    assert devices.choose_device("cpu") == CPU


def test_auto_takes_the_card_with_the_most_free_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    free = [2 * GIB, 9 * GIB, 5 * GIB]
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: len(free))
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda index: (free[index], 10 * GIB))
    assert devices.choose_device("auto") == torch.device("cuda", 1)


@pytest.mark.parametrize(("native", "expected"), [(True, torch.bfloat16), (False, torch.float16)])
def test_a_card_computes_in_the_16_bits_it_is_made_for(
    monkeypatch: pytest.MonkeyPatch, native: bool, expected: torch.dtype
) -> None:
    def is_supported(*, including_emulation: bool) -> bool:
        return native or including_emulation

    monkeypatch.setattr(torch.cuda, "is_bf16_supported", is_supported)
    assert devices.choose_dtype(CUDA) is expected
    assert devices.choose_dtype(CPU) is torch.float32


def test_memory_that_torch_caches_counts_as_free(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (4 * GIB, 10 * GIB))
    monkeypatch.setattr(torch.cuda, "memory_reserved", lambda device: 3 * GIB)
    monkeypatch.setattr(torch.cuda, "memory_allocated", lambda device: 1 * GIB)
    assert devices.get_free_bytes(CUDA) == 6 * GIB - GIB // 2


def test_a_spread_model_has_the_memory_of_all_cards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(devices, "get_free_bytes", lambda device: (device.index + 1) * GIB)
    ram = devices.get_total_free_bytes(CPU)
    assert ram > 0
    monkeypatch.setattr(devices, "_get_free_ram_bytes", lambda: 5 * GIB)
    assert devices.get_total_free_bytes(CPU) == 5 * GIB
    assert devices.get_total_free_bytes(CUDA) == 8 * GIB
