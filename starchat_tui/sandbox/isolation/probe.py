"""Probe for the sandbox that works on this machine, and for the commands that would help.

That a program called bwrap exists proves nothing: containers, distributions and kernels each
refuse it in their own way. So the real command line is run, with a program inside that looks for
holes.
"""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from starchat_tui.config.settings import SandboxLevel
from starchat_tui.errors import StarChatError
from starchat_tui.sandbox.environments.interpreter import Interpreter, find_own_interpreter
from starchat_tui.sandbox.isolation import landlock, remedies, seatbelt, seccomp
from starchat_tui.sandbox.isolation.bubblewrap import BWRAP, SandboxSpec, find_bwrap, get_machine
from starchat_tui.sandbox.isolation.launcher import start_sandbox
from starchat_tui.sandbox.isolation.remedies import Host, Remedy
from starchat_tui.sandbox.limits import Limits
from starchat_tui.sandbox.outputs import IsolationLevel

PROBE_TIMEOUT = 60.0
"""Seconds until the probe must answer: it starts an interpreter, maybe on a busy machine."""
_CONFINED = "no holes"
# prctl 39 and 21 are PR_GET_NO_NEW_PRIVS and PR_GET_SECCOMP (2 is a filter), 0x10000000 is
# CLONE_NEWUSER, errno 97 EAFNOSUPPORT: refused by the filter, not by a network that is down.
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
print("holes: " + ", ".join(holes) if holes else {confined!r}, file=sys.stderr)
"""
"""Program for the sandbox: prints on stderr what it could do, and should not be able to."""
_SECRETS = ("/etc/passwd", "/proc/1/environ", "/proc/self/mountinfo")


@dataclass(frozen=True, slots=True)
class Capability:
    """Sandbox that works here, or the reason why none does."""

    level: IsolationLevel
    reason: str = ""
    """Sentences for the user if this is not the strongest level; else empty."""
    fix_commands: tuple[str, ...] = ()
    """Commands that would help, in their order."""
    bwrap: Path = BWRAP[0]
    drop_to_nobody: bool = False
    """True if the host is root and runs code as `NOBODY`, whose processes the kernel limits."""
    problem: str = ""
    """Name of the remedy that applies; empty for none."""

    def create_spec(
        self,
        *,
        limits: Limits,
        mounts: Sequence[tuple[Path, str]] = (),
        attached: Sequence[Path] = (),
        interpreter: Interpreter | None = None,
    ) -> SandboxSpec:
        """Return the specification of a sandbox of this kind, by default with our own Python."""
        return SandboxSpec(
            self.level,
            bwrap=self.bwrap,
            drop_to_nobody=self.drop_to_nobody,
            limits=limits,
            mounts=tuple(mounts),
            attached=tuple(attached),
            interpreter=interpreter or find_own_interpreter(),
        )


@dataclass(frozen=True, slots=True)
class _Attempt:
    """Result of one attempt to run the probe program."""

    stderr: str
    """Its stderr, which says what went wrong."""
    is_confined: bool = False


@cache
def probe_sandbox(wanted: SandboxLevel = "auto", *, bwraps: tuple[Path, ...] = BWRAP) -> Capability:
    """Return the strongest sandbox that works, or the `wanted` one; probed once per process.

    Never a weaker one than wanted: if that does not work, the level is `off`.
    """
    host = remedies.detect_host()
    if wanted == "off":
        return Capability("off", "The sandbox is switched off.", ("starchat --sandbox=auto",))
    if host.system != "linux":
        return _probe_other_system(host, wanted)
    if get_machine() not in seccomp.ARCHITECTURES:
        reason = f"There is no system call filter for {get_machine()} processors."
        return Capability("off", reason, problem="ARCHITECTURE")
    if wanted == "restricted":
        preference = _report_unavailable(remedies.find_remedy("RESTRICTED_WANTED"), host)
        return _probe_landlock(preference, host)
    capability = _probe_bubblewrap(host, bwraps)
    if capability.level == "off" and wanted == "auto":
        return _probe_landlock(capability, host)
    return capability


def _probe_bubblewrap(host: Host, bwraps: tuple[Path, ...]) -> Capability:
    bwrap = find_bwrap(bwraps)
    if bwrap is None:
        return _report_unavailable(remedies.find_remedy("NO_BWRAP"), host)
    attempts: list[_Attempt] = []
    # As root first with the code as NOBODY: the kernel limits the number of its processes only.
    for drop in (True, False) if host.root and _can_become_nobody() else (False,):
        attempts.append(_run_probe(SandboxSpec("isolated", bwrap=bwrap, drop_to_nobody=drop)))
        if attempts[-1].is_confined:
            reason = remedies.AS_ROOT if host.root and not drop else ""
            return Capability("isolated", reason, bwrap=bwrap, drop_to_nobody=drop)
    stderr = attempts[-1].stderr
    return _report_unavailable(remedies.match_remedy(stderr), host, stderr)


def _can_become_nobody() -> bool:
    """Return whether this root may become `NOBODY`, and may still kill its processes afterwards.

    A container's root may lack the capabilities. CAP_KILL, CAP_SETGID and CAP_SETUID are bits 5 to
    7 (linux/capability.h).
    """
    try:
        status = Path("/proc/self/status").read_text()
    except OSError:
        return False
    effective = int(status.partition("CapEff:")[2].split()[0], 16)
    return effective >> 5 & 0b111 == 0b111


def _probe_landlock(better: Capability, host: Host) -> Capability:
    """Probe the sandbox without namespaces; `better` says why it is not the one with them."""
    abi = landlock.get_abi_version()
    if abi == 0:
        reason = f"{better.reason} Landlock, the weaker sandbox, is not in this kernel either."
        problem = better.problem or "NO_LANDLOCK"
        return Capability("off", reason.strip(), better.fix_commands, problem=problem)
    drop = host.root and _can_become_nobody()
    attempt = _run_probe(SandboxSpec("restricted", drop_to_nobody=drop))
    if not attempt.is_confined:
        reason = f"{better.reason} Landlock, the weaker sandbox, fails too: {attempt.stderr}"
        problem = better.problem or "LANDLOCK"
        return Capability("off", reason.strip(), better.fix_commands, problem=problem)
    return Capability(
        "restricted",
        f"{better.reason} {remedies.describe_landlock_level(abi)}".strip(),
        better.fix_commands,
        drop_to_nobody=drop,
        problem=better.problem,
    )


def _probe_other_system(host: Host, wanted: SandboxLevel) -> Capability:
    if host.system == "darwin" and wanted != "isolated" and seatbelt.PROGRAM.exists():
        attempt = _run_probe(SandboxSpec("restricted"))
        if attempt.is_confined:
            return Capability("restricted", remedies.SEATBELT)
        return Capability("off", f"Apple's sandbox does not work here: {attempt.stderr}")
    name = "WSL1" if host.system == "wsl1" else "NO_LINUX"
    return _report_unavailable(remedies.find_remedy(name), host)


def _report_unavailable(remedy: Remedy, host: Host, stderr: str = "") -> Capability:
    reason = remedy.reason.replace("{message}", remedies.flatten_message(stderr))
    return Capability("off", reason, remedy.list_commands(host), problem=remedy.name)


def _run_probe(spec: SandboxSpec) -> _Attempt:
    """Run the probe program in the sandbox."""
    check = _CHECK.format(secrets=_SECRETS, confined=_CONFINED)
    try:
        started = start_sandbox(spec, [str(spec.interpreter.python), "-I", "-S", "-c", check])
    except (OSError, StarChatError) as error:
        return _Attempt(str(error))
    try:
        _, output = started.process.communicate(timeout=PROBE_TIMEOUT)
    except subprocess.TimeoutExpired:
        return _Attempt(f"no answer within {PROBE_TIMEOUT:g} s")
    finally:
        started.close()
    stderr = output.decode(errors="replace").strip()
    # The exact text and the exit code: a warning among it would mean that something is different.
    return _Attempt(stderr, stderr == _CONFINED and started.process.returncode == 0)
