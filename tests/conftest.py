"""Fixtures for every test: an empty home, no network but the loopback, fixed seeds."""

from __future__ import annotations

import ipaddress
import os
import random
import shutil
import socket
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from starchat_tui.config.paths import find_paths
from starchat_tui.templates.tokenizer import Tokenizer
from tests.sample_tokenizers import build_byte_level, save_tokenizer

KEPT = ("STARCHAT_DATA", "STARCHAT_INTEROP_URL", "STARCHAT_INTEROP_MODEL")
KEPT += ("STARCHAT_INTEROP_TOKENIZER", "STARCHAT_REQUIRE", "STARCHAT_FUZZ")
KEPT += ("STARCHAT_ENVIRONMENTS",)
"""Variables that configure the tests themselves; every other STARCHAT_* is removed."""
FOREIGN = ("ACCESSIBLE", "CLICOLOR", "CLICOLOR_FORCE", "COLUMNS", "CUDA_VISIBLE_DEVICES", "EDITOR")
FOREIGN += ("FORCE_COLOR", "LINES", "NO_COLOR", "PAGER", "TMUX", "VISUAL")


def pytest_configure(config: pytest.Config) -> None:
    """Set the variables that libraries read once, at import."""
    # The environments that `./setup.sh` creates: each has a gigabyte, and tests only read them.
    folder = find_paths(os.environ).environments
    os.environ.update(
        STARCHAT_ENVIRONMENTS=str(folder),
        OMP_WAIT_POLICY="PASSIVE",
        TEXTUAL_ANIMATIONS="none",
        HF_HUB_OFFLINE="1",
        TOKENIZERS_PARALLELISM="false",
    )


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip tests whose program is missing, or fail if STARCHAT_REQUIRE names their mark."""
    needed = {"bwrap": "bwrap", "gpu": "nvidia-smi"}
    for mark, program in needed.items():
        if item.get_closest_marker(mark) is None or shutil.which(program):
            continue
        required = os.environ.get("STARCHAT_REQUIRE", "").split(",")
        if mark in required or (mark == "bwrap" and os.environ.get("STARCHAT_REQUIRE_SANDBOX")):
            pytest.fail(f"`{program}` is required here and not installed")
        pytest.skip(f"`{program}` is not installed")


@pytest.fixture(autouse=True)
def empty_home(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Hide the files and settings of the user who runs the tests."""
    # A short path: that of a Unix socket has at most 107 characters.
    root = Path(tempfile.mkdtemp(prefix="sc-"))
    for name in os.environ:
        if name in FOREIGN or (name.startswith(("STARCHAT_", "XDG_", "HF_")) and name not in KEPT):
            monkeypatch.delenv(name, raising=False)
    for name, folder in {
        "HOME": "home",
        "XDG_CONFIG_HOME": "config",
        "XDG_DATA_HOME": "data",
        "XDG_STATE_HOME": "state",
        "XDG_CACHE_HOME": "cache",
        "XDG_RUNTIME_DIR": "run",
    }.items():
        (root / folder).mkdir(mode=0o700)
        monkeypatch.setenv(name, str(root / folder))
    for name, value in {
        "HF_HUB_OFFLINE": "1",
        "TERM": "xterm-256color",
        "COLORTERM": "truecolor",
        "LANG": "C.UTF-8",
        "TZ": "UTC",
    }.items():
        monkeypatch.setenv(name, value)
    yield root
    shutil.rmtree(root, ignore_errors=True)


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Restrict the sockets of this process to Unix sockets and the loopback."""
    connect, connect_ex = socket.socket.connect, socket.socket.connect_ex

    def connect_locally(self: socket.socket, address: Any) -> None:
        _refuse_remote(self, address)
        connect(self, address)

    def connect_ex_locally(self: socket.socket, address: Any) -> int:
        _refuse_remote(self, address)
        return connect_ex(self, address)

    monkeypatch.setattr(socket.socket, "connect", connect_locally)
    monkeypatch.setattr(socket.socket, "connect_ex", connect_ex_locally)


def _refuse_remote(client: socket.socket, address: Any) -> None:
    if client.family == socket.AF_UNIX:
        return
    host = str(address[0])
    try:
        local = host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        local = False
    assert local, f"a test connects to the network: {address}"


@pytest.fixture(autouse=True)
def fixed_seed() -> None:
    """Seed the random generators; that of torch only if a test has imported it."""
    random.seed(0)
    if "torch" in sys.modules:
        sys.modules["torch"].manual_seed(0)


@pytest.fixture(autouse=True)
def closed_figures() -> Iterator[None]:
    """Close the figures of pyplot, whose list is global, after a test that has drawn some."""
    yield
    if "matplotlib.pyplot" in sys.modules:
        sys.modules["matplotlib.pyplot"].close("all")


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real tokenizers and dialogues that STARCHAT_DATA names; skips without it."""
    folder = os.environ.get("STARCHAT_DATA", "")
    if not folder or not Path(folder).is_dir():
        pytest.skip("STARCHAT_DATA names no folder with real tokenizers and dialogues")
    return Path(folder)


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> Tokenizer:
    """Our own byte-level tokenizer, extended by the four chat tokens."""
    path = tmp_path_factory.mktemp("small") / "tokenizer.json"
    return Tokenizer.load(save_tokenizer(build_byte_level(), path))


@pytest.fixture(scope="session")
def starcoder(shared_data: Path) -> Tokenizer:
    """StarCoder's own tokenizer, extended by the four chat tokens."""
    return Tokenizer.load(shared_data / "starcoder-vocabulary" / "tokenizer.json")


@pytest.fixture(scope="session", params=["small", "starcoder"])
def tokenizer(request: pytest.FixtureRequest) -> Tokenizer:
    found = request.getfixturevalue(request.param)
    assert isinstance(found, Tokenizer)
    return found
