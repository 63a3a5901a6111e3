"""System call filter of the sandbox, built as a seccomp program.

A filter is a program for the kernel's classic BPF machine. It reads `struct seccomp_data`
(linux/seccomp.h) and returns what becomes of the call:

    offset 0   number of the call            offset 4   architecture (linux/audit.h)
    offset 16  argument 0, low half first    offset 24  argument 1, and so on, 8 bytes each

It lists what is denied, since IPython, numpy and a shell need most of the rest; calls that are
newer than the list do not exist for the code. Covered: sockets of every family, namespaces,
mounts, keys, tracing, kernel memory that no limit counts, writing into a terminal's input. Not
covered: a defect in a call that is allowed, since the kernel is shared. Sources of the numbers:
asm/unistd_64.h and asm-generic/unistd.h.
"""

from __future__ import annotations

import errno
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN, _AND = 0x20, 0x15, 0x35, 0x45, 0x06, 0x54
"""Operations (linux/bpf_common.h): `A = data[k]`; `A == k`, `A >= k`, `A & k`; return; `A &= k`."""
_ALLOW, _ERRNO, _KILL = 0x7FFF0000, 0x00050000, 0x80000000
"""Return values of a filter (linux/seccomp.h); an errno stands in the low 16 bits."""
_NUMBER, _ARCHITECTURE = 0, 4
"""Offsets in `struct seccomp_data`."""
_INSTRUCTION = struct.Struct("<HBBI")
"""`struct sock_filter`: operation, steps ahead if true, steps ahead if false, k."""
_X32 = 0x40000000
"""Bit in the number of a call that is made by the x32 convention, whose numbers differ."""
_X32_ONLY = range(512, 548)
"""Numbers that only x32 has; older kernels took them without the bit above too."""
_NEWEST = 466
"""Number of removexattrat, the last call reviewed; a later one is answered as by an old kernel."""
_AF_UNIX = 1
_SOCKET_TYPE, _CONNECTED_TYPES = 0xF, (1, 5)
"""Bits of a socket's type beside flags (linux/net.h); SOCK_STREAM and SOCK_SEQPACKET."""
_NAMESPACES = 0x7E020000
"""CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID and NEWNET (linux/sched.h)."""
_TERMINAL_INPUT = (0x5412, 0x541C)
"""TIOCSTI and TIOCLINUX, which type into the terminal; a request has 32 bits."""
_SHARED_BY_FILES = (1024, 1026, 1031)
"""F_SETLEASE and F_NOTIFY, which make other programs wait or report what they do, and F_SETPIPE_SZ,
by which a pipe holds a megabyte of memory that no process owns."""
_SOCKET_BUFFERS = (7, 8, 32, 33)
"""SO_SNDBUF and SO_RCVBUF, also their FORCE variants: what lies in a socket is no process's memory.
"""
_SIGNAL_OWNER = (8, 10, 15)
"""F_SETOWN, F_SETSIG and F_SETOWN_EX: they have a file send a signal to any process."""
_SIGNAL_OWNER_REQUESTS = (0x8901, 0x8902)
"""FIOSETOWN and SIOCSPGRP, which do the same through ioctl."""
_MAP_SHARED, _MAP_ANONYMOUS = 0x01, 0x20
"""Flags of `mmap`; MAP_SHARED_VALIDATE contains the bit of MAP_SHARED."""
_SET_DUMPABLE = (4,)
"""PR_SET_DUMPABLE of `prctl`, which hides the process's descriptors from the watchdog."""


@dataclass(frozen=True, slots=True)
class Architecture:
    """Processor architecture that the filter can be built for."""

    audit: int
    """Its AUDIT_ARCH constant (linux/audit.h)."""
    column: int
    """Index of its numbers in the tables below."""


ARCHITECTURES: Mapping[str, Architecture] = {
    "x86_64": Architecture(0xC000003E, 0),
    "aarch64": Architecture(0xC00000B7, 1),
}
"""Architectures by the name that `platform.machine()` returns."""

_Table = Mapping[str, tuple[int | None, int | None]]
"""Calls with their numbers on x86-64 and on aarch64; None if the architecture lacks the call."""

DENIED: Mapping[str, _Table] = {
    # With root's capabilities code remounted a read-only bind mount writable, and wrote to the
    # host's /usr. This holds even if a capability should be left.
    "mounts and roots": {
        **{"mount": (165, 40), "umount2": (166, 39), "pivot_root": (155, 41), "chroot": (161, 51)},
        **{"open_tree": (428, 428), "move_mount": (429, 429), "fsopen": (430, 430)},
        **{"fsconfig": (431, 431), "fsmount": (432, 432), "fspick": (433, 433)},
        **{"mount_setattr": (442, 442), "statmount": (457, 457), "listmount": (458, 458)},
    },
    # A new user namespace gives every capability in it, and with them much more of the kernel.
    "namespaces": {"unshare": (272, 97), "setns": (308, 268)},
    # A handle is resolved on the file system, not below a mount: it leads out of every bind mount.
    "files by handle instead of by path": {
        **{"name_to_handle_at": (303, 264), "open_by_handle_at": (304, 265)},
    },
    # Keyrings belong to the session and the user; code in a fresh set of namespaces read a key
    # that the host had added.
    "keys, which no namespace separates": {
        **{"add_key": (248, 217), "request_key": (249, 218), "keyctl": (250, 219)},
    },
    # In the PID namespace the one process that is not the code's is bubblewrap's pid 1, which has
    # the user's rights on the host. Without namespaces it is every process of the user's.
    "memory and files of other processes": {
        **{"ptrace": (101, 117), "process_vm_readv": (310, 270), "process_vm_writev": (311, 271)},
        **{"kcmp": (312, 272), "pidfd_getfd": (438, 438), "process_madvise": (440, 440)},
        **{"move_pages": (279, 239), "migrate_pages": (256, 238)},
    },
    # Subsystems with many past defects that plots never need. io_uring besides carries out opens
    # and connects of its own, which no filter sees; userfaultfd lets code stop the kernel in the
    # middle of a copy, which makes races exploitable.
    "large or young parts of the kernel": {
        **{"bpf": (321, 280), "userfaultfd": (323, 282), "perf_event_open": (298, 241)},
        **{"io_uring_setup": (425, 425), "io_uring_enter": (426, 426)},
        **{"io_uring_register": (427, 427), "fanotify_init": (300, 262)},
        **{"lookup_dcookie": (212, 18), "nfsservctl": (180, 42), "uselib": (134, None)},
        **{"_sysctl": (156, None), "sysfs": (139, None), "ustat": (136, None)},
    },
    # Such objects outlive the process or lie in no file system with a size: neither RLIMIT_DATA
    # nor the watchdog, which adds up processes and tmpfs folders, would see them grow.
    "memory that belongs to no process and that no limit counts": {
        **{"memfd_create": (319, 279), "memfd_secret": (447, 447)},
        **{"shmget": (29, 194), "shmctl": (31, 195), "shmat": (30, 196), "shmdt": (67, 197)},
        **{"msgget": (68, 186), "msgctl": (71, 187), "msgrcv": (70, 188), "msgsnd": (69, 189)},
        **{"semget": (64, 190), "semctl": (66, 191), "semop": (65, 193)},
        **{"semtimedop": (220, 192), "mq_open": (240, 180), "mq_unlink": (241, 181)},
        # Pins a page, or a huge page of 2 MB, in a pipe: 100 pipes held 1.6 GB.
        "vmsplice": (278, 75),
        # Rules that are never enforced are kernel memory, 5 MB a descriptor. Our own have been.
        **{"landlock_create_ruleset": (444, 444), "landlock_add_rule": (445, 445)},
        "landlock_restrict_self": (446, 446),
    },
    # The machine has so many of them for all users together, or the user for all programs: the
    # host's databases and editors would get EAGAIN and EMFILE.
    "what the machine has once": {
        **{"io_setup": (206, 0), "io_submit": (209, 2), "io_destroy": (207, 1)},
        **{"inotify_init": (253, None), "inotify_init1": (294, 26)},
        **{"inotify_add_watch": (254, 27), "fanotify_mark": (301, 263)},
    },
    # Mostly refused without capabilities as well; this is the second lock. `personality` turns off
    # the randomization of addresses, and needs no capability.
    "the machine itself": {
        **{"kexec_load": (246, 104), "kexec_file_load": (320, 294), "reboot": (169, 142)},
        **{"init_module": (175, 105), "finit_module": (313, 273), "delete_module": (176, 106)},
        **{"swapon": (167, 224), "swapoff": (168, 225), "acct": (163, 89), "syslog": (103, 116)},
        **{"quotactl": (179, 60), "quotactl_fd": (443, 443), "vhangup": (153, 58)},
        **{"settimeofday": (164, 170), "clock_settime": (227, 112), "adjtimex": (159, 171)},
        **{"clock_adjtime": (305, 266), "sethostname": (170, 161), "setdomainname": (171, 162)},
        **{"iopl": (172, None), "ioperm": (173, None), "modify_ldt": (154, None)},
        **{"personality": (135, 92)},
    },
}
"""Calls denied with EPERM whatever their arguments, by what they would reach."""

DENIED_SIGNALS: Mapping[str, _Table] = {
    "signals to the user's other processes": {
        **{"kill": (62, 129), "tkill": (200, 130), "tgkill": (234, 131)},
        **{"rt_sigqueueinfo": (129, 138), "rt_tgsigqueueinfo": (297, 240)},
        **{"pidfd_send_signal": (424, 424), "process_mrelease": (448, 448)},
    },
}
"""Calls denied besides if Landlock cannot confine signals (before version 6 of its ABI)."""

DENIED_WITHOUT_NAMESPACES: Mapping[str, _Table] = {
    # Landlock confines files and TCP, not what one process may do to the priority of another.
    "the priority of the user's other processes": {
        **{"setpriority": (141, 140), "ioprio_set": (251, 30), "sched_setaffinity": (203, 122)},
        **{"sched_setscheduler": (144, 119), "sched_setparam": (142, 118)},
        **{"sched_setattr": (314, 274)},
    },
    # Landlock has no access right for these (docs.kernel.org/userspace-api/landlock.html, "Current
    # limitations"): code with the user's uid could make a private file public.
    "what Landlock leaves open: modes, owners, times and attributes of the user's files": {
        **{"chmod": (90, None), "fchmodat": (268, 53), "fchmodat2": (452, 452)},
        **{"chown": (92, None), "lchown": (94, None), "fchownat": (260, 54)},
        # These take a descriptor, and one that was opened for reading is enough.
        **{"fchmod": (91, 52), "fchown": (93, 55), "fsetxattr": (190, 7)},
        **{"fremovexattr": (199, 16)},
        **{"utime": (132, None), "utimes": (235, None), "futimesat": (261, None)},
        **{"utimensat": (280, 88), "setxattr": (188, 5), "lsetxattr": (189, 6)},
        **{"removexattr": (197, 14), "lremovexattr": (198, 15), "setxattrat": (463, 463)},
        **{"removexattrat": (466, 466), "truncate": (76, 45)},
    },
}
"""Calls denied besides if the code shares process numbers and file names with the user."""

UNSUPPORTED_WITHOUT_NAMESPACES: Mapping[str, _Table] = {
    # Landlock lets everybody read them, also those of private files: browsers keep the address of a
    # download there. `ls` and `cp` ask for them all the time, and take this answer.
    "attributes of the user's files": {
        **{"getxattr": (191, 8), "lgetxattr": (192, 9), "fgetxattr": (193, 10)},
        **{"listxattr": (194, 11), "llistxattr": (195, 12), "flistxattr": (196, 13)},
        **{"getxattrat": (464, 464), "listxattrat": (465, 465)},
    },
}
"""Calls answered with EOPNOTSUPP besides, as by a file system without attributes."""

_CALLS: _Table = {
    **{"socket": (41, 198), "socketpair": (53, 199), "ioctl": (16, 29), "clone": (56, 220)},
    **{"clone3": (435, 435), "prlimit64": (302, 261), "fcntl": (72, 25)},
    **{"mmap": (9, 222), "prctl": (157, 167), "setsockopt": (54, 208)},
}
"""Calls whose answer depends on their arguments."""


class Instruction(NamedTuple):
    """One BPF instruction, with an explanation."""

    operation: int
    k: int
    if_true: int
    """Instructions to skip if the comparison holds."""
    if_false: int
    """Instructions to skip if it does not."""
    comment: str


def build_program(
    machine: str, *, has_namespaces: bool = True, signals_scoped: bool = True
) -> list[Instruction]:
    """Return the filter for an architecture as instructions.

    Args:
        machine: A key of `ARCHITECTURES`; raises `KeyError` for another.
        has_namespaces: True if namespaces separate the code from the user's processes and files.
            If only Landlock does, more has to be denied.
        signals_scoped: True if namespaces or Landlock keep the code's signals inside.
    """
    architecture = ARCHITECTURES[machine]
    groups = {
        **DENIED,
        **({} if has_namespaces else DENIED_WITHOUT_NAMESPACES),
        **({} if signals_scoped else DENIED_SIGNALS),
    }
    program = list(_check_convention(machine, architecture))
    for reason, calls in groups.items():
        for name, numbers in calls.items():
            if (number := numbers[architecture.column]) is not None:
                program += _deny_call(name, number, errno.EPERM, reason)
    for reason, calls in {} if has_namespaces else UNSUPPORTED_WITHOUT_NAMESPACES.items():
        for name, numbers in calls.items():
            if (number := numbers[architecture.column]) is not None:
                program += _deny_call(name, number, errno.EOPNOTSUPP, reason)
    number_of = {name: numbers[architecture.column] or 0 for name, numbers in _CALLS.items()}
    # All families, also those that a network namespace does not cut off: AF_VSOCK reached the
    # hypervisor from a namespace of its own. EAFNOSUPPORT reads as "no such network" to libraries.
    program += _deny_call("socket", number_of["socket"], errno.EAFNOSUPPORT, "no network at all")
    # BPF cannot follow the pointer to its flags. The C library then falls back to `clone`, whose
    # flags are an argument.
    program += _deny_call("clone3", number_of["clone3"], errno.ENOSYS, "its flags are in memory")
    program += _filter_socketpair(number_of["socketpair"])
    program += _filter_clone(number_of["clone"])
    program += _filter_prlimit(number_of["prlimit64"])
    program += _filter_mmap(number_of["mmap"])
    hides = "hides its descriptors from the watchdog"
    program += _deny_values("prctl", number_of["prctl"], _SET_DUMPABLE, hides, argument=0)
    # Typed into the terminal, text would run in the user's shell once StarChat has ended. A new
    # session already takes the terminal away; this holds for one that is opened some other way.
    program += _deny_values("ioctl", number_of["ioctl"], _TERMINAL_INPUT, "types into the terminal")
    shared = "holds memory of no process, or other programs up"
    program += _deny_values("fcntl", number_of["fcntl"], _SHARED_BY_FILES, shared)
    buffers = number_of["setsockopt"]
    program += _deny_values("setsockopt", buffers, _SOCKET_BUFFERS, shared, argument=2)
    if not signals_scoped:
        owner = "would send a signal"
        program += _deny_values("ioctl", number_of["ioctl"], _SIGNAL_OWNER_REQUESTS, owner)
        program += _deny_values("fcntl", number_of["fcntl"], _SIGNAL_OWNER, owner)
    return [*program, Instruction(_RETURN, _ALLOW, 0, 0, "everything else is allowed")]


def build_filter(
    machine: str, *, has_namespaces: bool = True, signals_scoped: bool = True
) -> bytes:
    """Return the filter as the kernel and bubblewrap take it: an array of `struct sock_filter`."""
    program = build_program(machine, has_namespaces=has_namespaces, signals_scoped=signals_scoped)
    return b"".join(
        _INSTRUCTION.pack(one.operation, one.if_true, one.if_false, one.k) for one in program
    )


def _return_errno(error: int) -> int:
    return _ERRNO | error


def _argument_offset(index: int) -> int:
    """Return the offset of an argument's low half, on a little-endian machine."""
    # Only the low half is compared, as the kernel ignores the high half of these arguments too: a
    # filter that compared all 64 bits was bypassed by setting one of them (CVE-2019-10063).
    return 16 + 8 * index


def _check_convention(machine: str, architecture: Architecture) -> Iterator[Instruction]:
    """Yield the test that the numbers mean what the tables say; leaves the number loaded."""
    yield Instruction(_LOAD, _ARCHITECTURE, 0, 0, "the convention by which the call was made")
    yield Instruction(_EQUAL, architecture.audit, 1, 0, f"that of {machine}?")
    # Killed, not refused: `int 0x80` on x86-64 has the numbers of i386, where for instance 11 is
    # execve. No library makes such calls by accident.
    yield Instruction(_RETURN, _KILL, 0, 0, "another, such as 32-bit: its numbers differ")
    yield Instruction(_LOAD, _NUMBER, 0, 0, "the number of the call")
    if machine == "x86_64":
        # x32 has the same AUDIT_ARCH as x86-64, so only the numbers tell them apart.
        yield Instruction(_AT_LEAST, _X32, 0, 1, "x32?")
        yield Instruction(_RETURN, _return_errno(errno.EPERM), 0, 0, "refused: other numbers")
        yield Instruction(_AT_LEAST, _X32_ONLY.stop, 2, 0, "beyond the numbers of x32?")
        yield Instruction(_AT_LEAST, _X32_ONLY.start, 0, 1, "among them?")
        yield Instruction(_RETURN, _return_errno(errno.EPERM), 0, 0, "refused, as with the bit")
    # A deny-list would let every future call through. ENOSYS is what libraries expect of a kernel
    # that is too old: they fall back, where EPERM would make them fail.
    yield Instruction(_AT_LEAST, _NEWEST + 1, 0, 1, "a call that was not reviewed?")
    yield Instruction(_RETURN, _return_errno(errno.ENOSYS), 0, 0, "it does not exist here")


def _deny_call(name: str, number: int, error: int, reason: str) -> Iterator[Instruction]:
    yield Instruction(_EQUAL, number, 0, 1, f"{name}?")
    code = errno.errorcode[error]
    yield Instruction(_RETURN, _return_errno(error), 0, 0, f"{code}: {reason}")


def _filter_socketpair(number: int) -> Iterator[Instruction]:
    yield Instruction(_EQUAL, number, 0, 8, "socketpair?")
    yield Instruction(_LOAD, _argument_offset(0), 0, 0, "its family")
    yield Instruction(_EQUAL, _AF_UNIX, 0, 5, "a pair within the process and its children?")
    # A datagram socket, also one of a pair, may be sent or connected to any path: /dev/log, the
    # notify socket of systemd. A connected one belongs to its partner.
    yield Instruction(_LOAD, _argument_offset(1), 0, 0, "its type")
    yield Instruction(_AND, _SOCKET_TYPE, 0, 0, "without flags")
    yield Instruction(_EQUAL, _CONNECTED_TYPES[0], 1, 0, "a stream?")
    yield Instruction(_EQUAL, _CONNECTED_TYPES[1], 0, 1, "or a stream of packets?")
    # Without it asyncio has no event loop and multiprocessing no pipes.
    yield Instruction(_RETURN, _ALLOW, 0, 0, "allowed: asyncio and multiprocessing need it")
    error = _return_errno(errno.EAFNOSUPPORT)
    yield Instruction(_RETURN, error, 0, 0, "EAFNOSUPPORT: any other family or type")


def _filter_clone(number: int) -> Iterator[Instruction]:
    yield Instruction(_EQUAL, number, 0, 4, "clone?")
    yield Instruction(_LOAD, _argument_offset(0), 0, 0, "its flags")
    yield Instruction(_ANY_BIT, _NAMESPACES, 0, 1, "a new namespace?")
    error = _return_errno(errno.EPERM)
    yield Instruction(_RETURN, error, 0, 0, "EPERM: a namespace gives capabilities")
    yield Instruction(_RETURN, _ALLOW, 0, 0, "threads and processes are allowed")


def _filter_prlimit(number: int) -> Iterator[Instruction]:
    # The runner gives up its limits hard and soft, so the caller's own can only be lowered. For
    # another process with the user's uid a CPU limit of 0 s would be a way to kill it.
    yield Instruction(_EQUAL, number, 0, 4, "prlimit64?")
    yield Instruction(_LOAD, _argument_offset(0), 0, 0, "whose limits: 0 is the caller's")
    yield Instruction(_EQUAL, 0, 0, 1, "the caller's own?")
    yield Instruction(_RETURN, _ALLOW, 0, 0, "allowed: a limit can only be lowered")
    error = _return_errno(errno.EPERM)
    yield Instruction(_RETURN, error, 0, 0, "EPERM: a limit of 0 s would end a process")


def _filter_mmap(number: int) -> Iterator[Instruction]:
    """Yield the refusal of shared anonymous memory.

    Its pages stay when a process unmaps them, in the size of no process and of no file. What is
    shared through a file of a sized folder, as `multiprocessing` does, is counted there.
    """
    yield Instruction(_EQUAL, number, 0, 5, "mmap?")
    yield Instruction(_LOAD, _argument_offset(3), 0, 0, "its flags")
    yield Instruction(_ANY_BIT, _MAP_ANONYMOUS, 0, 2, "of no file?")
    yield Instruction(_ANY_BIT, _MAP_SHARED, 0, 1, "and shared?")
    error = _return_errno(errno.EPERM)
    yield Instruction(_RETURN, error, 0, 0, "EPERM: memory that no limit counts")
    yield Instruction(_RETURN, _ALLOW, 0, 0, "a file's, or the process's own")


def _deny_values(
    name: str, number: int, values: tuple[int, ...], reason: str, *, argument: int = 1
) -> Iterator[Instruction]:
    """Yield the refusal of a call with one of some values; leaves the number loaded.

    Args:
        name: The call, for the comment.
        number: Its number.
        values: Values of the argument that are refused.
        reason: What the call would do, for the comment.
        argument: Index of the argument.
    """
    yield Instruction(_EQUAL, number, 0, len(values) * 2 + 2, f"{name}?")
    yield Instruction(_LOAD, _argument_offset(argument), 0, 0, "what it is asked to do")
    for value in values:
        yield Instruction(_EQUAL, value, 0, 1, f"{value:#x}?")
        yield Instruction(_RETURN, _return_errno(errno.EPERM), 0, 0, f"EPERM: {reason}")
    # The same call may be looked at again below, and its number is no longer in the accumulator.
    yield Instruction(_LOAD, _NUMBER, 0, 0, "the number of the call again")
