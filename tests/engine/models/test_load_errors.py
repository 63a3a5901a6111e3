"""Errors of the libraries, translated while a model loads."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from huggingface_hub.errors import StrictDataclassError

from starchat_tui.engine.models.load_errors import translate_load_errors
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


@pytest.mark.parametrize("raised", [ConfigError("a", "b"), ZeroDivisionError()])
def test_our_own_errors_and_defects_pass(raised: Exception) -> None:
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
