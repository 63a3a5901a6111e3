"""Errors of torch, transformers and peft while a model loads, translated into ours."""

from __future__ import annotations

import errno
import pickle
import re
import traceback
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
"""Errors that transformers and peft raise for files that they cannot use."""
_NO_MEMORY = re.compile(
    # In order: torch's CPU allocator, mmap by safetensors and the kernel, CUDA, cuBLAS and cuDNN.
    r"can't allocate memory|cannot allocate memory|out of memory|STATUS_ALLOC_FAILED",
    re.IGNORECASE,
)


@contextmanager
def translate_load_errors(checkpoint: Checkpoint, device: torch.device) -> Iterator[None]:
    """Raise `OutOfMemory` or `ModelUnavailable` in place of what the libraries raise.

    The traceback of an error that files are not known to cause goes to the log: it may be a defect,
    but a downloaded configuration can make these libraries raise anything.
    """
    try:
        yield
    except StarChatError:
        raise
    except Exception as error:
        # First, because several libraries report it as a `RuntimeError`, like damage to a file.
        if is_out_of_memory(error):
            raise create_out_of_memory_error(device) from error
        if not isinstance(error, _FILE_ERRORS):
            traceback.print_exception(error)
        raise _create_load_error(checkpoint, error) from error


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether an error, or one that it was raised from, says that memory is exhausted."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    if isinstance(error, OSError) and error.errno == errno.ENOMEM:
        return True
    if _NO_MEMORY.search(str(error)):
        return True
    # Not `__context__`: an error while another one is handled may be unrelated to it.
    return error.__cause__ is not None and is_out_of_memory(error.__cause__)


def create_out_of_memory_error(device: torch.device) -> OutOfMemory:
    """Return the error of a device that is full, with a hint that works on this machine."""
    # Neither our quantization nor that of bitsandbytes computes on other devices.
    quantize = ", or `--quantize auto`" if device.type in ("cuda", "cpu") else ""
    return OutOfMemory(
        f"{device} has no memory left for the model or for a context this long",
        f"close other programs, shorten the conversation, or choose a smaller model{quantize}",
    )


def _create_load_error(checkpoint: Checkpoint, error: Exception) -> ModelUnavailable:
    kind = checkpoint.config.get("model_type", "unknown")
    source = checkpoint.adapter or checkpoint.folder
    reason = " ".join(str(error).split())[:300]
    # torch's own text tells how to load it all the same, and thereby run what it holds.
    if isinstance(error, pickle.UnpicklingError) or "weights_only" in reason:
        return ModelUnavailable(
            f"The weights in `{source}` hold more than numbers, which could run code when loaded",
            "get the model in the safetensors format",
        )
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
