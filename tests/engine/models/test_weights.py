"""Checkpoints: what is missing or truncated is named before torch loads anything."""

from __future__ import annotations

import json
import shutil
import struct
from pathlib import Path

import pytest

from starchat_tui.engine.models.weights import find_checkpoint, read_checkpoint
from starchat_tui.errors import ModelUnavailable
from starchat_tui.models.registry import find_model
from tests.engine.requests import ignore_progress


def read_error(folder: Path) -> str:
    with pytest.raises(ModelUnavailable) as caught:
        read_checkpoint(folder)
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
    found = read_checkpoint(folder)
    assert found.config["model_type"] == "gpt_bigcode"
    assert found.bytes == (folder / "model.safetensors").stat().st_size


def test_all_shards_are_weights(folder: Path) -> None:
    shard(folder, "model-1.safetensors", "model-2.safetensors")
    assert [file.name for file in read_checkpoint(folder).files] == [
        "model-1.safetensors",
        "model-2.safetensors",
    ]


def test_a_missing_shard_is_named(folder: Path) -> None:
    shard(folder, "model-1.safetensors", "model-2.safetensors")
    (folder / "model-2.safetensors").unlink()
    with pytest.raises(ModelUnavailable, match="half-downloaded: 1 of 2") as caught:
        read_checkpoint(folder)
    assert "model-2.safetensors" in caught.value.hint


@pytest.mark.parametrize("share", [0.0, 0.00003, 0.5, 0.999])
def test_a_file_cut_short_is_half_downloaded(folder: Path, share: float) -> None:
    file = folder / "model.safetensors"
    data = file.read_bytes()
    file.write_bytes(data[: int(len(data) * share)])
    assert "half-downloaded" in read_error(folder)


@pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="there is no /proc")
def test_a_file_that_cannot_be_read_is_named(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    # A file whose first byte is an error, even for root.
    (folder / "model.safetensors").symlink_to("/proc/self/mem")
    assert "cannot be read" in read_error(folder)


@pytest.mark.parametrize("name", ["config.json", "model.safetensors"])
def test_a_missing_file_is_named(folder: Path, name: str) -> None:
    (folder / name).unlink()
    assert ("weights" if name.startswith("model") else name) in read_error(folder)


@pytest.mark.parametrize("text", ["", "{", "[]", "\0"])
def test_a_broken_config_is_named(folder: Path, text: str) -> None:
    (folder / "config.json").write_text(text)
    assert "config.json" in read_error(folder)


def test_an_adapter_comes_with_its_base(folder: Path, tmp_path: Path) -> None:
    adapter = tmp_path / "adapter"
    adapter.mkdir()
    (adapter / "adapter_config.json").write_text(
        json.dumps({"base_model_name_or_path": str(folder)})
    )
    model = find_model(str(adapter))
    with pytest.raises(ModelUnavailable, match="no weights"):
        find_checkpoint(model, ignore_progress)
    (adapter / "adapter_model.safetensors").write_bytes(b"")
    found = find_checkpoint(model, ignore_progress)
    assert (found.folder, found.adapter) == (folder, adapter)


@pytest.mark.parametrize("base", ["", None, "self"])
def test_an_adapter_without_a_base_is_an_error(tmp_path: Path, base: str | None) -> None:
    named = str(tmp_path) if base == "self" else base
    (tmp_path / "adapter_config.json").write_text(json.dumps({"base_model_name_or_path": named}))
    (tmp_path / "adapter_model.bin").write_bytes(b"")
    with pytest.raises(ModelUnavailable, match="base model"):
        find_checkpoint(find_model(str(tmp_path)), ignore_progress)


def test_a_header_of_absurd_length_is_not_read(folder: Path) -> None:
    file = folder / "model.safetensors"
    file.write_bytes(struct.pack("<Q", 2**63) + file.read_bytes()[8:])
    assert "damaged" in read_error(folder)


@pytest.mark.parametrize(
    "index",
    [
        {"weight_map": ["model.safetensors"]},
        {"weight_map": {"tensor": 1}},
        {"weight_map": {"tensor": "../other/model.safetensors"}},
        {"weight_map": {"tensor": "/etc/passwd"}},
        {"weight_map": {}},
        {},
    ],
)
def test_an_index_names_files_beside_it(folder: Path, index: dict[str, object]) -> None:
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    assert "does not name the files" in read_error(folder)


@pytest.mark.parametrize(
    "config",
    [
        {"model_type": "gpt_bigcode", "n_layer": 10**6},
        {"model_type": "mixtral", "num_local_experts": 10**5},
        {"model_type": "some_vlm", "text_config": {"num_hidden_layers": 10**9}},
    ],
)
def test_a_config_with_absurd_counts_is_refused(folder: Path, config: dict[str, object]) -> None:
    (folder / "config.json").write_text(json.dumps(config))
    assert "declares" in read_error(folder)


def test_parameters_are_counted_by_the_headers(folder: Path) -> None:
    found = read_checkpoint(folder)
    # The tiny model is stored in float32, behind a small header.
    assert 0 < found.bytes - 4 * found.parameters < 10_000


def test_the_header_of_a_file_is_not_read_beyond_its_bound(folder: Path) -> None:
    with (folder / "model.safetensors").open("wb") as file:
        file.write(struct.pack("<Q", 2**33))
        file.truncate(2**33 + 8)
    assert "damaged" in read_error(folder)
