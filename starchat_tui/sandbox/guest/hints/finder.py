"""Search for the hint on an error: by where it was raised, by whom, and only then by its words."""

from __future__ import annotations

import difflib
import re
import sys
from collections.abc import Iterator
from types import FunctionType, ModuleType

from starchat_tui.sandbox.guest.hints.arguments import (
    ARGUMENTS,
    PACKAGES,
    POSITIONAL,
    SUGGESTED_PACKAGES,
)
from starchat_tui.sandbox.guest.hints.callee import FailedCall, find_failed_call
from starchat_tui.sandbox.guest.hints.missing_modules import find_module_hint
from starchat_tui.sandbox.guest.hints.origin import (
    Origin,
    get_module,
    get_qualname,
    is_inside,
    list_owners,
    trace_origin,
)
from starchat_tui.sandbox.guest.hints.raised_errors import RAISED
from starchat_tui.sandbox.guest.hints.removed_names import BUILTIN_NAMES, REMOVED
from starchat_tui.sandbox.guest.hints.sandbox_limits import find_sandbox_hint

MAX_CHAIN = 5
"""Errors looked at from the last one back to its causes."""
_LIKENESS = 0.8
"""Ratio of `difflib` from which a name is suggested."""
_MISSING_NAME = re.compile(r"(?:has no attribute|cannot import name) '(\w+)'", re.IGNORECASE)


def find_hint(error: BaseException) -> str:
    """Return a hint on an uncaught error, or an empty text; never raises."""
    try:
        return next(filter(None, map(_find_own_hint, _walk_chain(error))), "")
    except Exception:  # noqa: BLE001
        # The error's class, and whatever it refers to, may be the user's and raise anything.
        return ""


def _walk_chain(error: BaseException) -> Iterator[Origin]:
    """Yield the origin of an error and those of its causes."""
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen and len(seen) < MAX_CHAIN:
        seen.add(id(current))
        origin = trace_origin(current)
        yield origin
        cause = current.__cause__
        # A second mistake in an `except` block has nothing to do with what is handled there.
        wraps = origin.raised_by_user or not origin.in_user_code
        if cause is None and wraps and not current.__suppress_context__:
            cause = current.__context__
        current = cause


def _find_own_hint(origin: Origin) -> str:
    if origin.raised_by_user or not origin.frames:
        return ""
    return (
        find_module_hint(origin)
        or find_sandbox_hint(origin)
        or _find_name_hint(origin)
        or _find_call_hint(find_failed_call(origin))
        or _find_raised_hint(origin)
    )


def _find_raised_hint(origin: Origin) -> str:
    summary = f"{type(origin.error).__name__}: {origin.message}"
    compiled = _list_compiled_packages(origin) if origin.in_user_code else set()
    called = f"{origin.entry[0]}.{origin.entry[1]}"
    for package, pattern, function, text in RAISED:
        if not is_inside(origin.module, package) and package not in compiled:
            continue
        found = re.search(pattern, summary, re.DOTALL)
        if found and re.search(rf"(?:{function})$", called):
            return text.format(*(group or "" for group in found.groups()))
    return ""


def _list_compiled_packages(origin: Origin) -> set[str]:
    """Return the packages whose compiled code, which has no frames, may have raised the error.

    The function that failed has to use the package, or an object of it.
    """
    frame = origin.frames[-1][0]
    names = {*frame.f_code.co_names, *frame.f_code.co_varnames}
    values = [frame.f_locals.get(name, frame.f_globals.get(name)) for name in names]
    owners = [
        value.__name__ if isinstance(value, ModuleType) else value.__module__
        for value in [*values, *map(type, values)]
        if isinstance(value, ModuleType | FunctionType | type)
    ]
    return {str(owner).partition(".")[0] for owner in owners}


# Names


def _find_name_hint(origin: Origin) -> str:
    error = origin.error
    if type(error) is NameError and origin.in_user_code:
        return BUILTIN_NAMES.get(str(error.name), "")
    if not isinstance(error, AttributeError | ImportError):
        return ""
    found = _MISSING_NAME.search(origin.message)
    owners, value = _find_owners(origin)
    name = found[1] if found else str(getattr(error, "name", "") or "")
    for owner in owners:
        if hint := REMOVED.get(f"{owner}.{name}"):
            return hint
    top = owners[0].partition(".")[0] if owners else ""
    if value is None or top not in SUGGESTED_PACKAGES or not found:
        return ""
    shown = owners[0] if isinstance(value, ModuleType) else owners[0].partition(".")[2]
    return _suggest(f"`{shown}` has no `{name}`", name, dir(value))


def _find_owners(origin: Origin) -> tuple[list[str], object]:
    """Return the names of what lacks the attribute, and the object itself if it is known."""
    error = origin.error
    if isinstance(error, ImportError):
        name = str(error.name or "")
        return [name] if name else [], sys.modules.get(name)
    value = getattr(error, "obj", None)
    if value is not None:
        return list_owners(value), value
    if get_qualname(origin.frames[-1][0]) == "__getattr__":
        # A module's own `__getattr__` raises without naming the module.
        name = get_module(origin.frames[-1][0])
        return [name], sys.modules.get(name)
    return [], None


def _suggest(sentence: str, name: str, known: list[str]) -> str:
    """Return the sentence with the name that was meant; an empty text if none is close."""
    public = {one.lower(): one for one in known if not one.startswith("_")}
    close = difflib.get_close_matches(name.lower(), public, n=1, cutoff=_LIKENESS)
    return f"{sentence}: did you mean `{public[close[0]]}`?" if close else ""


# Calls


def _find_call_hint(call: FailedCall | None) -> str:
    if call is None:
        return ""
    for package in [call.package] if call.package else PACKAGES:
        key = f"{package}.{call.function}"
        if call.argument:
            hint = ARGUMENTS.get(f"{key}({call.argument})", "")
        else:
            hint = POSITIONAL.get(key, "") if call.is_positional else ""
        if hint:
            return hint
    return ""
