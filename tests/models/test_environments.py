"""Environment of a model: by its name, its Hub id, its folder or the base of its adapter."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from starchat_tui.models.environments import find_model_environment
from starchat_tui.models.registry import KNOWN_MODELS


def test_every_known_model_has_one() -> None:
    for name, model in KNOWN_MODELS.items():
        assert find_model_environment(name) == model.environment
        assert model.environment == ("current" if model.demo else "2023")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("HuggingFaceH4/starchat-beta", "2023"),
        ("someone/starchat-beta", "current"),
        ("no-such-model", "current"),
    ],
)
def test_other_names(name: str, expected: str) -> None:
    assert find_model_environment(name) == expected


@pytest.mark.parametrize(("kind", "expected"), [("gpt_bigcode", "2023"), ("llama", "current")])
def test_a_folder_is_known_by_its_architecture(tmp_path: Path, kind: str, expected: str) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"model_type": kind}))
    assert find_model_environment(str(tmp_path)) == expected


def test_an_adapter_has_the_environment_of_its_base(tmp_path: Path) -> None:
    adapter = tmp_path / "adapter_config.json"
    adapter.write_text(json.dumps({"base_model_name_or_path": "bigcode/starcoder"}))
    assert find_model_environment(str(tmp_path)) == "2023"
    adapter.write_text("{")
    assert find_model_environment(str(tmp_path)) == "current"
