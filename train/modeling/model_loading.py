"""The model that is trained: read, grown by four tokens, kept from mixing dialogues, adapted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from starchat_tui.errors import ConfigError, ModelUnavailable
from train.config import Config
from train.modeling import attention, masks, vocabulary
from train.modeling.vocabulary import Grown
from train.runtime.memory_plan import Setup

_DROPOUTS = (
    *("attn_pdrop", "embd_pdrop", "resid_pdrop"),
    *("attention_dropout", "residual_dropout", "embedding_dropout", "hidden_dropout"),
)
"""What configurations call the shares that are dropped."""


def tokenizer_file(model: str) -> Path:
    """The model's tokenizer.json; raises `ModelUnavailable` where it has none."""
    if (Path(model) / "tokenizer.json").is_file():
        return Path(model) / "tokenizer.json"
    hint = "copy one there; a tokenizer of an older format has to be converted first"
    if Path(model).is_dir():
        raise ModelUnavailable(f"`{model}` has no tokenizer.json", hint)
    from huggingface_hub import hf_hub_download

    try:
        return Path(hf_hub_download(model, "tokenizer.json"))
    except (OSError, ValueError) as error:
        raise ModelUnavailable(
            f"tokenizer.json of `{model}` cannot be fetched ({type(error).__name__})",
            "look at the name and the connection, and whether it is gated",
        ) from error


def load(source: str, config: Config, setup: Setup, grown: Grown) -> Any:
    """The model of `source` as `config` trains it, with rows for every token.

    Under DeepSpeed `source` must have the rows already (`vocabularies.grown_copy`), and the
    `TrainingArguments` must be there: transformers then shards the model while it reads it.
    """
    from transformers import AutoModelForCausalLM

    kind = "sdpa" if setup.masked else "flex_attention"
    if setup.blockwise:
        attention.register()
        kind = attention.BLOCKWISE
    if kind == "flex_attention":
        masks.allow_flex()
    try:
        model = AutoModelForCausalLM.from_pretrained(
            source, dtype=_format(config, setup), attn_implementation=kind, trust_remote_code=False
        )
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        reason = " ".join(str(error).split())[:200]
        raise ModelUnavailable(
            f"`{source}` cannot be loaded ({reason})", "copy or download the model anew"
        ) from error
    if setup.sharding != "zero3":
        vocabulary.grow(model, grown.rows, seed=config.seed)
    model.config.use_cache = False
    set_dropout(model, config.dropout)
    masks.held(model)
    if config.lora_rank:
        model = adapted(model, config, setup, grown)
    return model


def _format(config: Config, setup: Setup) -> torch.dtype:
    """The format the weights are held in: the optimizer's copy is float32 wherever there is one."""
    frozen = bool(config.lora_rank)
    copied = setup.sharding == "zero3"
    if setup.half and (frozen or copied or setup.in_backward):
        return torch.bfloat16
    return torch.float32


def set_dropout(model: Any, share: float) -> None:
    """Set every dropout of the model, in its modules and in its configuration."""
    for name in _DROPOUTS:
        if hasattr(model.config, name):
            setattr(model.config, name, share)
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = share
        # GPTBigCode's attention keeps its share as a number.
        if isinstance(getattr(module, "attn_dropout", None), float):
            module.attn_dropout = share


def adapted(model: Any, config: Config, setup: Setup, grown: Grown) -> Any:
    """The model with a LoRA adapter; of the model itself only the rows of new tokens learn."""
    from peft import LoraConfig, get_peft_model

    known = {name.split(".")[-1] for name, _ in model.named_modules()}
    missing = [name for name in config.lora_targets if name not in known]
    if missing:
        raise ConfigError(
            f"The model has no `{'`, `'.join(missing)}` for LoRA",
            "name some of its matrices in `lora_targets`: "
            + ", ".join(sorted(_matrices(model)))[:200],
        )
    layer = model.get_input_embeddings()
    if grown.added and model.get_output_embeddings().weight is not layer.weight:
        raise ConfigError(
            "The model's head is not its embedding, and an adapter would neither train nor keep "
            "the rows that the head gets for the four new tokens",
            "train the whole model (`--lora-rank 0`), or begin with one that has these rows",
        )
    embedding = next(
        name.split(".")[-1] for name, module in model.named_modules() if module is layer
    )
    made = LoraConfig(
        r=config.lora_rank,
        lora_alpha=config.lora_alpha,  # type: ignore[arg-type]
        lora_dropout=config.lora_dropout,
        target_modules=list(config.lora_targets),
        trainable_token_indices={embedding: grown.control_ids},
        task_type="CAUSAL_LM",
    )
    sharded = setup.sharding == "zero3"
    found: Any = get_peft_model(model, made, autocast_adapter_dtype=not sharded)
    # An adapter goes on the model as it is published, not on our copy of it.
    found.peft_config["default"].base_model_name_or_path = base_name(config.model)
    return found


def base_name(model: str) -> str:
    """What an adapter calls its base: a folder by its whole path, so that it is found anywhere."""
    return str(Path(model).absolute()) if Path(model).is_dir() else model


def _matrices(model: Any) -> set[str]:
    linear = (n for n, module in model.named_modules() if isinstance(module, torch.nn.Linear))
    return {name.split(".")[-1] for name in linear}
