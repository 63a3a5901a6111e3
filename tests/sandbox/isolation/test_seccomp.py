"""System call filter, evaluated for both architectures by a BPF machine, and run on this one."""

from __future__ import annotations

import errno
import json
import re
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from starchat_tui.sandbox.isolation import landlock, seccomp
from starchat_tui.sandbox.isolation.bubblewrap import get_machine

ALLOWED = "allowed"
KILLED = "killed"
MACHINES = tuple(seccomp.ARCHITECTURES)
ORDINARY = {
    # What numpy, IPython and a shell need: number on x86-64, on aarch64.
    **{"read": (0, 63), "write": (1, 64), "openat": (257, 56), "mmap": (9, 222)},
    **{"mprotect": (10, 226), "brk": (12, 214), "futex": (202, 98), "execve": (59, 221)},
    **{"wait4": (61, 260), "pipe2": (293, 59), "getrandom": (318, 278), "exit": (60, 93)},
    **{"rt_sigaction": (13, 134), "clock_gettime": (228, 113), "getdents64": (217, 61)},
    **{"unlinkat": (263, 35), "renameat2": (316, 276), "ftruncate": (77, 46)},
    **{"sched_getaffinity": (204, 123), "statx": (332, 291), "rseq": (334, 293)},
}
AF_UNIX, AF_INET, AF_INET6, AF_NETLINK, AF_VSOCK = 1, 2, 10, 16, 40


def evaluate(program: bytes, number: int, *arguments: int, audit: int) -> str:
    """Return the kernel's answer to a call, as its BPF machine would compute it."""
    data = struct.pack("<IIQ6Q", number, audit, 0, *[*arguments, *[0] * 6][:6])
    accumulator = at = steps = 0
    while True:
        operation, true, false, k = struct.unpack_from("<HBBI", program, at * 8)
        steps += 1
        assert steps < 4096
        at += 1
        if operation == 0x20:  # load a word
            accumulator = struct.unpack_from("<I", data, k)[0]
        elif operation == 0x54:  # keep some bits
            accumulator &= k
        elif operation == 0x06:  # return
            return describe_action(k)
        else:
            holds = {
                0x15: accumulator == k,
                0x35: accumulator >= k,
                0x45: bool(accumulator & k),
            }[operation]
            at += true if holds else false


def describe_action(value: int) -> str:
    if value >> 16 == 5:
        return errno.errorcode[value & 0xFFFF]
    return {0x7FFF0000: ALLOWED, 0x80000000: KILLED}[value]


class Filter:
    """The filter of a machine, to be asked about calls by their name."""

    def __init__(self, name: str, **kinds: bool) -> None:
        self.program = seccomp.build_filter(name, **kinds)
        self.architecture = seccomp.ARCHITECTURES[name]
        self.numbers = {
            call: numbers[self.architecture.column]
            for table in (
                ORDINARY,
                seccomp._CALLS,
                *seccomp.DENIED.values(),
                *seccomp.DENIED_WITHOUT_NAMESPACES.values(),
                *seccomp.DENIED_SIGNALS.values(),
                *seccomp.UNSUPPORTED_WITHOUT_NAMESPACES.values(),
            )
            for call, numbers in table.items()
        }

    def __call__(self, call: str | int, *arguments: int) -> str:
        number = self.numbers[call] if isinstance(call, str) else call
        assert number is not None
        return evaluate(self.program, number, *arguments, audit=self.architecture.audit)

    def names(self, groups: object) -> list[str]:
        assert isinstance(groups, dict)
        names = [call for table in groups.values() for call in table]
        return [call for call in names if self.numbers[call] is not None]


@pytest.fixture(params=MACHINES)
def ask(request: pytest.FixtureRequest) -> Filter:
    return Filter(request.param)


def test_every_call_of_the_list_is_denied(ask: Filter) -> None:
    refused = {call: ask(call) for call in ask.names(seccomp.DENIED)}
    assert set(refused.values()) == {"EPERM"}, refused
    assert len(refused) > 60


def test_what_code_needs_is_allowed(ask: Filter) -> None:
    assert {call: ask(call) for call in ORDINARY} == dict.fromkeys(ORDINARY, ALLOWED)


def test_sockets_of_every_family_are_denied(ask: Filter) -> None:
    answers = {ask("socket", family, kind) for family in range(64) for kind in (1, 2, 3)}
    assert answers == {"EAFNOSUPPORT"}


@pytest.mark.parametrize("flags", [0, 0o4000, 0o2000000, 0o2004000, 1 << 40])
def test_socketpair_is_allowed_for_connected_unix_sockets_only(ask: Filter, flags: int) -> None:
    for kind in range(16):
        connected = kind in (1, 5)
        expected = ALLOWED if connected else "EAFNOSUPPORT"
        assert ask("socketpair", AF_UNIX, kind | flags) == expected
    for family in (0, AF_INET, AF_INET6, AF_NETLINK, AF_VSOCK):
        assert ask("socketpair", family, 1 | flags) == "EAFNOSUPPORT"


@pytest.mark.parametrize("command", [1024, 1026, 1031])
def test_files_hold_nobody_up_and_pipes_stay_small(ask: Filter, command: int) -> None:
    assert ask("fcntl", 3, command, 1) == "EPERM"
    assert ask("fcntl", 3, command | 1 << 40, 1) == "EPERM"
    assert ask("fcntl", 3, 1030, 0) == ALLOWED  # F_DUPFD_CLOEXEC


@pytest.mark.parametrize("option", [7, 8, 32, 33])
def test_the_buffers_of_sockets_stay_small(ask: Filter, option: int) -> None:
    assert ask("setsockopt", 3, 1, option) == "EPERM"
    assert ask("setsockopt", 3, 1, 2) == ALLOWED  # SO_REUSEADDR


def test_attributes_of_files_do_not_exist_without_namespaces() -> None:
    for name in MACHINES:
        confined, isolated = Filter(name, has_namespaces=False), Filter(name)
        for call in ("getxattr", "lgetxattr", "listxattr", "getxattrat", "listxattrat"):
            assert confined(call) in ("EOPNOTSUPP", "ENOTSUP")
            assert isolated(call) == ALLOWED


@pytest.mark.parametrize("bit", [17, 25, 26, 27, 28, 29, 30])
def test_clone_cannot_create_a_namespace(ask: Filter, bit: int) -> None:
    assert ask("clone", 17 | 1 << bit) == "EPERM"


def test_processes_and_threads_can_be_created(ask: Filter) -> None:
    assert ask("clone", 17) == ALLOWED
    assert ask("clone", 0x3D0F00) == ALLOWED  # what pthread_create asks for
    assert ask("clone3") == "ENOSYS"


@pytest.mark.parametrize("request_number", [0x5412, 0x541C])
def test_nothing_types_into_the_terminal(ask: Filter, request_number: int) -> None:
    assert ask("ioctl", 0, request_number) == "EPERM"
    # The kernel looks at the low 32 bits alone (CVE-2019-10063 was a filter that did not).
    assert ask("ioctl", 0, request_number | 1 << 32) == "EPERM"
    assert ask("ioctl", 0, 0x5401) == ALLOWED


def test_limits_of_other_processes_cannot_be_changed(ask: Filter) -> None:
    assert ask("prlimit64", 0) == ALLOWED
    assert ask("prlimit64", 1) == "EPERM"


def test_shared_anonymous_memory_is_denied(ask: Filter) -> None:
    shared, private, validated, anonymous, populate = 0x01, 0x02, 0x03, 0x20, 0x8000
    for kind in (shared, validated, shared | populate):
        assert ask("mmap", 0, 4096, 3, kind | anonymous) == "EPERM"
        assert ask("mmap", 0, 4096, 3, kind) == ALLOWED  # of a file, whose folder has a size
    assert ask("mmap", 0, 4096, 3, private | anonymous) == ALLOWED


def test_a_process_cannot_hide_its_descriptors(ask: Filter) -> None:
    assert ask("prctl", 4, 0) == "EPERM"
    assert {ask("prctl", option) for option in (3, 15, 38)} == {ALLOWED}


def test_a_call_by_another_convention_kills_the_process() -> None:
    for name in MACHINES:
        program = seccomp.build_filter(name)
        others = [one.audit for key, one in seccomp.ARCHITECTURES.items() if key != name]
        for audit in (0x40000003, 0x40000028, 0, *others):  # i386, arm, none, the other one
            assert evaluate(program, 0, audit=audit) == KILLED


def test_x32_is_refused_with_and_without_its_bit() -> None:
    ask = Filter("x86_64")
    assert {ask(0x40000000 | number) for number in range(600)} == {"EPERM"}
    assert {ask(number) for number in range(512, 548)} == {"EPERM"}
    assert ask(0xFFFFFFFF) == "EPERM"


def test_a_call_that_was_not_reviewed_does_not_exist(ask: Filter) -> None:
    assert {ask(number) for number in (467, 468, 500, 511, 548, 1000)} == {"ENOSYS"}
    assert ask(466) == ALLOWED


def test_without_namespaces_more_is_denied() -> None:
    for name in MACHINES:
        alone, scoped = Filter(name), Filter(name, has_namespaces=False)
        without = Filter(name, has_namespaces=False, signals_scoped=False)
        for call in alone.names(seccomp.DENIED_WITHOUT_NAMESPACES):
            assert (alone(call), scoped(call), without(call)) == (ALLOWED, "EPERM", "EPERM"), call
        for call in alone.names(seccomp.DENIED_SIGNALS):
            assert (alone(call), scoped(call), without(call)) == (ALLOWED, ALLOWED, "EPERM"), call
        for command in (8, 10, 15):
            assert scoped("fcntl", 0, command) == ALLOWED
            assert without("fcntl", 0, command) == "EPERM"
        for command in (0, 1, 2, 3, 4, 1030):
            assert without("fcntl", 0, command) == ALLOWED
        assert without("ioctl", 0, 0x8901) == "EPERM"
        assert without("ioctl", 0, 0x5412) == "EPERM"


@pytest.mark.parametrize("name", MACHINES)
@pytest.mark.parametrize(
    "kinds",
    [{}, {"has_namespaces": False}, {"has_namespaces": False, "signals_scoped": False}],
)
def test_the_kernel_would_accept_the_program(name: str, kinds: dict[str, bool]) -> None:
    lines = seccomp.build_program(name, **kinds)
    assert len(lines) <= 4096
    assert lines[-1].operation == 0x06
    for at, line in enumerate(lines):
        assert line.comment
        assert at + 1 + max(line.if_true, line.if_false) < len(lines) or line.operation == 0x06
        assert line.operation != 0x20 or line.k % 4 == 0


def test_no_jump_lands_on_a_comparison_of_the_wrong_word() -> None:
    # After a block that loads an argument, the number of the call has to be loaded again.
    for name in MACHINES:
        lines = seccomp.build_program(name, has_namespaces=False, signals_scoped=False)
        loaded = {0: 4}
        for at, line in enumerate(lines):
            if line.operation == 0x06:
                continue
            word = line.k if line.operation == 0x20 else loaded[at]
            if line.comment.endswith("?") and line.comment[:-1] in Filter(name).numbers:
                assert word == 0, (at, line)
            if line.operation != 0x06:
                for step in {line.if_true, line.if_false}:
                    if lines[at + 1 + step].operation == 0x06:
                        continue  # its answer does not depend on what is loaded
                    assert loaded.setdefault(at + 1 + step, word) == word, (at, line)


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("x86_64", "/usr/include/x86_64-linux-gnu/asm/unistd_64.h"),
        ("aarch64", "/usr/include/asm-generic/unistd.h"),
    ],
)
def test_the_numbers_match_the_kernel_headers(name: str, file: str) -> None:
    if not Path(file).exists():
        pytest.skip(f"{file} is not installed (linux-libc-dev)")
    found = re.findall(r"#define __NR(?:3264)?_(\w+) (\d+)", Path(file).read_text())
    header = {call: int(number) for call, number in found}
    ask = Filter(name)
    known = {call: number for call, number in ask.numbers.items() if call in header}
    assert known == {call: header[call] for call in known}
    assert len(known) > 100


def test_an_unknown_architecture_has_no_filter() -> None:
    with pytest.raises(KeyError):
        seccomp.build_filter("riscv64")


TRY_ALL = """
import ctypes, importlib.util, json, sys
spec = importlib.util.spec_from_file_location("landlock", sys.argv[1])
landlock = importlib.util.module_from_spec(spec)
sys.modules["landlock"] = landlock
spec.loader.exec_module(landlock)
libc = ctypes.CDLL(None, use_errno=True)
landlock._prctl(38, 1)
landlock._install_filter(bytes.fromhex(sys.argv[2]))
found = {}
for name, number in json.loads(sys.argv[3]).items():
    # Arguments that mean nothing: a call that is not refused fails, and does no harm.
    result = libc.syscall(number, *[ctypes.c_long(-1)] * 6)
    found[name] = ctypes.get_errno() if result < 0 else 0
print(json.dumps(found))
"""


@pytest.mark.skipif(get_machine() not in MACHINES, reason="no filter for this processor")
def test_this_kernel_enforces_the_filter() -> None:
    ask = Filter(get_machine(), has_namespaces=False)
    groups = {**seccomp.DENIED, **seccomp.DENIED_WITHOUT_NAMESPACES}
    numbers = {call: ask.numbers[call] for call in [*ask.names(groups), "socket", "clone3"]}
    numbers |= {"new": 467, "getpid": {"x86_64": 39, "aarch64": 172}[get_machine()]}
    arguments = [ask.program.hex(), json.dumps(numbers)]
    ran = subprocess.run(
        [sys.executable, "-I", "-c", TRY_ALL, landlock.__file__, *arguments],
        capture_output=True,
        text=True,
        check=True,
    )
    found = json.loads(ran.stdout)
    special = {"socket": errno.EAFNOSUPPORT, "clone3": errno.ENOSYS, "new": errno.ENOSYS}
    special["getpid"] = 0
    assert found == {**dict.fromkeys(numbers, errno.EPERM), **special}
