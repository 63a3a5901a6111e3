"""Files that make a folder of weights a complete model.

For our engine, for transformers' `generate` with its chat template, and for programs that read the
2023 format (`dialogue_template.json`, as starcoder/chat wrote it).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch

from starchat_tui.config.json_file import read_json_object
from starchat_tui.templates.tokenizer import CHAT_TOKENS
from train.modeling import tokenizer_extension
from train.modeling.tokenizer_extension import ExtendedTokenizer

_SYSTEM, _USER, _ASSISTANT, _END = CHAT_TOKENS


def chat_template() -> str:
    """Return ChatML as a Jinja template, byte for byte as `ChatMLTemplate` renders it.

    `{% generation %}` marks what training learns. The ids equal ours unless a text begins with
    several white-space characters, which a rendered string merges with the preceding newline, or
    spells a control token, which a rendered string makes one.
    """
    return (
        "{%- if messages and messages[0]['role'] == 'system' -%}"
        "{%- set system, turns = messages[0]['content'], messages[1:] -%}"
        "{%- else -%}{%- set system, turns = '', messages -%}{%- endif -%}"
        f"{{{{- '{_SYSTEM}\\n' + system + '{_END}\\n' -}}}}"
        "{%- for turn in turns -%}"
        "{%- if turn['role'] == 'user' -%}"
        f"{{{{- '{_USER}\\n' + turn['content'] + '{_END}\\n' -}}}}"
        "{%- elif turn['role'] == 'assistant' -%}"
        f"{{{{- '{_ASSISTANT}\\n' -}}}}"
        f"{{%- generation -%}}{{{{- turn['content'] + '{_END}' -}}}}{{%- endgeneration -%}}"
        "{{- '\\n' -}}"
        "{%- else -%}"
        "{{- raise_exception('The roles are system (first), user and assistant') -}}"
        "{%- endif -%}{%- endfor -%}"
        f"{{%- if add_generation_prompt -%}}{{{{- '{_ASSISTANT}\\n' -}}}}{{%- endif -%}}"
    )


def dialogue_template(system: str = "") -> dict[str, Any]:
    """Return the template in the form starcoder/chat saved in 2023."""
    return {
        "system": system,
        "messages": None,
        "system_token": _SYSTEM,
        "user_token": _USER,
        "assistant_token": _ASSISTANT,
        "end_token": _END,
    }


def write_model_files(
    folder: Path,
    extended: ExtendedTokenizer,
    *,
    window: int,
    base: Path | None,
    dtype: torch.dtype | None = None,
) -> None:
    """Write everything but the weights and the card into `folder`.

    An existing config.json (an adapter has none) gets the token that ends an answer, and the number
    format of the weights if it differs from that of training.

    Args:
        folder: Folder of the weights.
        extended: Tokenizer of the model.
        window: Positions that the model has.
        base: Folder of the base model, for the names of its special tokens.
        dtype: Number format of the weights; None if they are as trained.
    """
    names = _read_optional_json(base / "tokenizer_config.json") if base else {}
    names = {name: _token_text(value) for name, value in names.items() if name.endswith("_token")}
    tokenizer_extension.save_tokenizer(extended, folder, window=window, names=names)
    (folder / "chat_template.jinja").write_text(chat_template(), encoding="utf-8")
    _write_json(folder / "dialogue_template.json", dialogue_template())
    end, end_of_text = extended.tokenizer.end_id, extended.tokenizer.end_of_text_id
    generation = {
        "bos_token_id": end_of_text,
        "eos_token_id": [end, end_of_text],
        "pad_token_id": end_of_text,
        "use_cache": True,
    }
    _write_json(folder / "generation_config.json", generation)
    # Written into config.json too: some programs read only that, and 2023's ran on past the answer.
    config = _read_optional_json(folder / "config.json")
    if config:
        stored = {"dtype": str(dtype).removeprefix("torch.")} if dtype else {}
        known = {**config, **stored, "eos_token_id": end, "use_cache": True}
        _write_json(folder / "config.json", known)


def _token_text(token: Any) -> str | None:
    found = token.get("content") if isinstance(token, dict) else token
    return found if isinstance(found, str) else None


def _read_optional_json(path: Path) -> dict[str, Any]:
    return read_json_object(path) if path.is_file() else {}


def _write_json(path: Path, value: object) -> None:
    path.write_text(json.dumps(value, indent=2) + "\n", encoding="utf-8")
