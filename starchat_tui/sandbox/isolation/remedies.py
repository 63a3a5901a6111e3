"""Error messages of bubblewrap: what each one means, and the commands that help.

The messages were collected on machines that refuse it, and from its issue tracker.
"""

from __future__ import annotations

import os
import platform
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

_MAX_MESSAGE = 300
"""Characters of another program's message that are passed on to the user."""
_RESTRICTED = "starchat --sandbox=restricted"
AS_ROOT = (
    "StarChat runs as root and could not switch to user nobody: the number of processes is "
    "checked by StarChat, not limited by the kernel."
)
SEATBELT = (
    "This is Apple's sandbox with a profile that denies by default. It has never been tested, and "
    "limits neither memory nor processes."
)


@dataclass(frozen=True, slots=True)
class Host:
    """Properties of this machine that the commands depend on."""

    system: str
    """`linux`, `darwin`, `wsl1` or `win32`."""
    root: bool
    container: bool
    families: tuple[str, ...] = ()
    """Distribution and those it derives from: ID and ID_LIKE of os-release(5)."""
    sysctls: tuple[str, ...] = ()
    """Kernel settings that forbid namespaces here, since they are 0."""


@dataclass(frozen=True, slots=True)
class Remedy:
    """One problem: how to recognize it, what to tell the user, which commands help."""

    name: str
    pattern: str
    """Regular expression for its message, in any case; empty if it has none."""
    reason: str
    """Sentence for the user; `{message}` stands for what bubblewrap said."""
    list_commands: Callable[[Host], tuple[str, ...]]


_SYSCTLS = {
    "kernel.unprivileged_userns_clone": "1",
    "user.max_user_namespaces": "15000",
    "user.max_net_namespaces": "15000",
    "user.max_pid_namespaces": "15000",
    "user.max_mnt_namespaces": "15000",
}
"""Settings (sysctl) that forbid namespaces if they are 0, with values that allow them."""


def detect_host() -> Host:
    """Return the properties of this machine."""
    release = platform.release()
    # WSL 1 emulates Linux 4.4 and marks its release with a capital M; WSL 2 has a real kernel.
    system = "wsl1" if release.endswith("-Microsoft") else sys.platform
    return Host(
        system=system,
        root=hasattr(os, "geteuid") and os.geteuid() == 0,
        container=any(map(os.path.exists, ("/.dockerenv", "/run/.containerenv"))),
        families=_read_families(Path("/etc/os-release")),
        sysctls=tuple(name for name in _SYSCTLS if _is_zero(name)),
    )


def _read_families(file: Path) -> tuple[str, ...]:
    try:
        words = re.findall(r'^ID(?:_LIKE)?="?([^"\n]*)', file.read_text(), flags=re.MULTILINE)
    except OSError:
        return ()
    return tuple(" ".join(words).split())


def _is_zero(name: str) -> bool:
    try:
        return Path("/proc/sys", *name.split(".")).read_text().strip() == "0"
    except OSError:
        return False


def flatten_message(message: str) -> str:
    """Return the beginning of a message as one line."""
    return " ".join(message.split())[:_MAX_MESSAGE]


def describe_landlock_level(version: int) -> str:
    """Return a description of the weaker sandbox; `version` is that of Landlock's ABI."""
    message = (
        "Code runs with reduced isolation (Landlock and a system call filter): no network and none "
        "of your files, but it sees which files exist, and its folder is on the disk."
    )
    if version < 6:
        message += " It cannot send signals, not even to programs it started."
    return message


def find_remedy(name: str) -> Remedy:
    """Return the remedy of that name; raise `StopIteration` if there is none."""
    return next(remedy for remedy in REMEDIES if remedy.name == name)


def match_remedy(message: str) -> Remedy:
    """Return the first remedy whose pattern matches what bubblewrap said, or the last of all."""
    fitting = (one for one in REMEDIES if one.pattern and re.search(one.pattern, message, re.I))
    return next(fitting, REMEDIES[-1])


def _install_commands(host: Host) -> tuple[str, ...]:
    commands = {
        ("debian", "ubuntu"): "apt install bubblewrap",
        ("fedora", "rhel", "centos"): "dnf install bubblewrap",
        ("arch",): "pacman -S bubblewrap",
        ("suse", "opensuse"): "zypper install bubblewrap",
        ("alpine",): "apk add bubblewrap",
        ("nixos",): "nix-env -iA nixos.bubblewrap",
    }
    # ID_LIKE leads derivatives to their parent's package manager. Of an unknown distribution the
    # user gets the three most common commands to choose from.
    for families, command in commands.items():
        if set(families) & set(host.families):
            return (_with_sudo(host, command),)
    return tuple(_with_sudo(host, command) for command in list(commands.values())[:3])


def _sysctl_commands(host: Host) -> tuple[str, ...]:
    """Return commands that change the settings now and for later boots."""
    if host.container and not host.sysctls:
        return _container_commands(host)
    names = host.sysctls or ("user.max_user_namespaces",)
    # A file, as `sysctl -w` alone is lost with the next boot.
    file = "/etc/sysctl.d/90-user-namespaces.conf"
    lines = "\\n".join(f"{name} = {_SYSCTLS[name]}" for name in names)
    return (
        _with_sudo(host, f"sh -c \"printf '{lines}\\n' > {file}\""),
        _with_sudo(host, "sysctl --system"),
    )


def _container_commands(_host: Host) -> tuple[str, ...]:
    """Return the flag for the weaker sandbox; a container is not to be weakened."""
    return (_RESTRICTED,)


def _apparmor_commands(host: Host) -> tuple[str, ...]:
    profile, source = "bwrap-userns-restrict", "/usr/share/apparmor/extra-profiles"
    return (
        _with_sudo(host, "apt install apparmor-profiles apparmor-utils"),
        _with_sudo(host, f"install -m 0644 {source}/{profile} /etc/apparmor.d/"),
        _with_sudo(host, f"apparmor_parser -r /etc/apparmor.d/{profile}"),
    )


def _upgrade_commands(host: Host) -> tuple[str, ...]:
    """Return a build from source: a distribution with an old version has no newer one."""
    tools = "apt install git meson pkg-config gcc libcap-dev"
    if {"fedora", "rhel", "centos"} & set(host.families):
        tools = "dnf install git meson pkgconf gcc libcap-devel"
    return (
        _with_sudo(host, tools),
        "git clone --branch v0.11.0 https://github.com/containers/bubblewrap",
        "meson setup --prefix=/usr bubblewrap/_build bubblewrap",
        _with_sudo(host, "meson install -C bubblewrap/_build"),
    )


def _with_sudo(host: Host, command: str) -> str:
    return command if host.root else f"sudo {command}"


def _no_commands(_host: Host) -> tuple[str, ...]:
    return ()


REMEDIES = (
    Remedy("NO_BWRAP", "", "bubblewrap is not installed.", _install_commands),
    Remedy(
        "OLD_BWRAP",
        r"unknown option",
        "This bubblewrap is too old: 0.8.0 or newer is needed ({message}).",
        _upgrade_commands,
    ),
    Remedy(
        "APPARMOR",
        # AppArmor refuses the second step, not the namespace: the uid map, or the loopback device.
        r"setting up uid map: permission denied|failed rtm_newaddr",
        "AppArmor blocks user namespaces for bubblewrap, as on Ubuntu 24.04 ({message}).",
        _apparmor_commands,
    ),
    Remedy(
        "NO_USERNS",
        r"max_\*_namespaces exceeded|max_user_namespaces",
        "This kernel allows no user namespaces, or no more of them ({message}).",
        _sysctl_commands,
    ),
    Remedy(
        "NO_PERMISSION",
        r"no permissions? to creat(e|ing) (a )?new namespace",
        "This container or kernel does not allow user namespaces ({message}).",
        _sysctl_commands,
    ),
    Remedy(
        "CONTAINER",
        r"setting up (uid|gid) map: operation not permitted|failed to make / slave",
        "StarChat runs in a container that may not create namespaces ({message}).",
        _container_commands,
    ),
    Remedy(
        "MASKED_PROC",
        r"can't mount proc",
        "bubblewrap could not mount /proc, which StarChat never asks for: another program may be "
        "installed in its place ({message}).",
        _install_commands,
    ),
    Remedy(
        "NO_INTERPRETER",
        r"execvp .*(no such file|permission denied)|can't find source path",
        "Python, or a folder that it needs, is not visible in the sandbox ({message}).",
        _no_commands,
    ),
    Remedy(
        "HOLES",
        r"^holes: ",
        "The sandbox starts, but does not confine code ({message}).",
        _no_commands,
    ),
    Remedy(
        "RESTRICTED_WANTED",
        "",
        "Reduced isolation was requested.",
        lambda _host: ("starchat --sandbox=auto",),
    ),
    Remedy(
        "WSL1",
        "",
        "WSL 1 has neither namespaces nor Landlock.",
        lambda _host: ("wsl --list --verbose", "wsl --set-version DISTRIBUTION 2"),
    ),
    Remedy(
        "NO_LINUX",
        "",
        "There is no sandbox for this system; on Windows, WSL 2 has one.",
        lambda host: ("wsl --install",) if host.system == "win32" else (),
    ),
    Remedy("UNKNOWN", "", "bubblewrap does not work here: {message}", _no_commands),
)
"""Remedies in the order in which their patterns are tried; the last one is for all the rest."""
