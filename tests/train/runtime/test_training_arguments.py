"""Transformers' arguments of a run, agreed on by its processes."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from train.config import Config
from train.run_setup import TrainingSetup
from train.runtime import distributed, training_arguments
from train.runtime.distributed import ProcessInfo

ALONE = ProcessInfo(rank=0, processes=1, local=0, local_processes=1, gpu=True)
SETUP = TrainingSetup(1, 1, 1, True, True, 1, 1)


def create_for(monkeypatch: pytest.MonkeyPatch, process: ProcessInfo, **known: Any) -> Any:
    """Create the arguments; transformers' own would have the attributes `known`."""

    def create(**given: Any) -> SimpleNamespace:
        return SimpleNamespace(**{**given, **known})

    monkeypatch.setattr(training_arguments, "TrainingArguments", create)
    monkeypatch.setattr(distributed, "join_process_group", lambda config, process: {})
    return training_arguments.create_arguments(Config(), SETUP, process)


@pytest.mark.parametrize(("seen", "used"), [(0, 0), (1, 1), (4, 1)])
def test_a_single_process_uses_one_of_several_gpus(
    monkeypatch: pytest.MonkeyPatch, seen: int, used: int
) -> None:
    assert create_for(monkeypatch, ALONE, n_gpu=seen)._n_gpu == used


def test_processes_recompute_activations_together(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The other process has less memory."""

    def reduce(flag: torch.Tensor, kind: object) -> None:
        flag.fill_(1.0)

    monkeypatch.setattr(torch.distributed, "all_reduce", reduce)
    found = create_for(monkeypatch, replace(ALONE, processes=2), device="cpu")
    assert found.activation_checkpointing is True
    assert "another process has less memory" in capsys.readouterr().err
