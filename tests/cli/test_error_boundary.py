"""Error boundary: every end of a command becomes a message and an exit code."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from starchat_tui.cli.error_boundary import ArgumentParser, print_error, report_errors
from starchat_tui.config.paths import find_paths
from starchat_tui.errors import Busy, StarChatError, UsageError


def fail(error: BaseException) -> int:
    raise error


def test_exit_code_of_a_success_is_returned(capfd: pytest.CaptureFixture[str]) -> None:
    assert report_errors(lambda: 7) == 7
    assert capfd.readouterr() == ("", "")


def test_error_is_two_lines_and_its_exit_code(capfd: pytest.CaptureFixture[str]) -> None:
    assert report_errors(lambda: fail(Busy("The engine is busy", "try again"))) == 75
    assert capfd.readouterr().err == "starchat: The engine is busy\n  try again\n"


def test_program_and_context_stand_before_the_message(capfd: pytest.CaptureFixture[str]) -> None:
    assert report_errors(lambda: fail(StarChatError("No data")), program="train") == 1
    assert print_error(UsageError("No data"), program="train", context="process 3: ") == 2
    assert capfd.readouterr().err == "train: No data\ntrain: process 3: No data\n"


def test_messages_are_sanitized(capfd: pytest.CaptureFixture[str]) -> None:
    report_errors(lambda: fail(StarChatError("a\x1b[2Jb", "c\x1b]0;x\x07")))
    assert "\x1b" not in capfd.readouterr().err


def test_bug_is_one_line_and_a_log_entry(capfd: pytest.CaptureFixture[str]) -> None:
    assert report_errors(lambda: fail(KeyError("gone"))) == 1
    log = find_paths(os.environ).state / "errors.log"
    problem, hint = capfd.readouterr().err.splitlines()
    assert problem == "starchat: KeyError: 'gone'"
    assert f"`{log}`" in hint
    assert "Traceback" in log.read_text()


def test_bug_without_a_place_for_the_log_shows_the_traceback(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "file"
    file.touch()
    monkeypatch.setenv("STARCHAT_HOME", str(file))
    assert report_errors(lambda: fail(KeyError("gone")), program="train") == 1
    error = capfd.readouterr().err
    assert "Traceback" in error
    assert "train: KeyError" in error


def test_missing_extra_names_the_command(capfd: pytest.CaptureFixture[str]) -> None:
    assert report_errors(lambda: fail(ModuleNotFoundError("no torch", name="torch"))) == 69
    assert "pip install 'starchat-tui[local]'" in capfd.readouterr().err
    assert report_errors(lambda: fail(ModuleNotFoundError("no x", name="x"))) == 1


def test_interrupt_is_silent(capfd: pytest.CaptureFixture[str]) -> None:
    assert report_errors(lambda: fail(KeyboardInterrupt())) == 130
    assert capfd.readouterr() == ("", "")


def test_closed_pipe_is_exit_141() -> None:
    program = (
        "import sys\n"
        "from starchat_tui.cli.error_boundary import report_errors\n"
        "sys.exit(report_errors(lambda: print('x' * 100_000) or 0))\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 141


def test_parser_raises_a_usage_error() -> None:
    parser = ArgumentParser(prog="starchat x")
    with pytest.raises(UsageError, match="Unrecognized arguments: --nope") as caught:
        parser.parse_args(["--nope"])
    assert caught.value.hint == "`starchat x --help` lists all flags"
