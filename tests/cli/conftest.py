"""Fixtures of the command-line tests."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from prompt_toolkit.application import create_app_session
from prompt_toolkit.input import create_pipe_input
from prompt_toolkit.output import DummyOutput

from tests.cli.keyboard import Keyboard
from tests.cli.shell import Shell


@pytest.fixture
def keys() -> Iterator[Keyboard]:
    """Keyboard of the line mode's prompt."""
    with create_pipe_input() as pipe, create_app_session(input=pipe, output=DummyOutput()):
        yield Keyboard(pipe)


@pytest.fixture(scope="session")
def shell() -> Iterator[Shell]:
    """One home, engine and tiny model for all tests of the command line."""
    home = Path(tempfile.mkdtemp(prefix="sc-cli-"))
    started = Shell(home)
    os.environ.setdefault("HOME", str(home))
    yield started
    started.run("stop")
    shutil.rmtree(home, ignore_errors=True)
