"""Resuming a run: only as it began."""

from __future__ import annotations

import json
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from starchat_tui.errors import ConfigError, UsageError
from tests.train.small_run import write_checkpoint
from train.config import Config
from train.runtime import checkpoint as saving
from train.runtime import resume
from train.train_errors import SaveError


def begin_run(tmp_path: Path, **changes: Any) -> Config:
    config = Config(model="m", dataset=("d",), output=str(tmp_path), **changes)
    resume.record_run(config, processes=2, fingerprint="f")
    write_checkpoint(tmp_path, 4, processes=2, sharded=bool(config.deepspeed))
    return config


def resume_with(config: Config, **changes: Any) -> Config:
    from dataclasses import replace

    return replace(config, resume=True, **changes)


def test_an_existing_run_is_not_overwritten(tmp_path: Path) -> None:
    config = begin_run(tmp_path)
    with pytest.raises(UsageError, match="already contains a run") as caught:
        resume.find_checkpoint(config, processes=2, fingerprint="f")
    assert "--resume" in caught.value.hint
    found, _ = resume.find_checkpoint(resume_with(config), processes=2, fingerprint="f")
    assert found is not None
    assert found.step == 4


def test_a_run_resumes_only_unchanged(tmp_path: Path) -> None:
    config = begin_run(tmp_path)
    with pytest.raises(ConfigError, match="began with `block: 2048`"):
        resume.find_checkpoint(resume_with(config, block=512), processes=2, fingerprint="f")
    with pytest.raises(ConfigError, match="data have changed"):
        resume.find_checkpoint(resume_with(config), processes=2, fingerprint="other")
    with pytest.raises(ConfigError, match="written by 2 processes") as caught:
        resume.find_checkpoint(resume_with(config), processes=1, fingerprint="f")
    assert "start 2" in caught.value.hint
    resume.find_checkpoint(resume_with(config, keep=9, log_steps=3), processes=2, fingerprint="f")


def test_resharding_is_explained(tmp_path: Path) -> None:
    zero = tmp_path / "zero.json"
    zero.write_text(json.dumps({"zero_optimization": {"stage": 3}}))
    config = begin_run(tmp_path, deepspeed=str(zero))
    with pytest.raises(ConfigError) as caught:
        resume.find_checkpoint(resume_with(config), processes=4, fingerprint="f")
    assert "ds_to_universal" in caught.value.hint
    assert "global_step4" in caught.value.hint
    (tmp_path / "checkpoint-4" / "latest_universal").write_text("universal")
    zero.write_text(json.dumps({"checkpoint": {"load_universal": True}}))
    found, _ = resume.find_checkpoint(resume_with(config), processes=4, fingerprint="f")
    assert found is not None


def test_a_malformed_deepspeed_file_is_a_typed_error_on_resume(tmp_path: Path) -> None:
    zero = tmp_path / "zero.json"
    config = begin_run(tmp_path, deepspeed=str(zero))
    (tmp_path / "checkpoint-4" / "latest_universal").write_text("universal")
    for text in ("{", "[]"):
        zero.write_text(text)
        with pytest.raises(ConfigError, match=r"zero\.json"):
            resume.find_checkpoint(resume_with(config), processes=4, fingerprint="f")


def test_a_resumed_run_needs_no_space_for_existing_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A checkpoint of 4,000 bytes and a seal, a base of 2,000, and 1,000 free."""
    config = begin_run(tmp_path, deepspeed="zero.json")
    (tmp_path / resume.BASE).mkdir()
    (tmp_path / resume.BASE / "weights").write_bytes(b"b" * 2000)
    free = SimpleNamespace(free=1000)
    monkeypatch.setattr("train.runtime.checkpoint.shutil.disk_usage", lambda folder: free)
    found, _ = saving.find_newest_complete(tmp_path)
    resume.check_disk_space(config, found, 7000)
    with pytest.raises(SaveError):
        resume.check_disk_space(config, found, 8000)
    write_checkpoint(tmp_path, 2)
    with pytest.raises(SaveError):
        resume.check_disk_space(resume_with(config, keep=1), found, 8000)


def test_unsealed_checkpoints_are_deleted_on_resume(tmp_path: Path) -> None:
    config = begin_run(tmp_path)
    older, torn, begun = (write_checkpoint(tmp_path, step) for step in (2, 6, 8))
    os.truncate(torn / "weights", 1)
    for folder in (older, begun):
        (folder / saving.SEAL).unlink()
    found, _ = saving.find_newest_complete(tmp_path)
    assert found.step == 4
    resume.check_disk_space(config, found, 0)
    left = [path.name for path in saving.list_checkpoints(tmp_path)]
    assert left == ["checkpoint-6", "checkpoint-4", "checkpoint-2"], "what was sealed stays"
