"""Changes of config.toml: one value, and everything else as it was."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from starchat_tui.config.config_writer import replace_value, write_config_value
from starchat_tui.errors import ConfigError

SET = 'env = "2023"\n'


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", SET),
        ("# mine\nmodel = 'x'\n", f"# mine\nmodel = 'x'\n{SET}"),
        ("env = 'a' # old\nmodel = 'x'\n", f"{SET}model = 'x'\n"),
        ("environment = 1\n[table]\nenv = 2\n", f"environment = 1\n{SET}[table]\nenv = 2\n"),
    ],
)
def test_a_value_is_set_before_the_first_table(before: str, after: str) -> None:
    assert replace_value(before, "env", "2023") == after
    assert tomllib.loads(after)["env"] == "2023"


def test_a_path_with_odd_characters_is_a_string(tmp_path: Path) -> None:
    file = tmp_path / "new" / "config.toml"
    value = '/a "b"\\c\né'
    write_config_value(file, "env", value)
    assert tomllib.loads(file.read_text("utf-8")) == {"env": value}
    write_config_value(file, "env", "auto")
    assert file.read_text("utf-8") == 'env = "auto"\n'
    assert [path.name for path in file.parent.iterdir()] == ["config.toml"]


def test_a_link_stays_one(tmp_path: Path) -> None:
    (tmp_path / "dotfiles.toml").write_text("model = 'x'\n")
    (tmp_path / "config.toml").symlink_to("dotfiles.toml")
    write_config_value(tmp_path / "config.toml", "env", "2023")
    assert (tmp_path / "config.toml").is_symlink()
    assert "env" in (tmp_path / "dotfiles.toml").read_text()


@pytest.mark.parametrize("text", ["x = [\n", "model = \n"])
def test_a_file_that_cannot_be_read_stays_as_it_is(tmp_path: Path, text: str) -> None:
    file = tmp_path / "config.toml"
    file.write_text(text)
    with pytest.raises(ConfigError, match="cannot be changed") as told:
        write_config_value(file, "env", "2023")
    assert SET.strip() in told.value.hint
    assert file.read_text() == text
