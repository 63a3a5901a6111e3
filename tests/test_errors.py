"""The tree of errors."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from starchat_tui import errors
from starchat_tui.errors import StarChatError, find_error_class


def list_errors(root: type[StarChatError] = StarChatError) -> Iterator[type[StarChatError]]:
    yield root
    for branch in root.__subclasses__():
        if branch.__module__ == errors.__name__:
            yield from list_errors(branch)


ERRORS = list(list_errors())
every_error = pytest.mark.parametrize("kind", ERRORS, ids=[kind.__name__ for kind in ERRORS])


@every_error
def test_an_error_says_what_happened_and_what_to_do(kind: type[StarChatError]) -> None:
    error = kind("it broke", "fix it")
    assert (str(error), error.message, error.hint) == ("it broke", "it broke", "fix it")
    assert kind("it broke").hint == ""


@every_error
def test_an_error_has_an_exit_code_and_an_http_status(kind: type[StarChatError]) -> None:
    assert 1 <= kind.exit_code <= 255
    assert 400 <= kind.status <= 599


@every_error
def test_an_error_is_found_again_by_its_code(kind: type[StarChatError]) -> None:
    assert find_error_class(kind.code) is kind


def test_codes_are_unique() -> None:
    assert len({kind.code for kind in ERRORS}) == len(ERRORS)


def test_an_unknown_code_is_still_an_error() -> None:
    assert find_error_class("weather") is StarChatError


def test_the_tree_in_the_docstring_is_the_real_one() -> None:
    drawn = re.findall(r"(?:^|─ )(\w+)(?: \.+ (\d+))?", errors.__doc__ or "", re.MULTILINE)
    shown = {name: code for name, code in drawn if hasattr(errors, name)}
    assert set(shown) == {kind.__name__ for kind in ERRORS}
    for kind in ERRORS:
        code = shown[kind.__name__] or str(kind.__base__.exit_code)  # type: ignore[union-attr]
        assert code == str(kind.exit_code), kind.__name__
