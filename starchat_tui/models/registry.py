"""Registry of known models: their weights, mode and partner by name."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from starchat_tui.config.paths import expand_user_path
from starchat_tui.config.settings import KnownEnvironment
from starchat_tui.dialogue import Mode
from starchat_tui.errors import ModelUnavailable

WEIGHTS = Path(__file__).parents[1] / "weights"


@dataclass(frozen=True, slots=True)
class Model:
    """A causal language model that the user can select."""

    name: str
    weights: str
    """Folder, or Hub id."""
    mode: Mode | None = None
    """Mode the model is made for; None where only its tokenizer shows it."""
    partner: str = ""
    """Name of the model for the other mode; empty if this one serves both."""
    parameters: int = 0
    """Number of parameters; 0 if unknown."""
    demo: bool = False
    """True for the small models that come with the package."""
    environment: KnownEnvironment = "current"
    """Environment with the libraries that it learned."""

    @property
    def engine_name(self) -> str:
        """Name in requests to the engine: a known name, or the location of the weights."""
        return self.name if self.name in KNOWN_MODELS else self.weights

    @property
    def is_local(self) -> bool:
        """True if the weights are a folder on this machine."""
        return os.path.isdir(self.weights)


_STARCODER = 15_517_456_384
"""Parameters of StarCoder and of all models fine-tuned from it."""
_STARCODERS: tuple[tuple[str, str, Mode, str, int], ...] = (
    ("starchat-beta", "HuggingFaceH4/starchat-beta", "chat", "starcoderplus", _STARCODER),
    ("starchat-alpha", "HuggingFaceH4/starchat-alpha", "chat", "starcoderbase", _STARCODER),
    ("starcoder", "bigcode/starcoder", "ta", "starchat-beta", _STARCODER),
    ("starcoderbase", "bigcode/starcoderbase", "ta", "starchat-alpha", _STARCODER),
    ("starcoderplus", "bigcode/starcoderplus", "ta", "starchat-beta", _STARCODER),
    ("starcoderbase-7b", "bigcode/starcoderbase-7b", "ta", "", 7_327_000_000),
    ("starcoderbase-3b", "bigcode/starcoderbase-3b", "ta", "", 3_043_000_000),
    ("starcoderbase-1b", "bigcode/starcoderbase-1b", "ta", "", 1_137_000_000),
    ("tiny-starcoder", "bigcode/tiny_starcoder_py", "ta", "", 164_000_000),
)
"""Models that learned from code of 2022 and before: name, weights, mode, partner, parameters."""
KNOWN_MODELS = {
    model.name: model
    for model in (
        Model("nano-chat", str(WEIGHTS / "nano-chat"), "chat", "nano-base", demo=True),
        Model("nano-base", str(WEIGHTS / "nano-base"), "ta", "nano-chat", demo=True),
        *(
            Model(name, weights, mode, partner, parameters, environment="2023")
            for name, weights, mode, partner, parameters in _STARCODERS
        ),
    )
}


def find_model(name: str) -> Model:
    """Return the model called `name`: a known name, a folder, or a Hub id.

    Raises `ModelUnavailable` if it is none of them. Nothing is downloaded, and a Hub id is not
    checked.
    """
    # A folder that has a known name is still `./NAME`.
    if name in KNOWN_MODELS:
        return KNOWN_MODELS[name]
    folder = expand_user_path(name)
    if name and os.path.isdir(folder):
        found = str(folder.absolute())
        return Model(found, found)
    if name.count("/") == 1 and not name.startswith((".", "/", "~")):
        return Model(name, name)
    import difflib

    close = difflib.get_close_matches(name, KNOWN_MODELS, n=1)
    nearest = f"did you mean `{close[0]}`? " if close else ""
    raise ModelUnavailable(
        f"No model called `{name}`",
        f"{nearest}use a folder, a Hub id OWNER/NAME, or one of {', '.join(KNOWN_MODELS)}",
    )
