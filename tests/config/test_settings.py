"""Settings from flags, the environment and config.toml."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest

from starchat_tui.cli import arguments
from starchat_tui.config import settings
from starchat_tui.config.settings import parse_memory_size
from starchat_tui.errors import ConfigError


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "config.toml"


def test_flag_beats_environment_beats_file_beats_default(file: Path) -> None:
    file.write_text('temperature = 0.5\ntop_k = 7\nmodel = "from-file"\n')
    environ = {"STARCHAT_TEMPERATURE": "0.7", "STARCHAT_TOP_K": "9"}
    found = settings.load_settings({"temperature": 0.9, "seed": None}, environ, file)
    assert (found.temperature, found.top_k, found.model) == (0.9, 9, "from-file")
    assert found.top_p == settings.Settings().top_p


def test_a_default_of_the_caller_holds_where_nobody_chose(file: Path) -> None:
    def load_keep_alive(flags: dict[str, object], environ: dict[str, str]) -> str:
        return settings.load_settings(flags, environ, file, {"keep_alive": "-1"}).keep_alive

    assert load_keep_alive({"keep_alive": None}, {}) == "-1"
    assert load_keep_alive({"keep_alive": "10m"}, {}) == "10m"
    assert load_keep_alive({}, {"STARCHAT_KEEP_ALIVE": "10m"}) == "10m"
    file.write_text('keep_alive = "10m"\n')
    assert load_keep_alive({}, {}) == "10m"


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
    assert getattr(settings.load_settings({}, environ, file), name) == value


@pytest.mark.parametrize(
    ("text", "environ", "problem", "hint"),
    [
        ("temprature = 1", {}, "temprature", "did you mean `temperature`"),
        ("temperature = [", {}, "cannot be read", "correct"),
        ('top_k = "many"', {}, "'many'", "whole number"),
        ("", {"STARCHAT_TEMPERATURE": "hot"}, "STARCHAT_TEMPERATURE", "a number"),
        ("", {"STARCHAT_TOP_P": "2"}, "STARCHAT_TOP_P", "to 1"),
        ("", {"STARCHAT_LOG": "maybe"}, "STARCHAT_LOG", "true or false"),
        ("temperature = -1", {}, "temperature", "from 0"),
        ("top_p = 1.5", {}, "top_p", "to 1"),
        ('mode = "poem"', {}, "mode", "chat, ta"),
        ("\n\ntop_p = 2", {}, "config.toml`, line 3", "to 1"),
    ],
)
def test_a_mistake_is_named(
    text: str, environ: dict[str, str], problem: str, hint: str, file: Path
) -> None:
    file.write_text(text)
    with pytest.raises(ConfigError) as caught:
        settings.load_settings({}, environ, file)
    assert problem in caught.value.message
    assert hint in caught.value.hint


def test_every_setting_has_a_flag_and_a_sentence() -> None:
    names = {field.name for field in fields(settings.Settings)}
    assert names <= set(vars(arguments.parse_arguments([])))
    source = Path(settings.__file__).read_text()
    for name in names:
        line = next(line for line in source.splitlines() if line.startswith(f"    {name}: "))
        following = source.split(line, 1)[1].lstrip("\n").split("\n")[0]
        assert following.strip().startswith('"""'), name


@pytest.mark.parametrize(
    ("text", "count"),
    [("2G", 2**31), ("512M", 2**29), ("1.5 GiB", 3 * 2**29), ("200000000", 200_000_000)],
)
def test_a_memory_size_has_units(text: str, count: int) -> None:
    assert parse_memory_size(text) == count


@pytest.mark.parametrize("text", ["", "2X", "-1", "1M", "2G2", "1e9", "99999999G", "٢G"])
def test_text_that_is_no_memory_size_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="not an amount of memory"):
        parse_memory_size(text)


def test_a_flag_out_of_range_is_refused(file: Path) -> None:
    with pytest.raises(ConfigError, match=r"`top_p` is 2\.0 on the command line") as caught:
        settings.load_settings({"top_p": 2.0}, {}, file)
    assert caught.value.hint == "it must be a number from 0 to 1"


def test_accessible_is_also_a_variable_of_other_programs(file: Path) -> None:
    def is_accessible(environ: dict[str, str]) -> bool:
        return settings.load_settings({}, environ, file).accessible

    assert not is_accessible({})
    assert is_accessible({"ACCESSIBLE": "1"})
    assert not is_accessible({"ACCESSIBLE": "1", "STARCHAT_ACCESSIBLE": "no"})


def test_the_file_is_the_one_named_or_lies_in_the_config_directory(tmp_path: Path) -> None:
    environ = {"STARCHAT_HOME": str(tmp_path)}
    _, paths = settings.load_settings_and_paths({}, environ)
    (paths.config / "config.toml").write_text("top_k = 7\n")
    (tmp_path / "other.toml").write_text("top_k = 8\n")
    environ_other = environ | {"STARCHAT_CONFIG": str(tmp_path / "other.toml")}
    assert settings.load_settings_and_paths({}, environ)[0].top_k == 7
    assert settings.load_settings_and_paths({}, environ_other)[0].top_k == 8


@pytest.mark.parametrize(
    ("choice", "environ", "expected"),
    [
        ("always", {"NO_COLOR": "1"}, True),
        ("never", {"FORCE_COLOR": "1"}, False),
        ("auto", {"FORCE_COLOR": "1"}, True),
        ("auto", {"FORCE_COLOR": "1", "NO_COLOR": "1"}, False),
        ("auto", {"FORCE_COLOR": "1", "TERM": "dumb"}, False),
        ("auto", {}, False),
    ],
)
def test_color_follows_the_choice_then_the_environment(
    choice: settings.ColorChoice, environ: dict[str, str], expected: bool
) -> None:
    assert settings.should_use_color(choice, environ) is expected
