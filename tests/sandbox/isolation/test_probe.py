"""Probe of the sandbox: the refusals of bubblewrap, by a program in its place; and the real one."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from starchat_tui.sandbox.isolation import landlock, probe, remedies, seccomp
from starchat_tui.sandbox.isolation.probe import probe_sandbox
from starchat_tui.sandbox.isolation.remedies import Host
from tests.sandbox.isolation.test_remedies import MESSAGES

LINUX = pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="only Linux has this sandbox"
)
DEBIAN = Host("linux", root=False, container=False, families=("debian",))
MUST_SAY = {
    # A command without which the advice would be useless.
    "NO_USERNS": "sysctl --system",
    "APPARMOR": "apparmor_parser -r /etc/apparmor.d/bwrap-userns-restrict",
    "CONTAINER": "starchat --sandbox=restricted",
    "OLD_BWRAP": "git clone",
}


@pytest.fixture(autouse=True)
def fresh() -> None:
    probe_sandbox.cache_clear()


def fake(folder: Path, script: str) -> tuple[Path, ...]:
    """Create a program in bubblewrap's place."""
    program = folder / "bwrap"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    return (program,)


@LINUX
@pytest.mark.parametrize(("message", "problem"), MESSAGES.items(), ids=MESSAGES.values())
def test_each_refusal_is_recognized_and_nothing_runs(
    message: str, problem: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The commands depend on the distribution, and on whether this is a container.
    monkeypatch.setattr(remedies, "detect_host", lambda: DEBIAN)
    (tmp_path / "message").write_text(message + "\n")
    bwraps = fake(tmp_path, f'cat "{tmp_path}/message" >&2; exit 1')
    capability = probe_sandbox("isolated", bwraps=bwraps)
    assert (capability.level, capability.problem) == ("off", problem)
    assert capability.reason.count("\n") == 0
    if problem in MUST_SAY:
        assert any(MUST_SAY[problem] in command for command in capability.fix_commands), (
            capability.fix_commands
        )
    assert all("\n" not in command for command in capability.fix_commands)


@LINUX
def test_a_missing_bubblewrap_is_reported_with_commands(tmp_path: Path) -> None:
    capability = probe_sandbox("isolated", bwraps=(tmp_path / "bwrap",))
    assert (capability.level, capability.problem) == ("off", "NO_BWRAP")
    assert capability.fix_commands


@LINUX
def test_a_bubblewrap_that_confines_nothing_is_detected(tmp_path: Path) -> None:
    """It runs the command without any sandbox, which the probe program notices."""
    script = 'while [ "$1" != "--" ]; do shift; done; shift; exec "$@"'
    capability = probe_sandbox("isolated", bwraps=fake(tmp_path, script))
    assert capability.level == "off"
    assert capability.problem in ("HOLES", "UNKNOWN", "NO_INTERPRETER")
    assert "system calls" in capability.reason or "bwrap" in capability.reason


@LINUX
def test_a_bubblewrap_that_never_answers_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(probe, "PROBE_TIMEOUT", 0.3)
    capability = probe_sandbox("isolated", bwraps=fake(tmp_path, "exec sleep 600"))
    assert capability.level == "off"
    assert "no answer" in capability.reason


@LINUX
def test_a_long_message_with_escapes_is_one_short_line(tmp_path: Path) -> None:
    script = r"i=0; while [ $i -lt 2000 ]; do printf 'bwrap: no\n\n' >&2; i=$((i+1)); done; exit 1"
    capability = probe_sandbox("isolated", bwraps=fake(tmp_path, script))
    assert len(capability.reason) < 400
    assert "\n" not in capability.reason


@LINUX
@pytest.mark.skipif(not landlock.get_abi_version(), reason="this kernel has no Landlock")
def test_without_namespaces_landlock_is_used_and_described(tmp_path: Path) -> None:
    bwraps = fake(tmp_path, "echo 'bwrap: setting up uid map: Permission denied' >&2; exit 1")
    capability = probe_sandbox("auto", bwraps=bwraps)
    assert capability.level == "restricted"
    assert "AppArmor blocks" in capability.reason
    assert "reduced isolation" in capability.reason
    assert "apparmor_parser" in capability.fix_commands[-1]


@LINUX
def test_without_any_sandbox_nothing_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(landlock, "get_abi_version", lambda: 0)
    for wanted in ("auto", "restricted"):
        capability = probe_sandbox(wanted, bwraps=(tmp_path / "none",))
        assert capability.level == "off"
        assert "Landlock" in capability.reason


@LINUX
def test_an_architecture_without_a_filter_has_no_sandbox(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seccomp, "ARCHITECTURES", {})
    capability = probe_sandbox("auto")
    assert capability.level == "off"
    assert "filter" in capability.reason


@pytest.mark.bwrap
def test_the_installed_bubblewrap_confines() -> None:
    capability = probe_sandbox("isolated")
    assert capability.level == "isolated", capability
    assert capability.fix_commands == ()
    assert capability.drop_to_nobody == (os.geteuid() == 0)


@pytest.mark.bwrap
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become nobody")
def test_a_root_that_cannot_kill_processes_of_nobody_stays_root(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(probe, "_can_become_nobody", lambda: False)
    capability = probe_sandbox("isolated")
    assert (capability.level, capability.drop_to_nobody) == ("isolated", False)
    assert "checked by StarChat" in capability.reason


@LINUX
@pytest.mark.skipif(not landlock.get_abi_version(), reason="this kernel has no Landlock")
def test_a_weaker_level_is_used_if_it_is_wanted() -> None:
    assert probe_sandbox("restricted").level == "restricted"
    assert probe_sandbox("off").level == "off"


@pytest.mark.bwrap
def test_the_probe_runs_once_per_process(tmp_path: Path) -> None:
    bwraps = fake(tmp_path, f'echo x >> "{tmp_path}/tries"; exit 1')
    first = probe_sandbox("isolated", bwraps=bwraps)
    tries = (tmp_path / "tries").read_text()
    assert probe_sandbox("isolated", bwraps=bwraps) is first
    assert (tmp_path / "tries").read_text() == tries


def test_other_systems_get_advice(monkeypatch: pytest.MonkeyPatch) -> None:
    for system, text in {"wsl1": "WSL 1", "win32": "WSL 2"}.items():
        monkeypatch.setattr(
            remedies, "detect_host", lambda system=system: Host(system, False, False)
        )
        probe_sandbox.cache_clear()
        capability = probe_sandbox("auto")
        assert capability.level == "off"
        assert text in capability.reason
        assert capability.fix_commands[0].startswith("wsl ")
