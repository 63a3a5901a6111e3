"""`starchat env`: a list, a choice that lasts, and errors that say what to do."""

from __future__ import annotations

import os
import tomllib
import venv
from pathlib import Path

import pytest

from starchat_tui.cli.env_command import manage_environments
from starchat_tui.config.paths import find_paths
from starchat_tui.errors import UsageError

Capture = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def no_environments(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("STARCHAT_ENVIRONMENTS", str(tmp_path / "environments"))


def read_config() -> dict[str, object]:
    return tomllib.loads((find_paths(os.environ).config / "config.toml").read_text("utf-8"))


def test_the_list_marks_the_environment_in_use(
    capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    manage_environments([])
    first, second = capsys.readouterr().out.splitlines()
    assert first.startswith("  2023")
    assert second.startswith("* current")
    assert "not created yet, about" in first
    monkeypatch.setenv("STARCHAT_MODEL", "starchat-beta")
    manage_environments(["list"])
    assert capsys.readouterr().out.startswith("* 2023")


def test_a_choice_lasts(capsys: Capture) -> None:
    manage_environments(["use", "2023"])
    printed = capsys.readouterr().out
    assert "code of new conversations runs in 2023" in printed
    assert "starchat env create 2023" in printed
    assert read_config() == {"env": "2023"}
    manage_environments(["list"])
    assert capsys.readouterr().out.startswith("* 2023")
    manage_environments(["use", "auto"])
    assert "the environment of its model" in capsys.readouterr().out
    assert read_config() == {"env": "auto"}


def test_an_environment_of_ones_own_is_kept_by_its_whole_path(
    capsys: Capture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    venv.create(tmp_path / ".venv", with_pip=False, symlinks=True)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match="has no IPython"):
        manage_environments(["use", ".venv"])
    site = next((tmp_path / ".venv" / "lib").glob("python*/site-packages"))
    (site / "IPython").mkdir()
    manage_environments(["use", ".venv"])
    assert read_config() == {"env": str(tmp_path / ".venv")}
    capsys.readouterr()
    manage_environments(["list"])
    assert capsys.readouterr().out.splitlines()[-1] == f"* {tmp_path / '.venv'}"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["create"], "needs a name"),
        (["create", "mine"], "creates no environment `mine`"),
        (["remove", "mine"], "has created no environment `mine`"),
        (["remove", "2023"], "does not exist"),
        (["use", "2022"], "No environment `2022`"),
        (["destroy"], "destroy"),
    ],
)
def test_mistakes_are_usage_errors(words: list[str], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        manage_environments(words)
