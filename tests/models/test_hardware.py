"""Models that fit a machine."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import pytest

from starchat_tui.config.byte_units import GIB, MIB
from starchat_tui.config.settings import Quantization
from starchat_tui.models.hardware import (
    Machine,
    detect_machine,
    estimate_parameter_bytes,
    recommend_model,
)


@pytest.mark.parametrize(
    ("machine", "command"),
    [
        (Machine(128 * GIB, 80 * GIB), "(80 GB GPU) fits `starchat --model starchat-beta`"),
        (Machine(64 * GIB, 24 * GIB), "--model starchat-beta --quantize int8`"),
        (Machine(64 * GIB, 12 * GIB), "--model starchat-beta --quantize int4`"),
        (Machine(64 * GIB, 1 * GIB), "--model starcoderbase-1b --quantize int4`"),
        (Machine(24 * GIB, 0), "(24 GB and no GPU) fits `starchat --model starcoderbase-3b`"),
        (Machine(4 * GIB, 0), "--model tiny-starcoder`"),
        (Machine(MIB, 0), "--model tiny-starcoder`"),
    ],
)
def test_the_largest_model_that_fits_is_recommended(machine: Machine, command: str) -> None:
    assert command in recommend_model(machine)


def test_quantized_weights_are_smaller_than_those_of_any_dtype() -> None:
    sizes = [estimate_parameter_bytes(name, 2) for name in get_args(Quantization)]
    # From none on, each takes less: `recommend_model` tries them in this order.
    assert sizes == sorted(set(sizes), reverse=True)
    assert estimate_parameter_bytes("none", 4) == 4


@pytest.mark.parametrize(
    ("output", "memory"),
    [("81559\\n24576\\n", 81559 * MIB), ("[N/A]\\n", 0), ("", 0)],
)
def test_the_largest_gpu_counts(
    output: str, memory: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tool = tmp_path / "nvidia-smi"
    tool.write_text(f"#!/bin/sh\nprintf '{output}'\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert detect_machine().gpu_memory == memory


def test_a_machine_without_nvidias_tool_has_no_gpu(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    machine = detect_machine()
    assert machine.gpu_memory == 0
    assert machine.memory > 256 * MIB
