"""A model's files: what is missing is named before torch is asked."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from huggingface_hub import errors

from starchat_tui.engine.models import weights
from starchat_tui.engine.models.weights import check, find
from starchat_tui.errors import ModelUnavailable
from starchat_tui.models.registry import Model, resolve


@pytest.fixture
def folder(tiny_folder: Path, tmp_path: Path) -> Path:
    """A copy of the model that a test may damage."""
    return Path(shutil.copytree(tiny_folder, tmp_path / "copy"))


def quiet(stage: str, done: int, total: int) -> None:
    """Report nothing."""


def refusal(folder: Path) -> str:
    with pytest.raises(ModelUnavailable) as caught:
        check(folder)
    assert caught.value.hint
    return caught.value.message


def shard(folder: Path, *names: str) -> None:
    """Divide the weights' names over several files, all of which are the one there is."""
    single = folder / "model.safetensors"
    for name in names:
        shutil.copy(single, folder / name)
    single.unlink()
    table = {f"tensor{index}": name for index, name in enumerate(names)}
    index = folder / "model.safetensors.index.json"
    index.write_text(json.dumps({"metadata": {}, "weight_map": table}))


def test_a_whole_folder_is_a_checkpoint(folder: Path) -> None:
    found = check(folder)
    assert found.config["model_type"] == "gpt_bigcode"
    assert found.bytes == (folder / "model.safetensors").stat().st_size


def test_all_shards_are_weights(folder: Path) -> None:
    shard(folder, "model-1.safetensors", "model-2.safetensors")
    assert [file.name for file in check(folder).files] == [
        "model-1.safetensors",
        "model-2.safetensors",
    ]


def test_a_missing_shard_is_named(folder: Path) -> None:
    shard(folder, "model-1.safetensors", "model-2.safetensors")
    (folder / "model-2.safetensors").unlink()
    with pytest.raises(ModelUnavailable, match="half-downloaded: 1 of 2") as caught:
        check(folder)
    assert "model-2.safetensors" in caught.value.hint


@pytest.mark.parametrize("share", [0.0, 0.00003, 0.5, 0.999])
def test_a_file_cut_short_is_half_downloaded(folder: Path, share: float) -> None:
    file = folder / "model.safetensors"
    data = file.read_bytes()
    file.write_bytes(data[: int(len(data) * share)])
    assert "half-downloaded" in refusal(folder)


@pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="there is no /proc")
def test_a_file_that_cannot_be_read_is_named(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    # A file whose first byte is an error, even for root.
    (folder / "model.safetensors").symlink_to("/proc/self/mem")
    assert "cannot be read" in refusal(folder)


@pytest.mark.parametrize("name", ["config.json", "model.safetensors"])
def test_a_missing_file_is_named(folder: Path, name: str) -> None:
    (folder / name).unlink()
    assert ("weights" if name.startswith("model") else name) in refusal(folder)


@pytest.mark.parametrize("text", ["", "{", "[]", "\0"])
def test_a_broken_config_is_named(folder: Path, text: str) -> None:
    (folder / "config.json").write_text(text)
    assert "config.json" in refusal(folder)


def test_an_adapter_stands_on_its_base(folder: Path, tmp_path: Path) -> None:
    adapter = tmp_path / "adapter"
    adapter.mkdir()
    (adapter / "adapter_config.json").write_text(
        json.dumps({"base_model_name_or_path": str(folder)})
    )
    model = resolve(str(adapter))
    with pytest.raises(ModelUnavailable, match="no weights"):
        find(model, quiet)
    (adapter / "adapter_model.safetensors").write_bytes(b"")
    found = find(model, quiet)
    assert (found.folder, found.adapter) == (folder, adapter)


@pytest.mark.parametrize("base", ["", None, "self"])
def test_an_adapter_without_a_base_is_an_error(tmp_path: Path, base: str | None) -> None:
    told = str(tmp_path) if base == "self" else base
    (tmp_path / "adapter_config.json").write_text(json.dumps({"base_model_name_or_path": told}))
    (tmp_path / "adapter_model.bin").write_bytes(b"")
    with pytest.raises(ModelUnavailable, match="base model"):
        find(resolve(str(tmp_path)), quiet)


def test_offline_a_hub_model_that_is_not_here_says_so() -> None:
    with pytest.raises(ModelUnavailable, match="not, or only in part, on this machine") as caught:
        find(Model("a", "nobody/nothing"), quiet)
    assert "folder" in caught.value.hint


def answer(kind: type[errors.HfHubHTTPError]) -> errors.HfHubHTTPError:
    import httpx2

    request = httpx2.Request("GET", "https://hub.test/api")
    return kind("refused", response=httpx2.Response(403, request=request))


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (answer(errors.GatedRepoError), "is gated"),
        (answer(errors.RepositoryNotFoundError), "has no model"),
        (answer(errors.HfHubHTTPError), "cannot be downloaded"),
        (errors.HFValidationError("bad"), "not a Hub id"),
        (errors.LocalEntryNotFoundError("no"), "not, or only in part"),
        (errors.OfflineModeIsEnabled("no"), "not, or only in part"),
        (OSError(28, "No space left on device"), "No space left"),
    ],
    ids=lambda one: type(one).__name__ if isinstance(one, Exception) else "",
)
def test_each_refusal_of_the_hub_has_its_words(
    monkeypatch: pytest.MonkeyPatch, error: Exception, said: str
) -> None:
    def refuse(*args: object, **kwargs: object) -> str:
        raise error

    monkeypatch.setattr("huggingface_hub.snapshot_download", refuse)
    with pytest.raises(ModelUnavailable, match=said) as caught:
        find(Model("a", "owner/name"), quiet)
    assert caught.value.hint


def cached(folder: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """`folder` as what the Hub's client keeps of `owner/name`."""
    kept, commit = cache / "models--owner--name", "0" * 40
    (kept / "refs").mkdir(parents=True)
    (kept / "refs" / "main").write_text(commit)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(cache))
    return Path(shutil.copytree(folder, kept / "snapshots" / commit))


@pytest.mark.parametrize(
    "kind", [errors.HfHubHTTPError, errors.GatedRepoError, errors.RepositoryNotFoundError]
)
def test_a_model_that_is_here_needs_no_leave_of_the_hub(
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    kind: type[errors.HfHubHTTPError],
) -> None:
    def refuse(*args: object, **kwargs: object) -> list[str]:
        raise answer(kind)

    kept = cached(folder, tmp_path / "hub", monkeypatch)
    monkeypatch.setattr("huggingface_hub.HfApi.list_repo_files", refuse)
    assert find(Model("a", "owner/name"), quiet).folder.samefile(kept)


def test_offline_a_file_nobody_needs_may_miss(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*args: object, **kwargs: object) -> str:
        raise errors.IncompleteSnapshotError("pytorch_model.bin", snapshot_path=str(folder))

    monkeypatch.setattr("huggingface_hub.snapshot_download", refuse)
    assert find(Model("a", "owner/name"), quiet).folder == folder
    (folder / "model.safetensors").unlink()
    with pytest.raises(ModelUnavailable, match="no weights"):
        find(Model("a", "owner/name"), quiet)


def test_bytes_that_arrive_are_reported() -> None:
    told: list[tuple[str, int, int]] = []
    meter = weights._meter(lambda *report: told.append(report))
    bar = meter(total=10, unit="B", name="a bar", desc="bytes")
    bar.update(4)
    bar.update(6)
    files = meter(range(3), total=3, unit="it")
    files.update(1)
    assert told == [("downloading", 4, 10), ("downloading", 10, 10)]
