"""The languages that pass the filters."""

from __future__ import annotations

import pytest

from train.data.filters import Filters


@pytest.mark.parametrize(
    ("languages", "language", "passes"),
    [
        (("en",), "en", True),
        (("en",), "EN-us", True),
        (("EN",), "en", True),
        (("en",), "eng", False),
        (("en-US",), "en", False),
        (("de", "fr"), "fr", True),
        (("en",), None, True),
        (("en",), 3, True),
        ((), "xx", True),
    ],
)
def test_a_language_passes_with_its_regions(
    languages: tuple[str, ...], language: object, passes: bool
) -> None:
    assert Filters(languages=languages).accepts_language(language) is passes
