"""Files beside the weights, in a folder or on the Hub."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from starchat_tui.errors import ModelUnavailable
from starchat_tui.models.hub_files import (
    find_model_file,
    get_declared_window,
    read_chat_template,
    read_model_window,
    read_optional_json,
)
from starchat_tui.models.registry import Model, find_model

BASE = "base_model_name_or_path"


def write_json(path: Path, value: object) -> None:
    path.write_text(json.dumps(value))


@pytest.mark.parametrize(
    ("config", "window"),
    [
        ({"n_positions": 8192}, 8192),
        ({"max_position_embeddings": 4096, "n_positions": 1024}, 4096),
        ({"text_config": {"max_position_embeddings": 2048}}, 2048),
        ({"n_positions": "many"}, 0),
        ({}, 0),
    ],
)
def test_the_window_is_the_one_the_config_declares(
    config: dict[str, object], window: int, tmp_path: Path
) -> None:
    assert get_declared_window(config) == window
    write_json(tmp_path / "config.json", config)
    assert read_model_window(find_model(str(tmp_path))) == window


def test_an_adapter_takes_a_missing_file_from_its_base(tmp_path: Path) -> None:
    base, adapter = tmp_path / "base", tmp_path / "adapter"
    base.mkdir()
    adapter.mkdir()
    (base / "tokenizer.json").write_text("{}")
    write_json(adapter / "adapter_config.json", {BASE: str(base)})
    found = find_model_file(find_model(str(adapter)), "tokenizer.json")
    assert found == base / "tokenizer.json"


@pytest.mark.parametrize("config", [{}, *({BASE: base} for base in ("", None, "self"))])
def test_an_adapter_without_a_base_is_refused(tmp_path: Path, config: dict[str, str]) -> None:
    named = {name: str(tmp_path) if base == "self" else base for name, base in config.items()}
    write_json(tmp_path / "adapter_config.json", named)
    with pytest.raises(ModelUnavailable, match="base model") as caught:
        find_model_file(find_model(str(tmp_path)), "tokenizer.json")
    assert caught.value.hint


@pytest.mark.parametrize("content", [None, "{", "[]"])
def test_a_damaged_folder_is_reported(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / "config.json").write_text(content)
    with pytest.raises(ModelUnavailable) as caught:
        read_model_window(find_model(str(tmp_path)))
    assert str(tmp_path) in caught.value.message
    assert caught.value.hint


def test_a_chat_template_is_a_file_or_a_key_of_the_tokenizers_config(tmp_path: Path) -> None:
    model = find_model(str(tmp_path))
    assert read_chat_template(model) == ""
    write_json(tmp_path / "tokenizer_config.json", {"chat_template": "from the config"})
    assert read_chat_template(model) == "from the config"
    (tmp_path / "chat_template.jinja").write_text("from the file")
    assert read_chat_template(model) == "from the file"


def test_an_optional_file_may_be_absent(tmp_path: Path) -> None:
    model = find_model(str(tmp_path))
    assert read_optional_json(model, "generation_config.json") == {}
    write_json(tmp_path / "generation_config.json", {"eos_token_id": 2})
    assert read_optional_json(model, "generation_config.json") == {"eos_token_id": 2}


def test_a_demo_model_that_was_not_built_says_how(tmp_path: Path) -> None:
    with pytest.raises(ModelUnavailable, match="not installed") as caught:
        find_model_file(Model("nano", str(tmp_path / "none"), demo=True), "config.json")
    assert "make nano" in caught.value.hint


def test_a_file_the_hub_does_not_give_is_reported() -> None:
    with pytest.raises(ModelUnavailable, match="cannot be reached"):
        find_model_file(Model("a/b", "a/b"), "config.json")


@pytest.mark.parametrize("count", [1, 2, 3])
def test_adapters_that_name_adapters_are_refused(tmp_path: Path, count: int) -> None:
    folders = [tmp_path / f"adapter{index}" for index in range(count)]
    for folder, base in zip(folders, [*folders[1:], folders[0]], strict=True):
        folder.mkdir()
        config = {"base_model_name_or_path": str(base), "peft_type": "LORA"}
        (folder / "adapter_config.json").write_text(json.dumps(config))
    with pytest.raises(ModelUnavailable, match="adapter"):
        find_model_file(find_model(str(folders[0])), "tokenizer.json")
