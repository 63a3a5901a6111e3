"""The processes of a run: alone on one device, agreed where several, and heard where they fail."""

from __future__ import annotations

import os
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, NoReturn

import pytest
import torch

from starchat_tui.errors import ConfigError, OutOfMemory
from train import finetune
from train.config import Config
from train.runtime import distributed
from train.runtime.distributed import Place
from train.runtime.memory_plan import Setup
from train.train_errors import CannotSave

ALONE = Place(rank=0, processes=1, local=0, beside=1, gpu=True)
SETUP = Setup(1, 1, 1, True, True, 1, 1)
TOLD = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT")


def test_deepspeed_on_a_gpu_is_told_that_its_process_is_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Else it would look for MPI."""
    told = {name: value for name, value in os.environ.items() if name not in TOLD}
    with monkeypatch.context() as patched:
        patched.setattr(os, "environ", told)
        patched.setattr(torch.cuda, "set_device", lambda device: None)
        assert distributed.join(Config(), ALONE) == {"deepspeed": None}
        assert not {*TOLD} & {*told}
        assert distributed.join(Config(deepspeed="zero.json"), ALONE) == {"deepspeed": "zero.json"}
    assert [told[name] for name in TOLD[:3]] == ["0", "1", "0"]
    assert {*TOLD} <= {*told}


def arguments(monkeypatch: pytest.MonkeyPatch, here: Place, **known: Any) -> Any:
    """What the recipe makes of transformers' arguments, where those find `known`."""

    def made(**given: Any) -> SimpleNamespace:
        return SimpleNamespace(**{**given, **known})

    monkeypatch.setattr(finetune, "TrainingArguments", made)
    monkeypatch.setattr(distributed, "join", lambda config, here: {})
    return finetune.arguments(Config(), SETUP, here)


@pytest.mark.parametrize(("seen", "used"), [(0, 0), (1, 1), (4, 1)])
def test_a_process_alone_takes_one_of_several_gpus(
    monkeypatch: pytest.MonkeyPatch, seen: int, used: int
) -> None:
    assert arguments(monkeypatch, ALONE, n_gpu=seen)._n_gpu == used


def test_processes_recompute_activations_together(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Here another one has less memory."""

    def reduced(told: torch.Tensor, kind: object) -> None:
        told.fill_(1.0)

    monkeypatch.setattr(torch.distributed, "all_reduce", reduced)
    found = arguments(monkeypatch, replace(ALONE, processes=2), device="cpu")
    assert found.activation_checkpointing is True
    assert "another process has less memory" in capsys.readouterr().err


@pytest.mark.parametrize("attention", ["auto", "flex"])
def test_dropout_is_refused_where_attention_would_be_flex(attention: str) -> None:
    with pytest.raises(ConfigError, match="drops nothing out"):
        distributed.check(Config(dropout=0.1, attention=attention), ALONE)
    distributed.check(Config(dropout=0.1, attention="sdpa"), ALONE)
    distributed.check(Config(dropout=0.1), replace(ALONE, gpu=False))


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (OutOfMemory("no memory", "take less"), 69, "error: process 3: no memory\n  take less\n"),
        (CannotSave("no space"), 73, "error: process 3: no space\n"),
        (ConfigError("wrong everywhere"), 78, ""),
        (KeyboardInterrupt(), 130, ""),
    ],
)
def test_what_may_stop_one_process_alone_is_told_by_it(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    error: BaseException,
    code: int,
    said: str,
) -> None:
    def fails(argv: object) -> NoReturn:
        raise error

    monkeypatch.setattr(finetune, "main", fails)
    assert finetune.silent(replace(ALONE, rank=3)) == code
    assert capsys.readouterr().err == said
