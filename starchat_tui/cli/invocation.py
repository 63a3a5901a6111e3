"""Context of one command: its flags, the settings that result from them, the paths."""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping
from dataclasses import dataclass, field

from starchat_tui.cli import arguments
from starchat_tui.config import settings
from starchat_tui.config.paths import Paths
from starchat_tui.config.settings import Settings


@dataclass(frozen=True, slots=True)
class Invocation:
    """Context of one command, read once and passed down."""

    flags: argparse.Namespace
    settings: Settings
    paths: Paths
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ)

    @classmethod
    def from_flags(
        cls, flags: argparse.Namespace, environ: Mapping[str, str] = os.environ
    ) -> Invocation:
        """Read the settings that the flags, the environment and config.toml amount to."""
        chosen, paths = settings.load_settings_and_paths(arguments.select_settings(flags), environ)
        return cls(flags, chosen, paths, environ)

    @property
    def is_accessible(self) -> bool:
        """True for output without colors, cursor movement and pictures."""
        return self.settings.accessible or self.environ.get("TERM") == "dumb"

    @property
    def uses_color(self) -> bool:
        """True if text on stdout is colored; `--raw` wins over the setting."""
        if getattr(self.flags, "raw", False):
            return False
        return settings.should_use_color(self.settings.color, self.environ)
