"""Kinds of renames, as the tables of this package declare them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Adaptation = tuple[str, Callable[..., Any]] | None
"""The new form of a call for the note, and the function to call; None for a call that is valid."""
Adapter = Callable[[Callable[..., Any], list[Any], dict[str, Any]], Adaptation]
"""Takes the function, the positional and the named arguments, which it may change."""


@dataclass(frozen=True, slots=True)
class RemovedName:
    """Name of a module that has another one now."""

    module: str
    name: str
    since: str
    """Library and version that removed it."""
    target: Any
    """Dotted path of what it means; or anything but a text: what it means itself."""
    shown: str = ""
    """The new form for the note; by default the dotted path."""


@dataclass(frozen=True, slots=True)
class RemovedMember:
    """Method or property of a class that has another name now."""

    module: str
    owner: str
    """Class in the module."""
    name: str
    since: str
    shown: str
    get: Callable[..., Any]
    """The method; or, of a property, its getter."""
    is_property: bool = False


@dataclass(frozen=True, slots=True)
class ChangedCall:
    """Function or method that takes other arguments now."""

    module: str
    owner: str
    """Path of the class in the module; empty for a function of the module."""
    names: Sequence[str]
    since: str
    adapt: Adapter


@dataclass(frozen=True, slots=True)
class RemovedModule:
    """Module whose names are elsewhere now."""

    name: str
    since: str
    target: str
    names: Sequence[str] = ()
    """Names that mean the same there; empty for all of them."""


Rename = RemovedName | RemovedMember | ChangedCall | RemovedModule


def list_names(module: str, since: str, targets: Mapping[str, str]) -> list[RemovedName]:
    """Return renames of a module, given by the old name and the dotted path of the new one."""
    return [RemovedName(module, name, since, target) for name, target in targets.items()]


def rename_argument(old: str, new: str, convert: Callable[[Any], Any] = lambda it: it) -> Adapter:
    """Return the adapter for a named argument that has another name now."""

    def adapt(original: Callable[..., Any], args: list[Any], named: dict[str, Any]) -> Adaptation:
        if old not in named or new in named:
            return None
        named[new] = convert(named.pop(old))
        return f"{old}= → {new}=", original

    return adapt


def drop_argument(name: str, *values: Any) -> Adapter:
    """Return the adapter for a named argument whose `values` are what happens now anyway."""

    def adapt(original: Callable[..., Any], args: list[Any], named: dict[str, Any]) -> Adaptation:
        if name not in named or named[name] not in values:
            return None
        return f"{name}={named.pop(name)!r} → nothing", original

    return adapt


def name_arguments(*names: str, least: int, first: str = "") -> Adapter:
    """Return the adapter for arguments that have to be named now.

    Args:
        names: Names of the arguments in their old order, `self` included.
        least: Number of positional arguments from which on a call fails today.
        first: Name of the first argument today; a call that gives it twice fails, too.
    """

    def adapt(original: Callable[..., Any], args: list[Any], named: dict[str, Any]) -> Adaptation:
        fails = len(args) >= least or (args and first in named)
        if not fails or len(args) > len(names) or named.keys() & set(names[: len(args)]):
            return None
        kept = 1 if names[0] == "self" else 0
        moved = dict(zip(names[kept:], args[kept:], strict=False))
        del args[kept:]
        named.update(moved)
        return ", ".join(f"{name}=" for name in moved), original

    return adapt
