from __future__ import annotations

import json
from pathlib import Path

import pytest

from starchat_tui.errors import ModelUnavailable
from starchat_tui.models import registry
from starchat_tui.models.registry import GIB, Machine, Model

NAMED = "base_model_name_or_path"


def test_every_partner_is_known_and_of_the_other_mode() -> None:
    for model in registry.KNOWN.values():
        if model.partner:
            assert registry.KNOWN[model.partner].mode != model.mode


def test_a_known_name_a_folder_and_a_hub_id_resolve(tmp_path: Path) -> None:
    assert registry.resolve("starchat-beta").weights == "HuggingFaceH4/starchat-beta"
    assert registry.resolve(str(tmp_path)).local
    assert registry.resolve("bigcode/anything").weights == "bigcode/anything"


@pytest.mark.parametrize(
    ("name", "hint"), [("starchat-betta", "starchat-beta"), ("./no", "folder")]
)
def test_an_unknown_name_gets_the_nearest(name: str, hint: str) -> None:
    with pytest.raises(ModelUnavailable) as caught:
        registry.resolve(name)
    assert hint in caught.value.hint


def test_the_window_is_what_the_config_says(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"n_positions": 8192}))
    assert registry.window(registry.resolve(str(tmp_path))) == 8192
    (tmp_path / "config.json").write_text("{}")
    assert registry.window(registry.resolve(str(tmp_path))) == 0


def test_an_adapter_takes_what_it_lacks_from_its_base(tmp_path: Path) -> None:
    base, adapter = tmp_path / "base", tmp_path / "adapter"
    base.mkdir()
    adapter.mkdir()
    (base / "tokenizer.json").write_text("{}")
    (adapter / "adapter_config.json").write_text(json.dumps({"base_model_name_or_path": str(base)}))
    found = registry.local_file(registry.resolve(str(adapter)), "tokenizer.json")
    assert found == base / "tokenizer.json"


@pytest.mark.parametrize("config", [{}, *({NAMED: base} for base in ("", None, "self"))])
def test_an_adapter_that_names_no_base_is_told(tmp_path: Path, config: dict[str, str]) -> None:
    told = {name: str(tmp_path) if base == "self" else base for name, base in config.items()}
    (tmp_path / "adapter_config.json").write_text(json.dumps(told))
    with pytest.raises(ModelUnavailable, match="base model") as caught:
        registry.local_file(registry.resolve(str(tmp_path)), "tokenizer.json")
    assert caught.value.hint


@pytest.mark.parametrize("name", ["~no-such-user/model", "./" + "x" * 300])
def test_a_folder_that_cannot_even_be_looked_for_is_unknown(name: str) -> None:
    with pytest.raises(ModelUnavailable, match="No model called"):
        registry.resolve(name)


@pytest.mark.parametrize("content", [None, "{", "[]"])
def test_a_damaged_folder_is_told(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / "config.json").write_text(content)
    with pytest.raises(ModelUnavailable) as caught:
        registry.window(registry.resolve(str(tmp_path)))
    assert str(tmp_path) in caught.value.message
    assert caught.value.hint


def test_what_the_hub_cannot_give_is_told() -> None:
    with pytest.raises(ModelUnavailable, match="cannot be fetched"):
        registry.local_file(Model("a/b", "a/b"), "config.json")


@pytest.mark.parametrize(
    ("machine", "fits"),
    [
        (Machine(128 * GIB, 80 * GIB), "--model starchat-beta`"),
        (Machine(64 * GIB, 24 * GIB), "--model starchat-beta --quantize int8`"),
        (Machine(64 * GIB, 12 * GIB), "--model starchat-beta --quantize int4`"),
        (Machine(24 * GIB, 0), "--model starcoderbase-3b`"),
        (Machine(4 * GIB, 0), "--model tiny-starcoder`"),
    ],
)
def test_advice_names_the_largest_that_fits(machine: Machine, fits: str) -> None:
    assert fits in registry.advice(machine)
