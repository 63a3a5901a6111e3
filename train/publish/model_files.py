"""What makes a folder of weights a complete model: the files around them.

For our engine, for `generate` of transformers with its chat template, and for readers of the format
of 2023 (`dialogue_template.json`, as starcoder/chat wrote it).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch

from starchat_tui.templates.tokenizer import CHAT_TOKENS
from train.modeling import vocabulary
from train.modeling.vocabulary import Grown

_SYSTEM, _USER, _ASSISTANT, _END = CHAT_TOKENS


def chat_template() -> str:
    """ChatML in Jinja, to the byte as `starchat_tui.templates.template.ChatML` writes it.

    `{% generation %}` stands around what training learns. The ids are ours wherever a text neither
    begins with several white spaces, which a whole rendering joins with the line break before it,
    nor spells a control token, which a whole rendering makes one.
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
    """The template as starcoder/chat saved it in 2023."""
    return {
        "system": system,
        "messages": None,
        "system_token": _SYSTEM,
        "user_token": _USER,
        "assistant_token": _ASSISTANT,
        "end_token": _END,
    }


def complete(
    folder: Path, grown: Grown, *, window: int, base: Path | None, dtype: torch.dtype | None = None
) -> None:
    """Write everything but the weights and the card into `folder`.

    `base` is the folder of the model that training began with, for the names of its special tokens.
    A config.json that is there (an adapter has none) learns which token ends an answer, and the
    number format of the weights where it is another than they were trained in.
    """
    names = _json(base / "tokenizer_config.json") if base else {}
    names = {name: _spelled(value) for name, value in names.items() if name.endswith("_token")}
    vocabulary.write(grown, folder, window=window, names=names)
    (folder / "chat_template.jinja").write_text(chat_template(), encoding="utf-8")
    _write(folder / "dialogue_template.json", dialogue_template())
    end, end_of_text = grown.vocabulary.end_id, grown.vocabulary.end_of_text_id
    generation = {
        "bos_token_id": end_of_text,
        "eos_token_id": [end, end_of_text],
        "pad_token_id": end_of_text,
        "use_cache": True,
    }
    _write(folder / "generation_config.json", generation)
    config = _json(folder / "config.json")
    if config:
        stored = {"dtype": str(dtype).removeprefix("torch.")} if dtype else {}
        known = {**config, **stored, "eos_token_id": end, "use_cache": True}
        _write(folder / "config.json", known)


def _spelled(token: Any) -> str | None:
    found = token.get("content") if isinstance(token, dict) else token
    return found if isinstance(found, str) else None


def _json(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    found = json.loads(path.read_text(encoding="utf-8"))
    return found if isinstance(found, dict) else {}


def _write(path: Path, value: object) -> None:
    path.write_text(json.dumps(value, indent=2) + "\n", encoding="utf-8")
