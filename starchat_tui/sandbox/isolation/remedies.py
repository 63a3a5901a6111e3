"""What bubblewrap says where it cannot work, what that means, and the exact commands that help."""

from __future__ import annotations

import os
import platform
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

_LONGEST = 300
"""Characters of another program's message that are passed on."""
_RESTRICTED = "starchat --sandbox=restricted"
AS_ROOT = (
    "StarChat runs as root and could not become nobody: the processes of the code are counted, "
    "not bounded by the kernel."
)
SEATBELT = (
    "This is Apple's sandbox with a profile that denies by default. It was never tested, and "
    "bounds neither memory nor processes."
)


@dataclass(frozen=True, slots=True)
class Host:
    """What the commands depend on."""

    system: str
    """linux, darwin, wsl1 or win32."""
    root: bool
    container: bool
    families: tuple[str, ...] = ()
    """The distribution and those it comes from, as /etc/os-release calls them."""
    knobs: tuple[str, ...] = ()
    """Which settings of the kernel that are in the way exist and are 0."""


@dataclass(frozen=True, slots=True)
class Remedy:
    """A trouble: how it is recognised, what to say, what to type."""

    name: str
    pattern: str
    why: str
    commands: Callable[[Host], tuple[str, ...]]


_KNOBS = {
    "kernel.unprivileged_userns_clone": "1",
    "user.max_user_namespaces": "15000",
    "user.max_net_namespaces": "15000",
    "user.max_pid_namespaces": "15000",
    "user.max_mnt_namespaces": "15000",
}
"""Settings (sysctl) that forbid namespaces where they are 0, and what allows them."""


def host() -> Host:
    """This machine."""
    release = platform.release()
    system = "wsl1" if release.endswith("-Microsoft") else sys.platform
    return Host(
        system=system,
        root=hasattr(os, "geteuid") and os.geteuid() == 0,
        container=any(map(os.path.exists, ("/.dockerenv", "/run/.containerenv"))),
        families=_families(Path("/etc/os-release")),
        knobs=tuple(name for name in _KNOBS if _zero(name)),
    )


def _families(file: Path) -> tuple[str, ...]:
    try:
        words = re.findall(r'^ID(?:_LIKE)?="?([^"\n]*)', file.read_text(), flags=re.MULTILINE)
    except OSError:
        return ()
    return tuple(" ".join(words).split())


def _zero(name: str) -> bool:
    try:
        return Path("/proc/sys", *name.split(".")).read_text().strip() == "0"
    except OSError:
        return False


def one_line(said: str) -> str:
    """The first words of a message, in one line."""
    return " ".join(said.split())[:_LONGEST]


def restricted(version: int) -> str:
    """What the weaker wall is, and what it does not hold; `version` is Landlock's."""
    said = (
        "Code runs with reduced isolation (Landlock and the system call filter): no network and no "
        "file of yours, but it sees that files exist and which, and its folder lies on the disk."
    )
    if version < 6:
        said += " It may send no signals, not even to programs it started."
    return said


def named(name: str) -> Remedy:
    """The remedy of that name; raises `StopIteration` for none."""
    return next(remedy for remedy in REMEDIES if remedy.name == name)


def of_message(said: str) -> Remedy:
    """The first remedy whose pattern is in what bubblewrap said, or the one for what is left."""
    fitting = (one for one in REMEDIES if one.pattern and re.search(one.pattern, said, re.I))
    return next(fitting, REMEDIES[-1])


def _install(host: Host) -> tuple[str, ...]:
    commands = {
        ("debian", "ubuntu"): "apt install bubblewrap",
        ("fedora", "rhel", "centos"): "dnf install bubblewrap",
        ("arch",): "pacman -S bubblewrap",
        ("suse", "opensuse"): "zypper install bubblewrap",
        ("alpine",): "apk add bubblewrap",
        ("nixos",): "nix-env -iA nixos.bubblewrap",
    }
    for families, command in commands.items():
        if set(families) & set(host.families):
            return (_as_root(host, command),)
    return tuple(_as_root(host, command) for command in list(commands.values())[:3])


def _allow_namespaces(host: Host) -> tuple[str, ...]:
    """The settings that are in the way, now and after a restart."""
    if host.container and not host.knobs:
        return _container(host)
    names = host.knobs or ("user.max_user_namespaces",)
    file = "/etc/sysctl.d/90-user-namespaces.conf"
    lines = "\\n".join(f"{name} = {_KNOBS[name]}" for name in names)
    return (
        _as_root(host, f"sh -c \"printf '{lines}\\n' > {file}\""),
        _as_root(host, "sysctl --system"),
    )


def _container(_host: Host) -> tuple[str, ...]:
    """The container is a wall of its own, and not ours to weaken."""
    return (_RESTRICTED,)


def _apparmor(host: Host) -> tuple[str, ...]:
    profile, source = "bwrap-userns-restrict", "/usr/share/apparmor/extra-profiles"
    return (
        _as_root(host, "apt install apparmor-profiles apparmor-utils"),
        _as_root(host, f"install -m 0644 {source}/{profile} /etc/apparmor.d/"),
        _as_root(host, f"apparmor_parser -r /etc/apparmor.d/{profile}"),
    )


def _newer(host: Host) -> tuple[str, ...]:
    """From its source: a distribution that has an old one has no newer one."""
    tools = "apt install git meson pkg-config gcc libcap-dev"
    if {"fedora", "rhel", "centos"} & set(host.families):
        tools = "dnf install git meson pkgconf gcc libcap-devel"
    return (
        _as_root(host, tools),
        "git clone --branch v0.11.0 https://github.com/containers/bubblewrap",
        "meson setup --prefix=/usr bubblewrap/_build bubblewrap",
        _as_root(host, "meson install -C bubblewrap/_build"),
    )


def _as_root(host: Host, command: str) -> str:
    return command if host.root else f"sudo {command}"


def _none(_host: Host) -> tuple[str, ...]:
    return ()


REMEDIES = (
    Remedy("NO_BWRAP", "", "bubblewrap is not installed.", _install),
    Remedy(
        "OLD_BWRAP",
        r"unknown option",
        "This bubblewrap is too old: 0.8.0 or newer is needed ({said}).",
        _newer,
    ),
    Remedy(
        "APPARMOR",
        r"setting up uid map: permission denied|failed rtm_newaddr",
        "AppArmor blocks user namespaces for bubblewrap, as on Ubuntu 24.04 ({said}).",
        _apparmor,
    ),
    Remedy(
        "NO_USERNS",
        r"max_\*_namespaces exceeded|max_user_namespaces",
        "This kernel allows no user namespaces, or no more of them ({said}).",
        _allow_namespaces,
    ),
    Remedy(
        "NO_PERMISSION",
        r"no permissions? to creat(e|ing) (a )?new namespace",
        "This container or kernel does not allow user namespaces ({said}).",
        _allow_namespaces,
    ),
    Remedy(
        "CONTAINER",
        r"setting up (uid|gid) map: operation not permitted|failed to make / slave",
        "StarChat runs in a container that may not put up walls of its own ({said}).",
        _container,
    ),
    Remedy(
        "MASKED_PROC",
        r"can't mount proc",
        "bubblewrap could not mount /proc, which StarChat does not ask for: a wrapper stands in "
        "its place ({said}).",
        _install,
    ),
    Remedy(
        "NO_INTERPRETER",
        r"execvp .*(no such file|permission denied)|can't find source path",
        "Python, or a folder it needs, cannot be seen from behind the wall ({said}).",
        _none,
    ),
    Remedy("HOLES", r"^holes: ", "The wall stands, but it has holes ({said}).", _none),
    Remedy(
        "RESTRICTED_WANTED",
        "",
        "Reduced isolation was asked for.",
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
    Remedy("UNKNOWN", "", "bubblewrap does not work here: {said}", _none),
)
"""In the order in which they are looked for; the last is what is left."""
