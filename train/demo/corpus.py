"""Python sources found on this machine whose licence permits training, each content once."""

from __future__ import annotations

import hashlib
import sysconfig
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import Distribution, distributions
from pathlib import Path
from random import Random

PERMITTED = {
    "MIT": ("mit license", "mit"),
    "Apache-2.0": ("apache software license", "apache-2.0", "apache 2.0", "apache license"),
    "BSD": ("bsd license", "bsd-3-clause", "bsd-2-clause", "bsd"),
    "PSF-2.0": ("python software foundation license", "psf-2.0", "psf"),
}
SKIPPED = frozenset(
    (
        "test tests idle_test lib2to3 encodings site-packages turtledemo _vendor vendor __pycache__"
    ).split()
)
SMALLEST, LARGEST = 200, 60_000
"""Characters of a file that is taken."""


@dataclass(frozen=True, slots=True)
class Source:
    """One file: where it is from, its licence, its text."""

    origin: str
    licence: str
    text: str


def sources(*, seed: int, chars: int, package_chars: int) -> list[Source]:
    """Shuffled files of at most `chars` characters, each package at most `package_chars`."""
    seen: set[str] = set()
    found = [*_standard_library(seen), *_packages(seen, package_chars)]
    Random(seed).shuffle(found)
    kept: list[Source] = []
    left = chars
    for source in found:
        if len(source.text) <= left:
            kept.append(source)
            left -= len(source.text)
    return kept


def counts(kept: list[Source]) -> dict[str, dict[str, int]]:
    """Files and characters for each licence, and files for each origin."""
    files, characters, origins = Counter[str](), Counter[str](), Counter[str]()
    for source in kept:
        files[source.licence] += 1
        characters[source.licence] += len(source.text)
        origins[source.origin] += 1
    return {"files": dict(files), "characters": dict(characters), "origins": dict(origins)}


def _standard_library(seen: set[str]) -> Iterator[Source]:
    root = Path(sysconfig.get_paths()["stdlib"])
    for path in sorted(root.rglob("*.py")):
        if not SKIPPED & set(path.relative_to(root).parts):
            yield from _taken(path, "standard library", "PSF-2.0", seen)


def _packages(seen: set[str], most: int) -> Iterator[Source]:
    for package in sorted(distributions(), key=lambda d: str(d.metadata["Name"])):
        licence = licence_of(package)
        left = most
        for file in sorted(package.files or (), key=str) if licence else ():
            if file.suffix != ".py" or SKIPPED & set(file.parts):
                continue
            path = Path(str(package.locate_file(file)))
            for source in _taken(path, str(package.metadata["Name"]), str(licence), seen):
                left -= len(source.text)
                if left > 0:
                    yield source


def licence_of(package: Distribution) -> str | None:
    """The permitted licence its metadata names, None where it names another or none."""
    meta = package.metadata
    said = [str(meta[field]) for field in ("License-Expression", "License") if meta[field]]
    said += [
        c.rsplit(" :: ", 1)[-1]
        for c in meta.get_all("Classifier") or ()
        if c.startswith("License ::")
    ]
    for text in said:
        words = text.strip().lower()
        for name, spellings in PERMITTED.items():
            if words in spellings:
                return name
    return None


def _taken(path: Path, origin: str, licence: str, seen: set[str]) -> Iterator[Source]:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return
    digest = hashlib.sha256("".join(text.split()).encode()).hexdigest()
    if digest not in seen and SMALLEST <= len(text) <= LARGEST:
        seen.add(digest)
        yield Source(origin, licence, text)
