"""The processes of a run: how many, on what, and how they find each other.

`torchrun` starts them and says so in the environment. On GPUs accelerate does the rest. Without,
it would switch DeepSpeed off or leave each process alone; so the group is made here, with gloo, and
accelerate is told to take it as it is.
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
class Place:
    """Where this process stands among those of the run."""

    rank: int
    processes: int
    local: int
    """Its number on its machine."""
    beside: int
    """Processes on its machine."""
    gpu: bool

    @property
    def first(self) -> bool:
        """Whether it is the one that prints and saves."""
        return self.rank == 0

    @property
    def device(self) -> str:
        """What it computes on, for a reader."""
        return torch.cuda.get_device_name(self.local) if self.gpu else "CPU"


def place() -> Place:
    """This process's place, as `torchrun` told it; alone without."""
    found = {name: int(os.environ.get(name, default)) for name, default in _TOLD.items()}
    return Place(
        rank=found["RANK"],
        processes=found["WORLD_SIZE"],
        local=found["LOCAL_RANK"],
        beside=found["LOCAL_WORLD_SIZE"],
        gpu=torch.cuda.is_available(),
    )


_TOLD = {"RANK": 0, "WORLD_SIZE": 1, "LOCAL_RANK": 0, "LOCAL_WORLD_SIZE": 1}


def check(config: Config, here: Place) -> None:
    """Raise `ConfigError` for what these processes cannot do."""
    if config.fsdp and not (here.gpu and here.processes > 1):
        raise ConfigError(
            "`fsdp` needs several GPUs: without, transformers would silently not shard at all",
            "start it with torchrun on GPUs, or leave `fsdp` out",
        )
    if config.optimizer == "in_backward" and here.processes > 1:
        raise ConfigError(
            "`optimizer: in_backward` has no gradients that processes could exchange",
            "start one process, or choose `--deepspeed train/configs/zero3.json`",
        )
    if config.attention == "flex" and not here.gpu:
        raise ConfigError(
            "Flex attention computes no gradients without a GPU", "choose `attention: sdpa`"
        )
    if config.dropout and here.gpu and config.attention in ("auto", "flex"):
        raise ConfigError(
            "Flex attention drops nothing out", "choose `attention: sdpa`, or dropout 0"
        )
    if config.deepspeed and not here.gpu and config.precision == "bf16":
        raise ConfigError(
            "DeepSpeed in bfloat16 needs a GPU", "choose `precision: fp32`, or leave it out"
        )


def join(config: Config, here: Place) -> dict[str, Any]:
    """Form the group; the arguments of `TrainingArguments` that belong to it."""
    quiet()
    if config.threads:
        torch.set_num_threads(config.threads)
    if config.deepspeed and here.processes == 1:
        # Where nothing is said, DeepSpeed would look for MPI.
        for name, value in _ALONE.items():
            os.environ.setdefault(name, value)
    if here.gpu:
        torch.cuda.set_device(here.local)
        return {"deepspeed": config.deepspeed or None}
    if not config.deepspeed:
        return {"use_cpu": True, "ddp_backend": "gloo" if here.processes > 1 else None}
    os.environ["ACCELERATE_USE_DEEPSPEED"] = "true"
    _without_compiler()
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
"""What torchrun would say to a process on its own."""


def agree(args: Any, here: Place) -> None:
    """Let the processes that `join` brought together do the same, each on one device.

    A process alone would else divide its batches among all GPUs that it sees, in threads; and one
    of several that recomputes activations because it has less memory would wait for the others.
    """
    if here.processes == 1:
        args._n_gpu = min(args.n_gpu, 1)
        return
    told = torch.tensor(float(args.activation_checkpointing), device=args.device)
    torch.distributed.all_reduce(told, torch.distributed.ReduceOp.MAX)
    args.activation_checkpointing = bool(told)


def _without_compiler() -> None:
    """Let DeepSpeed exchange through gloo instead of compiling a library of its own for it."""
    import deepspeed

    deepspeed.ops.__compatible_ops__["deepspeed_shm_comm"] = False


def quiet() -> None:
    """Keep stdout for the result, and stderr for what a person wants to know."""
    os.environ.setdefault("DS_ACCELERATOR", "cuda" if torch.cuda.is_available() else "cpu")
    warnings.filterwarnings("ignore", category=FutureWarning)
    warnings.filterwarnings("ignore", category=UserWarning)
    logging.getLogger("torch.distributed").setLevel(logging.ERROR)
    from transformers.utils import logging as theirs

    theirs.set_verbosity_error()  # type: ignore[no-untyped-call]
    theirs.disable_progress_bar()  # type: ignore[no-untyped-call]


@contextmanager
def unsharded(args: Any) -> Iterator[None]:
    """Let one process read a model whole: `from_pretrained` else asks all of them to take part."""
    from transformers.integrations import deepspeed

    deepspeed.unset_hf_deepspeed_config()  # type: ignore[no-untyped-call]
    try:
        yield
    finally:
        deepspeed.set_hf_deepspeed_config(args.hf_deepspeed_config)  # type: ignore[no-untyped-call]


def wait(here: Place) -> None:
    """Wait for every process of the run."""
    if here.processes > 1 and torch.distributed.is_initialized():
        torch.distributed.barrier()


def leave() -> None:
    """Take the group apart, without which a process ends with a warning."""
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()


def end(code: int, here: Place) -> NoReturn:
    """End this process; one of several at once, without the interpreter's own clearing up.

    Threads of the libraries may still run then, and abort a process whose work is done; `torchrun`
    would end the others for it and call the run failed.
    """
    if here.processes == 1:
        sys.exit(code)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
