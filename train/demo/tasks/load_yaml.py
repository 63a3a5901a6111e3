"""Loader of the tables in data/."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import yaml

DATA = Path(__file__).with_name("data")
PHRASES = ("phrases", "changes")
"""Tables with phrasings of questions."""


@cache
def load_phrases(name: str) -> tuple[str, ...]:
    """Return the phrasings called `name`; raises `KeyError` if there are none."""
    return tuple({**load_table(PHRASES[0]), **load_table(PHRASES[1])}[name])


@cache
def load_phrasings(name: str, of: str) -> tuple[str, ...]:
    """Return the phrasings called `of` in data/`name`.yaml; raises `KeyError` if none."""
    return tuple(load_table(name)[of])


@cache
def load_table(name: str) -> Any:
    """Load data/`name`.yaml."""
    return yaml.safe_load((DATA / f"{name}.yaml").read_text(encoding="utf-8"))
