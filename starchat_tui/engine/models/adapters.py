"""PEFT adapters on a shared base: one set of weights, one tree of modules for each adapter.

A clone has modules of its own around the very same tensors. An adapter changes the modules of its
clone only, so that switching between two requests is choosing a tree: nothing is loaded or merged,
and the base computes exactly what it did.
"""

from __future__ import annotations

import copy
import importlib.util
from pathlib import Path
from typing import Any

import torch
from torch import nn

from starchat_tui.errors import ConfigError, ModelUnavailable

_CONFIG_ATTRIBUTES = ("config", "generation_config")


def clone_modules(hf_model: Any) -> Any:
    """Return a model with modules of its own and the tensors of `hf_model`."""
    return _clone_module(hf_model, {})


def _clone_module(module: nn.Module, clones: dict[int, Any]) -> Any:
    """Return the clone of one module and its children.

    `clones` holds those made so far by the id of their original: modules and configurations that
    occur twice in the tree stay one.
    """
    if id(module) not in clones:
        clone = clones[id(module)] = copy.copy(module)
        for name, value in vars(module).items():
            if name in _CONFIG_ATTRIBUTES:
                # Resizing the embedding writes the new size to the config.
                vars(clone)[name] = clones.setdefault(id(value), copy.deepcopy(value))
            elif isinstance(value, dict):
                # The dicts of parameters, buffers, children and hooks: an entry that is replaced
                # in the clone's stays as it was in the base's.
                vars(clone)[name] = copy.copy(value)
        for name, child in module._modules.items():
            clone._modules[name] = None if child is None else _clone_module(child, clones)
    return clones[id(module)]


def apply_adapter(hf_model: Any, adapter: Path, device: torch.device) -> Any:
    """Change `hf_model` to compute with the PEFT adapter in a folder; return it.

    The adapter is not merged, because the weights belong to the base as well. Rows of tokens that
    it trained go into a copy of the embedding. Raises `ModelUnavailable` if it is not an adapter of
    weights, and what peft raises.
    """
    peft_model = load_peft_model(hf_model, adapter, device)
    # Such an adapter puts vectors before the prompt: positions and prefix cache would be off.
    if getattr(peft_model, "active_peft_config").is_prompt_learning:  # noqa: B009  (untyped)
        raise ModelUnavailable(
            f"`{adapter}` is a {peft_model.peft_type} adapter, which adds to the prompt",
            "use an adapter of weights, such as LoRA",
        )
    adapted = peft_model.get_base_model()
    _merge_trained_tokens(adapted)
    return adapted


def load_peft_model(hf_model: Any, adapter: Path, device: torch.device) -> Any:
    """Return a `PeftModel` of `hf_model` and the adapter, whose tokens all have embedding rows.

    Raises `ConfigError` if peft is not installed, and what peft raises.
    """
    if importlib.util.find_spec("peft") is None:
        raise ConfigError(
            f"The adapter in `{adapter}` needs the peft library",
            "install it with `pip install peft`",
        )
    from peft import PeftModel

    # A fine-tune may have added control tokens that the base has no rows for.
    rows = count_tokenizer_ids(adapter)
    if rows > hf_model.get_input_embeddings().weight.shape[0]:
        _unshare_embeddings(hf_model)
        # The adapter brings the new rows, so there is no use in drawing initial values for them
        # from the mean and covariance of the others.
        hf_model.resize_token_embeddings(rows, mean_resizing=False)
    return PeftModel.from_pretrained(hf_model, str(adapter), torch_device=str(device))


def _unshare_embeddings(hf_model: Any) -> None:
    """Give embedding and head parameters of their own.

    transformers resizes a parameter in place, and these are the base's.
    """
    layers = [hf_model.get_input_embeddings(), hf_model.get_output_embeddings()]
    # By identity, so that a head that is tied to the embedding stays tied.
    own = {id(layer.weight): nn.Parameter(layer.weight.data, False) for layer in layers}
    for layer in layers:
        layer.weight = own[id(layer.weight)]


def count_tokenizer_ids(folder: Path) -> int:
    """Return the number of ids of the tokenizer beside an adapter; 0 without one."""
    path = folder / "tokenizer.json"
    if not path.is_file():
        return 0
    from tokenizers import Tokenizer

    return int(Tokenizer.from_file(str(path)).get_vocab_size())


def _merge_trained_tokens(hf_model: Any) -> None:
    """Replace peft's token layers by plain ones whose weight holds the trained rows.

    peft would copy the whole embedding, and the head, at every forward pass.
    """
    merged: dict[int, nn.Parameter] = {}
    for parent in list(hf_model.modules()):
        for name, child in list(parent._modules.items()):
            tokens = getattr(child, "token_adapter", None)
            if tokens is None or not hasattr(tokens, "trainable_tokens_delta"):
                continue
            layer = tokens.base_layer
            weight = layer.weight
            # One merged copy for a head that is tied to the embedding.
            if id(weight) not in merged:
                rows = _replace_token_rows(weight.data, tokens)
                merged[id(weight)] = nn.Parameter(rows, requires_grad=False)
            layer.weight = merged[id(weight)]
            setattr(parent, name, layer)


def _replace_token_rows(weight: torch.Tensor, tokens: Any) -> torch.Tensor:
    """Return a copy of `weight` [V, D] with the rows that the adapter trained."""
    for adapter, rows in tokens.trainable_tokens_delta.items():
        index = torch.tensor(tokens.token_indices[adapter], device=weight.device)
        # Despite its name the delta holds the rows themselves. `index_copy` makes the copy.
        weight = weight.index_copy(0, index, rows.data.to(weight))
    return weight


def count_unshared_bytes(hf_model: Any, base: Any) -> int:
    """Return the memory of the parameters that `hf_model` does not share with `base`, in bytes."""
    shared = {weight.data_ptr() for weight in base.parameters()}
    own = {w.data_ptr(): w.nbytes for w in hf_model.parameters() if w.data_ptr() not in shared}
    return sum(own.values())
