"""Loading of the model to train: embeddings extended, dialogues isolated, adapter added."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from starchat_tui.errors import ConfigError, ModelUnavailable
from train.config import Config
from train.modeling import attention, masks, tokenizer_extension
from train.modeling.tokenizer_extension import ExtendedTokenizer
from train.run_setup import TrainingSetup

_DROPOUTS = (
    *("attn_pdrop", "embd_pdrop", "resid_pdrop"),
    *("attention_dropout", "residual_dropout", "embedding_dropout", "hidden_dropout"),
)
"""Names of dropout rates in model configurations."""


def load_model(
    source: str, config: Config, setup: TrainingSetup, extended: ExtendedTokenizer
) -> Any:
    """Load the model for training, with embedding rows for every token.

    Under ZeRO-3 the `TrainingArguments` must exist already: transformers then shards the weights
    while it reads them.

    Args:
        source: Folder or Hub id; under ZeRO-3 a folder whose embedding has all rows
            (`tokenizer_extension.save_extended_model`).
        config: The configuration.
        setup: Setup of the run.
        extended: Tokenizer with the four control tokens.
    """
    from transformers import AutoModelForCausalLM

    kind = "sdpa" if setup.masked else "flex_attention"
    if setup.blockwise:
        attention.register_attention()
        kind = attention.BLOCKWISE
    if kind == "flex_attention":
        masks.enable_flex_attention()
    try:
        model = AutoModelForCausalLM.from_pretrained(
            source,
            dtype=_weight_dtype(config, setup),
            attn_implementation=kind,
            trust_remote_code=False,
        )
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        reason = " ".join(str(error).split())[:200]
        raise ModelUnavailable(
            f"`{source}` cannot be loaded ({reason})", "copy or download the model again"
        ) from error
    # Under ZeRO-3 no process has the whole matrix: the copy on disk was extended before.
    if setup.sharding != "zero3":
        tokenizer_extension.extend_embeddings(model, extended.rows, seed=config.seed)
    model.config.use_cache = False
    set_dropout(model, config.dropout)
    masks.require_mask_form(model)
    if config.lora_rank:
        model = add_adapter(model, config, setup, extended)
    return model


def _weight_dtype(config: Config, setup: TrainingSetup) -> torch.dtype:
    """Return the dtype of the weights in memory."""
    # bfloat16 loses small updates. It is only for frozen weights, for ZeRO-3, which keeps a float32
    # copy itself, and for in_backward, which rounds stochastically.
    frozen = bool(config.lora_rank)
    copied = setup.sharding == "zero3"
    if setup.half and (frozen or copied or setup.in_backward):
        return torch.bfloat16
    return torch.float32


def set_dropout(model: Any, share: float) -> None:
    """Set every dropout rate of the model, in its modules and its configuration."""
    for name in _DROPOUTS:
        if hasattr(model.config, name):
            setattr(model.config, name, share)
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = share
        # GPTBigCode's attention layers keep the rate as a number.
        if isinstance(getattr(module, "attn_dropout", None), float):
            module.attn_dropout = share


def add_adapter(
    model: Any, config: Config, setup: TrainingSetup, extended: ExtendedTokenizer
) -> Any:
    """Return the model with a LoRA adapter.

    Of the model itself only the embedding rows of the control tokens are trained.
    """
    from peft import LoraConfig, get_peft_model

    known = {name.split(".")[-1] for name, _ in model.named_modules()}
    missing = [name for name in config.lora_targets if name not in known]
    if missing:
        raise ConfigError(
            f"The model has no `{'`, `'.join(missing)}` for LoRA",
            "set `lora_targets` to some of its matrices: "
            + ", ".join(sorted(_linear_names(model)))[:200],
        )
    layer = model.get_input_embeddings()
    if extended.added and model.get_output_embeddings().weight is not layer.weight:
        raise ConfigError(
            "The model's head is not tied to its embedding: an adapter would neither train nor "
            "save the head's rows for the four new tokens",
            "train the whole model (`--lora-rank 0`), or start from one that has these rows",
        )
    embedding = next(
        name.split(".")[-1] for name, module in model.named_modules() if module is layer
    )
    lora = LoraConfig(
        r=config.lora_rank,
        lora_alpha=config.lora_alpha,  # type: ignore[arg-type]
        lora_dropout=config.lora_dropout,
        target_modules=list(config.lora_targets),
        trainable_token_indices={embedding: extended.control_ids},
        task_type="CAUSAL_LM",
    )
    # PEFT and ZeRO-3 work together only if the adapter has the dtype of the model.
    sharded = setup.sharding == "zero3"
    found: Any = get_peft_model(model, lora, autocast_adapter_dtype=not sharded)
    # The adapter belongs to the published model, not to our extended copy of it.
    found.peft_config["default"].base_model_name_or_path = adapter_base_name(config.model)
    return found


def adapter_base_name(model: str) -> str:
    """Return the name of an adapter's base; a folder by its absolute path."""
    return str(Path(model).absolute()) if Path(model).is_dir() else model


def _linear_names(model: Any) -> set[str]:
    linear = (n for n, module in model.named_modules() if isinstance(module, torch.nn.Linear))
    return {name.split(".")[-1] for name in linear}
