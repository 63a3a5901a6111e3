"""Shape of a model, measured without loading its weights."""

from __future__ import annotations

from typing import Any

from starchat_tui.errors import ModelUnavailable
from train.config import Config
from train.run_setup import ModelShape


def measure_shape(found: Any, config: Config) -> ModelShape:
    """Return the shape of a transformers configuration, measured on the meta device."""
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
    return ModelShape(
        parameters=sum(sizes),
        layers=int(text.num_hidden_layers),
        width=width,
        inner=int(inner),
        keys=width // heads * kept,
        heads=heads,
        vocabulary=int(text.vocab_size),
        adapter=_count_adapter(model, config),
        largest=max(sizes),
    )


def _count_adapter(model: Any, config: Config) -> int:
    """Return the parameters of the LoRA adapter of a configuration."""
    import torch

    if not config.lora_rank:
        return 0
    adapted = (
        module
        for name, module in model.named_modules()
        if isinstance(module, torch.nn.Linear) and name.split(".")[-1] in config.lora_targets
    )
    return sum(config.lora_rank * sum(module.weight.shape) for module in adapted)


def load_model_config(model: str) -> Any:
    """Return the transformers configuration of a folder or Hub id; raises `ModelUnavailable`."""
    from transformers import AutoConfig

    try:
        return AutoConfig.from_pretrained(model, trust_remote_code=False)
    except (OSError, ValueError, KeyError) as error:
        reason = " ".join(str(error).split())[:200]
        raise ModelUnavailable(
            f"The configuration of `{model}` cannot be loaded ({reason})",
            "name a folder with a config.json, or a Hub id; a gated one needs `hf auth login`",
        ) from error
