from __future__ import annotations

import stat
from dataclasses import fields
from pathlib import Path

import pytest

from starchat_tui import settings
from starchat_tui.cli import arguments
from starchat_tui.errors import ConfigError
from starchat_tui.settings import byte_count


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "config.toml"


def test_flag_beats_environment_beats_file_beats_default(file: Path) -> None:
    file.write_text('temperature = 0.5\ntop_k = 7\nmodel = "from-file"\n')
    environ = {"STARCHAT_TEMPERATURE": "0.7", "STARCHAT_TOP_K": "9"}
    found = settings.load({"temperature": 0.9, "seed": None}, environ, file)
    assert (found.temperature, found.top_k, found.model) == (0.9, 9, "from-file")
    assert found.top_p == settings.Settings().top_p


def test_a_default_of_the_caller_holds_where_nobody_chose(file: Path) -> None:
    def found(flags: dict[str, object], environ: dict[str, str]) -> str:
        return settings.load(flags, environ, file, {"keep_alive": "-1"}).keep_alive

    assert found({"keep_alive": None}, {}) == "-1"
    assert found({"keep_alive": "10m"}, {}) == "10m"
    assert found({}, {"STARCHAT_KEEP_ALIVE": "10m"}) == "10m"
    file.write_text('keep_alive = "10m"\n')
    assert found({}, {}) == "10m"


@pytest.mark.parametrize(
    ("environ", "name", "value"),
    [
        ({"STARCHAT_LOG": "no"}, "log", False),
        ({"STARCHAT_LOG": "ON"}, "log", True),
        ({"STARCHAT_SEED": "3"}, "seed", 3),
        ({"STARCHAT_STOP": "END"}, "stop", ("END",)),
        ({"STARCHAT_MAX_TOKENS": "12"}, "max_tokens", 12),
    ],
)
def test_the_environment_is_read_by_type(
    environ: dict[str, str], name: str, value: object, file: Path
) -> None:
    assert getattr(settings.load({}, environ, file), name) == value


@pytest.mark.parametrize(
    ("text", "environ", "problem", "hint"),
    [
        ("temprature = 1", {}, "temprature", "did you mean `temperature`"),
        ("temperature = [", {}, "cannot be read", "mend"),
        ('top_k = "many"', {}, "'many'", "whole number"),
        ("", {"STARCHAT_TEMPERATURE": "hot"}, "STARCHAT_TEMPERATURE", "a number"),
        ("", {"STARCHAT_LOG": "maybe"}, "STARCHAT_LOG", "true or false"),
        ("temperature = -1", {}, "temperature", "from 0"),
        ("top_p = 1.5", {}, "top_p", "to 1"),
        ('mode = "poem"', {}, "mode", "chat, ta"),
    ],
)
def test_a_mistake_is_named(
    text: str, environ: dict[str, str], problem: str, hint: str, file: Path
) -> None:
    file.write_text(text)
    with pytest.raises(ConfigError) as caught:
        settings.load({}, environ, file)
    assert problem in caught.value.message
    assert hint in caught.value.hint


def test_every_setting_has_a_flag_and_a_sentence() -> None:
    names = {field.name for field in fields(settings.Settings)}
    assert names == set(arguments.SETTINGS_FLAGS)
    source = Path(settings.__file__).read_text()
    for name in names:
        line = next(line for line in source.splitlines() if line.startswith(f"    {name}: "))
        following = source.split(line, 1)[1].lstrip("\n").split("\n")[0]
        assert following.strip().startswith('"""'), name


def test_home_moves_everything(tmp_path: Path) -> None:
    paths = settings.find_paths({"STARCHAT_HOME": str(tmp_path / "s")})
    assert all(path.is_relative_to(tmp_path / "s") for path in (paths.config, paths.data))
    assert paths.database == tmp_path / "s" / "data" / "chats.db"
    for directory in (paths.config, paths.data, paths.state, paths.cache, paths.runtime):
        assert stat.S_IMODE(directory.stat().st_mode) == 0o700


def test_a_long_home_still_has_a_socket_that_fits(tmp_path: Path) -> None:
    deep = tmp_path / ("x" * 60) / ("y" * 60)
    socket = settings.find_paths({"STARCHAT_HOME": str(deep)}).socket
    assert len(str(socket).encode()) < 108
    socket.parent.rmdir()


def test_a_directory_open_to_others_is_closed(tmp_path: Path) -> None:
    (tmp_path / "d").mkdir(mode=0o755)
    settings.private(tmp_path / "d")
    assert stat.S_IMODE((tmp_path / "d").stat().st_mode) == 0o700


def test_a_file_where_a_directory_should_be_is_told(tmp_path: Path) -> None:
    (tmp_path / "d").write_text("")
    with pytest.raises(ConfigError) as caught:
        settings.private(tmp_path / "d")
    assert "STARCHAT_HOME" in caught.value.hint


@pytest.mark.parametrize(
    ("text", "count"),
    [("2G", 2**31), ("512M", 2**29), ("1.5 GiB", 3 * 2**29), ("200000000", 200_000_000)],
)
def test_memory_has_units(text: str, count: int) -> None:
    assert byte_count(text) == count


@pytest.mark.parametrize("text", ["", "2X", "-1", "1M", "2G2", "1e9", "99999999G", "٢G"])
def test_what_is_no_amount_of_memory_is_named(text: str) -> None:
    with pytest.raises(ConfigError, match="no amount of memory"):
        byte_count(text)
