"""Errors of torch, transformers and peft while a model loads, translated into ours."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from safetensors import SafetensorError

from starchat_tui.engine.models.weights import Checkpoint
from starchat_tui.errors import ModelUnavailable, OutOfMemory, StarChatError

_FILE_ERRORS = (
    *(ValueError, KeyError, OSError, ImportError),
    *(RuntimeError, TypeError, SafetensorError),
)


@contextmanager
def translate_load_errors(checkpoint: Checkpoint, device: torch.device) -> Iterator[None]:
    """Raise `OutOfMemory` or `ModelUnavailable` in place of what the libraries raise.

    Other classes of errors pass: they are defects, and their traceback is wanted.
    """
    try:
        yield
    # First, because torch's out-of-memory error is a `RuntimeError`, like damage to a file.
    except (torch.OutOfMemoryError, MemoryError) as error:
        raise create_out_of_memory_error(device) from error
    except StarChatError:
        raise
    except _get_file_error_classes() as error:
        raise _create_load_error(checkpoint, error) from error


def _get_file_error_classes() -> tuple[type[Exception], ...]:
    """Return the errors that transformers and peft raise for files that they cannot use."""
    from huggingface_hub.errors import StrictDataclassError

    # Raised for a config whose values have the wrong type; it derives from `Exception` alone.
    return (*_FILE_ERRORS, StrictDataclassError)


def create_out_of_memory_error(device: object) -> OutOfMemory:
    """Return the error of a device that is full."""
    return OutOfMemory(
        f"{device} has no memory left for the model or for a context this long",
        "shorten the conversation, choose a smaller model, or `--quantize int8`",
    )


def _create_load_error(checkpoint: Checkpoint, error: Exception) -> ModelUnavailable:
    kind = checkpoint.config.get("model_type", "unknown")
    source = checkpoint.adapter or checkpoint.folder
    reason = " ".join(str(error).split())[:300]
    # transformers has no classes for these two; its texts are all there is to tell them by.
    if "Unrecognized configuration class" in reason or "does not recognize" in reason:
        return ModelUnavailable(
            f"`{checkpoint.folder}` is a {kind} model, which is not a causal language model here",
            "choose a model that generates text; a newer transformers may support more kinds",
        )
    if "trust_remote_code" in reason:
        return ModelUnavailable(
            f"`{checkpoint.folder}` needs code of its own, and that is never run here",
            "choose a model of a kind that transformers supports",
        )
    return ModelUnavailable(
        f"`{source}` ({kind}) cannot be loaded: {type(error).__name__}: {reason}",
        "copy or download the model again",
    )
