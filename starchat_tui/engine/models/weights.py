"""Checkpoint of a model: its folder, checked for missing and truncated files before torch loads.

Layout of the folder: config.json, and the weights as `save_pretrained` of transformers writes them,
whole or in shards with an index, in safetensors or in torch's own format.
"""

from __future__ import annotations

import math
import os
import struct
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from starchat_tui.config.json_file import parse_json_object
from starchat_tui.engine.models.hub_download import download_model
from starchat_tui.engine.models.load_progress import ProgressCallback
from starchat_tui.errors import ModelUnavailable
from starchat_tui.models.hub_files import read_adapter_base, read_model_json
from starchat_tui.models.registry import Model, find_model

# safetensors first, in both: it loads without unpickling, which runs code that a file brings.
_INDEX_NAMES = ("model.safetensors.index.json", "pytorch_model.bin.index.json")
_SINGLE_NAMES = ("model.safetensors", "pytorch_model.bin")
_ADAPTER_NAMES = ("adapter_model.safetensors", "adapter_model.bin")
_MAX_HEADER_BYTES = 100_000_000
"""Limit of the safetensors library."""
_COUNTS = (
    *("num_hidden_layers", "n_layer", "n_layers", "num_layers", "decoder_layers"),
    *("num_experts", "num_local_experts", "n_routed_experts"),
)
"""Numbers of modules in the configurations of transformers."""
_MAX_COUNT = 2048
"""Layers or experts that a model may have; the largest known have a few hundred."""
GELU_APPROXIMATIONS = {"gelu_pytorch_tanh": "tanh", "gelu": "none"}
"""`activation_function` in config.json to the `approximate` argument of `torch.gelu`."""
_COPY_AGAIN = "copy or download the model again"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Files of a model, complete as far as their sizes tell."""

    folder: Path
    config: dict[str, Any]
    """Content of config.json."""
    files: tuple[Path, ...]
    """Weights, in safetensors or torch's own format."""
    adapter: Path | None = None
    """Folder of a PEFT adapter to apply to the weights."""
    parameters: int = 0
    """Number of parameters by the headers of safetensors files; 0 for torch's own format."""

    @property
    def bytes(self) -> int:
        """Size of the weights on disk, in bytes."""
        return sum(file.stat().st_size for file in self.files)


def is_bigcode(checkpoint: Checkpoint) -> bool:
    """Return whether our own forward pass computes a model."""
    return not find_obstacle(checkpoint)


def find_obstacle(checkpoint: Checkpoint) -> str:
    """Return why our own forward pass does not compute a model; "" if it does.

    It must be a GPTBigCode with multi-query attention, in safetensors, neither quantized nor under
    an adapter.
    """
    config = checkpoint.config
    kind = config.get("model_type")
    activation = config.get("activation_function", "gelu_pytorch_tanh")
    obstacles = {
        f"its architecture is {kind}": kind != "gpt_bigcode",
        "its attention is not multi-query": not config.get("multi_query", True),
        "its attention is not scaled": not config.get("scale_attn_weights", True),
        f"its activation is {activation}": activation not in GELU_APPROXIMATIONS,
        "its files are quantized": "quantization_config" in config,
        "it has an adapter": checkpoint.adapter is not None,
        "its files are not safetensors": any(
            file.suffix != ".safetensors" for file in checkpoint.files
        ),
    }
    return next((text for text, is_given in obstacles.items() if is_given), "")


def find_checkpoint(model: Model, report: ProgressCallback) -> Checkpoint:
    """Return the files of a model, downloaded if it is a Hub id; of an adapter, with its base.

    Raises `ModelUnavailable` if they are missing, gated, truncated or not a model's.
    """
    folder = Path(model.weights) if model.is_local else download_model(model.weights, report)
    adapter = folder / "adapter_config.json"
    if not os.path.isfile(adapter):
        return read_checkpoint(folder)
    if not any(os.path.isfile(folder / name) for name in _ADAPTER_NAMES):
        raise ModelUnavailable(f"The adapter in `{folder}` has no weights", _COPY_AGAIN)
    base = find_checkpoint(find_model(read_adapter_base(adapter, model.weights)), report)
    return replace(base, adapter=folder)


def read_checkpoint(folder: Path) -> Checkpoint:
    """Return the checkpoint in a local folder.

    Raises `ModelUnavailable`, which names the file that is missing or truncated.
    """
    config = folder / "config.json"
    if not os.path.isfile(config):
        raise ModelUnavailable(f"`{folder}` has no config.json", "is it the folder of a model?")
    files = _find_weight_files(folder)
    # A truncated file is else found at the end of a load of minutes, as an error about a tensor.
    parameters = sum(_check_size(file) for file in files)
    return Checkpoint(folder, _read_config(config), files, parameters=parameters)


def _read_config(path: Path) -> dict[str, Any]:
    """Return config.json; raise `ModelUnavailable` if it describes no model that could exist."""
    config = read_model_json(path)
    # transformers creates the modules of each layer before it looks at the weights: a million
    # layers would keep the engine busy for an hour.
    sections = [config, *(part for part in config.values() if isinstance(part, dict))]
    for name, value in ((name, section.get(name)) for section in sections for name in _COUNTS):
        if isinstance(value, int) and value > _MAX_COUNT:
            raise ModelUnavailable(f"`{path}` declares {name} = {value:,}", _COPY_AGAIN)
    return config


def _find_weight_files(folder: Path) -> tuple[Path, ...]:
    for name in _INDEX_NAMES:
        if os.path.isfile(folder / name):
            return _find_shards(folder, folder / name)
    for name in _SINGLE_NAMES:
        if os.path.isfile(folder / name):
            return (folder / name,)
    raise ModelUnavailable(
        f"`{folder}` has no weights", f"{_COPY_AGAIN}: it stopped before the weights"
    )


def _find_shards(folder: Path, index: Path) -> tuple[Path, ...]:
    names = _read_shard_names(index)
    missing = [name for name in names if not os.path.isfile(folder / name)]
    if missing:
        raise ModelUnavailable(
            f"`{folder}` is half-downloaded: {len(missing)} of {len(names)} weight files missing",
            f"{_COPY_AGAIN}; the first missing one is {missing[0]}",
        )
    return tuple(folder / name for name in names)


def _read_shard_names(index: Path) -> list[str]:
    """Return the names of the weight files in an index; raise `ModelUnavailable` if it has none."""
    shards = read_model_json(index).get("weight_map")
    named = list(shards.values()) if isinstance(shards, dict) else []
    # Shards lie beside their index: a path would have torch read any file of the machine.
    names = {name for name in named if isinstance(name, str) and name == os.path.basename(name)}
    if not names or not names.issuperset(named):
        raise ModelUnavailable(f"`{index}` does not name the files of the weights", _COPY_AGAIN)
    return sorted(names)


def _check_size(file: Path) -> int:
    """Compare the size of a safetensors file with the one that its header implies.

    Returns the number of its parameters, 0 for another format.

    Format (https://huggingface.co/docs/safetensors): the length N of the header as 8 bytes, little
    endian; N bytes of JSON, from the name of each tensor to its dtype, shape and `data_offsets`
    [begin, end] in what follows; then the data.
    """
    if file.suffix != ".safetensors":
        return 0
    try:
        size = file.stat().st_size
        with file.open("rb") as stream:
            (length,) = struct.unpack("<Q", stream.read(8))
            # In a damaged file the length may be any 64-bit number: never allocate for it.
            header = parse_json_object(stream.read(min(length, size, _MAX_HEADER_BYTES)))
        tensors = [value for name, value in header.items() if name != "__metadata__"]
        expected = 8 + length + max(tensor["data_offsets"][1] for tensor in tensors)
        parameters = int(sum(math.prod(tensor["shape"]) for tensor in tensors))
    except OSError as error:
        raise ModelUnavailable(
            f"`{file}` cannot be read ({error.strerror})", "check its permissions, and the disk"
        ) from error
    except (struct.error, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelUnavailable(f"`{file}` is damaged or half-downloaded", _COPY_AGAIN) from error
    if size < expected:
        raise ModelUnavailable(
            f"`{file}` is half-downloaded: {size:,} of {expected:,} bytes", _COPY_AGAIN
        )
    return parameters
