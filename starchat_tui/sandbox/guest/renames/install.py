"""Installation of renames in the libraries that have removed the old form."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Iterable, Sequence
from functools import partial, wraps
from importlib.machinery import ModuleSpec
from operator import attrgetter
from pkgutil import resolve_name
from types import CodeType, ModuleType
from typing import Any

from starchat_tui.sandbox.guest.import_hooks import ImportHooks
from starchat_tui.sandbox.guest.renames import numeric, others, plotting, tables
from starchat_tui.sandbox.guest.renames.declarations import (
    ChangedCall,
    RemovedMember,
    RemovedModule,
    RemovedName,
    Rename,
)

RENAMES: tuple[Rename, ...] = (
    *(*numeric.NUMPY, *numeric.SCIPY, *numeric.SCIKIT_LEARN, *numeric.NETWORKX),
    *(*tables.PANDAS, *tables.GEOPANDAS, *plotting.MATPLOTLIB, *plotting.SEABORN),
    *(*others.STANDARD_LIBRARY, *others.PILLOW, *others.IPYTHON, *others.OPENPYXL),
)
"""Every rename that is provided."""
ALIASES = {
    "numpy": "np",
    "pandas": "pd",
    "matplotlib.pyplot": "plt",
    "matplotlib": "mpl",
    "seaborn": "sns",
    "networkx": "nx",
    "geopandas": "gpd",
    "builtins": "",
}
"""Names by which the notes mention libraries."""
_PACKAGE_FOLDERS = ("/site-packages/", "/dist-packages/")
_STANDARD_LIBRARY = os.path.dirname(os.__file__) + "/"


class RenameInstaller:
    """Adds what is missing to each library as it is imported, and reports what is used."""

    def __init__(self, hooks: ImportHooks, note: Callable[[str], None]) -> None:
        """Register with `hooks`; `note` takes a sentence for the user."""
        self._hooks, self._note = hooks, note

    def install(self, renames: Iterable[Rename]) -> None:
        """Install renames; those of a library that is not imported yet wait for its import."""
        names: dict[str, dict[str, RemovedName]] = {}
        members: dict[tuple[str, str], dict[str, RemovedMember]] = {}
        modules: list[RemovedModule] = []
        for rename in renames:
            if isinstance(rename, RemovedModule):
                modules.append(rename)
            elif isinstance(rename, RemovedName):
                names.setdefault(rename.module, {})[rename.name] = rename
            elif isinstance(rename, RemovedMember):
                members.setdefault((rename.module, rename.owner), {})[rename.name] = rename
            else:
                self._hooks.add(rename.module, partial(self._install_call, rename=rename))
        for module, table in names.items():
            self._hooks.add(module, partial(self._install_names, table=table))
        for (module, owner), found in members.items():
            self._hooks.add(module, partial(self._install_members, table=found, owner=owner))
        sys.meta_path.append(_RemovedModuleFinder(modules, self._note))

    def _install_names(self, module: ModuleType, table: dict[str, RemovedName]) -> None:
        original: Callable[[str], Any] | None = module.__dict__.get("__getattr__")

        def __getattr__(name: str) -> Any:  # noqa: N807 - PEP 562
            try:
                if original is not None:
                    return original(name)
                text = f"module {module.__name__!r} has no attribute {name!r}"
                raise AttributeError(text, name=name, obj=module)
            except AttributeError:
                if name not in table or not is_user_code(sys._getframe(1).f_code):
                    raise
            return self._provide_name(table[name])

        module.__getattr__ = __getattr__  # type: ignore[method-assign]

    def _provide_name(self, rename: RemovedName) -> Any:
        if isinstance(rename.target, str):
            value, shown = resolve_name(rename.target), rename.shown or _shorten(rename.target)
        else:
            value, shown = rename.target, rename.shown
        self._report(_shorten(f"{rename.module}.{rename.name}"), shown, rename.since)
        return value

    def _install_members(
        self, module: ModuleType, table: dict[str, RemovedMember], owner: str
    ) -> None:
        kind: Any = getattr(module, owner, None)
        if kind is None:
            return
        original: Callable[[Any, str], Any] | None = getattr(kind, "__getattr__", None)

        def __getattr__(self: Any, name: str) -> Any:  # noqa: N807
            try:
                # A column of a table comes first.
                if original is not None:
                    return original(self, name)
                text = f"{type(self).__name__!r} object has no attribute {name!r}"
                raise AttributeError(text, name=name, obj=self)
            except AttributeError:
                if name not in table or not is_user_code(sys._getframe(1).f_code):
                    raise
            return provide(self, table[name])

        def provide(instance: Any, rename: RemovedMember) -> Any:
            self._report(f"{owner}.{rename.name}", rename.shown, rename.since)
            return rename.get(instance) if rename.is_property else partial(rename.get, instance)

        # Not a member: those are listed by `dir`, which libraries inspect.
        kind.__getattr__ = __getattr__

    def _install_call(self, module: ModuleType, rename: ChangedCall) -> None:
        owner: Any = attrgetter(rename.owner)(module) if rename.owner else module
        if not _is_removed(rename.since, module):
            return
        for name in rename.names:
            if original := getattr(owner, name, None):
                setattr(owner, name, self._wrap_call(original, name, rename))

    def _wrap_call(
        self, original: Callable[..., Any], name: str, rename: ChangedCall
    ) -> Callable[..., Any]:
        shown = rename.owner if name == "__init__" else name

        @wraps(original)
        def call(*args: Any, **named: Any) -> Any:
            given = list(args)
            adapted = rename.adapt(original, given, named)
            if adapted is None:
                return original(*args, **named)
            change, function = adapted
            if not change:
                return function(*given, **named)
            old, _, new = change.rpartition(" → ")
            new = new if "(" in new else f"{shown}({new})".removesuffix("(nothing)")
            old = old if "(" in old else f"{shown}({old or '…'})"
            self._report(old, new, rename.since)
            return function(*given, **named)

        return call

    def _report(self, old: str, new: str, since: str) -> None:
        self._note(f"compat: {old} → {new} (changed in {since})")


class _RemovedModuleFinder:
    """Last finder: it finds the modules that libraries have removed."""

    def __init__(self, renames: Sequence[RemovedModule], note: Callable[[str], None]) -> None:
        self._renames = {rename.name: rename for rename in renames}
        self._note = note

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return the spec of a removed module, or of a removed package above one."""
        if "." not in name:
            # Libraries are installed or not: an empty package in their name would hide that.
            return None
        is_package = any(one.startswith(f"{name}.") for one in self._renames)
        rename = self._renames.get(name)
        if rename is None and not is_package:
            return None
        loader: Any = _RemovedModuleLoader(rename, self._note)
        return ModuleSpec(name, loader, is_package=is_package)


class _RemovedModuleLoader:
    def __init__(self, rename: RemovedModule | None, note: Callable[[str], None]) -> None:
        self._rename, self._note = rename, note

    def create_module(self, spec: ModuleSpec) -> None:
        """Create the module as Python does."""

    def exec_module(self, module: ModuleType) -> None:
        """Fill the module with the names of the one that holds them now."""
        if (rename := self._rename) is None:
            return
        found = vars(resolve_name(rename.target))
        for name in rename.names or [name for name in found if not name.startswith("__")]:
            setattr(module, name, found[name])
        self._note(f"compat: {rename.name} → {rename.target} (changed in {rename.since})")


def is_user_code(code: CodeType) -> bool:
    """Return whether code is the user's: neither of a library nor of the import system."""
    path = code.co_filename
    is_installed = any(folder in path for folder in _PACKAGE_FOLDERS)
    return not is_installed and not path.startswith((_STANDARD_LIBRARY, "<frozen"))


def _shorten(path: str) -> str:
    module, _, name = path.rpartition(".")
    alias = ALIASES.get(module, module)
    return f"{alias}.{name}" if alias else name


def _is_removed(since: str, module: ModuleType) -> bool:
    """Return whether the library of a module has the version that `since` ends with, or more."""
    library = sys.modules.get(module.__name__.partition(".")[0])
    version = str(getattr(library, "__version__", "0"))
    return _parse_version(version) >= _parse_version(since)


def _parse_version(text: str) -> tuple[int, ...]:
    return tuple(map(int, re.findall(r"\d+", text)[:2]))
