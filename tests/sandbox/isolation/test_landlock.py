"""Sandbox without namespaces: what it confines, its documented gaps, and that nothing is left."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from starchat_tui.sandbox.isolation import landlock
from starchat_tui.sandbox.isolation.bubblewrap import SandboxSpec
from starchat_tui.sandbox.isolation.launcher import SandboxProcess, start_sandbox
from tests.sandbox.conftest import ROOT, build_nobody_command
from tests.waiting import wait_until

pytestmark = pytest.mark.skipif(
    not landlock.get_abi_version(), reason="this kernel has no Landlock"
)


def begin(code: str, level: Any = "restricted") -> SandboxProcess:
    one = SandboxSpec(level, drop_to_nobody=os.geteuid() == 0)
    return start_sandbox(one, [str(one.interpreter.python), "-I", "-S", "-c", code])


def run(code: str, level: Any = "restricted") -> str:
    """Return what the code wrote to stderr."""
    started = begin(code, level)
    try:
        return started.process.communicate()[1].decode()
    finally:
        started.close()


def facts(code: str) -> Any:
    """Return what the code found, read from JSON."""
    program = f"import json, os, sys\n{code}\nprint(json.dumps(found), file=sys.stderr)"
    return json.loads(run(program))


def test_the_program_has_no_privileges_and_a_filter() -> None:
    found = facts("""
import ctypes
libc = ctypes.CDLL(None)
have = (ctypes.c_uint32 * 6)()
libc.capget((ctypes.c_uint32 * 2)(0x20080522, 0), have)
found = [any(have), libc.prctl(39, 0, 0, 0, 0), libc.prctl(21, 0, 0, 0, 0), os.getgroups()]
""")
    assert found == [False, 1, 2, []]


def test_code_reads_what_it_needs_and_writes_its_own_folders() -> None:
    found = facts("""
def can(path, how):
    try: open(path, how).close()
    except OSError as error: return error.strerror
    return True
home, tmp = os.environ["HOME"], os.environ["TMPDIR"]
found = {name: can(path, how) for name, path, how in (
    ("library", os.__file__, "r"), ("null", "/dev/null", "w"), ("own", "x", "w"),
    ("home", home + "/x", "w"), ("tmp", tmp + "/x", "w"),
    ("passwd", "/etc/passwd", "r"), ("proc", "/proc/self/status", "r"), ("shared", "/tmp/x", "w"),
    ("above", "../x", "w"), ("libraries", os.path.dirname(os.__file__) + "/x", "w"))}
""")
    own = ("library", "null", "own", "home", "tmp")
    assert {name: found.pop(name) for name in own} == dict.fromkeys(own, True)
    assert set(found.values()) == {"Permission denied"}


def test_the_documented_gap_exists_and_is_no_larger() -> None:
    found = facts("found = [os.stat('/etc/passwd').st_size > 0, os.path.exists('/etc/shadow')]")
    assert found == [True, True]
    said = " ".join(str(landlock.__doc__).split())
    assert "sees that files exist" in said


def test_code_may_end_programs_that_it_started() -> None:
    found = facts("""
import signal, subprocess
child = subprocess.Popen(["/bin/sleep", "60"])
child.terminate()
found = child.wait()
""")
    assert found == (-15 if landlock.get_abi_version() >= landlock.SCOPES_SINCE_ABI else found)


def test_the_filter_denies_signals_if_landlock_cannot(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(landlock, "SCOPES_SINCE_ABI", 1000)
    found = facts("""
def refused(call):
    try: call()
    except PermissionError: return True
    return False
found = [refused(lambda: os.kill(pid, 0)) for pid in (os.getpid(), os.getppid(), 0, -1)]
""")
    assert found == [True] * 4


async def test_the_scratch_folder_is_removed_whatever_it_holds() -> None:
    code = """
import os, sys
os.makedirs("a/b"); open("a/b/c", "w").close()
os.mkdir("closed", 0)
print("made", file=sys.stderr)
"""
    started = begin(code)
    scratch = started.scratch
    assert scratch
    assert started.process.communicate()[1] == b"made\n"
    assert not scratch.exists()
    started.close()


def test_an_ordinary_user_can_remove_unreadable_folders(tmp_path: Path) -> None:
    code = f"""
import os, sys, tempfile
sys.path.insert(0, {str(ROOT)!r})
from starchat_tui.sandbox.isolation import landlock
folder = tempfile.mkdtemp()
os.makedirs(folder + "/a/b/c")
os.symlink("/", folder + "/a/link")
for name in ("/a/b", "/a"): os.chmod(folder + name, 0)
landlock._remove_folder(folder)
print(os.getuid(), os.path.exists(folder))
"""
    command = [sys.executable, "-c", code]
    command = build_nobody_command(command) if os.geteuid() == 0 else command
    ran = subprocess.run(command, capture_output=True, text=True, check=True)
    user, left = ran.stdout.split()
    assert user != "0"
    assert left == "False"


def test_exit_codes_and_signals_are_passed_on() -> None:
    for code, wanted in (("raise SystemExit(7)", 7), ("import os; os.abort()", 134)):
        started = begin(code)
        started.process.communicate()
        assert started.process.returncode == wanted
        started.close()


def test_a_missing_program_is_reported() -> None:
    started = start_sandbox(SandboxSpec("restricted"), ["/usr/bin/no-such-program"])
    text = started.process.communicate()[1].decode()
    started.close()
    assert text == "landlock: /usr/bin/no-such-program: No such file or directory\n"
    assert started.process.returncode == 1


def test_the_unsafe_level_confines_nothing(tmp_path: Path) -> None:
    text = run("import sys; print(open('/etc/passwd').read()[:4], file=sys.stderr)", "unsafe")
    assert text == "root\n"


async def test_the_unsafe_level_leaves_no_process_behind() -> None:
    code = """
import os, sys, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0: time.sleep(300)
    os._exit(0)
os.wait()
print("ready", file=sys.stderr, flush=True)
"""
    started = begin(code, "unsafe")
    assert started.process.stderr
    assert started.process.stderr.readline() == b"ready\n"
    # The command has ended, or will in a moment; its orphan is ended with it.
    await wait_until(lambda: started.process.poll() is not None)
    assert started.process.returncode == 0
    assert started.list_pids() == []
    started.close()


def test_children_are_found_without_the_children_file(monkeypatch: pytest.MonkeyPatch) -> None:
    with subprocess.Popen(["sleep", "60"]) as child:
        assert child.pid in landlock.list_children(os.getpid())
        monkeypatch.setattr(landlock.os, "listdir", only_processes)
        assert child.pid in landlock.list_children(os.getpid())
        child.kill()


LISTED = os.listdir


def only_processes(path: str) -> Sequence[str]:
    """As where the kernel was built without /proc/PID/task/TID/children."""
    if path.endswith("/task"):
        raise FileNotFoundError(path)
    return LISTED(path)


def test_a_kernel_without_landlock_has_abi_version_zero() -> None:
    code = f"""
import sys
sys.path.insert(0, {str(Path(landlock.__file__).parents[3])!r})
from starchat_tui.sandbox.isolation import landlock, seccomp
from starchat_tui.sandbox.isolation.bubblewrap import get_machine
landlock._prctl(38, 1)
number = landlock.CREATE_RULESET
lines = [(0x20, 0, 0, 0), (0x15, 0, 1, number), (0x06, 0, 0, 0x50026), (0x06, 0, 0, 0x7FFF0000)]
landlock._install_filter(b"".join(seccomp._INSTRUCTION.pack(*line) for line in lines))
print(landlock.get_abi_version())
"""
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout == "0\n"
