"""Directories of the program, and paths as a user types them."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from starchat_tui.cli import doctor_checks
from starchat_tui.config import settings
from starchat_tui.config.paths import (
    expand_user_path,
    explain_creation_errors,
    find_paths,
    make_private_directory,
)
from starchat_tui.errors import ConfigError, StarChatError, UsageError
from train.data import sources
from train.modeling import tokenizer_files

ROOT = Path(__file__).parents[2]
UNKNOWN_USER = "~no-such-user/file"


def test_a_tilde_is_expanded_for_users_that_exist(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    assert expand_user_path("~/a") == Path("/home/me/a")
    assert expand_user_path(Path("~/a")) == Path("/home/me/a")
    assert expand_user_path(UNKNOWN_USER) == Path(UNKNOWN_USER)


@pytest.mark.parametrize(
    ("target", "reason"),
    [
        ("there", "exists"),
        ("none/x", "No such file"),
        ("a" * 300, "too long"),
        ("a\0", "not a valid"),
    ],
)
def test_a_file_that_cannot_be_created_says_why(tmp_path: Path, target: str, reason: str) -> None:
    (tmp_path / "there").touch()
    with (
        pytest.raises(UsageError, match=reason) as caught,
        explain_creation_errors(tmp_path / target),
    ):
        (tmp_path / target).open("x").close()
    assert caught.value.hint


@pytest.mark.parametrize("name", [UNKNOWN_USER, f"./{'x' * 300}"])
def test_a_path_that_cannot_exist_is_a_users_mistake_everywhere(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for read in (
        lambda: tokenizer_files.read_tokenizer(name),
        lambda: list(sources.read_rows(name)),
        lambda: doctor_checks.check_tokenizer(settings.Settings(tokenizer=name)),
    ):
        with pytest.raises(StarChatError) as caught:
            read()
        assert caught.value.hint


def test_a_home_of_an_unknown_user_is_a_folder_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    found = find_paths({"STARCHAT_HOME": "~no-such-user"})
    assert found.cache == tmp_path / "~no-such-user" / "cache"


def test_starchat_home_moves_every_directory(tmp_path: Path) -> None:
    paths = find_paths({"STARCHAT_HOME": str(tmp_path / "s")})
    assert all(path.is_relative_to(tmp_path / "s") for path in (paths.config, paths.data))
    assert paths.database == tmp_path / "s" / "data" / "chats.db"
    for directory in (paths.config, paths.data, paths.state, paths.cache, paths.runtime):
        assert stat.S_IMODE(directory.stat().st_mode) == 0o700


def test_a_long_home_still_has_a_socket_that_fits(tmp_path: Path) -> None:
    deep = tmp_path / ("x" * 60) / ("y" * 60)
    socket = find_paths({"STARCHAT_HOME": str(deep)}).socket
    assert len(str(socket).encode()) < 108
    socket.parent.rmdir()


def test_a_directory_open_to_others_is_closed(tmp_path: Path) -> None:
    (tmp_path / "d").mkdir(mode=0o755)
    make_private_directory(tmp_path / "d")
    assert stat.S_IMODE((tmp_path / "d").stat().st_mode) == 0o700


def test_a_file_where_a_directory_should_be_is_reported(tmp_path: Path) -> None:
    (tmp_path / "d").write_text("")
    with pytest.raises(ConfigError) as caught:
        make_private_directory(tmp_path / "d")
    assert "STARCHAT_HOME" in caught.value.hint


def test_directories_follow_the_xdg_variables(tmp_path: Path) -> None:
    kinds = ("config", "data", "state", "cache")
    environ = {f"XDG_{kind.upper()}_HOME": str(tmp_path / kind) for kind in kinds}
    environ["XDG_RUNTIME_DIR"] = str(tmp_path)
    paths = find_paths(environ)
    assert [getattr(paths, kind) for kind in kinds] == [tmp_path / k / "starchat" for k in kinds]
    assert paths.socket == tmp_path / "starchat" / "engine.sock"


def test_a_relative_xdg_variable_is_ignored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    paths = find_paths({"XDG_DATA_HOME": "data", "XDG_RUNTIME_DIR": str(tmp_path / "none")})
    assert paths.data.is_absolute()
    assert not (tmp_path / "data").exists()
    assert paths.runtime.name == f"starchat-{os.getuid()}"


@pytest.mark.bwrap
def test_a_read_only_home_leaves_a_place_for_what_is_needed(tmp_path: Path) -> None:
    code = (
        "import os; from starchat_tui.config.paths import find_paths\n"
        "found = find_paths(os.environ); print(found.state, found.cache, found.runtime)\n"
        "for one in (found.state, found.cache, found.runtime): (one / 'x').write_text('x')\n"
    )
    home, runtime = tmp_path / "home", tmp_path / "run"
    for folder in (home, runtime):
        folder.mkdir(mode=0o700)
    done = subprocess.run(
        [
            *("bwrap", "--dev-bind", "/", "/", "--ro-bind", str(home), str(home)),
            *(sys.executable, "-c", code),
        ],
        env={"HOME": str(home), "XDG_RUNTIME_DIR": str(runtime), "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert all(path.startswith(str(runtime)) for path in done.stdout.split())
