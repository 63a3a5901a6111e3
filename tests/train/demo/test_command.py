"""The command that builds the demo models, without building any."""

from __future__ import annotations

from pathlib import Path

import pytest

from train.demo import __main__ as command


def run_command(monkeypatch: pytest.MonkeyPatch, *flags: str) -> list[Path]:
    """Run the command with a pipeline that does nothing; return its build folders."""
    found: list[Path] = []

    class NoPipeline:
        def __init__(self, sizes: object, build: Path) -> None:
            found.append(build)

        def export_weights(self, target: Path) -> Path:
            return target

    monkeypatch.setenv("DS_ACCELERATOR", "cpu")
    monkeypatch.setattr(command, "Pipeline", NoPipeline)
    monkeypatch.setattr("sys.argv", ["train.demo", *flags])
    command.main()
    return found


def test_the_pipeline_gets_an_absolute_build_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The fine-tune is started with another working directory."""
    monkeypatch.chdir(tmp_path)
    assert run_command(monkeypatch, "--smoke", "--build", "here") == [Path("here").resolve()]


@pytest.mark.parametrize(("flag", "value"), [("--size", "big"), ("--only", "everything")])
def test_an_unknown_choice_is_an_error(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], flag: str, value: str
) -> None:
    with pytest.raises(SystemExit) as caught:
        run_command(monkeypatch, flag, value)
    assert caught.value.code == 2
    assert f"invalid choice: '{value}'" in capsys.readouterr().err
