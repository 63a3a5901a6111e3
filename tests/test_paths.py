"""Paths as a user types them: none of them is a defect of the program."""

from __future__ import annotations

from pathlib import Path

import pytest

from starchat_tui import settings
from starchat_tui.cli import doctor
from starchat_tui.errors import StarChatError, UsageError
from starchat_tui.paths import made_new, typed
from train.data import __main__, sources

NOBODYS = "~no-such-user/file"


def test_a_home_is_put_in_where_somebody_has_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    assert typed("~/a") == Path("/home/me/a")
    assert typed(Path("~/a")) == Path("/home/me/a")
    assert typed(NOBODYS) == Path(NOBODYS)


@pytest.mark.parametrize(
    ("target", "said"),
    [("there", "exists"), ("none/x", "No such file"), ("a" * 300, "too long"), ("a\0", "no such")],
)
def test_why_a_file_cannot_be_made_is_told(tmp_path: Path, target: str, said: str) -> None:
    (tmp_path / "there").touch()
    with pytest.raises(UsageError, match=said) as caught, made_new(tmp_path / target):
        (tmp_path / target).open("x").close()
    assert caught.value.hint


@pytest.mark.parametrize("name", [NOBODYS, f"./{'x' * 300}"])
def test_a_place_that_is_none_is_a_users_mistake_everywhere(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for look in (
        lambda: __main__.read_vocabulary(name),
        lambda: list(sources.rows(name)),
        lambda: doctor.tokenizer(settings.Settings(tokenizer=name)),
    ):
        with pytest.raises(StarChatError) as caught:
            look()
        assert caught.value.hint


def test_a_home_of_nobody_is_a_folder_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    found = settings.find_paths({"STARCHAT_HOME": "~no-such-user"})
    assert found.cache == tmp_path / "~no-such-user" / "cache"
