"""Checks of `starchat doctor`: each problem is provoked and its commands are compared."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pytest

from starchat_tui.cli import doctor, doctor_checks
from starchat_tui.config.paths import find_paths
from starchat_tui.config.settings import Settings
from starchat_tui.sandbox.isolation import probe, remedies
from starchat_tui.sandbox.isolation.probe import Capability
from tests.sandbox.isolation.test_probe import MESSAGES, fake

GOOD = {"TERM": "xterm-256color", "COLORTERM": "truecolor"}


def fake_stdout(**streams: str) -> SimpleNamespace:
    """Return a stdout that is no terminal."""
    return SimpleNamespace(encoding="utf-8", isatty=lambda: False, **streams)


@pytest.fixture(autouse=True)
def utf8(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", fake_stdout())


@pytest.mark.parametrize(
    ("capability", "state"),
    [
        (Capability("isolated"), "ok"),
        (Capability("isolated", "Root could not become nobody."), "note"),
        (Capability("restricted", "bubblewrap is not installed.", ("apt install it",)), "fix"),
        (Capability("off", "AppArmor blocks it.", ("one", "two", "three")), "fix"),
    ],
)
def test_sandbox_state_and_commands(
    capability: Capability, state: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    program = tmp_path / "bwrap"
    program.write_text("#!/bin/sh\necho bubblewrap 0.8.0\n")
    program.chmod(0o755)
    available = replace(capability, bwrap=program)
    monkeypatch.setattr(probe, "probe_sandbox", lambda _wanted: available)
    found = doctor_checks.check_sandbox(Settings())
    assert found.state == state
    assert found.said.startswith(capability.level)
    assert capability.reason in found.said
    assert found.fix == capability.fix_commands


@pytest.mark.parametrize(("message", "trouble"), MESSAGES.items(), ids=MESSAGES.values())
def test_each_bubblewrap_failure_has_commands(
    message: str, trouble: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A fake bubblewrap prints the message; everything else up to the report is real."""
    (tmp_path / "message").write_text(message)
    bwraps = fake(tmp_path, f'cat "{tmp_path}/message" >&2; exit 1')
    monkeypatch.setattr(probe, "probe_sandbox", partial(probe.probe_sandbox, bwraps=bwraps))
    found = doctor_checks.check_sandbox(Settings(sandbox="isolated"))
    remedy = remedies.match_remedy(message)
    assert remedy.name == trouble
    assert found.state == "fix"
    assert found.fix == remedy.list_commands(remedies.detect_host())
    shown = doctor.format_findings([found], color=False)
    assert "off: " in shown
    assert all(f"$ {command}\n" in shown for command in found.fix)
    assert shown.endswith("To fix: sandbox.")


def test_requested_sandbox_level_is_no_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    requested = []
    monkeypatch.setattr(
        probe, "probe_sandbox", lambda wanted: requested.append(wanted) or Capability("off")
    )
    assert doctor_checks.check_sandbox(Settings(sandbox="off")).state == "note"
    assert requested == []
    assert doctor_checks.check_sandbox(Settings(sandbox="restricted")).state == "fix"
    monkeypatch.setattr(
        probe, "probe_sandbox", lambda _wanted: Capability("restricted", "as requested")
    )
    assert doctor_checks.check_sandbox(Settings(sandbox="restricted")).state == "note"
    assert requested == ["restricted"]


@pytest.mark.parametrize(
    ("environ", "state", "said"),
    [
        (GOOD, "ok", "16 million colors"),
        ({"TERM": "xterm-256color"}, "note", "256 colors"),
        ({"TERM": "dumb"}, "note", "line mode"),
        ({}, "note", "TERM is not set"),
    ],
)
def test_terminal_capabilities(environ: Mapping[str, str], state: str, said: str) -> None:
    found = doctor_checks.check_terminal(environ)
    assert found.state == state
    assert said in found.said


def test_terminal_without_utf8_has_to_be_fixed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", SimpleNamespace(encoding="ascii", isatty=lambda: False))
    found = doctor_checks.check_terminal(GOOD)
    assert (found.state, found.fix) == ("fix", ("export LANG=C.UTF-8",))


@pytest.mark.parametrize(
    ("environ", "said"),
    [
        ({"TERM": "xterm-kitty"}, "kitty"),
        ({"TERM": "xterm-kitty", "TMUX": "/tmp/x"}, "half-blocks: multiplexers"),
        ({"TERM_PROGRAM": "WezTerm"}, "kitty"),
        ({"TERM": "foot"}, "probably sixels;"),
        (GOOD, "probably half-blocks;"),
    ],
)
def test_image_protocol_is_guessed_from_the_terminal_name(
    environ: Mapping[str, str], said: str
) -> None:
    assert said in doctor_checks.check_images(Settings(), environ).said


def test_chosen_image_protocol_is_not_guessed() -> None:
    assert doctor_checks.check_images(Settings(images="sixel"), GOOD).said.startswith("sixel")


def test_clipboard_routes_and_commands() -> None:
    found = doctor_checks.check_clipboard({"DISPLAY": ":0", "PATH": ""})
    if found.state == "note":
        assert found.fix == ("sudo apt install xclip",)
    remote = doctor_checks.check_clipboard({"DISPLAY": ":0", "SSH_TTY": "/dev/pts/1"})
    assert "OSC 52" in remote.said
    assert remote.fix == ()


def test_engine_is_not_started() -> None:
    paths = find_paths(os.environ)
    found = doctor_checks.check_engine(Settings(), paths)
    assert found.state == "ok"
    assert "not running" in found.said
    assert not paths.engine_log.exists()
    assert "go to http" in doctor_checks.check_engine(Settings(url="http://host:1"), paths).said


def test_missing_model_is_reported(tmp_path: Path) -> None:
    assert doctor_checks.check_model(Settings()).state == "ok"
    assert "from the Hub" in doctor_checks.check_model(Settings(model="starcoder")).said
    found = doctor._run_check(
        "model", lambda: doctor_checks.check_model(Settings(model="nonsense"))
    )
    assert found.state == "fix"


def test_tokenizer_restores_text(tmp_path: Path) -> None:
    assert doctor_checks.check_tokenizer(Settings()).state == "ok"
    broken = tmp_path / "tokenizer.json"
    broken.write_text("{")
    found = doctor._run_check(
        "tokenizer", lambda: doctor_checks.check_tokenizer(Settings(tokenizer=str(broken)))
    )
    assert found.state == "fix"
    assert doctor_checks.check_tokenizer(Settings(url="http://host:1")).state == "fix"
    assert doctor_checks.check_tokenizer(Settings(model="starcoder")).state == "ok"


def test_readable_data_is_reported() -> None:
    paths = find_paths(os.environ)
    assert doctor_checks.check_data(paths).state == "ok"
    paths.database.write_text("")
    paths.database.chmod(0o644)
    found = doctor_checks.check_data(paths)
    assert (found.state, found.fix) == ("fix", (f"chmod 600 {paths.database}",))
    paths.database.chmod(0o600)
    paths.data.chmod(0o755)
    assert doctor_checks.check_data(paths).fix == (f"chmod 700 {paths.data}",)


def test_memory_is_in_gigabytes() -> None:
    assert " GB" in doctor_checks.check_memory().said


def test_failing_torch_is_reported_with_its_last_line() -> None:
    program = "import sys; print('first'); sys.exit('RuntimeError: no driver')"
    with subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as asked:
        found = doctor_checks.check_device(asked)
    assert (found.state, found.said) == ("fix", "RuntimeError: no driver")


def test_hanging_torch_times_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor_checks, "_TORCH_TIMEOUT", 0.2)
    with subprocess.Popen(
        ["sleep", "600"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as asked:
        assert doctor_checks.check_device(asked).state == "fix"
        asked.kill()


def test_missing_library_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    assert doctor_checks.check_versions().state == "ok"
    monkeypatch.setattr(doctor_checks, "_REQUIRED", ("textual", "not-there"))
    found = doctor_checks.check_versions()
    assert found.state == "fix"
    assert found.fix[0].endswith("-m pip install not-there")


def test_extras_that_are_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    found = doctor_checks.check_extras()
    assert (found.state, found.fix) == ("ok", ())
    monkeypatch.setattr(doctor_checks, "_is_installed", lambda name: name != "plots")
    found = doctor_checks.check_extras()
    assert found.state == "note"
    assert "plots not installed" in found.said
    assert found.fix == ("pip install 'starchat-tui[plots]'",)
