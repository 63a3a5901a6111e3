"""Errors of the libraries, translated while a model loads."""

from __future__ import annotations

import errno
import pickle
from pathlib import Path

import pytest
import torch
from huggingface_hub.errors import StrictDataclassError
from safetensors import SafetensorError

from starchat_tui.engine.models.load_errors import (
    create_out_of_memory_error,
    translate_load_errors,
)
from starchat_tui.engine.models.weights import Checkpoint
from starchat_tui.errors import ConfigError, ModelUnavailable, OutOfMemory, StarChatError

CHECKPOINT = Checkpoint(Path("folder"), {"model_type": "llama"}, ())


@pytest.mark.parametrize(
    ("raised", "expected", "message"),
    [
        (torch.OutOfMemoryError("Tried to allocate"), OutOfMemory, "cpu has no memory left"),
        (MemoryError(), OutOfMemory, "cpu has no memory left"),
        (RuntimeError("size\nmismatch"), ModelUnavailable, r"\(llama\) .* RuntimeError: size mism"),
        (KeyError("lm_head"), ModelUnavailable, "lm_head"),
        (StrictDataclassError("n_layer"), ModelUnavailable, "n_layer"),
        (
            ValueError("Unrecognized configuration class <X>"),
            ModelUnavailable,
            "not a causal language model",
        ),
        (ValueError("set trust_remote_code=True"), ModelUnavailable, "code of its own"),
        (ZeroDivisionError("division"), ModelUnavailable, "ZeroDivisionError: division"),
        (AttributeError("n_head"), ModelUnavailable, "n_head"),
        (RecursionError("deep"), ModelUnavailable, "deep"),
        (pickle.UnpicklingError("Re-running with weights_only"), ModelUnavailable, "more than num"),
        (RuntimeError("[enforce fail] can't allocate memory: 3 bytes"), OutOfMemory, "cpu has no"),
        (RuntimeError("CUDA error: out of memory"), OutOfMemory, "cpu has no"),
        (RuntimeError("CUBLAS_STATUS_ALLOC_FAILED"), OutOfMemory, "cpu has no"),
        (SafetensorError("Cannot allocate memory (os error 12)"), OutOfMemory, "cpu has no"),
        (OSError(errno.ENOMEM, "x"), OutOfMemory, "cpu has no"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_an_error_becomes_one_of_ours(
    raised: Exception, expected: type[StarChatError], message: str
) -> None:
    with (
        pytest.raises(expected, match=message) as caught,
        translate_load_errors(CHECKPOINT, torch.device("cpu")),
    ):
        raise raised
    assert caught.value.hint
    assert caught.value.__cause__ is raised


@pytest.mark.parametrize("raised", [ConfigError("a", "b"), KeyboardInterrupt()])
def test_our_own_errors_and_interrupts_pass(raised: BaseException) -> None:
    with (
        pytest.raises(type(raised)) as caught,
        translate_load_errors(CHECKPOINT, torch.device("cpu")),
    ):
        raise raised
    assert caught.value is raised


def test_a_damaged_adapter_is_named_and_not_its_base() -> None:
    adapted = Checkpoint(Path("folder"), {}, (), adapter=Path("adapter"))
    with (
        pytest.raises(ModelUnavailable, match="`adapter`"),
        translate_load_errors(adapted, torch.device("cpu")),
    ):
        raise OSError("damaged")


def test_memory_that_a_library_wrapped_in_its_own_error_is_recognized() -> None:
    damaged = OSError("the file is damaged")
    damaged.__cause__ = MemoryError()
    with pytest.raises(OutOfMemory), translate_load_errors(CHECKPOINT, torch.device("cpu")):
        raise damaged


def test_an_unexpected_error_leaves_its_traceback_in_the_log(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with (
        pytest.raises(ModelUnavailable),
        translate_load_errors(CHECKPOINT, torch.device("cpu")),
    ):
        raise ZeroDivisionError("here")
    assert "test_load_errors.py" in capsys.readouterr().err


@pytest.mark.parametrize(("device", "offered"), [("cpu", True), ("mps", False), ("cuda:0", True)])
def test_the_hint_works_on_the_device(device: str, offered: bool) -> None:
    hint = create_out_of_memory_error(torch.device(device)).hint
    assert ("--quantize" in hint) == offered
