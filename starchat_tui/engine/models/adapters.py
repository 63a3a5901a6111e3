"""PEFT adapters beside their base: one set of weights, a tree of modules for each of them.

A twin has modules of its own around the very same tensors. An adapter changes the twin's modules
only, so switching is choosing a tree: nothing is loaded or merged between two requests, and what
the base computes cannot change.
"""

from __future__ import annotations

import copy
import importlib.util
from pathlib import Path
from typing import Any

import torch
from torch import nn

from starchat_tui.errors import ConfigError, ModelUnavailable

_CONFIGS = ("config", "generation_config")


def twin(inner: Any) -> Any:
    """A model with modules of its own and the tensors of `inner`."""
    return _twin(inner, {})


def _twin(module: nn.Module, known: dict[int, Any]) -> Any:
    """The twin of one module; modules and configurations that occur twice stay one."""
    if id(module) not in known:
        made = known[id(module)] = copy.copy(module)
        for name, value in vars(module).items():
            if name in _CONFIGS:
                vars(made)[name] = known.setdefault(id(value), copy.deepcopy(value))
            elif isinstance(value, dict):
                # Parameters, buffers and hooks: what is put into the twin's stays out of the base.
                vars(made)[name] = copy.copy(value)
        for name, child in module._modules.items():
            made._modules[name] = None if child is None else _twin(child, known)
    return known[id(module)]


def put(inner: Any, adapter: Path, device: torch.device) -> Any:
    """`inner`, changed to compute with the PEFT adapter in a folder; not merged into its weights.

    The rows of tokens that the adapter has trained are put in the embedding, a tensor of its own
    then. Raises `ModelUnavailable` for an adapter that is not one of weights, and what peft raises.
    """
    model = loaded(inner, adapter, device)
    if getattr(model, "active_peft_config").is_prompt_learning:  # noqa: B009  (untyped)
        raise ModelUnavailable(
            f"`{adapter}` is a {model.peft_type} adapter, which adds to the prompt",
            "adapters of weights can be served: LoRA and its kin",
        )
    whole = model.get_base_model()
    _fold_tokens(whole)
    return whole


def loaded(inner: Any, adapter: Path, device: torch.device) -> Any:
    """A `PeftModel` of `inner` and the adapter, whose tokens have rows in the embedding."""
    if importlib.util.find_spec("peft") is None:
        raise ConfigError(
            f"The adapter in `{adapter}` needs the peft library",
            "install it with `pip install peft`",
        )
    from peft import PeftModel

    rows = tokenizer_rows(adapter)
    if rows > inner.get_input_embeddings().weight.shape[0]:
        _own_embedding(inner)
        inner.resize_token_embeddings(rows, mean_resizing=False)
    return PeftModel.from_pretrained(inner, str(adapter), torch_device=str(device))


def _own_embedding(inner: Any) -> None:
    """Give embedding and head parameters of their own: transformers resizes them in place."""
    layers = [inner.get_input_embeddings(), inner.get_output_embeddings()]
    own = {id(layer.weight): nn.Parameter(layer.weight.data, False) for layer in layers}
    for layer in layers:
        layer.weight = own[id(layer.weight)]


def tokenizer_rows(folder: Path) -> int:
    """The number of ids of the tokenizer beside an adapter; 0 without one."""
    path = folder / "tokenizer.json"
    if not path.is_file():
        return 0
    from tokenizers import Tokenizer

    return int(Tokenizer.from_file(str(path)).get_vocab_size())


def _fold_tokens(inner: Any) -> None:
    """Put trained tokens in embedding and head, where peft would copy both at every token."""
    folded: dict[int, nn.Parameter] = {}
    for parent in list(inner.modules()):
        for name, child in list(parent._modules.items()):
            tokens = getattr(child, "token_adapter", None)
            if tokens is None or not hasattr(tokens, "trainable_tokens_delta"):
                continue
            layer = tokens.base_layer
            old = layer.weight
            if id(old) not in folded:
                folded[id(old)] = nn.Parameter(_with_tokens(old.data, tokens), requires_grad=False)
            layer.weight = folded[id(old)]
            setattr(parent, name, layer)


def _with_tokens(weight: torch.Tensor, tokens: Any) -> torch.Tensor:
    """A copy of `weight` [V, D] with the rows that the adapter trained."""
    for adapter, rows in tokens.trainable_tokens_delta.items():
        index = torch.tensor(tokens.token_indices[adapter], device=weight.device)
        weight = weight.index_copy(0, index, rows.data.to(weight))
    return weight


def own_bytes(inner: Any, base: Any) -> int:
    """Memory of the parameters that `inner` does not share with `base`."""
    shared = {weight.data_ptr() for weight in base.parameters()}
    own = {w.data_ptr(): w.nbytes for w in inner.parameters() if w.data_ptr() not in shared}
    return sum(own.values())
