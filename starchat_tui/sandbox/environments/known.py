"""Environments that StarChat creates itself: their lock files and the Pythons they are for."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from starchat_tui.config.settings import KnownEnvironment

_LOCKS = Path(__file__).parent / "locks"
PythonVersion = tuple[int, int]


@dataclass(frozen=True, slots=True)
class EnvironmentRecipe:
    """Recipe of an environment."""

    name: str
    summary: str
    pythons: tuple[PythonVersion, ...]
    """Versions of Python that its lock file has pins for; the best comes first."""
    megabytes: int
    """Size on the disk, roughly."""

    @property
    def lock_file(self) -> Path:
        """Requirements file with an exact version of every package."""
        return _LOCKS / f"{self.name}.txt"

    def compute_digest(self) -> str:
        """Return a digest of the lock file, which changes with every pin."""
        return hashlib.sha256(self.lock_file.read_bytes()).hexdigest()[:16]

    def count_pins(self) -> int:
        """Return the number of packages; one has several lines if its version depends on Python."""
        lines = self.lock_file.read_text("utf-8").splitlines()
        return len({line.partition("==")[0] for line in lines if "==" in line})

    def describe_python(self, version: PythonVersion) -> str:
        """Return what differs with a Python that is not the best one; empty for the best."""
        if version == self.pythons[0] or self.name != "2023":
            return ""
        best = f"{self.pythons[0][0]}.{self.pythons[0][1]}"
        return (
            f"Python {version[0]}.{version[1]} gets the nearest versions: {_NEAREST[version]}."
            f" With Python {best} on the path, `starchat env create 2023` has all of them"
        )


_NEAREST: Mapping[PythonVersion, str] = {
    (3, 12): "pandas 2.1 has no `append`, NumPy 1.26 no `np.float`, Pillow 10 no `textsize`",
    (3, 13): "pandas 2.2 has no `append`, NumPy 2.1 no `np.float`, Matplotlib 3.9 no `cm.get_cmap`",
}
"""Differences that older code meets with each version of Python."""
RECIPES: Mapping[KnownEnvironment, EnvironmentRecipe] = {
    "2023": EnvironmentRecipe(
        "2023",
        "the libraries that StarCoder and StarChat learned",
        ((3, 11), (3, 12), (3, 13)),
        1000,
    ),
    "current": EnvironmentRecipe(
        "current", "the libraries of today", ((3, 11), (3, 12), (3, 13), (3, 14)), 1050
    ),
}
"""Recipes by name."""


def find_recipe(name: str) -> EnvironmentRecipe | None:
    """Return the recipe of a known environment; None for any other name."""
    return next((recipe for known, recipe in RECIPES.items() if known == name), None)
