"""Processes of a run: their environment, their limits, and their error messages."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import NoReturn

import pytest
import torch

from starchat_tui.errors import ConfigError, OutOfMemory
from train import finetune
from train.config import Config
from train.runtime import distributed
from train.runtime.distributed import ProcessInfo
from train.train_errors import SaveError

ALONE = ProcessInfo(rank=0, processes=1, local=0, local_processes=1, gpu=True)
VARIABLES = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT")


def test_deepspeed_gets_the_environment_of_a_single_process(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Else it would look for MPI."""
    environment = {name: value for name, value in os.environ.items() if name not in VARIABLES}
    with monkeypatch.context() as patched:
        patched.setattr(os, "environ", environment)
        patched.setattr(torch.cuda, "set_device", lambda device: None)
        assert distributed.join_process_group(Config(), ALONE) == {"deepspeed": None}
        assert not {*VARIABLES} & {*environment}
        assert distributed.join_process_group(Config(deepspeed="zero.json"), ALONE) == {
            "deepspeed": "zero.json"
        }
    assert [environment[name] for name in VARIABLES[:3]] == ["0", "1", "0"]
    assert {*VARIABLES} <= {*environment}


@pytest.mark.parametrize("attention", ["auto", "flex"])
def test_dropout_is_refused_where_attention_would_be_flex(attention: str) -> None:
    with pytest.raises(ConfigError, match="has no dropout"):
        distributed.check_support(Config(dropout=0.1, attention=attention), ALONE)
    distributed.check_support(Config(dropout=0.1, attention="sdpa"), ALONE)
    distributed.check_support(Config(dropout=0.1), replace(ALONE, gpu=False))


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (OutOfMemory("no memory", "take less"), 69, "train: process 3: no memory\n  take less\n"),
        (SaveError("no space"), 73, "train: process 3: no space\n"),
        (ConfigError("wrong everywhere"), 78, ""),
        (KeyboardInterrupt(), 130, ""),
    ],
)
def test_errors_of_one_process_are_reported_by_it(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    error: BaseException,
    code: int,
    message: str,
) -> None:
    def fails(argv: object) -> NoReturn:
        raise error

    monkeypatch.setattr(finetune, "main", fails)
    assert finetune.run_secondary_process(replace(ALONE, rank=3)) == code
    assert capsys.readouterr().err == message
