"""The system calls that code behind the wall may not make, as a seccomp filter built here.

A filter is a program for the kernel's classic BPF machine; it reads `struct seccomp_data`
(linux/seccomp.h) and returns what becomes of the call:

    offset 0   the number of the call        offset 4   the architecture (linux/audit.h)
    offset 16  argument 0, low half first    offset 24  argument 1, and so on, 8 bytes each

It is a list of what is denied, since IPython, numpy and a shell need most of the rest; calls newer
than the list do not exist for the code. Covered: sockets of every family, namespaces, mounts, keys,
tracing, kernel memory that no limit counts, writing into a terminal's input. Not covered: a defect
in a call that is allowed; the kernel is shared. Numbers: asm/unistd_64.h and asm-generic/unistd.h.
"""

from __future__ import annotations

import errno
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
"""Operations (linux/bpf_common.h): `A = data[k]`; `A == k`, `A >= k`, `A & k`; `return k`."""
_ALLOW, _ERRNO, _KILL = 0x7FFF0000, 0x00050000, 0x80000000
"""What a filter returns (linux/seccomp.h); an errno stands in the low 16 bits."""
_NUMBER, _ARCHITECTURE = 0, 4
_INSTRUCTION = struct.Struct("<HBBI")
"""`struct sock_filter`: operation, steps ahead if true, steps ahead if false, k."""
_X32 = 0x40000000
"""Set in the number of a call by the x32 convention, whose numbers differ."""
_X32_ONLY = range(512, 548)
"""The numbers that x32 has alone; old kernels took them without the bit above too."""
_NEWEST = 466
"""removexattrat, the last call looked at; what comes later is answered as by an older kernel."""
_AF_UNIX = 1
_NAMESPACES = 0x7E020000
"""CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID and NEWNET (linux/sched.h)."""
_TERMINAL_INPUT = (0x5412, 0x541C)
"""TIOCSTI and TIOCLINUX type into the terminal; only the low 32 bits of a request count."""
_SIGNAL_OWNER = (8, 10, 15)
"""F_SETOWN, F_SETSIG and F_SETOWN_EX: a signal to any process, by way of a file."""
_SIGNAL_OWNER_REQUESTS = (0x8901, 0x8902)
"""FIOSETOWN and SIOCSPGRP do the same through ioctl."""
_MAP_SHARED, _MAP_ANONYMOUS = 0x01, 0x20
"""Bits of what `mmap` is asked for; the first stands in MAP_SHARED_VALIDATE too."""
_SET_DUMPABLE = (4,)
"""Of `prctl`: takes from the host the right to see what a process holds."""


@dataclass(frozen=True, slots=True)
class Architecture:
    """A machine the filter can be built for."""

    audit: int
    """Its AUDIT_ARCH (linux/audit.h)."""
    column: int
    """Where its numbers stand in the tables below."""


ARCHITECTURES: Mapping[str, Architecture] = {
    "x86_64": Architecture(0xC000003E, 0),
    "aarch64": Architecture(0xC00000B7, 1),
}
"""By what `platform.machine()` says."""

_Table = Mapping[str, tuple[int | None, int | None]]
"""Calls with their number on x86-64 and on aarch64; None where there is no such call."""

DENIED: Mapping[str, _Table] = {
    "mounts and roots": {
        **{"mount": (165, 40), "umount2": (166, 39), "pivot_root": (155, 41), "chroot": (161, 51)},
        **{"open_tree": (428, 428), "move_mount": (429, 429), "fsopen": (430, 430)},
        **{"fsconfig": (431, 431), "fsmount": (432, 432), "fspick": (433, 433)},
        **{"mount_setattr": (442, 442), "statmount": (457, 457), "listmount": (458, 458)},
    },
    "namespaces": {"unshare": (272, 97), "setns": (308, 268)},
    "files by number instead of by path": {
        **{"name_to_handle_at": (303, 264), "open_by_handle_at": (304, 265)},
    },
    "keys, which no namespace divides": {
        **{"add_key": (248, 217), "request_key": (249, 218), "keyctl": (250, 219)},
    },
    "other processes' memory and files": {
        **{"ptrace": (101, 117), "process_vm_readv": (310, 270), "process_vm_writev": (311, 271)},
        **{"kcmp": (312, 272), "pidfd_getfd": (438, 438), "process_madvise": (440, 440)},
        **{"move_pages": (279, 239), "migrate_pages": (256, 238)},
    },
    "large and young parts of the kernel": {
        **{"bpf": (321, 280), "userfaultfd": (323, 282), "perf_event_open": (298, 241)},
        **{"io_uring_setup": (425, 425), "io_uring_enter": (426, 426)},
        **{"io_uring_register": (427, 427), "fanotify_init": (300, 262)},
        **{"lookup_dcookie": (212, 18), "nfsservctl": (180, 42), "uselib": (134, None)},
        **{"_sysctl": (156, None), "sysfs": (139, None), "ustat": (136, None)},
    },
    "memory that belongs to no process and that no limit counts": {
        **{"memfd_create": (319, 279), "memfd_secret": (447, 447)},
        **{"shmget": (29, 194), "shmctl": (31, 195), "shmat": (30, 196), "shmdt": (67, 197)},
        **{"msgget": (68, 186), "msgctl": (71, 187), "msgrcv": (70, 188), "msgsnd": (69, 189)},
        **{"semget": (64, 190), "semctl": (66, 191), "semop": (65, 193)},
        **{"semtimedop": (220, 192), "mq_open": (240, 180), "mq_unlink": (241, 181)},
    },
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
"""Denied with EPERM whatever their arguments, and what they would reach."""

SIGNALS: Mapping[str, _Table] = {
    "signals to the user's other processes": {
        **{"kill": (62, 129), "tkill": (200, 130), "tgkill": (234, 131)},
        **{"rt_sigqueueinfo": (129, 138), "rt_tgsigqueueinfo": (297, 240)},
        **{"pidfd_send_signal": (424, 424), "process_mrelease": (448, 448)},
    },
}
"""Denied besides where not even Landlock keeps signals within (before its sixth version)."""

DENIED_AMONG_OTHERS: Mapping[str, _Table] = {
    "the rank of the user's other processes": {
        **{"setpriority": (141, 140), "ioprio_set": (251, 30), "sched_setaffinity": (203, 122)},
        **{"sched_setscheduler": (144, 119), "sched_setparam": (142, 118)},
        **{"sched_setattr": (314, 274)},
    },
    "what Landlock leaves open: modes, owners, times and attributes of the user's files": {
        **{"chmod": (90, None), "fchmodat": (268, 53), "fchmodat2": (452, 452)},
        **{"chown": (92, None), "lchown": (94, None), "fchownat": (260, 54)},
        # By a descriptor, for which reading a file is right enough.
        **{"fchmod": (91, 52), "fchown": (93, 55), "fsetxattr": (190, 7)},
        **{"fremovexattr": (199, 16)},
        **{"utime": (132, None), "utimes": (235, None), "futimesat": (261, None)},
        **{"utimensat": (280, 88), "setxattr": (188, 5), "lsetxattr": (189, 6)},
        **{"removexattr": (197, 14), "lremovexattr": (198, 15), "setxattrat": (463, 463)},
        **{"removexattrat": (466, 466), "truncate": (76, 45), "inotify_add_watch": (254, 27)},
    },
}
"""Denied besides where the code shares its process numbers and file names with the user's."""

_CALLS: _Table = {
    **{"socket": (41, 198), "socketpair": (53, 199), "ioctl": (16, 29), "clone": (56, 220)},
    **{"clone3": (435, 435), "prlimit64": (302, 261), "fcntl": (72, 25)},
    **{"mmap": (9, 222), "prctl": (157, 167)},
}
"""The calls that are looked at more closely."""


class Line(NamedTuple):
    """One instruction, and what it does."""

    operation: int
    k: int
    true: int
    """Instructions to skip where the comparison holds."""
    false: int
    """Instructions to skip where it does not."""
    why: str


def program(machine: str, *, alone: bool = True, signals: bool = True) -> list[Line]:
    """The filter for a machine as instructions; raises `KeyError` for one that is not known.

    `alone` is true where namespaces part the code from the user's processes and files; where only
    Landlock does, more has to be denied. `signals` says whether something else keeps them within.
    """
    architecture = ARCHITECTURES[machine]
    groups = {**DENIED, **({} if alone else DENIED_AMONG_OTHERS), **({} if signals else SIGNALS)}
    lines = list(_prologue(machine, architecture))
    for reason, calls in groups.items():
        for name, numbers in calls.items():
            if (number := numbers[architecture.column]) is not None:
                lines += _denied(name, number, errno.EPERM, reason)
    number_of = {name: numbers[architecture.column] or 0 for name, numbers in _CALLS.items()}
    lines += _denied("socket", number_of["socket"], errno.EAFNOSUPPORT, "no network of any family")
    # The C library then falls back on `clone`, whose flags a filter can see.
    lines += _denied("clone3", number_of["clone3"], errno.ENOSYS, "its flags lie in memory")
    lines += _socketpair(number_of["socketpair"])
    lines += _clone(number_of["clone"])
    lines += _prlimit(number_of["prlimit64"])
    lines += _mmap(number_of["mmap"])
    hides = "hides what it holds from who counts"
    lines += _unless_among("prctl", number_of["prctl"], _SET_DUMPABLE, hides, argument=0)
    lines += _unless_among("ioctl", number_of["ioctl"], _TERMINAL_INPUT, "types into the terminal")
    if not signals:
        owner = "would send a signal"
        lines += _unless_among("ioctl", number_of["ioctl"], _SIGNAL_OWNER_REQUESTS, owner)
        lines += _unless_among("fcntl", number_of["fcntl"], _SIGNAL_OWNER, owner)
    return [*lines, Line(_RETURN, _ALLOW, 0, 0, "everything else is allowed")]


def build(machine: str, *, alone: bool = True, signals: bool = True) -> bytes:
    """The filter as the kernel and bubblewrap take it: an array of `struct sock_filter`."""
    return b"".join(
        _INSTRUCTION.pack(line.operation, line.true, line.false, line.k)
        for line in program(machine, alone=alone, signals=signals)
    )


def _refuse(error: int) -> int:
    return _ERRNO | error


def _argument(index: int) -> int:
    """The offset of the low half of an argument, on a little-endian machine."""
    return 16 + 8 * index


def _prologue(machine: str, architecture: Architecture) -> Iterator[Line]:
    """Whether the numbers mean what the tables say; leaves the number of the call loaded."""
    yield Line(_LOAD, _ARCHITECTURE, 0, 0, "the convention by which the call was made")
    yield Line(_EQUAL, architecture.audit, 1, 0, f"that of {machine}?")
    yield Line(_RETURN, _KILL, 0, 0, "another, such as 32-bit: its numbers mean other calls")
    yield Line(_LOAD, _NUMBER, 0, 0, "the number of the call")
    if machine == "x86_64":
        yield Line(_AT_LEAST, _X32, 0, 1, "x32?")
        yield Line(_RETURN, _refuse(errno.EPERM), 0, 0, "refused: its numbers mean other calls")
        yield Line(_AT_LEAST, _X32_ONLY.stop, 2, 0, "beyond the numbers of x32?")
        yield Line(_AT_LEAST, _X32_ONLY.start, 0, 1, "among them?")
        yield Line(_RETURN, _refuse(errno.EPERM), 0, 0, "refused, as with the bit")
    yield Line(_AT_LEAST, _NEWEST + 1, 0, 1, "a call that nobody looked at yet?")
    yield Line(_RETURN, _refuse(errno.ENOSYS), 0, 0, "it does not exist here")


def _denied(name: str, number: int, error: int, reason: str) -> Iterator[Line]:
    yield Line(_EQUAL, number, 0, 1, f"{name}?")
    yield Line(_RETURN, _refuse(error), 0, 0, f"{errno.errorcode[error]}: {reason}")


def _socketpair(number: int) -> Iterator[Line]:
    yield Line(_EQUAL, number, 0, 4, "socketpair?")
    yield Line(_LOAD, _argument(0), 0, 0, "its family")
    yield Line(_EQUAL, _AF_UNIX, 0, 1, "a pair that stays in the process and its children?")
    yield Line(_RETURN, _ALLOW, 0, 0, "allowed: asyncio and multiprocessing need it")
    yield Line(_RETURN, _refuse(errno.EAFNOSUPPORT), 0, 0, "EAFNOSUPPORT: any other family")


def _clone(number: int) -> Iterator[Line]:
    yield Line(_EQUAL, number, 0, 4, "clone?")
    yield Line(_LOAD, _argument(0), 0, 0, "its flags")
    yield Line(_ANY_BIT, _NAMESPACES, 0, 1, "a new namespace?")
    yield Line(_RETURN, _refuse(errno.EPERM), 0, 0, "EPERM: a namespace gives capabilities")
    yield Line(_RETURN, _ALLOW, 0, 0, "threads and processes are allowed")


def _prlimit(number: int) -> Iterator[Line]:
    yield Line(_EQUAL, number, 0, 4, "prlimit64?")
    yield Line(_LOAD, _argument(0), 0, 0, "whose limits: 0 is the caller's")
    yield Line(_EQUAL, 0, 0, 1, "the caller's own?")
    yield Line(_RETURN, _ALLOW, 0, 0, "allowed: a limit can only be lowered")
    yield Line(_RETURN, _refuse(errno.EPERM), 0, 0, "EPERM: a limit of 0 s would end a process")


def _mmap(number: int) -> Iterator[Line]:
    """Memory that lives on when its pages are given back: in no process's size, and in no file's.

    What is shared through a file of a sized folder, as `multiprocessing` does, is counted there.
    """
    yield Line(_EQUAL, number, 0, 5, "mmap?")
    yield Line(_LOAD, _argument(3), 0, 0, "its flags")
    yield Line(_ANY_BIT, _MAP_ANONYMOUS, 0, 2, "of no file?")
    yield Line(_ANY_BIT, _MAP_SHARED, 0, 1, "and shared?")
    yield Line(_RETURN, _refuse(errno.EPERM), 0, 0, "EPERM: memory that no limit counts")
    yield Line(_RETURN, _ALLOW, 0, 0, "a file's, or the process's own")


def _unless_among(
    name: str, number: int, values: tuple[int, ...], reason: str, *, argument: int = 1
) -> Iterator[Line]:
    """`name` refused where an argument of it is one of `values`; leaves the number loaded."""
    yield Line(_EQUAL, number, 0, len(values) * 2 + 2, f"{name}?")
    yield Line(_LOAD, _argument(argument), 0, 0, "what it is asked to do")
    for value in values:
        yield Line(_EQUAL, value, 0, 1, f"{value:#x}?")
        yield Line(_RETURN, _refuse(errno.EPERM), 0, 0, f"EPERM: {reason}")
    yield Line(_LOAD, _NUMBER, 0, 0, "the number of the call again")
