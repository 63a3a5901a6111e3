from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from starchat_tui import errors
from starchat_tui.errors import StarChatError, of_code


def tree(root: type[StarChatError] = StarChatError) -> Iterator[type[StarChatError]]:
    yield root
    for branch in root.__subclasses__():
        if branch.__module__ == errors.__name__:
            yield from tree(branch)


EVERY = list(tree())
every_error = pytest.mark.parametrize("kind", EVERY, ids=[kind.__name__ for kind in EVERY])


@every_error
def test_an_error_says_what_happened_and_what_to_do(kind: type[StarChatError]) -> None:
    error = kind("it broke", "mend it")
    assert (str(error), error.message, error.hint) == ("it broke", "it broke", "mend it")
    assert kind("it broke").hint == ""


@every_error
def test_an_error_ends_the_program_and_a_request(kind: type[StarChatError]) -> None:
    assert 1 <= kind.exit_code <= 255
    assert 400 <= kind.status <= 599


@every_error
def test_an_error_is_found_again_by_its_code(kind: type[StarChatError]) -> None:
    assert of_code(kind.code) is kind


def test_codes_name_one_error_each() -> None:
    assert len({kind.code for kind in EVERY}) == len(EVERY)


def test_an_unknown_code_is_still_an_error() -> None:
    assert of_code("weather") is StarChatError


def test_the_drawn_tree_is_the_real_one() -> None:
    drawn = re.findall(r"(?:^|─ )(\w+)(?: \.+ (\d+))?", errors.__doc__ or "", re.MULTILINE)
    shown = {name: code for name, code in drawn if hasattr(errors, name)}
    assert set(shown) == {kind.__name__ for kind in EVERY}
    for kind in EVERY:
        code = shown[kind.__name__] or str(kind.__base__.exit_code)  # type: ignore[union-attr]
        assert code == str(kind.exit_code), kind.__name__
