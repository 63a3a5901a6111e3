"""Which wall holds: each refusal of bubblewrap, said by a program in its place; and the real."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from starchat_tui.sandbox.isolation import landlock, probe, remedies, seccomp
from starchat_tui.sandbox.isolation.probe import probe_sandbox
from starchat_tui.sandbox.isolation.remedies import Host, match_remedy

LINUX = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux has this wall")
DEBIAN = Host("linux", root=False, container=False, families=("debian",))
MESSAGES = {
    # What bubblewrap says on machines that refuse it, and what is wrong there.
    "bwrap: Creating new namespace failed: nesting depth or /proc/sys/user/max_*_namespaces "
    "exceeded (ENOSPC)": "NO_USERNS",
    "bwrap: No permissions to create new namespace, likely because the kernel does not allow "
    "non-privileged user namespaces. See <https://deb.li/bubblewrap> or "
    "<file:///usr/share/doc/bubblewrap/README.Debian.gz>.": "NO_PERMISSION",
    "bwrap: No permissions to creating new namespace, likely because the kernel does not allow "
    "non-privileged user namespaces.": "NO_PERMISSION",
    "bwrap: setting up uid map: Permission denied": "APPARMOR",
    "bwrap: loopback: Failed RTM_NEWADDR: Operation not permitted": "APPARMOR",
    "bwrap: setting up uid map: Operation not permitted": "CONTAINER",
    "bwrap: Failed to make / slave: Permission denied": "CONTAINER",
    "bwrap: Can't mount proc on /newroot/proc: Operation not permitted": "MASKED_PROC",
    "bwrap: Unknown option --disable-userns": "OLD_BWRAP",
    "bwrap: Unknown option --json-status-fd": "OLD_BWRAP",
    "bwrap: Can't find source path /opt/python: Permission denied": "NO_INTERPRETER",
    "bwrap: execvp /opt/python/bin/python: No such file or directory": "NO_INTERPRETER",
    "holes: network, /etc/passwd": "HOLES",
    "bwrap: something nobody ever saw": "UNKNOWN",
}
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
    """A program in bubblewrap's place."""
    program = folder / "bwrap"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    return (program,)


@LINUX
@pytest.mark.parametrize(("message", "trouble"), MESSAGES.items(), ids=MESSAGES.values())
def test_each_refusal_is_understood_and_nothing_runs(
    message: str, trouble: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The commands depend on the distribution, and on whether this is a container.
    monkeypatch.setattr(remedies, "detect_host", lambda: DEBIAN)
    (tmp_path / "message").write_text(message + "\n")
    bwraps = fake(tmp_path, f'cat "{tmp_path}/message" >&2; exit 1')
    capability = probe_sandbox("isolated", bwraps=bwraps)
    assert (capability.level, capability.problem) == ("off", trouble)
    assert capability.reason.count("\n") == 0
    if trouble in MUST_SAY:
        assert any(MUST_SAY[trouble] in command for command in capability.fix_commands), (
            capability.fix_commands
        )
    assert all("\n" not in command for command in capability.fix_commands)


@pytest.mark.parametrize(("message", "trouble"), MESSAGES.items(), ids=MESSAGES.values())
def test_capitals_do_not_matter(message: str, trouble: str) -> None:
    assert match_remedy(message.upper()).name == trouble


@LINUX
def test_a_missing_bubblewrap_is_installed_as_the_distribution_does_it(tmp_path: Path) -> None:
    capability = probe_sandbox("isolated", bwraps=(tmp_path / "bwrap",))
    assert (capability.level, capability.problem) == ("off", "NO_BWRAP")
    assert capability.fix_commands
    remedy = remedies.find_remedy("NO_BWRAP")
    for family, command in {
        "debian": "sudo apt install bubblewrap",
        "ubuntu": "sudo apt install bubblewrap",
        "fedora": "sudo dnf install bubblewrap",
        "arch": "sudo pacman -S bubblewrap",
        "alpine": "sudo apk add bubblewrap",
    }.items():
        assert remedy.list_commands(Host("linux", False, False, (family,))) == (command,)
    assert len(remedy.list_commands(Host("linux", False, False))) == 3
    assert remedy.list_commands(Host("linux", True, False, ("debian",))) == (
        "apt install bubblewrap",
    )


@LINUX
def test_a_bubblewrap_that_only_pretends_is_found_out(tmp_path: Path) -> None:
    """It runs the command without any wall: what runs inside sees that."""
    script = 'while [ "$1" != "--" ]; do shift; done; shift; exec "$@"'
    capability = probe_sandbox("isolated", bwraps=fake(tmp_path, script))
    assert capability.level == "off"
    assert capability.problem in ("HOLES", "UNKNOWN", "NO_INTERPRETER")
    assert "system calls" in capability.reason or "bwrap" in capability.reason


@LINUX
def test_one_that_never_answers_is_given_up(
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
def test_without_namespaces_the_weaker_wall_stands_and_says_so(tmp_path: Path) -> None:
    bwraps = fake(tmp_path, "echo 'bwrap: setting up uid map: Permission denied' >&2; exit 1")
    capability = probe_sandbox("auto", bwraps=bwraps)
    assert capability.level == "restricted"
    assert "AppArmor blocks" in capability.reason
    assert "reduced isolation" in capability.reason
    assert "apparmor_parser" in capability.fix_commands[-1]


@LINUX
def test_without_any_wall_nothing_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(landlock, "get_abi_version", lambda: 0)
    for wanted in ("auto", "restricted"):
        capability = probe_sandbox(wanted, bwraps=(tmp_path / "none",))
        assert capability.level == "off"
        assert "Landlock" in capability.reason


@LINUX
def test_a_processor_without_a_filter_has_no_wall(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seccomp, "ARCHITECTURES", {})
    capability = probe_sandbox("auto")
    assert capability.level == "off"
    assert "filter" in capability.reason


@pytest.mark.bwrap
def test_the_real_one_holds() -> None:
    capability = probe_sandbox("isolated")
    assert capability.level == "isolated", capability
    assert capability.fix_commands == ()
    assert capability.drop_to_nobody == (os.geteuid() == 0)


@pytest.mark.bwrap
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become nobody")
def test_a_root_that_may_not_end_what_nobody_runs_stays_root(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(probe, "_can_become_nobody", lambda: False)
    capability = probe_sandbox("isolated")
    assert (capability.level, capability.drop_to_nobody) == ("isolated", False)
    assert "checked by StarChat" in capability.reason


@LINUX
@pytest.mark.skipif(not landlock.get_abi_version(), reason="this kernel has no Landlock")
def test_less_is_given_where_less_is_wanted() -> None:
    assert probe_sandbox("restricted").level == "restricted"
    assert probe_sandbox("off").level == "off"


@pytest.mark.bwrap
def test_it_is_looked_at_once(tmp_path: Path) -> None:
    bwraps = fake(tmp_path, f'echo x >> "{tmp_path}/tries"; exit 1')
    first = probe_sandbox("isolated", bwraps=bwraps)
    tries = (tmp_path / "tries").read_text()
    assert probe_sandbox("isolated", bwraps=bwraps) is first
    assert (tmp_path / "tries").read_text() == tries


def test_elsewhere_the_way_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    for system, said in {"wsl1": "WSL 1", "win32": "WSL 2"}.items():
        monkeypatch.setattr(
            remedies, "detect_host", lambda system=system: Host(system, False, False)
        )
        probe_sandbox.cache_clear()
        capability = probe_sandbox("auto")
        assert capability.level == "off"
        assert said in capability.reason
        assert capability.fix_commands[0].startswith("wsl ")


def test_settings_that_are_in_the_way_are_named() -> None:
    remedy = match_remedy("bwrap: No permissions to create new namespace")
    host = Host("linux", False, False, sysctls=("kernel.unprivileged_userns_clone",))
    assert "kernel.unprivileged_userns_clone = 1" in remedy.list_commands(host)[0]
    assert remedy.list_commands(Host("linux", False, True)) == ("starchat --sandbox=restricted",)


def test_the_distribution_is_read_from_its_file(tmp_path: Path) -> None:
    (tmp_path / "os-release").write_text('NAME="x"\nID=linuxmint\nID_LIKE="ubuntu debian"\n')
    assert remedies._read_families(tmp_path / "os-release") == ("linuxmint", "ubuntu", "debian")
    assert remedies._read_families(tmp_path / "none") == ()
