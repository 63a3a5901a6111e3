"""The command that makes the demo models, without making any."""

from __future__ import annotations

from pathlib import Path

import pytest

from train.demo import __main__ as command


def called(monkeypatch: pytest.MonkeyPatch, *flags: str) -> list[Path]:
    """The build folders that the command's stages are told."""
    found: list[Path] = []

    class Nothing:
        def __init__(self, sizes: object, build: Path) -> None:
            found.append(build)

        def weights(self, target: Path) -> Path:
            return target

    monkeypatch.setenv("DS_ACCELERATOR", "cpu")
    monkeypatch.setattr(command, "Stages", Nothing)
    monkeypatch.setattr("sys.argv", ["train.demo", *flags])
    command.main()
    return found


def test_a_build_folder_is_told_by_its_whole_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The fine-tune is started in another folder."""
    monkeypatch.chdir(tmp_path)
    assert called(monkeypatch, "--smoke", "--build", "here") == [Path("here").resolve()]


def test_a_size_that_is_none_names_them(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        called(monkeypatch, "--size", "big")
    assert caught.value.code == 2
    assert "invalid choice: 'big'" in capsys.readouterr().err
