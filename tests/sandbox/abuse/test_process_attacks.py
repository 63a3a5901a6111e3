"""Processes of the sandbox: nothing remains after a kill, and nothing private is visible outside.

Also the terminal: code can neither type into it nor write to it.
"""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from starchat_tui.errors import UsageError
from starchat_tui.sandbox.isolation import landlock
from starchat_tui.sandbox.isolation.bubblewrap import SandboxSpec
from starchat_tui.sandbox.isolation.launcher import SandboxProcess, start_sandbox
from tests.sandbox.conftest import ROOT, build_nobody_command
from tests.waiting import wait_until

pytestmark = pytest.mark.bwrap
LEVELS = ("isolated", "restricted")
TREE = """
import os, signal, sys, time
for one in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT): signal.signal(one, signal.SIG_IGN)
for _ in range(20):
    if not os.fork():
        os.setsid()
        time.sleep(300)
        os._exit(0)
print("ready", file=sys.stderr, flush=True)
time.sleep(300)
"""
"""Code that starts twenty processes in sessions of their own, which ignore signals."""


def create_spec(level: Any, **values: Any) -> SandboxSpec:
    return SandboxSpec(level, drop_to_nobody=os.geteuid() == 0, **values)


def build_python_command(spec: SandboxSpec, code: str) -> list[str]:
    return [str(spec.interpreter.python), "-I", "-S", "-c", code]


def read_until(started: SandboxProcess, wanted: bytes) -> bytes:
    """Read stderr until `wanted` appears or the code exits."""
    stderr, text = started.process.stderr, b""
    assert stderr
    while wanted not in text and (data := os.read(stderr.fileno(), 4096)):
        text += data
    return text


def are_gone(pids: list[int]) -> bool:
    """Return whether none of these processes runs; a zombie does not."""
    for pid in pids:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            continue
        if state not in "ZX":
            return False
    return True


@pytest.fixture(params=LEVELS)
def tree(request: pytest.FixtureRequest) -> Iterator[tuple[SandboxProcess, list[int]]]:
    """Twenty stubborn processes in a sandbox, with their pids on the host."""
    spec = create_spec(request.param)
    started = start_sandbox(spec, build_python_command(spec, TREE))
    assert b"ready" in read_until(started, b"ready")
    members = started.list_pids()
    assert len(members) >= 21
    yield started, members
    started.close()


async def test_the_tree_survives_without_a_sandbox() -> None:
    with subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", TREE], stderr=subprocess.PIPE, start_new_session=True
    ) as plain:
        assert plain.stderr
        assert plain.stderr.readline() == b"ready\n"
        below = landlock.list_children(plain.pid)
        plain.kill()
        plain.wait()
        assert len(below) == 20
        assert not are_gone(below)
        for pid in below:
            os.kill(pid, signal.SIGKILL)


async def test_everything_ends_with_the_sandbox(tree: tuple[SandboxProcess, list[int]]) -> None:
    started, members = tree
    started.kill()
    # A second kill must do no harm.
    started.kill()
    await wait_until(lambda: are_gone(members))
    assert started.process.wait() != 0


async def test_everything_ends_with_the_command(tree: tuple[SandboxProcess, list[int]]) -> None:
    started, members = tree
    runner = started.find_runner_pid()
    assert runner in members
    os.kill(runner, signal.SIGKILL)
    await wait_until(lambda: are_gone(members))
    started.process.wait()


HOST = f"""
import os, sys
sys.path.insert(0, {str(ROOT)!r})
from starchat_tui.sandbox.isolation.bubblewrap import SandboxSpec
from starchat_tui.sandbox.isolation.launcher import start_sandbox
one = SandboxSpec(sys.argv[1], drop_to_nobody=os.geteuid() == 0)
started = start_sandbox(one, [str(one.interpreter.python), "-I", "-S", "-c", sys.argv[2]])
text = b""
while b"ready" not in text: text += os.read(started.process.stderr.fileno(), 4096)
print(started.process.pid, *started.list_pids(), started.scratch or "", flush=True)
input()
"""
"""Program that starts the tree in a sandbox, and then waits."""


@contextmanager
def start_program(
    level: str, account: str, tree: str
) -> Iterator[tuple[subprocess.Popen[bytes], list[str]]]:
    """Start a program that runs `tree` in a sandbox; yield it and the words it printed."""
    command = [sys.executable, "-c", HOST, level, tree]
    if account == "root" and os.geteuid() != 0:
        pytest.skip("root is needed to attack as root")
    if account == "user" and os.geteuid() == 0:
        command = build_nobody_command(command)
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT) as app:
        assert app.stdout
        yield app, app.stdout.readline().decode().split()
        app.kill()


@pytest.mark.parametrize("account", ["root", "user"])
async def test_many_processes_end_with_the_sandbox(account: str) -> None:
    with start_program("isolated", account, TREE.replace("range(20)", "range(200)")) as (_, words):
        init, *members = (int(word) for word in words if word.isdigit())
        assert len(members) >= 201
        os.kill(init, signal.SIGKILL)
        await wait_until(lambda: are_gone(members))


@pytest.mark.parametrize("account", ["root", "user"])
@pytest.mark.parametrize("level", LEVELS)
async def test_everything_ends_with_the_program_that_started_it(level: str, account: str) -> None:
    with start_program(level, account, TREE) as (app, words):
        scratch = [Path(word) for word in words if word.startswith("/")]
        members = [int(word) for word in words if word.isdigit()]
        assert len(members) >= 22
        app.kill()
    await wait_until(lambda: are_gone(members))
    # Its folders on the disk must be removed too, although their owner was killed.
    await wait_until(lambda: not any(folder.exists() for folder in scratch))


async def test_a_failed_start_leaves_nothing_open(tmp_path: Path) -> None:
    spec = create_spec("isolated", attached=(tmp_path / "none",))
    before = set(os.listdir("/proc/self/fd"))
    for level in LEVELS:
        spec = create_spec(level, attached=(tmp_path / "none",))
        with pytest.raises(UsageError):
            start_sandbox(spec, ["true"])
    assert set(os.listdir("/proc/self/fd")) == before


@pytest.mark.parametrize("level", LEVELS)
def test_dangerous_attachments_are_refused_at_once(level: str, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("HOSTSECRET")
    (tmp_path / "link").symlink_to(secret)
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "zero").symlink_to("/dev/zero")
    with (tmp_path / "sparse").open("wb") as file:
        file.truncate(200 * 2**30)
    assert (tmp_path / "link").read_text() == "HOSTSECRET"
    for name in ("link", "fifo", "zero", "sparse"):
        with pytest.raises(UsageError):
            start_sandbox(create_spec(level, attached=(tmp_path / name,)), ["true"])


@pytest.mark.parametrize("level", LEVELS)
def test_a_file_with_a_dangerous_name_changes_nothing(level: str, tmp_path: Path) -> None:
    """Attach files whose names are flags of bubblewrap or modules that Python imports."""
    names = ("--bind", "-c", "sitecustomize.py", "json.py", "a\nb", "x\x1b]0;y\x07", "..x", "ä")
    for name in names:
        (tmp_path / name).write_text("print('WON')")
    spec = create_spec(level, attached=tuple(tmp_path / name for name in names))
    code = """
import json, os, sys
found = sorted(os.listdir("."))
assert all(open(name).read() for name in found)
print(json.dumps(found), file=sys.stderr)
"""
    started = start_sandbox(spec, [str(spec.interpreter.python), "-I", "-c", code])
    text = started.process.communicate()[1].decode()
    started.close()
    assert json.loads(text) == sorted(names)


@pytest.mark.parametrize("level", LEVELS)
def test_the_file_of_the_user_is_not_changed(level: str, tmp_path: Path) -> None:
    path = tmp_path / "data.csv"
    path.write_text("mine")
    path.chmod(0o600)
    spec = create_spec(level, attached=(path,))
    code = """
import os, sys
print(open("data.csv").read(), file=sys.stderr)
for change in (lambda: open("data.csv", "w").write("theirs"), lambda: os.unlink("data.csv"),
               lambda: os.chmod("data.csv", 0o777), lambda: os.truncate("data.csv", 0)):
    try: change()
    except OSError: pass
"""
    started = start_sandbox(spec, build_python_command(spec, code))
    assert started.process.communicate()[1] == b"mine\n"
    started.close()
    assert path.read_text() == "mine"
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_process_list_shows_neither_files_nor_environment(tmp_path: Path) -> None:
    path = tmp_path / "my-salary.csv"
    path.write_text("1")
    os.environ["STARCHAT_TEST_TOKEN"] = "token-in-the-environment"
    try:
        spec = create_spec("isolated", attached=(path,))
        started = start_sandbox(spec, build_python_command(spec, TREE))
    finally:
        del os.environ["STARCHAT_TEST_TOKEN"]
    read_until(started, b"ready")
    pids = [started.process.pid, *started.list_pids()]
    pids += landlock.list_children(started.process.pid)
    for pid in pids:
        for kind in ("cmdline", "environ"):
            data = Path(f"/proc/{pid}/{kind}").read_bytes()
            assert b"salary" not in data, kind
            assert b"token-in" not in data, kind
    started.close()


@pytest.mark.parametrize("level", LEVELS)
def test_only_passed_descriptors_are_open(level: str) -> None:
    secret = os.memfd_create("secret")
    os.write(secret, b"HOSTSECRET")
    os.set_inheritable(secret, True)
    read, write = os.pipe()
    spec = create_spec(level)
    code = f"""
import os, sys
found = []
for fd in range(256):
    try: os.fstat(fd)
    except OSError: continue
    found.append(fd)
print(found == [0, 1, 2, {write}] or found, file=sys.stderr)
"""
    started = start_sandbox(spec, build_python_command(spec, code), pass_fds=[write])
    text = started.process.communicate()[1]
    started.close()
    for fd in (secret, read, write):
        os.close(fd)
    assert text == b"True\n"


TYPING = """
import fcntl, os, sys, termios
problems = []
try:
    tty = os.open("/dev/tty", os.O_RDWR)
    os.write(tty, b"\\x1b]0;WON\\x07")
    for byte in b"evil\\n": fcntl.ioctl(tty, termios.TIOCSTI, bytes([byte]))
except OSError as error:
    problems.append(error.strerror)
for fd in (0, 1, 2):
    try: fcntl.ioctl(fd, termios.TIOCSTI, b"x")
    except OSError as error: problems.append(error.strerror)
print(problems, file=sys.stderr)
"""
TERMINAL = f"""
import os, sys
sys.path.insert(0, {str(ROOT)!r})
from starchat_tui.sandbox.isolation.bubblewrap import SandboxSpec
from starchat_tui.sandbox.isolation.launcher import start_sandbox
import subprocess
level, code = sys.argv[1:]
command = [sys.executable, "-I", "-S", "-c", code]
if level == "none":
    subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
else:
    started = start_sandbox(SandboxSpec(level, drop_to_nobody=os.geteuid() == 0), command)
    started.process.communicate()
    started.close()
print("END", flush=True)
"""


def run_on_terminal(level: str, account: str) -> bytes:
    """Return what a terminal shows while code tries to write to it and to type into it."""
    command = [sys.executable, "-c", TERMINAL, level, TYPING]
    if account == "user" and os.geteuid() == 0:
        command = build_nobody_command(command)
    pid, terminal = os.forkpty()
    if not pid:
        os.chdir(ROOT)
        os.execvp(command[0], command)
    shown, end = b"", time.monotonic() + 60
    while b"END" not in shown and time.monotonic() < end:
        if select.select([terminal], [], [], 0.5)[0]:
            try:
                shown += os.read(terminal, 4096)
            except OSError:
                break
    os.close(terminal)
    os.waitpid(pid, 0)
    return shown


@pytest.mark.parametrize("account", ["root", "user"])
def test_the_terminal_cannot_be_reached(account: str) -> None:
    if account == "root" and os.geteuid() != 0:
        pytest.skip("root is needed to attack as root")
    assert b"\x1b]0;WON\x07" in run_on_terminal("none", account)
    for level in LEVELS:
        shown = run_on_terminal(level, account)
        assert b"END" in shown, shown
        assert b"WON" not in shown
        assert b"evil" not in shown


def test_typing_is_refused_even_with_an_open_terminal() -> None:
    """Test the filter alone: the code has the terminal open, and still cannot type into it."""
    reader, writer = os.openpty()
    spec = create_spec("isolated")
    code = textwrap.dedent(f"""
        import fcntl, sys, termios
        for request in (termios.TIOCSTI, termios.TIOCSTI | 1 << 32):
            try: fcntl.ioctl({writer}, request & 0xFFFFFFFF, b"x"); print("WON", file=sys.stderr)
            except OSError as error: print(error.errno, file=sys.stderr)
        """)
    started = start_sandbox(spec, build_python_command(spec, code), pass_fds=[writer])
    text = started.process.communicate()[1]
    started.close()
    os.close(reader)
    os.close(writer)
    assert text == b"1\n1\n"


ROWS = {
    "test_many_processes_end_with_the_sandbox": 15,
    "test_the_terminal_cannot_be_reached": 25,
    "test_typing_is_refused_even_with_an_open_terminal": 25,
    "test_everything_ends_with_the_program_that_started_it": 26,
    "test_everything_ends_with_the_sandbox": 26,
    "test_everything_ends_with_the_command": 0,
    "test_dangerous_attachments_are_refused_at_once": 27,
    "test_a_file_with_a_dangerous_name_changes_nothing": 0,
    "test_the_file_of_the_user_is_not_changed": 0,
    "test_a_process_list_shows_neither_files_nor_environment": 4,
    "test_only_passed_descriptors_are_open": 0,
}
"""Attacks of this module with their rows in the list of 29; 0 is not in it."""
