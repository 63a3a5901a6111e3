"""Download from the Hub: errors, the cache, the format that is chosen."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from huggingface_hub import errors

from starchat_tui.engine.models import hub_download
from starchat_tui.engine.models.weights import find_checkpoint
from starchat_tui.errors import ModelUnavailable
from starchat_tui.models.registry import Model
from tests.engine.requests import ignore_progress


def test_offline_a_hub_model_that_is_not_here_is_explained() -> None:
    with pytest.raises(ModelUnavailable, match="missing or incomplete on this machine") as caught:
        find_checkpoint(Model("a", "nobody/nothing"), ignore_progress)
    assert "folder" in caught.value.hint


def create_hub_error(kind: type[errors.HfHubHTTPError]) -> errors.HfHubHTTPError:
    import httpx2

    request = httpx2.Request("GET", "https://hub.test/api")
    return kind("refused", response=httpx2.Response(403, request=request))


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (create_hub_error(errors.GatedRepoError), "is gated"),
        (create_hub_error(errors.RepositoryNotFoundError), "has no model"),
        (create_hub_error(errors.HfHubHTTPError), "cannot be downloaded"),
        (errors.HFValidationError("bad"), "not a Hub id"),
        (errors.LocalEntryNotFoundError("no"), "missing or incomplete"),
        (errors.OfflineModeIsEnabled("no"), "missing or incomplete"),
        (OSError(28, "No space left on device"), "No space left"),
    ],
    ids=lambda one: type(one).__name__ if isinstance(one, Exception) else "",
)
def test_each_refusal_of_the_hub_is_explained(
    monkeypatch: pytest.MonkeyPatch, error: Exception, message: str
) -> None:
    def refuse(*args: object, **kwargs: object) -> str:
        raise error

    monkeypatch.setattr("huggingface_hub.snapshot_download", refuse)
    with pytest.raises(ModelUnavailable, match=message) as caught:
        find_checkpoint(Model("a", "owner/name"), ignore_progress)
    assert caught.value.hint


def copy_to_hub_cache(folder: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Copy `folder` to where huggingface_hub caches `owner/name`."""
    kept, commit = cache / "models--owner--name", "0" * 40
    (kept / "refs").mkdir(parents=True)
    (kept / "refs" / "main").write_text(commit)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(cache))
    return Path(shutil.copytree(folder, kept / "snapshots" / commit))


@pytest.mark.parametrize(
    "kind", [errors.HfHubHTTPError, errors.GatedRepoError, errors.RepositoryNotFoundError]
)
def test_a_cached_model_needs_no_permission_of_the_hub(
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    kind: type[errors.HfHubHTTPError],
) -> None:
    def refuse(*args: object, **kwargs: object) -> list[str]:
        raise create_hub_error(kind)

    kept = copy_to_hub_cache(folder, tmp_path / "hub", monkeypatch)
    monkeypatch.setattr("huggingface_hub.HfApi.list_repo_files", refuse)
    assert find_checkpoint(Model("a", "owner/name"), ignore_progress).folder.samefile(kept)


def test_offline_a_file_that_nothing_needs_may_be_missing(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*args: object, **kwargs: object) -> str:
        raise errors.IncompleteSnapshotError("pytorch_model.bin", snapshot_path=str(folder))

    monkeypatch.setattr("huggingface_hub.snapshot_download", refuse)
    assert find_checkpoint(Model("a", "owner/name"), ignore_progress).folder == folder
    (folder / "model.safetensors").unlink()
    with pytest.raises(ModelUnavailable, match="no weights"):
        find_checkpoint(Model("a", "owner/name"), ignore_progress)


@pytest.mark.parametrize(
    ("names", "pattern"),
    [
        (["config.json", "model.safetensors", "pytorch_model.bin"], "*.safetensors"),
        (["pytorch_model.bin"], "*.bin"),
        (["pytorch_model.bin", "onnx/model.safetensors"], "*.bin"),
    ],
)
def test_one_format_of_the_weights_is_downloaded(
    monkeypatch: pytest.MonkeyPatch, names: list[str], pattern: str
) -> None:
    monkeypatch.setattr("huggingface_hub.HfApi.list_repo_files", lambda api, repo: names)
    patterns = hub_download._choose_patterns("owner/name", unreachable=False)
    assert {"*.safetensors", "*.bin"} & set(patterns) == {pattern}
    assert "*.json" in patterns
