"""Memory that a fine-tune needs, on this machine or on a planned one.

python -m train.runtime.memory train/configs/starchat.yaml --gpus 8 --gpu-memory 80
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from starchat_tui.cli import error_boundary
from starchat_tui.sanitize import sanitize_text
from train import config as configs
from train.config import Config
from train.number_flags import positive_integer
from train.run_setup import TrainingSetup
from train.runtime.deepspeed_file import resolve_sharding
from train.runtime.memory_plan import GB, choose_checkpointing, format_need
from train.runtime.model_shape import load_model_config, measure_shape


def create_setup(
    config: Config, *, devices: int, capacity: int, host: int, gpu: bool
) -> TrainingSetup:
    """Return the setup that a configuration describes on the arguments devices.

    Args:
        config: The configuration.
        devices: Number of processes, one per device.
        capacity: Free bytes of a device.
        host: Bytes of main memory per process.
        gpu: True if the devices are GPUs.
    """
    sharding, offload = resolve_sharding(config)
    half = config.precision == "bf16" or (config.precision == "auto" and gpu)
    return TrainingSetup(
        devices=devices,
        capacity=capacity,
        host=host,
        gpu=gpu,
        half=half,
        tokens=config.batch_size * config.block,
        block=config.block,
        sharding=sharding,
        offload=offload,
        in_backward=config.optimizer == "in_backward",
        masked=config.attention != "flex" and not (config.attention == "auto" and gpu),
        # Blockwise attention is for a CPU; a GPU uses sdpa with the same mask.
        blockwise=config.attention == "blockwise" and not gpu,
    )


def available_memory() -> int:
    """Return the available bytes of main memory."""
    try:
        text = Path("/proc/meminfo").read_text(encoding="ascii")
        (line,) = (line for line in text.splitlines() if line.startswith("MemAvailable"))
        return int(line.split()[1]) * 1024
    except (OSError, ValueError):
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def main(argv: Sequence[str]) -> int:
    """Print what a configuration needs; exit code 69 if it does not fit."""
    parser = error_boundary.ArgumentParser(
        prog="python -m train.runtime.memory", description=main.__doc__
    )
    parser.add_argument("config", type=Path)
    parser.add_argument(
        "--gpus", type=positive_integer, default=8, help="number of GPUs over all nodes"
    )
    parser.add_argument(
        "--gpu-memory", type=float, default=80, metavar="GB", help="memory of each GPU"
    )
    parser.add_argument(
        "--memory", type=float, default=128, metavar="GB", help="main memory per GPU"
    )
    arguments, rest = parser.parse_known_args(argv)
    config = configs.load_config(arguments.config, rest)
    setup = create_setup(
        config,
        devices=arguments.gpus,
        capacity=int(arguments.gpu_memory * GB),
        host=int(arguments.memory * GB),
        gpu=True,
    )
    shape = measure_shape(load_model_config(config.model), config)
    print(
        f"{sanitize_text(config.model)}: {shape.parameters / 1e9:.2f} billion parameters",
        flush=True,
    )
    setup, need = choose_checkpointing(shape, setup, config.checkpointing)
    print("\n".join(format_need(need, setup)))
    return 0


if __name__ == "__main__":
    sys.exit(error_boundary.report_errors(lambda: main(sys.argv[1:]), program="train"))
