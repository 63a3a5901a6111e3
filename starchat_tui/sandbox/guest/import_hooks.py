"""Actions that run once a module has been imported, whoever imports it."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

# Finders and loaders need no base class; that of `importlib.abc` imports much at each start.
Action = Callable[[ModuleType], None]


class ImportHooks:
    """Finder that lets the other finders work, and watches the modules that have an action."""

    def __init__(self) -> None:
        self._actions: dict[str, list[Action]] = {}
        self._names_in_search: set[str] = set()
        sys.meta_path.insert(0, self)

    def add(self, module: str, action: Action) -> None:
        """Call `action` with a module after its import; at once if it has been imported."""
        self._actions.setdefault(module, []).append(action)
        if module in sys.modules:
            _run_action(action, sys.modules[module])

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return the spec that the other finders return, with a loader that runs the actions."""
        if name not in self._actions or name in self._names_in_search:
            return None
        self._names_in_search.add(name)
        try:
            spec = importlib.util.find_spec(name)
        finally:
            self._names_in_search.discard(name)
        if spec is not None and spec.loader is not None:
            loader: Any = _ActingLoader(spec.loader, self._actions[name])
            spec.loader = loader
        return spec


class _ActingLoader:
    """Loader that loads as another one does, then calls the actions."""

    def __init__(self, loader: Any, actions: Sequence[Action]) -> None:
        self._loader, self._actions = loader, actions

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        """Return what the other loader creates."""
        created: ModuleType | None = self._loader.create_module(spec)
        return created

    def exec_module(self, module: ModuleType) -> None:
        """Execute the module, then call the actions."""
        # Put back first: libraries read their data through the loader, also while they load.
        module.__loader__ = self._loader
        if module.__spec__ is not None:
            module.__spec__.loader = self._loader
        self._loader.exec_module(module)
        for action in self._actions:
            _run_action(action, module)


def _run_action(action: Action, module: ModuleType) -> None:
    # A library of a version that nobody here has seen must still be imported.
    with suppress(AttributeError, ImportError, TypeError, ValueError):
        action(module)
