"""What a fine-tune may be told: a YAML file, and `--key value` over it.

Every key is a field of `Config`; an unknown one is refused, and the nearest named. The comments of
`train/configs/*.yaml` say which values are worth changing.
"""

from __future__ import annotations

import difflib
import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import yaml

from starchat_tui.errors import ConfigError, UsageError


@dataclass(frozen=True, slots=True)
class Config:
    """One fine-tune."""

    model: str = ""
    """The model to begin with: a folder, or a Hub id."""
    dataset: tuple[str, ...] = ()
    """What to learn: files of trees or dialogues, or Hub datasets."""
    eval_dataset: tuple[str, ...] = ()
    """What to measure on; empty sets `eval_share` of the trees of `dataset` aside."""
    output: str = ""
    """The folder of this run; the finished model is OUTPUT/model."""

    paths: bool = False
    """Train each dialogue alone, the classical way; else a tree is trained as a tree."""
    weights: str = "leaves"
    """leaves: a message counts as often as dialogues go through it; once: each counts 1."""
    block: int = 2048
    """Tokens in a row; trees and dialogues are packed into rows without seeing each other."""
    shift: bool = False
    """Begin half of the rows at a random position, so that short rows train the whole window."""
    languages: tuple[str, ...] = ("en",)
    """The languages of OpenAssistant messages that are learned; empty is every one."""
    ranks: int = 0
    """Replies of each message that are learned, the best-ranked first; 0 is all of them."""
    synthetic: bool = True
    """Whether messages that a model wrote are learned."""
    eval_share: float = 0.05
    """The share of the trees that is measured on instead of learned."""
    keep_ids: bool = False
    """Accept a tokenizer that has the four dialogue tokens under other ids than StarChat's."""

    epochs: float = 3.0
    """How often everything is learned."""
    max_steps: int = 0
    """Steps of the optimizer; 0 follows from `epochs`."""
    batch_size: int = 1
    """Rows of a device in one forward pass."""
    accumulation: int = 1
    """Forward passes of a device in one step of the optimizer."""
    seed: int = 42
    """Decides the split, the order of the rows and what is random in the model."""

    optimizer: str = "adamw"
    """adamw; muon (Muon for the hidden matrices, AdamW for the rest); or in_backward (AdamW that
    is applied while gradients arrive, so that they never exist all at once)."""
    learning_rate: float = 2e-5
    """The peak rate."""
    muon_rate: float = 0.0
    """The peak rate of Muon."""
    warmup: float = 0.03
    """The share of the steps in which the rate rises."""
    schedule: str = "cosine"
    """cosine, linear, or constant after the warm-up."""
    floor: float = 0.0
    """The last rate of the cosine, as a share of the peak."""
    weight_decay: float = 0.0
    """AdamW's; muon has one of its own, 0.01, and takes no other."""
    clip: float = 1.0
    """The largest norm of the gradient; 0 does not clip."""
    dropout: float = 0.0
    """Dropout everywhere in the model; flex attention has none."""

    precision: str = "auto"
    """bf16, fp32, or auto: bf16 on a GPU, fp32 elsewhere."""
    saved: str = "auto"
    """The number format of the finished model: bf16, fp16, fp32, or auto: as it was trained."""
    attention: str = "auto"
    """flex; sdpa; blockwise, the fastest on a CPU, and the one that takes the most memory (sdpa on
    a GPU); or auto: flex on a GPU, sdpa elsewhere."""
    checkpointing: str = "auto"
    """Recompute activations: on, off, or auto: only where memory is too small without."""
    deepspeed: str = ""
    """A DeepSpeed file, such as train/configs/zero3.json."""
    fsdp: bool = False
    """Shard with PyTorch's FSDP instead of DeepSpeed; needs GPUs."""
    threads: int = 0
    """CPU threads of a process; 0 leaves it to PyTorch."""

    lora_rank: int = 0
    """The rank of a LoRA adapter; 0 trains the whole model."""
    lora_alpha: float = 32.0
    """The adapter's scale is alpha / rank."""
    lora_dropout: float = 0.0
    """Dropout before the adapter."""
    lora_targets: tuple[str, ...] = ("c_attn", "c_proj", "c_fc")
    """The matrices that get an adapter; the default is all of StarCoder's."""

    log_steps: int = 1
    """Steps between two lines of progress."""
    eval_steps: int = 0
    """Steps between two evaluations; 0 is once an epoch, and always at the end."""
    save_steps: int = 0
    """Steps between two checkpoints; 0 is once an epoch."""
    keep: int = 2
    """Checkpoints that are kept."""
    sample: str = "Write a function that returns the n-th Fibonacci number."
    """What the model is asked after each evaluation; empty asks nothing."""
    sample_tokens: int = 96
    """The longest sample answer."""
    resume: bool = False
    """Go on from the last whole checkpoint in `output`."""
    push_to_hub: bool = False
    """Upload the finished model, after it is saved here."""
    hub_id: str = ""
    """Where to: OWNER/NAME."""


HARMLESS = frozenset(
    "log_steps eval_steps save_steps keep sample sample_tokens resume push_to_hub hub_id threads "
    "output".split()
)
"""Keys that may differ between a run and its resumption: they change no number."""

_TRUTH = {"true": True, "yes": True, "on": True, "1": True}
_FALSEHOOD = {"false": False, "no": False, "off": False, "0": False}


def load(path: Path, overrides: Sequence[str] = ()) -> Config:
    """The configuration in `path` with `--key value` over it; raises `ConfigError`, `UsageError`.

    `overrides` are as on a command line: `--block 4096`, `--block=4096`; a flag alone is true.
    """
    chosen = {**_read(path), **dict(parse(overrides))}
    if chosen.get("hub_id") and "/" not in str(chosen["hub_id"]):
        raise ConfigError(f"`hub_id` is {chosen['hub_id']!r}", "it reads OWNER/NAME")
    config = Config(**chosen)
    _check(config)
    return config


def _read(path: Path) -> dict[str, Any]:
    try:
        found = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"`{path}` cannot be read ({error})", "`train/configs/` has some to begin with"
        ) from error
    except yaml.YAMLError as error:
        raise ConfigError(f"`{path}` is not YAML: {' '.join(str(error).split())}") from error
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise ConfigError(f"`{path}` is not a list of keys", "each line reads `key: value`")
    return {known(str(key), f"in `{path}`"): _value(str(key), found[key]) for key in found}


def parse(overrides: Sequence[str]) -> Iterator[tuple[str, Any]]:
    """The pairs of `--key value`; raises `ConfigError` for an unknown key, `UsageError` else."""
    given = list(overrides)
    while given:
        word = given.pop(0)
        if not word.startswith("--") or word == "--":
            raise UsageError(f"`{word}` is no `--key`", "write `--key value`, after the YAML file")
        name, equals, text = word[2:].partition("=")
        key = known(name, "on the command line")
        if not equals:
            if given and not given[0].startswith("--"):
                text = given.pop(0)
            elif _KINDS[key] is _truth:
                text = "true"
            else:
                raise UsageError(f"`--{name}` needs a value")
        # A text is a text, also where YAML would read a number or a key in it.
        yield key, text if _KINDS[key] is _text else _value(key, yaml_scalar(text))


def yaml_scalar(text: str) -> Any:
    """What YAML reads in `text`; the text itself where that is no YAML."""
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError:
        return text


def known(name: str, where: str) -> str:
    """The key that `name` spells; raises `ConfigError` that says the nearest."""
    key = name.replace("-", "_")
    if key in _KINDS:
        return key
    close = difflib.get_close_matches(key, _KINDS, n=1, cutoff=0.5)
    hint = f"did you mean `{close[0]}`?" if close else f"known are {', '.join(_KINDS)}"
    raise ConfigError(f"Unknown key `{name}` {where}", hint)


def _text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, str | int | float) and not isinstance(value, bool):
        return str(value)
    raise TypeError


def _texts(value: object) -> tuple[str, ...]:
    if value is None:
        return ()
    if isinstance(value, list):
        return tuple(map(_text, value))
    return tuple(part.strip() for part in _text(value).split(",") if part.strip())


def _truth(value: object) -> bool:
    return {**_TRUTH, **_FALSEHOOD}[str(value).lower()]


def _switch(value: object) -> str:
    """`on` and `off` are YAML's own words for true and false."""
    return {"true": "on", "false": "off"}.get(str(value).lower(), str(value))


def _whole(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError
    return value


def _number(value: object) -> float:
    # YAML 1.1 takes 2e-5 for a text: its numbers need a dot.
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise TypeError
    found = float(value)
    if not math.isfinite(found):
        raise ValueError
    return found


_BY_TYPE: Mapping[str, Callable[[Any], Any]] = {
    "str": _text,
    "tuple[str, ...]": _texts,
    "bool": _truth,
    "int": _whole,
    "float": _number,
}
_EXPECTED: Mapping[Callable[[Any], Any], str] = {
    _text: "a text",
    _texts: "a text or a list of texts",
    _truth: "true or false",
    _switch: "on, off or auto",
    _whole: "a whole number",
    _number: "a number",
}
_KINDS: dict[str, Callable[[Any], Any]] = {
    **{field.name: _BY_TYPE[str(field.type)] for field in fields(Config)},
    "checkpointing": _switch,
}


def _value(key: str, given: Any) -> Any:
    kind = _KINDS[key.replace("-", "_")]
    try:
        return kind(given)
    except (TypeError, ValueError, KeyError) as error:
        raise ConfigError(f"`{key}` is {given!r}", f"it must be {_EXPECTED[kind]}") from error


_CHOICES: Mapping[str, tuple[str, ...]] = {
    "weights": ("leaves", "once"),
    "optimizer": ("adamw", "muon", "in_backward"),
    "schedule": ("cosine", "linear", "constant"),
    "precision": ("auto", "bf16", "fp32"),
    "saved": ("auto", "bf16", "fp16", "fp32"),
    "attention": ("auto", "sdpa", "flex", "blockwise"),
    "checkpointing": ("auto", "on", "off"),
}
_RANGES: Mapping[str, tuple[float, float]] = {
    "block": (16, 1e6),
    "ranks": (0, 1e6),
    "eval_share": (0, 0.5),
    "max_steps": (0, 1e9),
    "epochs": (0.001, 1e4),
    "batch_size": (1, 1e5),
    "accumulation": (1, 1e5),
    "seed": (0, 2**31),
    "learning_rate": (1e-12, 10),
    "muon_rate": (0, 10),
    "warmup": (0, 0.99),
    "floor": (0, 1),
    "weight_decay": (0, 10),
    "clip": (0, 1e6),
    "dropout": (0, 0.9),
    "threads": (0, 4096),
    "lora_rank": (0, 4096),
    "lora_alpha": (0, 1e6),
    "lora_dropout": (0, 0.9),
    "log_steps": (1, 1e9),
    "eval_steps": (0, 1e9),
    "save_steps": (0, 1e9),
    "keep": (1, 1e6),
    "sample_tokens": (0, 1e5),
}


def _check(config: Config) -> None:
    for name, choices in _CHOICES.items():
        value = getattr(config, name)
        if value not in choices:
            raise ConfigError(f"`{name}` is {value!r}", f"it is one of {', '.join(choices)}")
    for name, (low, high) in _RANGES.items():
        value = getattr(config, name)
        if not low <= value <= high:
            raise ConfigError(f"`{name}` is {value}", f"it is a number from {low:g} to {high:g}")
    for name in ("model", "dataset", "output"):
        if not getattr(config, name):
            raise ConfigError(f"`{name}` is not given", f"set it in the YAML, or with `--{name}`")
    _check_pairs(config)


def _check_pairs(config: Config) -> None:
    """Keys that do not go together, each pair with what to do."""
    sharded = bool(config.deepspeed) or config.fsdp
    if config.deepspeed and config.fsdp:
        raise ConfigError("`deepspeed` and `fsdp` exclude each other", "leave one of them out")
    if config.optimizer == "muon" and not config.muon_rate:
        raise ConfigError("`optimizer: muon` needs `muon_rate`", "0.015 is a beginning")
    if config.optimizer == "muon" and config.weight_decay:
        raise ConfigError(
            "`optimizer: muon` has a `weight_decay` of its own, 0.01", "leave `weight_decay` out"
        )
    if config.optimizer != "adamw" and sharded:
        raise ConfigError(
            f"`optimizer: {config.optimizer}` needs whole matrices, and the run is sharded",
            "choose `optimizer: adamw`, or train on one device",
        )
    if config.optimizer == "muon" and config.lora_rank:
        raise ConfigError("`optimizer: muon` trains whole matrices, not LoRA's", "choose adamw")
    if config.optimizer == "in_backward" and (config.accumulation > 1 or config.clip):
        raise ConfigError(
            "`optimizer: in_backward` keeps no gradient to add up or to clip",
            "set `accumulation: 1` and `clip: 0`, and raise `batch_size` instead",
        )
    if config.attention == "blockwise" and config.dropout:
        raise ConfigError("`attention: blockwise` drops nothing out", "choose sdpa, or dropout 0")
    if config.push_to_hub and not config.hub_id:
        raise ConfigError("`push_to_hub` needs a name", "give it with `--hub-id OWNER/NAME`")


def changed(config: Config, before: Mapping[str, Any]) -> list[str]:
    """The keys whose values would change the numbers of a run that began as `before`."""
    now = json.loads(json.dumps(asdict(config)))
    return [key for key in now if key not in HARMLESS and now[key] != before.get(key, now[key])]


def described() -> str:
    """Every key with its default, one a line, for `--help`."""
    defaults = Config()
    shown = ((name, getattr(defaults, name)) for name in _KINDS)
    return "\n".join(f"  {name:15} {spelled(value)}" for name, value in shown)


def spelled(value: object) -> str:
    """A value as `--help` and the card show it."""
    if isinstance(value, tuple):
        return ", ".join(map(str, value))
    return str(value).lower() if isinstance(value, bool) else str(value)
