"""Python sources of the installed packages whose license permits training, without duplicates."""

from __future__ import annotations

import hashlib
import sysconfig
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import Distribution, distributions
from pathlib import Path
from random import Random

PERMITTED_LICENSES = {
    "MIT": ("mit license", "mit"),
    "Apache-2.0": ("apache software license", "apache-2.0", "apache 2.0", "apache license"),
    "BSD": ("bsd license", "bsd-3-clause", "bsd-2-clause", "bsd"),
    "PSF-2.0": ("python software foundation license", "psf-2.0", "psf"),
}
SKIPPED_FOLDERS = frozenset(
    (
        "test tests idle_test lib2to3 encodings site-packages turtledemo _vendor vendor __pycache__"
    ).split()
)
SKIPPED_PACKAGES = frozenset(
    "build coverage hatch-fancy-pypi-readme pyproject_hooks pytest-cov".split()
)
"""Tools of this repository's own checks that were added after the shipped models were trained.

They teach nothing that the others do not, and without them `make nano` draws the same files.
"""
MIN_CHARS, MAX_CHARS = 200, 60_000
"""Limits on the characters of a file that is used."""


@dataclass(frozen=True, slots=True)
class Source:
    """A source file with its package and license."""

    origin: str
    license: str
    text: str


def collect_sources(*, seed: int, chars: int, package_chars: int) -> list[Source]:
    """Return shuffled files of at most `chars` characters, `package_chars` from any package."""
    seen: set[str] = set()
    found = [*_read_standard_library(seen), *_read_packages(seen, package_chars)]
    Random(seed).shuffle(found)
    chosen: list[Source] = []
    left = chars
    for source in found:
        if len(source.text) <= left:
            chosen.append(source)
            left -= len(source.text)
    return chosen


def count_sources(chosen: list[Source]) -> dict[str, dict[str, int]]:
    """Count files and characters by license, and files by origin."""
    files, characters, origins = Counter[str](), Counter[str](), Counter[str]()
    for source in chosen:
        files[source.license] += 1
        characters[source.license] += len(source.text)
        origins[source.origin] += 1
    return {"files": dict(files), "characters": dict(characters), "origins": dict(origins)}


def _read_standard_library(seen: set[str]) -> Iterator[Source]:
    root = Path(sysconfig.get_paths()["stdlib"])
    for path in sorted(root.rglob("*.py")):
        if not SKIPPED_FOLDERS & set(path.relative_to(root).parts):
            yield from _read_source(path, "standard library", "PSF-2.0", seen)


def _read_packages(seen: set[str], most: int) -> Iterator[Source]:
    for package in sorted(distributions(), key=lambda d: str(d.metadata["Name"])):
        name = str(package.metadata["Name"])
        permitted = None if name in SKIPPED_PACKAGES else find_license(package)
        left = most
        for file in sorted(package.files or (), key=str) if permitted else ():
            if file.suffix != ".py" or SKIPPED_FOLDERS & set(file.parts):
                continue
            path = Path(str(package.locate_file(file)))
            for source in _read_source(path, name, str(permitted), seen):
                left -= len(source.text)
                if left > 0:
                    yield source


def find_license(package: Distribution) -> str | None:
    """Return the permitted license that a package's metadata names, None if it names none."""
    meta = package.metadata
    declared = [str(meta[field]) for field in ("License-Expression", "License") if meta[field]]
    declared += [
        c.rsplit(" :: ", 1)[-1]
        for c in meta.get_all("Classifier") or ()
        if c.startswith("License ::")
    ]
    for text in declared:
        words = text.strip().lower()
        for name, spellings in PERMITTED_LICENSES.items():
            if words in spellings:
                return name
    return None


def _read_source(path: Path, origin: str, permitted: str, seen: set[str]) -> Iterator[Source]:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return
    # Copies of a file often differ in white space alone.
    digest = hashlib.sha256("".join(text.split()).encode()).hexdigest()
    if digest not in seen and MIN_CHARS <= len(text) <= MAX_CHARS:
        seen.add(digest)
        yield Source(origin, permitted, text)
