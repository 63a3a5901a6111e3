"""Configuration of a fine-tune: a YAML file, overridden by `--key value`.

Every key is a field of `Config`; an unknown one is refused, and the nearest is suggested. The
comments in `train/configs/*.yaml` explain which values are worth changing.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml

from starchat_tui.config.config_file import Range, Separator, find_key, get_keys, parse_file_values
from starchat_tui.errors import ConfigError, UsageError

NameList = Annotated[tuple[str, ...], Separator(",")]


@dataclass(frozen=True, slots=True)
class Config:
    """Configuration of one fine-tune."""

    model: str = ""
    """Model to start from: a folder, or a Hub id."""
    dataset: NameList = ()
    """Training data: files of trees or dialogues, or Hub datasets."""
    eval_dataset: NameList = ()
    """Evaluation data; if empty, `eval_share` of the trees of `dataset` is held out."""
    output: str = ""
    """Folder of this run; the finished model is OUTPUT/model."""

    paths: bool = False
    """Train on each dialogue separately, instead of on trees."""
    weights: Literal["leaves", "once"] = "leaves"
    """Loss weight of a message: `leaves`, the number of dialogues through it; or `once`, 1."""
    block: Annotated[int, Range(16, 1e6)] = 2048
    """Tokens of a row; trees and dialogues are packed into rows, isolated from each other."""
    shift: bool = False
    """Start half of the rows at a random position, so that short rows train the whole window."""
    languages: NameList = ("en",)
    """Languages of OpenAssistant messages to train on; empty for all."""
    ranks: Annotated[int, Range(0, 1e6)] = 0
    """Replies per message to train on, best-ranked first; 0 for all."""
    synthetic: bool = True
    """Train on messages written by a model."""
    eval_share: Annotated[float, Range(0, 0.5)] = 0.05
    """Share of the trees that is held out for evaluation."""
    keep_ids: bool = False
    """Accept a tokenizer whose four control tokens have other ids than StarChat's."""

    epochs: Annotated[float, Range(0.001, 1e4)] = 3.0
    """Passes over the training data."""
    max_steps: Annotated[int, Range(0, 1e9)] = 0
    """Optimizer steps; 0 derives them from `epochs`."""
    batch_size: Annotated[int, Range(1, 1e5)] = 1
    """Rows per device in one forward pass."""
    accumulation: Annotated[int, Range(1, 1e5)] = 1
    """Forward passes per device in one optimizer step."""
    seed: Annotated[int, Range(0, 2**31)] = 42
    """Seed of the split, the order of the rows and the randomness in the model."""

    optimizer: Literal["adamw", "muon", "in_backward"] = "adamw"
    """adamw; muon (Muon for the matrices of the blocks, AdamW for the rest); or in_backward
    (AdamW applied during the backward pass, so that the gradients never exist all at once).
    """
    learning_rate: Annotated[float, Range(1e-12, 10)] = 2e-5
    """Peak learning rate, of AdamW where there are two."""
    muon_rate: Annotated[float, Range(0, 10)] = 0.0
    """Peak learning rate of Muon."""
    position_rate_divisor: Annotated[float, Range(1, 1e6)] = 1.0
    """Divisor of `learning_rate` for the position embeddings with `optimizer: muon`; 1 trains
    them at the full rate, a large one nearly freezes them.
    """
    warmup: Annotated[float, Range(0, 0.99)] = 0.03
    """Share of the steps over which the rate rises."""
    schedule: Literal["cosine", "linear", "constant"] = "cosine"
    """Schedule after the warm-up: cosine, linear or constant."""
    floor: Annotated[float, Range(0, 1)] = 0.0
    """Final rate of the cosine schedule, as a share of the peak."""
    weight_decay: Annotated[float, Range(0, 10)] = 0.0
    """Weight decay of AdamW; muon has a fixed one of 0.01."""
    clip: Annotated[float, Range(0, 1e6)] = 1.0
    """Largest norm of the gradient; 0 disables clipping."""
    dropout: Annotated[float, Range(0, 0.9)] = 0.0
    """Dropout rate everywhere in the model; flex attention supports none."""

    precision: Literal["auto", "bf16", "fp32"] = "auto"
    """bf16, fp32, or auto: bf16 on a GPU, fp32 elsewhere."""
    saved: Literal["auto", "bf16", "fp16", "fp32"] = "auto"
    """Number format of the finished model: bf16, fp16, fp32, or auto: as trained."""
    attention: Literal["auto", "sdpa", "flex", "blockwise"] = "auto"
    """flex; sdpa; blockwise (for a CPU; needs the most memory; sdpa on a GPU); or auto: flex on
    a GPU, sdpa elsewhere.
    """
    checkpointing: Literal["auto", "on", "off"] = "auto"
    """Recompute activations in the backward pass: on, off, or auto: only if memory is short."""
    deepspeed: str = ""
    """DeepSpeed file, such as train/configs/zero3.json."""
    fsdp: bool = False
    """Shard with PyTorch's FSDP instead of DeepSpeed; needs GPUs."""
    threads: Annotated[int, Range(0, 4096)] = 0
    """CPU threads per process; 0 leaves it to PyTorch."""

    lora_rank: Annotated[int, Range(0, 4096)] = 0
    """Rank of a LoRA adapter; 0 trains the whole model."""
    lora_alpha: Annotated[float, Range(0, 1e6)] = 32.0
    """The adapter is scaled by alpha / rank."""
    lora_dropout: Annotated[float, Range(0, 0.9)] = 0.0
    """Dropout before the adapter."""
    lora_targets: NameList = ("c_attn", "c_proj", "c_fc")
    """Matrices that get an adapter; by default all of StarCoder's."""

    log_steps: Annotated[int, Range(1, 1e9)] = 1
    """Steps between two lines of progress."""
    eval_steps: Annotated[int, Range(0, 1e9)] = 0
    """Steps between two evaluations; 0 is once an epoch. There is always one at the end."""
    save_steps: Annotated[int, Range(0, 1e9)] = 0
    """Steps between two checkpoints; 0 is once an epoch."""
    keep: Annotated[int, Range(1, 1e6)] = 2
    """Checkpoints to keep."""
    sample: str = "Write a function that returns the n-th Fibonacci number."
    """Question the model answers after each evaluation; empty for none."""
    sample_tokens: Annotated[int, Range(0, 1e5)] = 96
    """Most tokens of the sample answer."""
    resume: bool = False
    """Continue from the newest complete checkpoint in `output`."""
    push_to_hub: bool = False
    """Upload the finished model after it is saved."""
    hub_id: str = ""
    """Hub repository of the upload: OWNER/NAME."""


HARMLESS = frozenset(
    "log_steps eval_steps save_steps keep sample sample_tokens resume push_to_hub hub_id threads "
    "output".split()
)
"""Keys that may change when a run is resumed: they do not affect the numbers."""


def load_config(path: Path, overrides: Sequence[str] = ()) -> Config:
    """Load `path` with `--key value` overrides; raises `ConfigError` or `UsageError`.

    `overrides` are written as on a command line: `--block 4096`, `--block=4096`; a Boolean flag may
    stand alone.
    """
    config = Config(**{**_read_file(path), **dict(_parse_overrides(overrides))})
    _check_required(config)
    _check_combinations(config)
    return config


def _read_file(path: Path) -> dict[str, Any]:
    try:
        text = path.read_text(encoding="utf-8")
        values = yaml.safe_load(text)
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"`{path}` cannot be read ({error})", "begin with one of the files in `train/configs/`"
        ) from error
    except yaml.YAMLError as error:
        reason = " ".join(str(error).split())
        raise ConfigError(f"`{path}` is not YAML: {reason}", "correct it there") from error
    if not isinstance(values, dict | None):
        raise ConfigError(f"`{path}` is not a list of keys", "write each line as `key: value`")
    return parse_file_values(Config, values or {}, path, text)


def _parse_overrides(overrides: Sequence[str]) -> Iterator[tuple[str, Any]]:
    """Yield the keys and values of `--key value`; a Boolean key may stand alone."""
    origin = "on the command line"
    given = list(overrides)
    while given:
        word = given.pop(0)
        if not word.startswith("--") or word == "--":
            raise UsageError(f"`{word}` is not a `--key`", "write `--key value`, after the file")
        name, equals, text = word[2:].partition("=")
        key = find_key(Config, name, origin)
        if not equals:
            if given and not given[0].startswith("--"):
                text = given.pop(0)
            elif key.type is bool:
                text = "true"
            else:
                raise UsageError(f"`--{name}` needs a value", f"it must be {key.description}")
        # A string stays as it was typed, even where YAML would read a number or a mapping in it.
        yield key.name, key.parse_value(text if key.type is str else _parse_yaml(text), origin)


def _parse_yaml(text: str) -> object:
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError:
        return text


def _check_required(config: Config) -> None:
    for name in ("model", "dataset", "output"):
        if not getattr(config, name):
            raise ConfigError(f"`{name}` is not set", f"set it in the YAML file or with `--{name}`")
    if config.hub_id and "/" not in config.hub_id:
        raise ConfigError(f"`hub_id` is {config.hub_id!r}", "it must be OWNER/NAME")


def _check_combinations(config: Config) -> None:
    """Raise `ConfigError` for keys that exclude or need each other."""
    sharded = bool(config.deepspeed) or config.fsdp
    if config.deepspeed and config.fsdp:
        raise ConfigError("`deepspeed` and `fsdp` exclude each other", "remove one of them")
    if config.optimizer == "muon" and not config.muon_rate:
        raise ConfigError("`optimizer: muon` needs `muon_rate`", "0.015 is a good start")
    if config.optimizer == "muon" and config.weight_decay:
        raise ConfigError(
            "`optimizer: muon` has a fixed `weight_decay` of 0.01", "remove `weight_decay`"
        )
    if config.optimizer != "adamw" and sharded:
        raise ConfigError(
            f"`optimizer: {config.optimizer}` cannot be sharded: it needs whole matrices",
            "use `optimizer: adamw`, or train on one device",
        )
    if config.optimizer == "muon" and config.lora_rank:
        raise ConfigError(
            "`optimizer: muon` does not train LoRA adapters", "use `optimizer: adamw`"
        )
    if config.optimizer == "in_backward" and (config.accumulation > 1 or config.clip):
        raise ConfigError(
            "`optimizer: in_backward` keeps no gradients to accumulate or clip",
            "set `accumulation: 1` and `clip: 0`, and raise `batch_size` instead",
        )
    if config.attention == "blockwise" and config.dropout:
        raise ConfigError(
            "`attention: blockwise` has no dropout", "use `attention: sdpa` or `dropout: 0`"
        )
    if config.push_to_hub and not config.hub_id:
        raise ConfigError("`push_to_hub` needs `hub_id`", "set it with `--hub-id OWNER/NAME`")


def list_changed_keys(config: Config, before: Mapping[str, Any]) -> list[str]:
    """Return the keys that differ from `before` and affect the numbers of a run."""
    now = json.loads(json.dumps(asdict(config)))
    return [key for key in now if key not in HARMLESS and now[key] != before.get(key, now[key])]


def describe_keys() -> str:
    """Return every key with its default, one per line, for `--help`."""
    defaults = Config()
    shown = ((name, getattr(defaults, name)) for name in get_keys(Config))
    return "\n".join(f"  {name:21} {format_value(value)}" for name, value in shown)


def format_value(value: object) -> str:
    """Return a value as `--help` and the model card show it."""
    if isinstance(value, tuple):
        return ", ".join(map(str, value))
    return str(value).lower() if isinstance(value, bool) else str(value)
