"""Upload of a finished model."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from starchat_tui.errors import ConfigError, Unavailable
from train.config import Config
from train.publish import hub


class FakeHub:
    """The FakeHub as huggingface_hub's client would see it."""

    def __init__(self, fails: bool = False) -> None:
        self.calls: list[str] = []
        self.fails = fails

    def create_repo(self, name: str, *, exist_ok: bool) -> None:
        self.calls.append(f"create {name}")

    def upload_folder(self, *, repo_id: str, folder_path: str, commit_message: str) -> Any:
        if self.fails:
            raise OSError("no route")
        self.calls.append(f"upload {Path(folder_path).name} to {repo_id}")
        return SimpleNamespace(__str__=lambda: "there")


def test_an_upload_needs_a_token_before_anything_is_trained(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    upload_config = Config(push_to_hub=True, hub_id="me/mine")
    monkeypatch.setattr("huggingface_hub.get_token", lambda: None)
    with pytest.raises(ConfigError, match="needs a Hub token"):
        hub.check_upload(upload_config)
    hub.check_upload(Config())
    monkeypatch.setattr("huggingface_hub.get_token", lambda: "secret")
    hub.check_upload(upload_config)


def test_a_failed_upload_says_how_to_retry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    good, bad = FakeHub(), FakeHub(fails=True)
    monkeypatch.setattr("huggingface_hub.HfApi", lambda: good)
    hub.upload_model(tmp_path, "me/mine")
    assert good.calls == ["create me/mine", f"upload {tmp_path.name} to me/mine"]
    monkeypatch.setattr("huggingface_hub.HfApi", lambda: bad)
    with pytest.raises(Unavailable, match="could not be uploaded") as caught:
        hub.upload_model(tmp_path, "me/mine")
    assert "hf upload" in caught.value.hint
