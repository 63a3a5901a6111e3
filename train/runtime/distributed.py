"""Processes of a run: how many there are, and how they find each other.

`torchrun` starts them and describes them in the environment. On GPUs accelerate does the rest.
Without GPUs it would switch DeepSpeed off or leave each process alone, so the process group is
created here, with gloo, and accelerate is flag to use it.
"""

from __future__ import annotations

import logging
import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NoReturn

import torch

from starchat_tui.errors import ConfigError
from train.config import Config


@dataclass(frozen=True, slots=True)
class ProcessInfo:
    """One process among those of the run."""

    rank: int
    processes: int
    local: int
    """Rank on its machine."""
    local_processes: int
    """Number of processes on its machine."""
    gpu: bool

    @property
    def is_first(self) -> bool:
        """True for the process that prints and saves."""
        return self.rank == 0

    @property
    def device(self) -> str:
        """Name of its device, for messages."""
        return torch.cuda.get_device_name(self.local) if self.gpu else "CPU"


def current_process() -> ProcessInfo:
    """Return this process as `torchrun` describes it; a single one without."""
    found = {name: int(os.environ.get(name, default)) for name, default in _ENVIRONMENT.items()}
    return ProcessInfo(
        rank=found["RANK"],
        processes=found["WORLD_SIZE"],
        local=found["LOCAL_RANK"],
        local_processes=found["LOCAL_WORLD_SIZE"],
        gpu=torch.cuda.is_available(),
    )


_ENVIRONMENT = {"RANK": 0, "WORLD_SIZE": 1, "LOCAL_RANK": 0, "LOCAL_WORLD_SIZE": 1}


def check_support(config: Config, process: ProcessInfo) -> None:
    """Raise `ConfigError` for what these processes cannot do."""
    if config.fsdp and not (process.gpu and process.processes > 1):
        raise ConfigError(
            "`fsdp` needs several GPUs: without them transformers would silently not shard",
            "start it with torchrun on GPUs, or remove `fsdp`",
        )
    if config.optimizer == "in_backward" and process.processes > 1:
        raise ConfigError(
            "`optimizer: in_backward` keeps no gradients for processes to exchange",
            "start one process, or use `--deepspeed train/configs/zero3.json`",
        )
    if config.attention == "flex" and not process.gpu:
        raise ConfigError(
            "Flex attention has no backward pass without a GPU", "use `attention: sdpa`"
        )
    if config.dropout and process.gpu and config.attention in ("auto", "flex"):
        raise ConfigError("Flex attention has no dropout", "use `attention: sdpa` or `dropout: 0`")
    if config.deepspeed and not process.gpu and config.precision == "bf16":
        raise ConfigError(
            "DeepSpeed in bfloat16 needs a GPU", "use `precision: fp32`, or remove `precision`"
        )


def join_process_group(config: Config, process: ProcessInfo) -> dict[str, Any]:
    """Form the process group; return the `TrainingArguments` that belong to it."""
    silence_libraries()
    if config.threads:
        torch.set_num_threads(config.threads)
    if config.deepspeed and process.processes == 1:
        # Without these, DeepSpeed would look for MPI.
        for name, value in _ALONE.items():
            os.environ.setdefault(name, value)
    if process.gpu:
        torch.cuda.set_device(process.local)
        return {"deepspeed": config.deepspeed or None}
    if not config.deepspeed:
        return {"use_cpu": True, "ddp_backend": "gloo" if process.processes > 1 else None}
    os.environ["ACCELERATE_USE_DEEPSPEED"] = "true"
    _disable_compilation()
    from accelerate import PartialState

    PartialState(backend="gloo")
    return {
        "deepspeed": config.deepspeed,
        "accelerator_config": {"use_configured_state": True},
    }


_ALONE = {
    "RANK": "0",
    "WORLD_SIZE": "1",
    "LOCAL_RANK": "0",
    "MASTER_ADDR": "127.0.0.1",
    "MASTER_PORT": "29511",
}
"""Environment that torchrun would set for a single process."""


def agree_on_arguments(args: Any, process: ProcessInfo) -> None:
    """Make the joined processes do the same, each on one device.

    A single process would otherwise spread its batches over all visible GPUs, in threads; and one
    of several that recomputes activations because it has less memory would wait for the others
    forever.
    """
    if process.processes == 1:
        args._n_gpu = min(args.n_gpu, 1)
        return
    flag = torch.tensor(float(args.activation_checkpointing), device=args.device)
    # MAX: if memory is short for one, all of them recompute.
    torch.distributed.all_reduce(flag, torch.distributed.ReduceOp.MAX)
    args.activation_checkpointing = bool(flag)


def _disable_compilation() -> None:
    """Let DeepSpeed communicate through gloo instead of compiling a library of its own."""
    import deepspeed

    deepspeed.ops.__compatible_ops__["deepspeed_shm_comm"] = False


def silence_libraries() -> None:
    """Keep stdout for the result, and stderr for progress."""
    os.environ.setdefault("DS_ACCELERATOR", "cuda" if torch.cuda.is_available() else "cpu")
    warnings.filterwarnings("ignore", category=FutureWarning)
    warnings.filterwarnings("ignore", category=UserWarning)
    logging.getLogger("torch.distributed").setLevel(logging.ERROR)
    from transformers.utils import logging as hub_logging

    hub_logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    hub_logging.disable_progress_bar()  # type: ignore[no-untyped-call]


@contextmanager
def load_unsharded(args: Any) -> Iterator[None]:
    """Let one process read a whole model, which `from_pretrained` would make a collective."""
    from transformers.integrations import deepspeed

    deepspeed.unset_hf_deepspeed_config()  # type: ignore[no-untyped-call]
    try:
        yield
    finally:
        deepspeed.set_hf_deepspeed_config(args.hf_deepspeed_config)  # type: ignore[no-untyped-call]


def wait_for_all(process: ProcessInfo) -> None:
    """Wait for every process of the run."""
    if process.processes > 1 and torch.distributed.is_initialized():
        torch.distributed.barrier()


def leave_process_group() -> None:
    """Leave the process group; a process that does not ends with a warning."""
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()


def exit_process(code: int, process: ProcessInfo) -> NoReturn:
    """Exit; one of several processes at once, without the interpreter's own cleanup.

    Threads of the libraries may still run then and abort a process whose work is done, whereupon
    `torchrun` would end the others and call the run failed.
    """
    if process.processes == 1:
        sys.exit(code)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
