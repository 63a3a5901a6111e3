"""The wall's own life: what is left when either side of it is killed, what it shows from outside.

And the terminal: code must neither type into it nor write to it.
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
from tests.sandbox.conftest import ROOT, _as_nobody
from tests.waiting import wait_until

pytestmark = pytest.mark.bwrap
WALLS = ("isolated", "restricted")
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
"""Twenty processes in sessions of their own that heed no signal that can be ignored."""


def spec(wall: Any, **values: Any) -> SandboxSpec:
    return SandboxSpec(wall, drop_to_nobody=os.geteuid() == 0, **values)


def python(one: SandboxSpec, code: str) -> list[str]:
    return [str(one.python), "-I", "-S", "-c", code]


def said(started: SandboxProcess, wanted: bytes) -> bytes:
    """What the code wrote to stderr until `wanted` came, or it ended."""
    stderr, text = started.process.stderr, b""
    assert stderr
    while wanted not in text and (data := os.read(stderr.fileno(), 4096)):
        text += data
    return text


def gone(pids: list[int]) -> bool:
    """Whether none of these processes lives; one that waits to be reaped does not."""
    for pid in pids:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            continue
        if state not in "ZX":
            return False
    return True


@pytest.fixture(params=WALLS)
def tree(request: pytest.FixtureRequest) -> Iterator[tuple[SandboxProcess, list[int]]]:
    """Twenty stubborn processes behind a wall, by their numbers outside."""
    one = spec(request.param)
    started = start_sandbox(one, python(one, TREE))
    assert b"ready" in said(started, b"ready")
    members = started.list_pids()
    assert len(members) >= 21
    yield started, members
    started.close()


async def test_the_tree_would_live_on_without_a_wall() -> None:
    with subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", TREE], stderr=subprocess.PIPE, start_new_session=True
    ) as plain:
        assert plain.stderr
        assert plain.stderr.readline() == b"ready\n"
        below = landlock.list_children(plain.pid)
        plain.kill()
        plain.wait()
        assert len(below) == 20
        assert not gone(below)
        for pid in below:
            os.kill(pid, signal.SIGKILL)


async def test_everything_ends_with_the_wall(tree: tuple[SandboxProcess, list[int]]) -> None:
    started, members = tree
    started.kill()
    # Whoever is in a hurry does no harm.
    started.kill()
    await wait_until(lambda: gone(members))
    assert started.process.wait() != 0


async def test_everything_ends_with_the_command(tree: tuple[SandboxProcess, list[int]]) -> None:
    started, members = tree
    runner = started.find_runner_pid()
    assert runner in members
    os.kill(runner, signal.SIGKILL)
    await wait_until(lambda: gone(members))
    started.process.wait()


HOST = f"""
import os, sys
sys.path.insert(0, {str(ROOT)!r})
from starchat_tui.sandbox.isolation.bubblewrap import SandboxSpec
from starchat_tui.sandbox.isolation.launcher import start_sandbox
one = SandboxSpec(sys.argv[1], drop_to_nobody=os.geteuid() == 0)
started = start_sandbox(one, [str(one.python), "-I", "-S", "-c", sys.argv[2]])
text = b""
while b"ready" not in text: text += os.read(started.process.stderr.fileno(), 4096)
print(started.process.pid, *started.list_pids(), started.scratch or "", flush=True)
input()
"""
"""A program that starts the tree behind a wall, and then waits."""


@contextmanager
def program(wall: str, who: str, tree: str) -> Iterator[tuple[subprocess.Popen[bytes], list[str]]]:
    """A program of somebody behind whose wall `tree` runs, and the words it says of it."""
    command = [sys.executable, "-c", HOST, wall, tree]
    if who == "root" and os.geteuid() != 0:
        pytest.skip("only root can show what holds for root")
    if who == "user" and os.geteuid() == 0:
        command = _as_nobody(command)
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT) as app:
        assert app.stdout
        yield app, app.stdout.readline().decode().split()
        app.kill()


@pytest.mark.parametrize("who", ["root", "user"])
async def test_many_processes_end_with_the_wall(who: str) -> None:
    with program("isolated", who, TREE.replace("range(20)", "range(200)")) as (_, words):
        wall, *members = (int(word) for word in words if word.isdigit())
        assert len(members) >= 201
        os.kill(wall, signal.SIGKILL)
        await wait_until(lambda: gone(members))


@pytest.mark.parametrize("who", ["root", "user"])
@pytest.mark.parametrize("wall", WALLS)
async def test_everything_ends_with_the_program_that_started_it(wall: str, who: str) -> None:
    with program(wall, who, TREE) as (app, words):
        scratch = [Path(word) for word in words if word.startswith("/")]
        members = [int(word) for word in words if word.isdigit()]
        assert len(members) >= 22
        app.kill()
    await wait_until(lambda: gone(members))
    # What lay on the disk goes too: nobody else is there to remove it.
    await wait_until(lambda: not any(folder.exists() for folder in scratch))


async def test_the_wall_falls_with_a_failed_start(tmp_path: Path) -> None:
    one = spec("isolated", attached=(tmp_path / "none",))
    before = set(os.listdir("/proc/self/fd"))
    for wall in WALLS:
        one = spec(wall, attached=(tmp_path / "none",))
        with pytest.raises(UsageError):
            start_sandbox(one, ["true"])
    assert set(os.listdir("/proc/self/fd")) == before


@pytest.mark.parametrize("wall", WALLS)
def test_traps_that_are_attached_are_refused_at_once(wall: str, tmp_path: Path) -> None:
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
            start_sandbox(spec(wall, attached=(tmp_path / name,)), ["true"])


@pytest.mark.parametrize("wall", WALLS)
def test_a_file_with_a_dangerous_name_changes_nothing(wall: str, tmp_path: Path) -> None:
    """Names that other programs act upon: flags of the wall, modules that Python imports."""
    names = ("--bind", "-c", "sitecustomize.py", "json.py", "a\nb", "x\x1b]0;y\x07", "..x", "ä")
    for name in names:
        (tmp_path / name).write_text("print('WON')")
    one = spec(wall, attached=tuple(tmp_path / name for name in names))
    code = """
import json, os, sys
found = sorted(os.listdir("."))
assert all(open(name).read() for name in found)
print(json.dumps(found), file=sys.stderr)
"""
    started = start_sandbox(one, [str(one.python), "-I", "-c", code])
    text = started.process.communicate()[1].decode()
    started.close()
    assert json.loads(text) == sorted(names)


@pytest.mark.parametrize("wall", WALLS)
def test_the_users_file_stays_as_it_was(wall: str, tmp_path: Path) -> None:
    path = tmp_path / "data.csv"
    path.write_text("mine")
    path.chmod(0o600)
    one = spec(wall, attached=(path,))
    code = """
import os, sys
print(open("data.csv").read(), file=sys.stderr)
for change in (lambda: open("data.csv", "w").write("theirs"), lambda: os.unlink("data.csv"),
               lambda: os.chmod("data.csv", 0o777), lambda: os.truncate("data.csv", 0)):
    try: change()
    except OSError: pass
"""
    started = start_sandbox(one, python(one, code))
    assert started.process.communicate()[1] == b"mine\n"
    started.close()
    assert path.read_text() == "mine"
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_process_list_tells_neither_files_nor_environment(tmp_path: Path) -> None:
    path = tmp_path / "my-salary.csv"
    path.write_text("1")
    os.environ["STARCHAT_TEST_TOKEN"] = "token-in-the-environment"
    try:
        one = spec("isolated", attached=(path,))
        started = start_sandbox(one, python(one, TREE))
    finally:
        del os.environ["STARCHAT_TEST_TOKEN"]
    said(started, b"ready")
    pids = [started.process.pid, *started.list_pids()]
    pids += landlock.list_children(started.process.pid)
    for pid in pids:
        for kind in ("cmdline", "environ"):
            data = Path(f"/proc/{pid}/{kind}").read_bytes()
            assert b"salary" not in data, kind
            assert b"token-in" not in data, kind
    started.close()


@pytest.mark.parametrize("wall", WALLS)
def test_only_what_was_handed_over_is_open(wall: str) -> None:
    secret = os.memfd_create("secret")
    os.write(secret, b"HOSTSECRET")
    os.set_inheritable(secret, True)
    read, write = os.pipe()
    one = spec(wall)
    code = f"""
import os, sys
found = []
for fd in range(256):
    try: os.fstat(fd)
    except OSError: continue
    found.append(fd)
print(found == [0, 1, 2, {write}] or found, file=sys.stderr)
"""
    started = start_sandbox(one, python(one, code), pass_fds=[write])
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
wall, code = sys.argv[1:]
command = [sys.executable, "-I", "-S", "-c", code]
if wall == "none":
    subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
else:
    started = start_sandbox(SandboxSpec(wall, drop_to_nobody=os.geteuid() == 0), command)
    started.process.communicate()
    started.close()
print("END", flush=True)
"""


def on_a_terminal(wall: str, who: str) -> bytes:
    """What a terminal shows while the code tries to write to it and to type into it."""
    command = [sys.executable, "-c", TERMINAL, wall, TYPING]
    if who == "user" and os.geteuid() == 0:
        command = _as_nobody(command)
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


@pytest.mark.parametrize("who", ["root", "user"])
def test_the_terminal_is_out_of_reach(who: str) -> None:
    if who == "root" and os.geteuid() != 0:
        pytest.skip("only root can show what holds for root")
    assert b"\x1b]0;WON\x07" in on_a_terminal("none", who)
    for wall in WALLS:
        shown = on_a_terminal(wall, who)
        assert b"END" in shown, shown
        assert b"WON" not in shown
        assert b"evil" not in shown


def test_typing_is_refused_where_there_is_a_terminal_too() -> None:
    """The filter alone: the terminal is handed over, and still cannot be typed into."""
    reader, writer = os.openpty()
    one = spec("isolated")
    code = textwrap.dedent(f"""
        import fcntl, sys, termios
        for request in (termios.TIOCSTI, termios.TIOCSTI | 1 << 32):
            try: fcntl.ioctl({writer}, request & 0xFFFFFFFF, b"x"); print("WON", file=sys.stderr)
            except OSError as error: print(error.errno, file=sys.stderr)
        """)
    started = start_sandbox(one, python(one, code), pass_fds=[writer])
    text = started.process.communicate()[1]
    started.close()
    os.close(reader)
    os.close(writer)
    assert text == b"1\n1\n"


ROWS = {
    "test_many_processes_end_with_the_wall": 15,
    "test_the_terminal_is_out_of_reach": 25,
    "test_typing_is_refused_where_there_is_a_terminal_too": 25,
    "test_everything_ends_with_the_program_that_started_it": 26,
    "test_everything_ends_with_the_wall": 26,
    "test_everything_ends_with_the_command": 0,
    "test_traps_that_are_attached_are_refused_at_once": 27,
    "test_a_file_with_a_dangerous_name_changes_nothing": 0,
    "test_the_users_file_stays_as_it_was": 0,
    "test_a_process_list_tells_neither_files_nor_environment": 4,
    "test_only_what_was_handed_over_is_open": 0,
}
"""The attacks of this module, and their rows in the list of 29; 0 is not in it."""
