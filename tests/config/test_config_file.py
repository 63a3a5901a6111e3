"""Typed values of a configuration, whatever source they come from."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest

from starchat_tui.config.config_file import (
    Range,
    Separator,
    find_key,
    get_choices,
    get_keys,
    parse_file_values,
)
from starchat_tui.errors import ConfigError

Color = Literal["red", "blue"]
ColorChoice = Literal["auto", Color]


@dataclass(frozen=True)
class Schema:
    """One field of each kind."""

    name: str = ""
    count: Annotated[int, Range(1, 2_000_000)] = 1
    share: Annotated[float, Range(0, 0.5)] = 0.1
    seed: int | None = None
    quiet: bool = False
    stop: tuple[str, ...] = ()
    files: Annotated[tuple[str, ...], Separator(",")] = ()
    color: ColorChoice | Literal[""] = ""
    recompute: Literal["auto", "on", "off"] = "auto"


def parse(name: str, value: object) -> Any:
    return get_keys(Schema)[name].parse_value(value)


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("name", "a", "a"),
        ("name", 12, "12"),
        ("name", None, ""),
        ("count", "12", 12),
        ("count", 12, 12),
        ("share", "2e-5", 2e-5),
        ("share", 0, 0.0),
        ("seed", "3", 3),
        ("quiet", "ON", True),
        ("quiet", "0", False),
        ("quiet", True, True),
        ("stop", "a, b", ("a, b",)),
        ("stop", ["a", "b"], ("a", "b")),
        ("files", "a, b,", ("a", "b")),
        ("files", None, ()),
        ("color", "auto", "auto"),
        ("color", "", ""),
        ("recompute", True, "on"),
        ("recompute", "false", "off"),
        ("recompute", "auto", "auto"),
    ],
)
def test_a_value_becomes_the_type_of_its_field(name: str, value: object, expected: object) -> None:
    found = parse(name, value)
    assert (found, type(found)) == (expected, type(expected))


@pytest.mark.parametrize(
    ("name", "value", "hint"),
    [
        ("name", ["a"], "a string"),
        ("name", True, "a string"),
        ("count", "many", "a whole number from 1 to 2000000"),
        ("count", 2.5, "a whole number"),
        ("count", True, "a whole number"),
        ("count", 0, "from 1 to"),
        ("share", 0.6, "a number from 0 to 0.5"),
        ("share", "nan", "a number"),
        ("seed", "x", "a whole number"),
        ("quiet", "maybe", "true or false"),
        ("stop", {"a": 1}, "a string or a list of strings"),
        ("color", "green", "one of auto, red, blue"),
        ("recompute", "sometimes", "one of auto, on, off"),
    ],
)
def test_a_value_that_is_not_accepted_names_the_key_and_what_is(
    name: str, value: object, hint: str
) -> None:
    with pytest.raises(ConfigError, match=f"`{name}` is") as caught:
        parse(name, value)
    assert repr(value) in caught.value.message
    assert caught.value.hint.startswith("it must be ")
    assert hint in caught.value.hint


def test_choices_are_those_of_the_annotation() -> None:
    assert get_choices(ColorChoice) == ("auto", "red", "blue")
    assert get_choices(ColorChoice | Literal[""]) == ("auto", "red", "blue", "")
    assert get_choices(str) == get_choices(int | None) == ()


def test_a_key_is_found_with_dashes_too() -> None:
    assert find_key(Schema, "count", "").name == "count"

    @dataclass
    class Other:
        top_k: int = 0

    assert find_key(Other, "top-k", "").name == "top_k"


def test_an_unknown_key_gets_the_nearest_or_all() -> None:
    with pytest.raises(ConfigError, match="Unknown key `nmae` on the command line") as caught:
        find_key(Schema, "nmae", "on the command line")
    assert caught.value.hint == "did you mean `name`?"
    with pytest.raises(ConfigError) as caught:
        find_key(Schema, "zzzz", "")
    assert all(name in caught.value.hint for name in get_keys(Schema))


@pytest.mark.parametrize(
    ("text", "values", "line"),
    [
        ("name = 'a'\ncount = 'x'\n", {"name": "a", "count": "x"}, 2),
        ("# count\n\n  count: x\n", {"count": "x"}, 3),
        ("'colour' = 1", {"colour": 1}, 1),
    ],
)
def test_a_mistake_in_a_file_names_its_line(text: str, values: dict[str, str], line: int) -> None:
    with pytest.raises(ConfigError, match=rf"in `run\.file`, line {line}$"):
        parse_file_values(Schema, values, Path("run.file"), text)


def test_a_mistake_on_a_line_that_is_not_found_names_the_file() -> None:
    with pytest.raises(ConfigError, match=r"in `run\.file`$"):
        parse_file_values(Schema, {"count": "x"}, Path("run.file"), "{count: x}")
