"""What a fine-tune needs of this machine, or of one it is planned for.

python -m train.runtime.memory train/configs/starchat.yaml --gpus 8 --gpu-memory 80
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from starchat_tui.errors import ConfigError, ModelUnavailable
from starchat_tui.sanitize import clean
from train import command_line
from train import config as configs
from train.config import Config
from train.runtime.memory_plan import GB, Setup, Shape, Sharding, decided, lines


def shape_of(found: Any, config: Config) -> Shape:
    """The shape of a transformers configuration, counted on a model without memory."""
    import torch
    from transformers import AutoModelForCausalLM

    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(found)  # type: ignore[no-untyped-call]
    text = found.get_text_config(decoder=True)
    heads = int(getattr(text, "num_attention_heads", 1))
    kept = 1 if getattr(text, "multi_query", False) else heads
    kept = int(getattr(text, "num_key_value_heads", None) or kept)
    width = int(text.hidden_size)
    inner = getattr(text, "n_inner", None) or getattr(text, "intermediate_size", None) or 4 * width
    sizes = [weight.numel() for weight in model.parameters()]
    return Shape(
        parameters=sum(sizes),
        layers=int(text.num_hidden_layers),
        width=width,
        inner=int(inner),
        keys=width // heads * kept,
        heads=heads,
        vocabulary=int(text.vocab_size),
        adapter=_adapter(model, config),
        largest=max(sizes),
    )


def _adapter(model: Any, config: Config) -> int:
    """Parameters that a LoRA adapter of this configuration trains."""
    import torch

    if not config.lora_rank:
        return 0
    adapted = (
        module
        for name, module in model.named_modules()
        if isinstance(module, torch.nn.Linear) and name.split(".")[-1] in config.lora_targets
    )
    return sum(config.lora_rank * sum(module.weight.shape) for module in adapted)


def sharding_of(config: Config) -> tuple[Sharding, bool]:
    """How the run is sharded, and whether the optimizer goes to main memory."""
    if config.fsdp:
        return "fsdp", False
    if not config.deepspeed:
        return "none", False
    zero = read_deepspeed(config.deepspeed).get("zero_optimization", {})
    offload = (zero.get("offload_optimizer") or {}).get("device") in ("cpu", "nvme")
    return ("zero3" if zero.get("stage") == 3 else "none"), offload


def read_deepspeed(path: str) -> dict[str, Any]:
    """The DeepSpeed file; `ConfigError` where it would undo the YAML, or save no weights."""
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
    for name in ("optimizer", "scheduler"):
        if name in found:
            raise ConfigError(
                f"`{path}` has `{name}`, which would replace the one of the YAML file",
                f"take `{name}` out of it",
            )
    zero = found.get("zero_optimization", {})
    if not isinstance(zero, dict):
        raise ConfigError(
            f"`zero_optimization` of `{path}` is not a JSON object",
            "`train/configs/zero3.json` is one that works",
        )
    if zero.get("stage") == 3 and zero.get(_GATHERED) is not True:
        raise ConfigError(
            f"`{path}` does not gather the weights of the finished model, which would have none",
            f'put `"{_GATHERED}": true` into its `zero_optimization`',
        )
    return found


_GATHERED = "stage3_gather_16bit_weights_on_model_save"


def setup_of(config: Config, *, devices: int, capacity: int, host: int, gpu: bool) -> Setup:
    """The setup that a configuration describes on given devices."""
    sharding, offload = sharding_of(config)
    half = config.precision == "bf16" or (config.precision == "auto" and gpu)
    return Setup(
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
        # It is written for a CPU; a GPU takes sdpa, with the same mask.
        blockwise=config.attention == "blockwise" and not gpu,
    )


def main_memory() -> int:
    """Bytes of main memory that are available."""
    try:
        told = Path("/proc/meminfo").read_text(encoding="ascii")
        (line,) = (line for line in told.splitlines() if line.startswith("MemAvailable"))
        return int(line.split()[1]) * 1024
    except (OSError, ValueError):
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def main(argv: Sequence[str]) -> int:
    """Print what a configuration needs; exit code 69 where it does not fit."""
    parser = command_line.Parser(prog="python -m train.runtime.memory", description=main.__doc__)
    parser.add_argument("config", type=Path)
    parser.add_argument(
        "--gpus", type=command_line.positive, default=8, help="how many, over all nodes"
    )
    parser.add_argument("--gpu-memory", type=float, default=80, metavar="GB", help="of each")
    parser.add_argument("--memory", type=float, default=128, metavar="GB", help="main, for each")
    given, rest = parser.parse_known_args(argv)
    config = configs.load(given.config, rest)
    setup = setup_of(
        config,
        devices=given.gpus,
        capacity=int(given.gpu_memory * GB),
        host=int(given.memory * GB),
        gpu=True,
    )
    shape = shape_of(model_config(config.model), config)
    print(f"{clean(config.model)}: {shape.parameters / 1e9:.2f} billion parameters", flush=True)
    setup, need = decided(shape, setup, config.checkpointing)
    print("\n".join(lines(need, setup)))
    return 0


def model_config(model: str) -> Any:
    """The transformers configuration of a folder or a Hub id; raises `ModelUnavailable`."""
    from transformers import AutoConfig

    try:
        return AutoConfig.from_pretrained(model, trust_remote_code=False)
    except (OSError, ValueError, KeyError) as error:
        reason = " ".join(str(error).split())[:200]
        raise ModelUnavailable(
            f"`{model}` is no model that can be trained ({reason})",
            "name a folder with a config.json, or a Hub id; a gated one needs `hf auth login`",
        ) from error


if __name__ == "__main__":
    sys.exit(command_line.told(lambda: main(sys.argv[1:])))
