"""Function that a call could not pass its arguments to; the error itself only has its name."""

from __future__ import annotations

import ast
import builtins
import inspect
import linecache
import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from types import FrameType, FunctionType, ModuleType

from starchat_tui.sandbox.guest.hints.origin import Origin, is_user_frame, is_user_module

_CALL = re.compile(
    r"(?P<name>[\w.<>]+)\(\) (?:got an unexpected keyword argument '(?P<argument>\w+)'"
    r"|(?P<positional>takes .*positional|got multiple values)"
    r"|missing \d+ required positional arguments?: '(?P<missing>\w+)')"
)
_MAGIC = re.compile(r"^(\s*)[%!].*")
_UNKNOWN: object = object()


@dataclass(frozen=True, slots=True)
class FailedCall:
    """Call whose arguments do not fit."""

    function: str
    """Name of the function without its class; that of the class for a constructor."""
    package: str
    """Top package of the function; empty if it is not known, but no function of the user's."""
    argument: str
    """Keyword argument that the function does not have; with `missing:`, one that it lacks."""
    is_positional: bool
    """True if it takes fewer arguments by their position."""


def find_failed_call(origin: Origin) -> FailedCall | None:
    """Return the call of a library that raised a `TypeError`; None for any other error."""
    found = _CALL.match(origin.message)
    if found is None or not isinstance(origin.error, TypeError) or origin.raised_by_user:
        return None
    parts, argument = found["name"].split("."), found["argument"] or ""
    if found["missing"]:
        argument = f"missing:{found['missing']}"
    package = _find_package(origin, parts)
    if package is None:
        return None
    name = parts[-2] if parts[-1] == "__init__" and len(parts) > 1 else parts[-1]
    return FailedCall(name, package, argument, bool(found["positional"]))


def _find_package(origin: Origin, parts: list[str]) -> str | None:
    """Return the top package of the function; None if it is the user's own."""
    if not origin.in_user_code:
        return origin.module.partition(".")[0]
    for function in _resolve_calls(*origin.frames[-1]):
        if _has_name(function, parts):
            module = str(getattr(function, "__module__", "") or "")
            return None if is_user_module(module) else module.partition(".")[0]
    return None if _is_defined_by_user(origin, parts) else ""


def _has_name(function: object, parts: list[str]) -> bool:
    if isinstance(function, type):
        names = {kind.__name__ for kind in function.__mro__}
        return parts[-1] in ("__init__", "__new__", function.__name__) and bool(names & set(parts))
    return getattr(function, "__name__", "") == parts[-1]


def _resolve_calls(frame: FrameType, line: int) -> Iterator[object]:
    """Yield the functions that a line calls, as far as that needs no code to run."""
    # Magics are no Python: each is as long as one statement.
    lines = [_MAGIC.sub(r"\1pass", one) for one in linecache.getlines(frame.f_code.co_filename)]
    try:
        with warnings.catch_warnings():
            # The run itself has warned about the code.
            warnings.simplefilter("ignore")
            tree = ast.parse("".join(lines))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and node.lineno <= line <= (node.end_lineno or 0):
            found = _resolve(node.func, frame)
            if found is not _UNKNOWN:
                yield found


def _resolve(node: ast.expr, frame: FrameType) -> object:
    if isinstance(node, ast.Name):
        for names in (frame.f_locals, frame.f_globals, vars(builtins)):
            if node.id in names:
                return names[node.id]
    elif isinstance(node, ast.Attribute):
        owner = _resolve(node.value, frame)
        if owner is not _UNKNOWN:
            # Static: a property, or a module's `__getattr__`, would run code.
            found = inspect.getattr_static(owner, node.attr, _UNKNOWN)
            return getattr(found, "__func__", found)
    return _UNKNOWN


def _is_defined_by_user(origin: Origin, parts: list[str]) -> bool:
    """Return whether a user's module has a function or method of that name."""
    for frame, _ in origin.frames:
        if not is_user_frame(frame):
            continue
        for value in [*frame.f_locals.values(), *frame.f_globals.values()]:
            if isinstance(value, ModuleType):
                continue
            kind = value if isinstance(value, type) else type(value)
            is_theirs = is_user_module(str(kind.__module__))
            if is_theirs and (kind.__name__ == parts[0] or parts[-1] in vars(kind)):
                return True
            if isinstance(value, FunctionType) and value.__name__ == parts[-1]:
                return True
    return False
