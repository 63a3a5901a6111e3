"""List of the environments that there are, one line each."""

from __future__ import annotations

from starchat_tui.config.byte_units import MIB
from starchat_tui.sandbox.environments.known import RECIPES, EnvironmentRecipe
from starchat_tui.sandbox.environments.store import EnvironmentStore


def list_environments(store: EnvironmentStore, chosen: str) -> list[str]:
    """Return a line for each environment; a star marks the one that code runs in."""
    lines = [
        f"{'*' if recipe.name == chosen else ' '} {recipe.name:<9}{describe_state(store, recipe)}"
        for recipe in RECIPES.values()
    ]
    return lines if chosen in RECIPES else [*lines, f"* {chosen}"]


def describe_state(store: EnvironmentStore, recipe: EnvironmentRecipe) -> str:
    """Return whether an environment exists, with its Python and its size."""
    found = store.find_installed(recipe)
    if found is None:
        return f"{recipe.summary}; not created yet, about {recipe.megabytes} MB"
    state = f"{recipe.summary}; Python {found.python}, {found.size / MIB:.0f} MB"
    if found.is_outdated:
        state += f"; its versions have changed since: `starchat env create {recipe.name}`"
    return state
