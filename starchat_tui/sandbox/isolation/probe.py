"""Which wall holds on this machine, found by putting it up; and what would help where none does.

That a program called bwrap exists proves nothing: containers, distributions and kernels each refuse
it in their own way. So the real command line is run, and what runs inside looks for holes.
"""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

from starchat_tui.errors import StarChatError
from starchat_tui.sandbox.isolation import landlock, remedies, seatbelt, seccomp
from starchat_tui.sandbox.isolation.bubblewrap import BWRAP, Jail, find_bwrap, machine
from starchat_tui.sandbox.isolation.launcher import start
from starchat_tui.sandbox.isolation.remedies import Host, Remedy
from starchat_tui.sandbox.limits import Limits
from starchat_tui.sandbox.outputs import Level

Wanted = Literal["auto", "isolated", "restricted", "off"]

PATIENCE = 60.0
"""Seconds a wall may take to stand: an interpreter starts behind it, be the machine busy or not."""
_HOLDS = "the wall holds"
_CHECK = """
import ctypes, os, socket, sys
libc, holes = ctypes.CDLL(None), []
if sys.platform == "linux":
    capabilities = (ctypes.c_uint32 * 6)()
    libc.capget((ctypes.c_uint32 * 2)(0x20080522, 0), capabilities)
    if any(capabilities): holes.append("capabilities")
    if libc.prctl(39, 0, 0, 0, 0) != 1: holes.append("new privileges")
    if libc.prctl(21, 0, 0, 0, 0) != 2: holes.append("system calls")
    if libc.unshare(0x10000000) == 0: holes.append("user namespaces")
try: socket.create_connection(("127.0.0.1", 9)); holes.append("network")
except OSError as error:
    if sys.platform == "linux" and error.errno != 97: holes.append("sockets")
for path in {secrets!r}:
    try: open(path, "rb").close(); holes.append(path)
    except OSError: pass
try: open("/usr/.starchat", "wb").close(); holes.append("writing to /usr")
except OSError: pass
print("holes: " + ", ".join(holes) if holes else {holds!r}, file=sys.stderr)
"""
"""Run inside; says on stderr what it could do and should not have been able to."""
_SECRETS = ("/etc/passwd", "/proc/1/environ", "/proc/self/mountinfo")


@dataclass(frozen=True, slots=True)
class Verdict:
    """The wall that holds here."""

    level: Level
    why: str = ""
    """What is missing, where it is not the best; sentences for the user."""
    fix: tuple[str, ...] = ()
    """The exact commands that would help, in their order."""
    bwrap: Path = BWRAP[0]
    drop: bool = False
    """Whether root hands the code to nobody, for whom the number of processes is bounded."""
    trouble: str = ""
    """The name of what is wrong, as `remedies` calls it."""

    def jail(
        self,
        *,
        limits: Limits,
        mounts: Sequence[tuple[Path, str]] = (),
        attached: Sequence[Path] = (),
    ) -> Jail:
        """The jail of this wall."""
        return Jail(
            self.level,
            bwrap=self.bwrap,
            drop=self.drop,
            limits=limits,
            mounts=tuple(mounts),
            attached=tuple(attached),
        )


@dataclass(frozen=True, slots=True)
class _Tried:
    """What became of one attempt."""

    jail: Jail
    said: str
    """What came from stderr, where the wall does not hold."""
    holds: bool = False


@cache
def probe(wanted: Wanted = "auto", *, bwraps: tuple[Path, ...] = BWRAP) -> Verdict:
    """The best wall that holds, or the one that is `wanted`; looked at once in a process.

    Never less than what is wanted: where that does not hold, the level is `off`.
    """
    host = remedies.host()
    if wanted == "off":
        return Verdict("off", "The sandbox is switched off.", ("starchat --sandbox=auto",))
    if host.system != "linux":
        return _elsewhere(host, wanted)
    if machine() not in seccomp.ARCHITECTURES:
        said = f"There is no system call filter for {machine()} processors."
        return Verdict("off", said, trouble="ARCHITECTURE")
    if wanted == "restricted":
        return _restricted(_off(remedies.named("RESTRICTED_WANTED"), host), host)
    verdict = _isolated(host, bwraps)
    if verdict.level == "off" and wanted == "auto":
        return _restricted(verdict, host)
    return verdict


def _isolated(host: Host, bwraps: tuple[Path, ...]) -> Verdict:
    bwrap = find_bwrap(bwraps)
    if bwrap is None:
        return _off(remedies.named("NO_BWRAP"), host)
    tried: list[_Tried] = []
    for drop in (True, False) if host.root and _can_drop() else (False,):
        tried.append(_try(Jail("isolated", bwrap=bwrap, drop=drop)))
        if tried[-1].holds:
            why = remedies.AS_ROOT if host.root and not drop else ""
            return Verdict("isolated", why, bwrap=bwrap, drop=drop)
    return _off(remedies.of_message(tried[-1].said), host, tried[-1].said)


def _can_drop() -> bool:
    """Whether this root may become nobody, and afterwards still end what nobody runs.

    CAP_KILL, CAP_SETGID and CAP_SETUID are bits 5 to 7 (linux/capability.h).
    """
    try:
        status = Path("/proc/self/status").read_text()
    except OSError:
        return False
    effective = int(status.partition("CapEff:")[2].split()[0], 16)
    return effective >> 5 & 0b111 == 0b111


def _restricted(better: Verdict, host: Host) -> Verdict:
    """The wall without namespaces; `better` says why it is not the one with them."""
    if landlock.version() == 0:
        said = f"{better.why} Landlock, the weaker wall, is not in this kernel either."
        return Verdict("off", said.strip(), better.fix, trouble=better.trouble or "NO_LANDLOCK")
    drop = host.root and _can_drop()
    tried = _try(Jail("restricted", drop=drop))
    if not tried.holds:
        said = f"{better.why} Landlock, the weaker wall, does not hold either: {tried.said}"
        return Verdict("off", said.strip(), better.fix, trouble=better.trouble or "LANDLOCK")
    why = f"{better.why} {remedies.restricted(landlock.version())}".strip()
    return Verdict("restricted", why, better.fix, drop=drop, trouble=better.trouble)


def _elsewhere(host: Host, wanted: Wanted) -> Verdict:
    if host.system == "darwin" and wanted != "isolated" and seatbelt.PROGRAM.exists():
        tried = _try(Jail("restricted"))
        if tried.holds:
            return Verdict("restricted", remedies.SEATBELT)
        return Verdict("off", f"Apple's sandbox does not hold here: {tried.said}")
    return _off(remedies.named("WSL1" if host.system == "wsl1" else "NO_LINUX"), host)


def _off(remedy: Remedy, host: Host, said: str = "") -> Verdict:
    why = remedy.why.replace("{said}", remedies.one_line(said))
    return Verdict("off", why, remedy.commands(host), trouble=remedy.name)


def _try(jail: Jail) -> _Tried:
    """Put the wall up around a program that looks for holes in it."""
    check = _CHECK.format(secrets=_SECRETS, holds=_HOLDS)
    try:
        started = start(jail, [str(jail.python), "-I", "-S", "-c", check])
    except (OSError, StarChatError) as error:
        return _Tried(jail, str(error))
    try:
        _, said = started.process.communicate(timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        return _Tried(jail, f"it did not stand after {PATIENCE:g} s")
    finally:
        started.close()
    words = said.decode(errors="replace").strip()
    return _Tried(jail, words, holds=words == _HOLDS and started.process.returncode == 0)
