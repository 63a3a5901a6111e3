"""Typed values of configuration files, environment variables and command lines.

A configuration is a dataclass; the annotation of a field says what its key accepts:

    epochs: Annotated[float, Range(0.001, 1e4)] = 3.0    a number within a range
    schedule: Literal["cosine", "linear"] = "cosine"     one of these choices
    stop: tuple[str, ...] = ()                           a string or a list of strings

`str`, `int`, `float`, `bool` and `int | None` are understood as well. Every mistake is a
`ConfigError` that names the key, where it stands, and what would be accepted.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import NoneType
from typing import Annotated, Any, get_args, get_origin, get_type_hints

from starchat_tui.errors import ConfigError

_BOOLEANS = {
    **dict.fromkeys(("1", "true", "yes", "on"), True),
    **dict.fromkeys(("0", "false", "no", "off"), False),
}
_SWITCH = {"true": "on", "false": "off"}
"""YAML reads a bare `on` or `off` as a Boolean, also where the two are names of choices."""
_SIMILARITY = 0.5
"""Ratio of `difflib` from which a known key is suggested for a misspelled one."""


@dataclass(frozen=True, slots=True)
class Range:
    """Inclusive limits of a number; metadata of an `Annotated` field."""

    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Separator:
    """Character that divides the items of a list given as one string; metadata of a field."""

    text: str


@dataclass(frozen=True, slots=True)
class Key:
    """One key of a configuration."""

    name: str
    type: type
    choices: tuple[str, ...] = ()
    range: Range | None = None
    separator: str = ""

    @property
    def description(self) -> str:
        """Description of the accepted values, for an error's hint."""
        if self.choices:
            return f"one of {', '.join(filter(None, self.choices))}"
        if self.range is not None:
            if self.type is int:
                return f"a whole number from {self.range.low:.0f} to {self.range.high:.0f}"
            return f"a number from {self.range.low:g} to {self.range.high:g}"
        return _EXPECTED[self.type]

    def parse_value(self, value: object, origin: str = "", *, label: str = "") -> Any:
        """Return `value` as the key's type; raise `ConfigError` if it is not accepted.

        Args:
            value: As a file, a variable or a command line has it.
            origin: Where it stands, such as "on the command line", for the message.
            label: The name of the key there, if it differs.
        """
        try:
            found = self._convert_value(value)
            if self.choices and found not in self.choices:
                raise ValueError(found)
            if self.range and not self.range.low <= found <= self.range.high:
                raise ValueError(found)
        except (ValueError, TypeError, KeyError) as error:
            message = f"`{label or self.name}` is {value!r} {origin}".rstrip()
            raise ConfigError(message, f"it must be {self.description}") from error
        return found

    def _convert_value(self, value: object) -> Any:
        if "on" in self.choices:
            return _SWITCH.get(str(value).lower(), value)
        if self.type is tuple:
            return _convert_list(value, self.separator)
        if self.type is bool:
            return _BOOLEANS[str(value).lower()]
        return _convert_string(value) if self.type is str else _convert_number(value, self.type)


_EXPECTED = {
    str: "a string",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    tuple: "a string or a list of strings",
}


def _convert_string(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise TypeError(value)
    return str(value)


def _convert_list(value: object, separator: str) -> tuple[str, ...]:
    if value is None:
        return ()
    if isinstance(value, list | tuple):
        return tuple(map(_convert_string, value))
    text = _convert_string(value)
    if not separator:
        return (text,)
    return tuple(part.strip() for part in text.split(separator) if part.strip())


def _convert_number(value: object, kind: type) -> float:
    # bool is a subclass of int. Strings come from the environment, and from YAML 1.1, which takes
    # 2e-5 for a string: its floats need a dot.
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise TypeError(value)
    if kind is int and isinstance(value, float):
        raise TypeError(value)
    number: float = kind(value)
    if not math.isfinite(number):
        raise ValueError(value)
    return number


@cache
def get_keys(schema: type) -> Mapping[str, Key]:
    """Return the keys of a configuration dataclass by name, in the order of its fields."""
    hints = get_type_hints(schema, include_extras=True)
    return {name: _build_key(name, hint) for name, hint in hints.items()}


def _build_key(name: str, hint: Any) -> Key:
    metadata: tuple[object, ...] = ()
    if get_origin(hint) is Annotated:
        hint, *rest = get_args(hint)
        metadata = tuple(rest)
    choices = get_choices(hint)
    options = [part for part in get_args(hint) if part is not NoneType]
    kind = get_origin(hint) or hint
    if choices:
        kind = str
    elif NoneType in get_args(hint):
        (kind,) = options
    limits = next((found for found in metadata if isinstance(found, Range)), None)
    separators = [found.text for found in metadata if isinstance(found, Separator)]
    return Key(name, kind, choices, limits, "".join(separators))


def get_choices(hint: Any) -> tuple[str, ...]:
    """Return the strings of a `Literal`, or of a union of them; empty for other annotations."""
    choices: list[str] = []
    for part in get_args(hint):
        choices += [part] if isinstance(part, str) else get_choices(part)
    return tuple(choices)


def find_key(schema: type, name: str, origin: str) -> Key:
    """Return the key called `name`, with `-` or `_`; raise `ConfigError` if there is none."""
    keys = get_keys(schema)
    key = keys.get(name.replace("-", "_"))
    if key is None:
        raise ConfigError(f"Unknown key `{name}` {origin}", suggest_key(name, keys))
    return key


def suggest_key(name: str, known: Iterable[str]) -> str:
    """Return a hint for the unknown `name`: the nearest known name, or all of them."""
    import difflib

    names = list(known)
    close = difflib.get_close_matches(name.replace("-", "_"), names, n=1, cutoff=_SIMILARITY)
    return f"did you mean `{close[0]}`?" if close else f"known keys are {', '.join(names)}"


def parse_file_values(
    schema: type, values: Mapping[Any, Any], file: Path, text: str
) -> dict[str, Any]:
    """Return the typed values of a configuration file.

    Args:
        schema: The configuration dataclass.
        values: The keys and values that TOML or YAML reads in the file.
        file: Its path, for messages.
        text: Its text, to find the line of a mistake.
    """
    found: dict[str, Any] = {}
    for name, value in values.items():
        origin = f"in `{file}`{_find_line(str(name), text)}"
        key = find_key(schema, str(name), origin)
        found[key.name] = key.parse_value(value, origin)
    return found


def _find_line(name: str, text: str) -> str:
    # Neither tomllib nor PyYAML's safe loader tells the line of a value.
    found = re.search(rf"^[ \t]*[\"']?{re.escape(name)}[\"']?[ \t]*[=:]", text, re.MULTILINE)
    return f", line {text.count(chr(10), 0, found.start()) + 1}" if found else ""
