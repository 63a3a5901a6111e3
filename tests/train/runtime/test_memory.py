"""The memory command, and the setup of a configuration."""

from __future__ import annotations

from pathlib import Path

import pytest

from starchat_tui.errors import OutOfMemory, UsageError
from tests.train.small_run import save_base, save_config, save_dialogues
from train.config import Config
from train.runtime import memory


def test_blockwise_attention_is_for_a_cpu() -> None:
    config = Config(attention="blockwise")
    cpu, gpu = (
        memory.create_setup(config, devices=1, capacity=1, host=1, gpu=card)
        for card in (False, True)
    )
    assert (cpu.blockwise, cpu.masked) == (True, True)
    assert (gpu.blockwise, gpu.masked) == (False, True), "sdpa takes the same mask"


def test_the_command_prints_the_need(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    base = save_base(tmp_path / "base")
    path = save_config(tmp_path, base, save_dialogues(tmp_path / "d.jsonl", 2))
    assert memory.main([str(path), "--gpus", "2", "--block", "512"]) == 0
    assert "weights" in capsys.readouterr().out
    with pytest.raises(OutOfMemory):
        memory.main([str(path), "--gpu-memory", "0.001"])
    with pytest.raises(UsageError, match="--gpus"):
        memory.main([str(path), "--gpus", "0"])
