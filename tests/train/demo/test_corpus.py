"""Python sources: permitted licenses only, each content once, within the limits."""

from __future__ import annotations

from importlib.metadata import Distribution
from pathlib import Path

import pytest

from train.demo import corpus


class Package(Distribution):
    """An installed package with the given metadata."""

    def __init__(self, metadata: str) -> None:
        self._text = metadata

    def read_text(self, filename: str) -> str | None:
        return self._text if filename == "METADATA" else None

    def locate_file(self, path: object) -> Path:
        return Path(str(path))


@pytest.mark.parametrize(
    ("metadata", "license_name"),
    [
        ("Name: a\nLicense-Expression: MIT", "MIT"),
        ("Name: a\nLicense: Apache 2.0", "Apache-2.0"),
        ("Name: a\nClassifier: License :: OSI Approved :: BSD License", "BSD"),
        ("Name: a\nLicense: GPL-3.0", None),
        ("Name: a\nLicense-Expression: MIT OR GPL-3.0", None),
        ("Name: a", None),
    ],
)
def test_a_license_is_permitted_by_its_exact_name(metadata: str, license_name: str | None) -> None:
    assert corpus.find_license(Package(metadata)) == license_name


@pytest.fixture(scope="module")
def sources() -> list[corpus.Source]:
    return corpus.collect_sources(seed=1, chars=300_000, package_chars=40_000)


def test_sources_keep_to_the_limits(sources: list[corpus.Source]) -> None:
    assert 200_000 < sum(len(source.text) for source in sources) <= 300_000
    for source in sources:
        assert corpus.MIN_CHARS <= len(source.text) <= corpus.MAX_CHARS
    packages = {source.origin for source in sources} - {"standard library"}
    for package in packages:
        assert sum(len(s.text) for s in sources if s.origin == package) < 40_000


def test_each_content_is_there_once(sources: list[corpus.Source]) -> None:
    contents = {"".join(source.text.split()) for source in sources}
    assert len(contents) == len(sources)


def test_counts_add_up(sources: list[corpus.Source]) -> None:
    counts = corpus.count_sources(sources)
    assert sum(counts["files"].values()) == sum(counts["origins"].values()) == len(sources)
    assert sum(counts["characters"].values()) == sum(len(s.text) for s in sources)
    assert set(counts["files"]) <= set(corpus.PERMITTED_LICENSES)
