"""Fixtures of the command-line tests."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.shell import Shell


@pytest.fixture(scope="session")
def shell() -> Iterator[Shell]:
    """One home, engine and tiny model for all tests of the command line."""
    home = Path(tempfile.mkdtemp(prefix="sc-cli-"))
    started = Shell(home)
    os.environ.setdefault("HOME", str(home))
    yield started
    started.run("stop")
    shutil.rmtree(home, ignore_errors=True)
