"""The wall where there are no namespaces: Landlock and the system call filter around a program.

Run as a program of its own: `python -I -S landlock.py FD`, where FD holds a `Plan` in JSON. It
stays as the parent of everything behind the wall, so that all of it ends when its lifeline does.
Imports nothing of ours. Landlock: linux/landlock.h and docs.kernel.org/userspace-api/landlock.html.

Weaker than namespaces: the code has the user's number, sees that files exist, their names and
sizes (stat), and the process numbers of the machine; its folder lies on the disk. A program it left
behind is ended by this one, not by the kernel.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import select
import shutil
import signal
import struct
import sys
from dataclasses import asdict, dataclass

CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446
"""The calls of Landlock, on every architecture."""
_VERSION = 1
_PATH_BENEATH = 1
_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
_REMOVE_DIR, _REMOVE_FILE, _MAKE_DIR, _MAKE_REG = 1 << 4, 1 << 5, 1 << 7, 1 << 8
_REFER, _TRUNCATE = 1 << 13, 1 << 14
_KNOWN_FILE_RIGHTS = {1: 13, 2: 14, 3: 15, 4: 15}
"""How many rights on files a version knows; later ones know 16."""
_FILE_RIGHTS = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE
"""The rights that a file can have; the others are a folder's."""
_SEE = _EXECUTE | _READ_FILE | _READ_DIR
_CHANGE = _SEE | _WRITE_FILE | _REMOVE_DIR | _REMOVE_FILE | _MAKE_DIR | _MAKE_REG | _REFER
_CHANGE |= _TRUNCATE
"""No sockets, FIFOs, devices or symbolic links can be made."""
_NETWORK_RIGHTS = 0b11
"""To bind and to connect TCP, from version 4."""
SCOPES = 0b11
"""Abstract Unix sockets and signals stay within, from version 6."""
SCOPED_SINCE = 6
_SET_NO_NEW_PRIVS, _SET_SECCOMP, _SET_CHILD_SUBREAPER, _SET_PDEATHSIG = 38, 22, 36, 1
_SECCOMP_MODE_FILTER = 2
_CAPBSET_DROP, _SET_SECUREBITS = 24, 28
_SECUREBITS_NO_ROOT = 0b101111
"""Being root gives nothing: NOROOT, NO_SETUID_FIXUP, their locks, and KEEP_CAPS locked off."""
_CAPABILITIES_3 = 0x20080522

_libc = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True, slots=True)
class Plan:
    """What to run, and what it may touch."""

    argv: list[str]
    environment: dict[str, str]
    folder: str
    """Where it starts."""
    seen: list[str]
    """Files and folders it may read."""
    changed: list[str]
    """Folders it may change."""
    devices: list[str]
    """Devices it may read and write."""
    filter: str
    """The system call filter, hexadecimal; nothing where there is to be none."""
    wall: bool
    """Whether Landlock is to stand."""
    user: int
    """Whom root becomes; -1 for nobody else."""
    status: int
    """The descriptor that is told, as by bubblewrap, which process it is."""
    lifeline: int
    """The descriptor whose end is the end of everything."""
    keep: list[int]
    """The descriptors that the program gets besides the first three."""
    scratch: str = ""
    """The folder to remove at the end."""

    def dump(self) -> bytes:
        """The plan as `main` reads it."""
        return json.dumps(asdict(self)).encode()


def version() -> int:
    """The version of Landlock here; 0 where there is none, or it is switched off."""
    if not sys.platform.startswith("linux"):
        return 0
    with contextlib.suppress(OSError):
        return _syscall("landlock_create_ruleset", CREATE_RULESET, None, 0, _VERSION)
    return 0


def main() -> None:
    """Build the wall, run the program behind it, and end with it and all it left behind."""
    with open(int(sys.argv[1]), "rb") as file:
        plan = Plan(**json.load(file))
    _prctl(_SET_CHILD_SUBREAPER, 1)
    ready, told = os.pipe()
    child = os.fork()
    if not child:
        os.close(ready)
        _behind_the_wall(plan, told)
    os.close(told)
    for fd in plan.keep:
        os.close(fd)
    with os.fdopen(ready, "rb") as pipe:
        problem = pipe.read().decode(errors="replace")
    if problem:
        sys.exit(f"landlock: {problem}")
    os.write(plan.status, json.dumps({"child-pid": child}).encode() + b"\n")
    code = _watch(child, plan)
    if plan.scratch:
        _remove(plan.scratch)
    sys.exit(code)


def _remove(folder: str) -> None:
    """Remove a folder, and what was made so that it cannot be entered; nobody else is there now."""
    for where, names, _ in os.walk(folder):
        for name in names:
            path = os.path.join(where, name)
            if not os.path.islink(path):
                os.chmod(path, 0o700)
    shutil.rmtree(folder, ignore_errors=True)


def _watch(child: int, plan: Plan) -> int:
    """Wait for the program or for the end of the lifeline; then end everything. Its exit code."""
    woken, wakes = os.pipe()
    os.set_blocking(wakes, False)
    signal.set_wakeup_fd(wakes)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    code = None
    while code is None:
        code = _reaped(child)
        if code is None and plan.lifeline in select.select([woken, plan.lifeline], [], [])[0]:
            code = 128 + signal.SIGKILL
        elif code is None:
            os.read(woken, 512)
    _end_all()
    return code


def _reaped(child: int) -> int | None:
    """The exit code of `child`, where it ended; whatever else ended is gone too."""
    code = None
    with contextlib.suppress(ChildProcessError):
        while (ended := os.waitpid(-1, os.WNOHANG))[0]:
            if ended[0] == child:
                code = os.waitstatus_to_exitcode(ended[1])
    return 128 - code if code is not None and code < 0 else code


def _end_all() -> None:
    """Kill every process below this one, until there is none: one that is orphaned comes here."""
    while below := children(os.getpid()):
        for pid in below:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(-1, 0)


def children(pid: int) -> list[int]:
    """The processes whose parent is `pid`, the oldest first."""
    try:
        found: list[int] = []
        for thread in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{thread}/children") as file:
                found += map(int, file.read().split())
        return found
    except OSError:
        # The process ended just now, or the kernel was built without these files.
        everyone = (int(name) for name in os.listdir("/proc") if name.isdigit())
        return sorted(one for one in everyone if _parent(one) == pid)


def _parent(pid: int) -> int:
    """The parent of a process; 0 where it is gone."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            # The name of the program stands in brackets, and may hold anything.
            return int(file.read().rpartition(b")")[2].split()[1])
    except OSError:
        return 0


def _behind_the_wall(plan: Plan, told: int) -> None:
    """In the child: become the program; a failure is written to `told`. Never returns."""
    try:
        os.setsid()
        os.chdir(plan.folder)
        rules = _ruleset(plan) if plan.wall else -1
        os.close(plan.status)
        os.close(plan.lifeline)
        _prctl(_SET_NO_NEW_PRIVS, 1)
        _give_up_privileges(plan.user)
        # After the change of user, which clears it.
        _prctl(_SET_PDEATHSIG, signal.SIGKILL)
        if plan.wall:
            _syscall("landlock_restrict_self", RESTRICT_SELF, rules, 0)
        if plan.filter:
            _install(bytes.fromhex(plan.filter))
        os.execve(plan.argv[0], plan.argv, plan.environment)
    except OSError as error:
        os.write(told, f"{error.filename or 'it'}: {error.strerror}".encode())
    finally:
        os._exit(1)


def _ruleset(plan: Plan) -> int:
    """A descriptor of Landlock's rules: everything is refused but what the plan names."""
    abi = version()
    known = (1 << _KNOWN_FILE_RIGHTS.get(abi, 16)) - 1
    fields = [known]
    if abi >= 4:
        fields.append(_NETWORK_RIGHTS)
    if abi >= SCOPED_SINCE:
        fields.append(SCOPES)
    handled = struct.pack(f"<{len(fields)}Q", *fields)
    rules = _syscall("landlock_create_ruleset", CREATE_RULESET, handled, len(handled), 0)
    for paths, rights in (
        (plan.seen, _SEE),
        (plan.changed, _CHANGE),
        (plan.devices, _READ_FILE | _WRITE_FILE),
    ):
        for path in paths:
            _allow(rules, path, rights & known)
    return rules


def _allow(rules: int, path: str, rights: int) -> None:
    if not os.path.exists(path):
        return
    file = os.open(path, os.O_PATH | os.O_CLOEXEC)
    if not os.path.isdir(path):
        rights &= _FILE_RIGHTS
    # struct landlock_path_beneath_attr is packed: 8 bytes of rights, 4 of descriptor.
    rule = struct.pack("<Qi", rights, file)
    _syscall("landlock_add_rule", ADD_RULE, rules, _PATH_BENEATH, rule, 0)
    os.close(file)


def _give_up_privileges(user: int) -> None:
    """Root becomes `user`, or at least a root that may do nothing special."""
    if os.geteuid() != 0:
        return
    with contextlib.suppress(OSError):
        # A container's root may not do this; that no privileges come anew holds without it.
        with open("/proc/sys/kernel/cap_last_cap") as file:
            for capability in range(int(file.read()) + 1):
                _prctl(_CAPBSET_DROP, capability)
        _prctl(_SET_SECUREBITS, _SECUREBITS_NO_ROOT)
    os.setgroups([])
    if user >= 0:
        os.setresgid(user, user, user)
        os.setresuid(user, user, user)
    header = ctypes.create_string_buffer(struct.pack("<Ii", _CAPABILITIES_3, 0), 8)
    _checked(_libc.capset(header, ctypes.create_string_buffer(24)), "capset")


def _install(program: bytes) -> None:
    """Put the filter before every further system call; it stays across exec."""
    instructions = ctypes.create_string_buffer(program, len(program))
    # struct sock_fprog: the number of instructions, then where they lie.
    header = struct.pack("@HP", len(program) // 8, ctypes.addressof(instructions))
    _prctl(_SET_SECCOMP, _SECCOMP_MODE_FILTER, header)


def _prctl(option: int, *values: int | bytes) -> None:
    _checked(_libc.prctl(option, *map(_word, [*values, 0, 0, 0][:4])), f"prctl {option}")


def _syscall(name: str, *values: int | bytes | None) -> int:
    return _checked(_libc.syscall(*map(_word, values)), name)


def _word(value: int | bytes | None) -> ctypes.c_long | bytes | None:
    """An argument as wide as the kernel takes it."""
    return ctypes.c_long(value) if isinstance(value, int) else value


def _checked(result: int, what: str) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), what)
    return result


if __name__ == "__main__":
    main()
