"""Which models there are: a name to its weights, its mode, its partner; what fits this machine."""

from __future__ import annotations

import difflib
import json
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from starchat_tui.dialogue import Mode
from starchat_tui.errors import ModelUnavailable
from starchat_tui.paths import typed
from starchat_tui.templates.jinja_template import named_template

GIB = 2**30
WEIGHTS = Path(__file__).parents[1] / "weights"


@dataclass(frozen=True, slots=True)
class Model:
    """A causal language model that can be asked for by name."""

    name: str
    weights: str
    """A folder, or a Hub id."""
    mode: Mode | None = None
    """What it is made for; None where its tokenizer has to tell."""
    partner: str = ""
    """The model of the other mode; empty where it serves both."""
    parameters: int = 0
    """Their number; 0 where it is not known."""
    demo: bool = False

    @property
    def engine_name(self) -> str:
        """What the engine knows it by: a name of ours, or where its weights are."""
        return self.name if self.name in KNOWN else self.weights

    @property
    def local(self) -> bool:
        """Whether the weights are a folder of this machine."""
        return os.path.isdir(self.weights)


_STARCODER = 15_517_456_384
KNOWN = {
    model.name: model
    for model in (
        Model("nano-chat", str(WEIGHTS / "nano-chat"), "chat", "nano-base", demo=True),
        Model("nano-base", str(WEIGHTS / "nano-base"), "ta", "nano-chat", demo=True),
        Model("starchat-beta", "HuggingFaceH4/starchat-beta", "chat", "starcoderplus", _STARCODER),
        Model(
            "starchat-alpha", "HuggingFaceH4/starchat-alpha", "chat", "starcoderbase", _STARCODER
        ),
        Model("starcoder", "bigcode/starcoder", "ta", "starchat-beta", _STARCODER),
        Model("starcoderbase", "bigcode/starcoderbase", "ta", "starchat-alpha", _STARCODER),
        Model("starcoderplus", "bigcode/starcoderplus", "ta", "starchat-beta", _STARCODER),
        Model("starcoderbase-7b", "bigcode/starcoderbase-7b", "ta", "", 7_327_000_000),
        Model("starcoderbase-3b", "bigcode/starcoderbase-3b", "ta", "", 3_043_000_000),
        Model("starcoderbase-1b", "bigcode/starcoderbase-1b", "ta", "", 1_137_000_000),
        Model("tiny-starcoder", "bigcode/tiny_starcoder_py", "ta", "", 164_000_000),
    )
}


def resolve(name: str) -> Model:
    """The model called `name`: a known one, a folder, or a Hub id."""
    if name in KNOWN:
        return KNOWN[name]
    folder = typed(name)
    if name and os.path.isdir(folder):
        found = str(folder.absolute())
        return Model(found, found)
    if name.count("/") == 1 and not name.startswith((".", "/", "~")):
        return Model(name, name)
    close = difflib.get_close_matches(name, KNOWN, n=1)
    nearest = f"did you mean `{close[0]}`? " if close else ""
    raise ModelUnavailable(
        f"No model called `{name}`",
        f"{nearest}name a folder, a Hub id OWNER/NAME, or one of {', '.join(KNOWN)}",
    )


def local_file(model: Model, name: str) -> Path:
    """A small file beside the weights, fetched from the Hub where needed.

    An adapter's folder that lacks the file stands for its base model.
    """
    if model.demo and not model.local:
        raise ModelUnavailable(f"The demo model {model.name} is not there", "`make nano` makes it")
    if not model.local:
        return _fetch(model.weights, name)
    path = Path(model.weights) / name
    if os.path.isfile(path):
        return path
    adapter = Path(model.weights) / "adapter_config.json"
    if os.path.isfile(adapter):
        return local_file(resolve(base_of(adapter, model.weights)), name)
    raise ModelUnavailable(
        f"`{model.weights}` has no {name}", "is it a model's folder, and was it copied whole?"
    )


def base_of(adapter: Path, weights: str) -> str:
    """The model that the adapter in `weights` stands on, by its config; `ModelUnavailable` else."""
    base = str(_json(adapter).get("base_model_name_or_path") or "")
    if not base or base == weights:
        raise ModelUnavailable(
            f"`{adapter}` does not name its base model", "set `base_model_name_or_path` in it"
        )
    return base


def window(model: Model) -> int:
    """Context length in tokens, as the model's config says it; 0 where it does not."""
    config = _json(local_file(model, "config.json"))
    for key in ("n_positions", "max_position_embeddings", "n_ctx", "seq_length"):
        if isinstance(config.get(key), int):
            return int(config[key])
    return 0


def chat_template(model: Model) -> str:
    """The model's own chat template (Jinja), empty where it has none."""
    try:
        return local_file(model, "chat_template.jinja").read_text(encoding="utf-8")
    except ModelUnavailable:
        return named_template(optional_json(model, "tokenizer_config.json").get("chat_template"))


def optional_json(model: Model, name: str) -> dict[str, Any]:
    """A JSON file beside the weights; empty where there is none."""
    try:
        return _json(local_file(model, name))
    except ModelUnavailable:
        return {}


def _json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelUnavailable(
            f"`{path}` cannot be read ({error})", "copy the model anew"
        ) from error
    if not isinstance(found, dict):
        raise ModelUnavailable(f"`{path}` is not a JSON object", "copy the model anew")
    return found


def _fetch(repo: str, name: str) -> Path:
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import GatedRepoError, HfHubHTTPError, HFValidationError

    try:
        return Path(hf_hub_download(repo, name))
    except GatedRepoError as error:
        raise ModelUnavailable(
            f"`{repo}` is gated",
            f"accept its licence at https://huggingface.co/{repo}, then `hf auth login`",
        ) from error
    except HFValidationError as error:
        raise ModelUnavailable(f"`{repo}` is not a Hub id", "it reads OWNER/NAME") from error
    except (HfHubHTTPError, OSError, ValueError) as error:
        raise ModelUnavailable(
            f"{name} of `{repo}` cannot be fetched ({type(error).__name__})",
            "look at the name and the connection; a folder with the model works offline",
        ) from error


@dataclass(frozen=True, slots=True)
class Machine:
    """What this machine has to hold a model in, in bytes."""

    memory: int
    gpu_memory: int
    """Of the largest NVIDIA card; 0 without one."""


def machine() -> Machine:
    """This machine, asked without importing torch (some 50 ms where there is an NVIDIA card)."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return Machine(memory, _gpu_memory())


def _gpu_memory() -> int:
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return 0
    query = [tool, "--query-gpu=memory.total", "--format=csv,noheader,nounits"]
    try:
        told = subprocess.run(query, capture_output=True, text=True, timeout=10, check=False).stdout
    except (OSError, subprocess.TimeoutExpired):
        return 0
    return max((int(line) for line in told.split() if line.isdigit()), default=0) * 2**20


_WIDTHS = (("", 2.0), ("int8", 1.05), ("int4", 0.6))
"""Quantization and bytes a parameter, scales included."""
_ROOM = 0.85
"""The share of memory weights may take; the rest is for the context and the runtime."""


def advice(found: Machine) -> str:
    """One line: which real models fit this machine, and how to name them."""
    budget = found.gpu_memory or found.memory
    where = f"{budget / GIB:.0f} GB {'GPU' if found.gpu_memory else 'and no GPU'}"
    for name in ("starchat-beta", "starcoderbase-7b", "starcoderbase-3b", "starcoderbase-1b"):
        for quantize, width in _WIDTHS if found.gpu_memory else (("", 4.0),):
            if KNOWN[name].parameters * width <= budget * _ROOM:
                flag = f" --quantize {quantize}" if quantize else ""
                return f"This machine ({where}) fits `starchat --model {name}{flag}`"
    return f"This machine ({where}) fits `starchat --model tiny-starcoder`"
