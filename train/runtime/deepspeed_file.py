"""DeepSpeed's configuration file: validation, and the sharding it asks for."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from starchat_tui.errors import ConfigError
from train.config import Config
from train.run_setup import Sharding


def resolve_sharding(config: Config) -> tuple[Sharding, bool]:
    """Return how the run is sharded, and whether the optimizer is offloaded to main memory."""
    if config.fsdp:
        return "fsdp", False
    if not config.deepspeed:
        return "none", False
    zero = read_deepspeed_file(config.deepspeed).get("zero_optimization", {})
    offload = (zero.get("offload_optimizer") or {}).get("device") in ("cpu", "nvme")
    return ("zero3" if zero.get("stage") == 3 else "none"), offload


def read_deepspeed_file(path: str) -> dict[str, Any]:
    """Read a DeepSpeed file.

    Raises `ConfigError` if it would override the YAML file or save no weights.
    """
    try:
        found = json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"`{path}` cannot be read ({error})", "`train/configs/zero3.json` is one that works"
        ) from error
    if not isinstance(found, dict):
        raise ConfigError(
            f"`{path}` is not a JSON object", "`train/configs/zero3.json` is one that works"
        )
    # DeepSpeed prefers its own file: in 2023 its scheduler silently replaced the cosine schedule.
    for name in ("optimizer", "scheduler"):
        if name in found:
            raise ConfigError(
                f"`{path}` has `{name}`, which would override the YAML file",
                f"remove `{name}` from it",
            )
    zero = found.get("zero_optimization", {})
    if not isinstance(zero, dict):
        raise ConfigError(
            f"`zero_optimization` of `{path}` is not a JSON object",
            "`train/configs/zero3.json` is one that works",
        )
    if zero.get("stage") == 3 and zero.get(_GATHERED) is not True:
        raise ConfigError(
            f"`{path}` does not gather the weights, so the finished model would have none",
            f'set `"{_GATHERED}": true` in its `zero_optimization`',
        )
    return found


_GATHERED = "stage3_gather_16bit_weights_on_model_save"
