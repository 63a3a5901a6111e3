"""A model's files: fetched from the Hub with progress, checked before torch is imported."""

from __future__ import annotations

import json
import os
import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from starchat_tui.errors import ModelUnavailable
from starchat_tui.models.registry import Model, base_of, resolve

Report = Callable[[str, int, int], None]
"""Told a stage, and how much of how much of it is done."""

_PATTERNS = ("*.json", "*.jinja", "*.model", "tokenizer*")
_INDEX = ("model.safetensors.index.json", "pytorch_model.bin.index.json")
_SINGLE = ("model.safetensors", "pytorch_model.bin")
_ADAPTER = ("adapter_model.safetensors", "adapter_model.bin")
_AGAIN = "copy or download the model anew"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A model's folder, whole as far as its sizes tell."""

    folder: Path
    config: dict[str, Any]
    files: tuple[Path, ...]
    """The weights, in safetensors or torch's own format."""
    adapter: Path | None = None
    """The folder of a PEFT adapter that goes on top."""

    @property
    def bytes(self) -> int:
        """Size of the weights on disk."""
        return sum(file.stat().st_size for file in self.files)


def find(model: Model, report: Report) -> Checkpoint:
    """The model's files on this machine, fetched where needed.

    Raises `ModelUnavailable` where they are missing, gated, half-downloaded or of another kind.
    """
    folder = Path(model.weights) if model.local else _download(model.weights, report)
    adapter = folder / "adapter_config.json"
    if not os.path.isfile(adapter):
        return check(folder)
    if not any(os.path.isfile(folder / name) for name in _ADAPTER):
        raise ModelUnavailable(f"The adapter in `{folder}` has no weights", _AGAIN)
    found = find(resolve(base_of(adapter, model.weights)), report)
    return Checkpoint(found.folder, found.config, found.files, adapter=folder)


def check(folder: Path) -> Checkpoint:
    """A local folder as a checkpoint; raises `ModelUnavailable` that names what is missing."""
    config = folder / "config.json"
    if not os.path.isfile(config):
        raise ModelUnavailable(f"`{folder}` has no config.json", "is it a model's folder?")
    files = _weight_files(folder)
    for file in files:
        _check_size(file)
    return Checkpoint(folder, _json(config), files)


def _weight_files(folder: Path) -> tuple[Path, ...]:
    for name in _INDEX:
        if os.path.isfile(folder / name):
            return _shards(folder, folder / name)
    for name in _SINGLE:
        if os.path.isfile(folder / name):
            return (folder / name,)
    raise ModelUnavailable(f"`{folder}` has no weights", f"{_AGAIN}: it stopped before the weights")


def _shards(folder: Path, index: Path) -> tuple[Path, ...]:
    names = sorted(set(_json(index).get("weight_map", {}).values()))
    missing = [name for name in names if not os.path.isfile(folder / name)]
    if missing or not names:
        raise ModelUnavailable(
            f"`{folder}` is half-downloaded: {len(missing)} of {len(names)} weight files miss",
            f"{_AGAIN}; the first missing one is {missing[0] if missing else 'not named'}",
        )
    return tuple(folder / name for name in names)


def _check_size(file: Path) -> None:
    """A safetensors file says in its header how long it is."""
    if file.suffix != ".safetensors":
        return
    try:
        size = file.stat().st_size
        with file.open("rb") as stream:
            (length,) = struct.unpack("<Q", stream.read(8))
            header = json.loads(stream.read(min(length, size)))
        tensors = (value for name, value in header.items() if name != "__metadata__")
        expected = 8 + length + max(tensor["data_offsets"][1] for tensor in tensors)
    except OSError as error:
        raise ModelUnavailable(
            f"`{file}` cannot be read ({error.strerror})", "look at its permissions, and the disk"
        ) from error
    except (struct.error, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelUnavailable(f"`{file}` is damaged or half-downloaded", _AGAIN) from error
    if size < expected:
        raise ModelUnavailable(
            f"`{file}` is half-downloaded: {size:,} of {expected:,} bytes", _AGAIN
        )


def _json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelUnavailable(f"`{path}` cannot be read ({error})", _AGAIN) from error
    if not isinstance(found, dict):
        raise ModelUnavailable(f"`{path}` is not a JSON object", _AGAIN)
    return found


def _download(repo: str, report: Report) -> Path:
    from huggingface_hub import snapshot_download

    try:
        return Path(
            snapshot_download(
                repo,
                allow_patterns=_wanted(repo),
                ignore_patterns=["*/*", "consolidated*"],
                tqdm_class=_meter(report),
            )
        )
    except (_http_error(), OSError, ValueError) as error:
        # Offline, a file that nobody asked for may miss; `check` names the one that is needed.
        kept = getattr(error, "snapshot_path", None)
        if kept:
            return Path(kept)
        raise _refusal(repo, error) from error


def _http_error() -> type[Exception]:
    """The root of the errors of the HTTP library that the Hub's client uses."""
    from huggingface_hub.errors import HfHubHTTPError

    return HfHubHTTPError.__mro__[1]


def _refusal(repo: str, error: Exception) -> ModelUnavailable:
    """What to do about an error of the Hub's client."""
    from huggingface_hub import errors

    if isinstance(error, errors.GatedRepoError):
        hint = f"accept its licence at https://huggingface.co/{repo}, then `hf auth login`"
        return ModelUnavailable(f"`{repo}` is gated", hint)
    if isinstance(error, errors.RepositoryNotFoundError):
        hint = "look at the spelling; a private one needs `hf auth login`"
        return ModelUnavailable(f"The Hub has no model `{repo}`", hint)
    if isinstance(error, errors.HFValidationError):
        return ModelUnavailable(f"`{repo}` is not a Hub id", "it reads OWNER/NAME")
    if isinstance(error, errors.LocalEntryNotFoundError | errors.OfflineModeIsEnabled):
        return ModelUnavailable(
            f"`{repo}` is not, or only in part, on this machine, and the Hub cannot be reached",
            "connect and try again, or name a folder that holds the model",
        )
    return ModelUnavailable(
        f"`{repo}` cannot be downloaded ({type(error).__name__}: {error})",
        "look at the connection and the free disk space, then try again",
    )


def _wanted(repo: str) -> list[str]:
    """The patterns to fetch: safetensors where the repository has them, torch's format else."""
    from huggingface_hub import HfApi

    try:
        names = HfApi().list_repo_files(repo)
    except (_http_error(), OSError):
        # Offline, or refused: what is in the cache may be whole, and the download's error says why.
        return [*_PATTERNS, "*.safetensors", "*.bin"]
    safe = any(name.endswith(".safetensors") and "/" not in name for name in names)
    return [*_PATTERNS, "*.safetensors" if safe else "*.bin"]


def _meter(report: Report) -> type[Any]:
    """A tqdm class that reports the bytes written instead of drawing a bar."""
    from tqdm import tqdm  # type: ignore[import-untyped]

    class Meter(tqdm):  # type: ignore[misc]
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            self._counts = kwargs.get("unit") == "B"
            kwargs.pop("name", None)
            super().__init__(*args, **{**kwargs, "disable": True})

        def update(self, n: float | None = 1) -> bool | None:
            self.n += n or 0
            if self._counts and self.total:
                report("downloading", int(self.n), int(self.total))
            return None

    return Meter
