"""Remedies: each message of bubblewrap leads to its problem, and to commands for this machine."""

from __future__ import annotations

from pathlib import Path

import pytest

from starchat_tui.sandbox.isolation import remedies
from starchat_tui.sandbox.isolation.remedies import REMEDIES, Host, flatten_message, match_remedy

MESSAGES = {
    # Messages on machines that refuse it, and the problem there.
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


@pytest.mark.parametrize(("message", "problem"), MESSAGES.items(), ids=MESSAGES.values())
def test_each_message_is_recognized_in_any_case(message: str, problem: str) -> None:
    assert match_remedy(message).name == problem
    assert match_remedy(message.upper()).name == problem


def test_every_remedy_has_a_name_of_its_own_and_a_sentence() -> None:
    names = [one.name for one in REMEDIES]
    assert len(set(names)) == len(names)
    assert all(one.reason.replace("{message}", "").strip() for one in REMEDIES)
    assert not REMEDIES[-1].pattern, "the last one is for every other message"


def test_bubblewrap_is_installed_as_the_distribution_does_it() -> None:
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


def test_settings_that_forbid_namespaces_are_changed() -> None:
    remedy = match_remedy("bwrap: No permissions to create new namespace")
    host = Host("linux", False, False, sysctls=("kernel.unprivileged_userns_clone",))
    assert "kernel.unprivileged_userns_clone = 1" in remedy.list_commands(host)[0]
    assert remedy.list_commands(Host("linux", False, True)) == ("starchat --sandbox=restricted",)


def test_the_distribution_is_read_from_its_file(tmp_path: Path) -> None:
    (tmp_path / "os-release").write_text('NAME="x"\nID=linuxmint\nID_LIKE="ubuntu debian"\n')
    assert remedies._read_families(tmp_path / "os-release") == ("linuxmint", "ubuntu", "debian")
    assert remedies._read_families(tmp_path / "none") == ()


def test_a_long_message_becomes_one_short_line() -> None:
    text = flatten_message("bwrap: no\n\n" * 2000)
    assert len(text) <= 300
    assert "\n" not in text
