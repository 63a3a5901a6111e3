"""Models by name."""

from __future__ import annotations

from pathlib import Path

import pytest

from starchat_tui.errors import ModelUnavailable
from starchat_tui.models.registry import KNOWN_MODELS, Model, find_model


def test_every_partner_is_known_and_of_the_other_mode() -> None:
    for model in KNOWN_MODELS.values():
        if model.partner:
            assert KNOWN_MODELS[model.partner].mode != model.mode


def test_a_known_name_a_folder_and_a_hub_id_are_found(tmp_path: Path) -> None:
    assert find_model("starchat-beta").weights == "HuggingFaceH4/starchat-beta"
    assert find_model(str(tmp_path)).is_local
    assert find_model("bigcode/anything") == Model("bigcode/anything", "bigcode/anything")


def test_the_engine_gets_a_known_name_or_the_place_of_the_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("mine").mkdir()
    assert find_model("starcoder").engine_name == "starcoder"
    assert find_model("mine").engine_name == str(tmp_path / "mine")


@pytest.mark.parametrize(
    ("name", "hint"), [("starchat-betta", "starchat-beta"), ("./no", "folder"), ("", "folder")]
)
def test_an_unknown_name_gets_the_nearest(name: str, hint: str) -> None:
    with pytest.raises(ModelUnavailable, match="No model called") as caught:
        find_model(name)
    assert hint in caught.value.hint


@pytest.mark.parametrize("name", ["~no-such-user/model", "./" + "x" * 300])
def test_a_path_that_cannot_exist_is_unknown(name: str) -> None:
    with pytest.raises(ModelUnavailable, match="No model called"):
        find_model(name)
