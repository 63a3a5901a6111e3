"""Options of the full-screen chat."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from starchat_tui.terminal.image_detection import ImageSettings


@dataclass(frozen=True, slots=True)
class ChatOptions:
    """Everything about the full-screen chat that is not the conversation itself."""

    theme: str = "dark"
    is_demo: bool = False
    """True if the model is one of the demo models of this package."""
    first_question: str = ""
    """A question to ask as soon as the screen is shown."""
    typed_ahead: str = ""
    """Keys that the user typed before the screen was shown; they belong to the draft."""
    input_history: Path | None = None
    """File of the prompts that were sent; None keeps none."""
    draft: Path | None = None
    """File that keeps the text in the composer; None keeps none."""
    plots: Path | None = None
    """Folder in which plots are saved."""
    images: ImageSettings = field(default_factory=ImageSettings)
    environment: Mapping[str, str] = field(default_factory=dict)
    """Environment variables, for the routes to the clipboard and to a viewer."""
    get_advice: Callable[[], str] | None = None
    """Returns one line about the models that this machine can run; may take a moment."""
    clock: Callable[[], float] = time.time
    """Returns the seconds since the epoch."""
