"""Sandbox without namespaces: Landlock and the system call filter around one program.

Run as a program of its own: `python -I -S landlock.py FD`, where FD holds a `SupervisorPlan` in
JSON. It stays as the parent of everything in the sandbox, so that all of it ends when its lifeline
closes. It imports no other module of StarChat, which would be more code with the user's rights and
a slower start. Source of constants: linux/landlock.h and
docs.kernel.org/userspace-api/landlock.html.

Weaker than namespaces: the code has the user's uid, sees that files exist, their names and sizes
(stat), and the process numbers of the machine; its folder is on the disk. Processes that it leaves
behind are ended by this one, not by the kernel.
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
"""Numbers of Landlock's system calls, the same on every architecture."""
_GET_VERSION = 1
_PATH_BENEATH = 1
_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
_REMOVE_DIR, _REMOVE_FILE, _MAKE_DIR, _MAKE_REG = 1 << 4, 1 << 5, 1 << 7, 1 << 8
_REFER, _TRUNCATE = 1 << 13, 1 << 14
_FILE_RIGHT_COUNTS = {1: 13, 2: 14, 3: 15, 4: 15}
"""Number of file rights that each early ABI version knows; version 5 and later know 16."""
_FILE_RIGHTS = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE
"""Rights that apply to a file; the others apply to folders only."""
_READ_RIGHTS = _EXECUTE | _READ_FILE | _READ_DIR
_WRITE_RIGHTS = (
    _READ_RIGHTS | _WRITE_FILE | _REMOVE_DIR | _REMOVE_FILE | _MAKE_DIR | _MAKE_REG | _REFER
)
_WRITE_RIGHTS |= _TRUNCATE
"""Without MAKE_SOCK, MAKE_FIFO, MAKE_CHAR, MAKE_BLOCK and MAKE_SYM.

A symbolic link or FIFO in the code's folder could trick a host program that opens it later."""
_NETWORK_RIGHTS = 0b11
"""Rights to bind and to connect TCP sockets, since ABI version 4."""
SCOPES = 0b11
"""Scopes that confine abstract Unix sockets and signals, since ABI version 6."""
SCOPES_SINCE_ABI = 6
_SET_NO_NEW_PRIVS, _SET_SECCOMP, _SET_CHILD_SUBREAPER, _SET_PDEATHSIG = 38, 22, 36, 1
_SECCOMP_MODE_FILTER = 2
_CAPBSET_DROP, _SET_SECUREBITS = 24, 28
_SECUREBITS_NO_ROOT = 0b101111
"""Securebits that take root's power: NOROOT and NO_SETUID_FIXUP locked on, KEEP_CAPS off."""
_CAPABILITY_VERSION_3 = 0x20080522

_libc = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True, slots=True)
class SupervisorPlan:
    """Program to run, and everything it may access."""

    argv: list[str]
    environment: dict[str, str]
    folder: str
    """Working directory of the program."""
    readable: list[str]
    """Files and folders that it may read and execute."""
    writable: list[str]
    """Folders in which it may change everything."""
    devices: list[str]
    """Devices that it may read and write."""
    seccomp_filter: str
    """System call filter in hexadecimal; empty for none."""
    use_landlock: bool
    """False for supervision alone, where the user asked for no sandbox."""
    uid: int
    """User that root becomes; -1 to stay."""
    status: int
    """Descriptor that receives the program's pid, in the format of bubblewrap's status."""
    lifeline: int
    """Descriptor of a pipe; when its other end closes, everything is killed."""
    keep: list[int]
    """Descriptors that the program inherits besides the first three."""
    scratch: str = ""
    """Folder to remove at the end; empty for none."""

    def to_json(self) -> bytes:
        """Return the plan as `main` reads it."""
        return json.dumps(asdict(self)).encode()


def get_abi_version() -> int:
    """Return the ABI version of this kernel's Landlock; 0 if it is missing or disabled."""
    if not sys.platform.startswith("linux"):
        return 0
    with contextlib.suppress(OSError):
        return _syscall("landlock_create_ruleset", CREATE_RULESET, None, 0, _GET_VERSION)
    return 0


def main() -> None:
    """Run the program in the sandbox, and end with it and with all it left behind."""
    with open(int(sys.argv[1]), "rb") as file:
        plan = SupervisorPlan(**json.load(file))
    # Orphans get this process as their parent instead of init, so that none escapes the end. There
    # is no PID namespace whose first process would take them all with it.
    _prctl(_SET_CHILD_SUBREAPER, 1)
    ready, report = os.pipe()
    child = os.fork()
    if not child:
        os.close(ready)
        _exec_restricted(plan, report)
    os.close(report)
    # Held here too, the pipe of the frames would not close when the runner exits.
    for fd in plan.keep:
        os.close(fd)
    with os.fdopen(ready, "rb") as pipe:
        problem = pipe.read().decode(errors="replace")
    if problem:
        sys.exit(f"landlock: {problem}")
    os.write(plan.status, json.dumps({"child-pid": child}).encode() + b"\n")
    code = _supervise(child, plan)
    if plan.scratch:
        _remove_folder(plan.scratch)
    sys.exit(code)


def _remove_folder(folder: str) -> None:
    """Remove a folder with everything in it, also folders that cannot be entered."""
    for where, names, _ in os.walk(folder):
        for name in names:
            path = os.path.join(where, name)
            # A link could lead to the user's own files. No process is left that could put one here
            # between the check and the change.
            if not os.path.islink(path):
                os.chmod(path, 0o700)
    shutil.rmtree(folder, ignore_errors=True)


def _supervise(child: int, plan: SupervisorPlan) -> int:
    """Wait for the program or for the lifeline to close; kill the rest; return the exit code."""
    # A signal between `_reap_children` and `select` would be missed; its byte in the pipe is not.
    woken, wakes = os.pipe()
    os.set_blocking(wakes, False)
    signal.set_wakeup_fd(wakes)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    code = None
    while code is None:
        code = _reap_children(child)
        if code is None and plan.lifeline in select.select([woken, plan.lifeline], [], [])[0]:
            code = 128 + signal.SIGKILL
        elif code is None:
            os.read(woken, 512)
    _kill_descendants()
    return code


def _reap_children(child: int) -> int | None:
    """Reap every process that has ended; return the exit code of `child` if it is among them."""
    code = None
    with contextlib.suppress(ChildProcessError):
        while (ended := os.waitpid(-1, os.WNOHANG))[0]:
            if ended[0] == child:
                code = os.waitstatus_to_exitcode(ended[1])
    # As a shell has it: 128 + n stands for signal n.
    return 128 - code if code is not None and code < 0 else code


def _kill_descendants() -> None:
    """Kill every process below this one until none is left.

    One pass is not enough: the children of a killed process become this one's.
    """
    while below := list_children(os.getpid()):
        for pid in below:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(-1, 0)


def list_children(pid: int) -> list[int]:
    """Return the processes whose parent is `pid`, the oldest first."""
    try:
        found: list[int] = []
        for thread in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{thread}/children") as file:
                found += map(int, file.read().split())
        return found
    except OSError:
        # The process has ended meanwhile, or the kernel was built without CONFIG_PROC_CHILDREN.
        everyone = (int(name) for name in os.listdir("/proc") if name.isdigit())
        return sorted(one for one in everyone if _find_parent(one) == pid)


def _find_parent(pid: int) -> int:
    """Return the parent of a process; 0 if the process has ended."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            # The name of the program is in brackets and may hold any bytes, also a bracket.
            return int(file.read().rpartition(b")")[2].split()[1])
    except OSError:
        return 0


def _exec_restricted(plan: SupervisorPlan, report: int) -> None:
    """Replace this child by the program; write a failure to `report`. Never returns."""
    try:
        # No controlling terminal: code could type into it, or write escape sequences to it.
        os.setsid()
        os.chdir(plan.folder)
        # The rules are made while every path can still be opened, and applied last.
        rules = _create_ruleset(plan) if plan.use_landlock else -1
        # Inherited: the code must not report a pid of its choice, which the host would signal.
        os.close(plan.status)
        os.close(plan.lifeline)
        # Both Landlock and seccomp demand it of a process without CAP_SYS_ADMIN: a setuid program
        # must not run under rules that its caller chose.
        _prctl(_SET_NO_NEW_PRIVS, 1)
        _drop_privileges(plan.uid)
        # After the change of user, which clears it. The kernel ends the program with this
        # supervisor, even if that is killed itself.
        _prctl(_SET_PDEATHSIG, signal.SIGKILL)
        if plan.use_landlock:
            _syscall("landlock_restrict_self", RESTRICT_SELF, rules, 0)
        # Last, so that it does not apply to the steps above.
        if plan.seccomp_filter:
            _install_filter(bytes.fromhex(plan.seccomp_filter))
        os.execve(plan.argv[0], plan.argv, plan.environment)
    except OSError as error:
        os.write(report, f"{error.filename or 'it'}: {error.strerror}".encode())
    finally:
        os._exit(1)


def _create_ruleset(plan: SupervisorPlan) -> int:
    """Return a descriptor of Landlock rules that refuse everything the plan does not name."""
    abi = get_abi_version()
    # A right that the kernel does not know is an error (EINVAL); one that the rules do not handle
    # is allowed everywhere. So exactly the known ones are handled.
    known = (1 << _FILE_RIGHT_COUNTS.get(abi, 16)) - 1
    fields = [known]
    if abi >= 4:
        fields.append(_NETWORK_RIGHTS)
    if abi >= SCOPES_SINCE_ABI:
        fields.append(SCOPES)
    handled = struct.pack(f"<{len(fields)}Q", *fields)
    rules = _syscall("landlock_create_ruleset", CREATE_RULESET, handled, len(handled), 0)
    for paths, rights in (
        (plan.readable, _READ_RIGHTS),
        (plan.writable, _WRITE_RIGHTS),
        (plan.devices, _READ_FILE | _WRITE_FILE),
    ):
        for path in paths:
            _allow_path(rules, path, rights & known)
    return rules


def _allow_path(rules: int, path: str, rights: int) -> None:
    if not os.path.exists(path):
        return
    file = os.open(path, os.O_PATH | os.O_CLOEXEC)
    if not os.path.isdir(path):
        rights &= _FILE_RIGHTS
    # struct landlock_path_beneath_attr is packed: 8 bytes of rights, 4 of descriptor.
    rule = struct.pack("<Qi", rights, file)
    _syscall("landlock_add_rule", ADD_RULE, rules, _PATH_BENEATH, rule, 0)
    os.close(file)


def _drop_privileges(uid: int) -> None:
    """Have root become user `uid`, or at least a root without capabilities."""
    if os.geteuid() != 0:
        return
    with contextlib.suppress(OSError):
        # A container's root may lack CAP_SETPCAP. Then no_new_privs alone keeps capabilities from
        # coming back across exec.
        with open("/proc/sys/kernel/cap_last_cap") as file:
            for capability in range(int(file.read()) + 1):
                _prctl(_CAPBSET_DROP, capability)
        _prctl(_SET_SECUREBITS, _SECUREBITS_NO_ROOT)
    os.setgroups([])
    if uid >= 0:
        # The groups first: without root's uid they could not be changed any more.
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)
    header = ctypes.create_string_buffer(struct.pack("<Ii", _CAPABILITY_VERSION_3, 0), 8)
    _check_result(_libc.capset(header, ctypes.create_string_buffer(24)), "capset")


def _install_filter(program: bytes) -> None:
    """Install the system call filter for this process and all its children, also across exec."""
    instructions = ctypes.create_string_buffer(program, len(program))
    # struct sock_fprog: the number of instructions, then where they lie.
    header = struct.pack("@HP", len(program) // 8, ctypes.addressof(instructions))
    _prctl(_SET_SECCOMP, _SECCOMP_MODE_FILTER, header)


def _prctl(option: int, *values: int | bytes) -> None:
    _check_result(_libc.prctl(option, *map(_to_word, [*values, 0, 0, 0][:4])), f"prctl {option}")


def _syscall(name: str, *values: int | bytes | None) -> int:
    return _check_result(_libc.syscall(*map(_to_word, values)), name)


def _to_word(value: int | bytes | None) -> ctypes.c_long | bytes | None:
    """Convert an argument of a system call to the width of a register."""
    return ctypes.c_long(value) if isinstance(value, int) else value


def _check_result(result: int, what: str) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), what)
    return result


if __name__ == "__main__":
    main()
