"""The tables in data/: how people ask, the functions they ask for, what words mean."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import yaml

DATA = Path(__file__).with_name("data")
PHRASES = ("phrases", "changes")
"""The tables that say how people ask."""


@cache
def phrases(name: str) -> tuple[str, ...]:
    """The phrasings called `name`; KeyError where there are none."""
    return tuple({**table(PHRASES[0]), **table(PHRASES[1])}[name])


@cache
def asked(name: str, of: str) -> tuple[str, ...]:
    """The phrasings called `of` in data/`name`.yaml; KeyError where there are none."""
    return tuple(table(name)[of])


@cache
def table(name: str) -> Any:
    """The content of data/`name`.yaml."""
    return yaml.safe_load((DATA / f"{name}.yaml").read_text(encoding="utf-8"))
