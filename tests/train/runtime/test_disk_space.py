"""Disk space of a run."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.train.starcoder_shape import CARD, STARCODER
from train.runtime import disk_space
from train.runtime.disk_space import predict_disk_bytes
from train.train_errors import SaveError


def test_a_disk_without_space_is_refused_beforehand(tmp_path: Path) -> None:
    with pytest.raises(SaveError, match=r"has .* free, and this run needs") as caught:
        disk_space.check_free_space(tmp_path, 10**18)
    assert caught.value.exit_code == 73
    disk_space.check_free_space(tmp_path, 1)


def test_disk_space_covers_checkpoints_and_the_model() -> None:
    whole = predict_disk_bytes(STARCODER, CARD, checkpoints=2)
    assert whole == pytest.approx(15.5e9 * (3 * 14 + 4), rel=0.01)
    assert predict_disk_bytes(replace(STARCODER, adapter=1000), CARD, checkpoints=2) < 100_000
