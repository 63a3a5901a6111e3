"""The kernel from the host's side: limits with their messages, interrupts, deaths, forgeries."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
import sys
import textwrap
import time
from contextlib import aclosing, suppress
from dataclasses import replace
from pathlib import Path

import pytest

from starchat_tui.errors import UsageError
from starchat_tui.sandbox.host.downloads import Download
from starchat_tui.sandbox.host.kernel import Kernel, NotServed
from starchat_tui.sandbox.isolation.probe import Verdict
from starchat_tui.sandbox.limits import MIB, Limits
from starchat_tui.sandbox.outputs import Ended, Note, Text
from tests.sandbox.running import PATIENT, kernel_of, said
from tests.waiting import PATIENCE, block_until, wait_until

pytestmark = pytest.mark.bwrap

ROOT = Path(__file__).parents[3]
LEVELS = ("isolated", "restricted")
KEPT, GONE = "Variables are kept.", "Variables are gone; the next run starts afresh."
AFTERWARDS = """
import sys, threading, time, traceback
def afterwards(act):
    def wait():
        while '_run' in [frame.f_code.co_name for frame, _ in traceback.walk_stack(main())]:
            time.sleep(0.01)
        act()
    main = lambda: sys._current_frames()[threading.main_thread().ident]
    threading.Thread(target=wait).start()
"""
"""Inside: does something once the run is over, told to the host too."""


@pytest.mark.parametrize("level", LEVELS)
async def test_variables_live_on_until_a_restart(level: str) -> None:
    async with kernel_of(level) as kernel:
        assert not kernel.alive
        await kernel.start()
        await kernel.start()
        assert kernel.alive
        first = await said(kernel, "x = 41; print('set')")
        assert (first.ended.status, first.ended.level, first.out) == ("ok", level, "set\n")
        assert (await said(kernel, "x + 1")).results == ["42"]
        await kernel.restart()
        assert kernel.alive
        assert (await said(kernel, "x")).failure.name == "NameError"


async def test_without_a_wall_nothing_runs(tmp_path: Path) -> None:
    kernel = Kernel(Verdict("off", "bubblewrap is not installed"))
    await kernel.start()
    run = await said(kernel, f"open({str(tmp_path / 'x')!r}, 'w')")
    assert run.outputs == [Ended("no-sandbox", "off", 0.0, "bubblewrap is not installed")]
    assert not kernel.alive
    assert not list(tmp_path.iterdir())
    await kernel.aclose()


async def test_output_comes_while_the_code_runs() -> None:
    code = "import time\nprint('now')\nfor _ in range(1000): time.sleep(0.1)"
    async with kernel_of() as kernel:
        got = []
        async with aclosing(kernel.run(code)) as outputs:
            async for output in outputs:
                got.append(output)
                if output == Text("stdout", "now\n"):
                    kernel.interrupt()
    assert got[0] == Text("stdout", "now\n")
    assert isinstance(got[-1], Ended)
    assert (got[-1].status, got[-1].reason) == ("interrupted", f"Interrupted. {KEPT}")


LOOPS = {
    "Python": "while True: pass",
    "sleep": "import time; time.sleep(1000)",
    "a regular expression in C": "import re; re.match(r'(a+)+$', 'a' * 60 + 'b')",
    "integers in C": "x = 3**30_000_000; x = x * x * x * x",
    "await": "import asyncio; await asyncio.sleep(1000)",
    "a shell": "!sleep 1000",
    "a cell of the shell": "%%bash\nsleep 1000",
    "prints": "while True: print('x' * 100)",
    "threads that print": "import threading\n"
    "def talk():\n    while True: print('y' * 50)\n"
    "for _ in range(3): threading.Thread(target=talk, daemon=True).start()\n"
    "while True: print('x' * 70)",
}


async def interrupted(kernel: Kernel, code: str) -> Ended:
    """How a run ends that is interrupted as soon as it has said that it begins."""
    last = None
    async for last in kernel.run(code):
        if isinstance(last, Text) and "begun" in last.text:
            kernel.interrupt()
    assert isinstance(last, Ended)
    return last


def announced(code: str) -> str:
    if code.startswith("%%bash"):
        return code.replace("sleep", "echo begun; sleep")
    return f"print('begun', flush=True)\n{code}"


@pytest.mark.parametrize("name", LOOPS)
async def test_an_interrupt_reaches_the_code_and_keeps_variables(name: str) -> None:
    async with kernel_of() as kernel:
        await said(kernel, "kept = 'kept'")
        ended = await interrupted(kernel, announced(LOOPS[name]))
        assert (ended.status, ended.reason) == ("interrupted", f"Interrupted. {KEPT}")
        assert (await said(kernel, "kept")).results == ["'kept'"]


async def test_interrupts_never_tear_a_frame() -> None:
    async with kernel_of() as kernel:
        for _ in range(10):
            ended = await interrupted(kernel, announced(LOOPS["threads that print"]))
            assert (ended.status, ended.reason) == ("interrupted", f"Interrupted. {KEPT}")


async def test_what_does_not_heed_an_interrupt_is_ended() -> None:
    stubborn = "import time\nwhile True: time.sleep(9)"
    deaf = "import signal\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\n"
    async with kernel_of(limits=Limits(grace=0.3)) as kernel:
        ended = await interrupted(kernel, deaf + announced(stubborn))
        assert (ended.status, ended.reason) == ("interrupted", f"Interrupted. {GONE}")
        assert not kernel.alive
        assert (await said(kernel, "1")).results == ["1"]


async def test_a_run_can_be_interrupted_before_its_kernel_is_there() -> None:
    async with kernel_of() as kernel:
        running = asyncio.ensure_future(said(kernel, "while True: pass"))
        await asyncio.sleep(0)
        kernel.interrupt()
        ended = (await running).ended
        assert (ended.status, ended.reason) == ("interrupted", f"Interrupted. {KEPT}")


async def test_a_run_that_waits_for_a_kernel_begun_ahead_can_be_interrupted() -> None:
    async with kernel_of() as kernel:
        ahead = asyncio.ensure_future(kernel.start())
        await asyncio.sleep(0)
        running = asyncio.ensure_future(said(kernel, "while True: pass"))
        await asyncio.sleep(0)
        kernel.interrupt()
        assert (await running).ended.reason == f"Interrupted. {KEPT}"
        await ahead
        assert kernel.alive


STOPS_AFTERWARDS = f"""{AFTERWARDS}
import os, signal
afterwards(lambda: os.kill(os.getpid(), signal.SIGSTOP))
"""


async def stopped(kernel: Kernel) -> None:
    """Have the runner stop itself once its run has ended."""
    await said(kernel, STOPS_AFTERWARDS)
    assert kernel._life
    runner = kernel._life._started.runner()
    state = Path(f"/proc/{runner}/stat")
    await wait_until(lambda: state.read_bytes().rpartition(b")")[2].split()[0] == b"T")


@pytest.mark.parametrize("level", LEVELS)
async def test_a_kernel_that_never_begins_is_ended(
    level: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with kernel_of(level) as kernel:
        await stopped(kernel)
        with monkeypatch.context() as impatient:
            impatient.setattr("starchat_tui.sandbox.host.kernel_run.PATIENCE", 1.0)
            ended = (await said(kernel, "1")).ended
        assert (ended.status, ended.reason) == (
            "died",
            f"The kernel did not begin the run within 1 s. {GONE}",
        )
        assert (await said(kernel, "2")).results == ["2"]


async def test_a_run_that_never_begins_can_be_interrupted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("starchat_tui.sandbox.host.kernel_process._BEGINS", 0.3)
    async with kernel_of(limits=replace(PATIENT, grace=0.3)) as kernel:
        await stopped(kernel)
        running = asyncio.ensure_future(said(kernel, "1"))
        await wait_until(lambda: kernel._life and kernel._life.asked)
        kernel.interrupt()
        ended = (await running).ended
        assert (ended.status, ended.reason) == ("interrupted", f"Interrupted. {GONE}")


async def test_an_interrupt_without_a_run_does_nothing() -> None:
    async with kernel_of() as kernel:
        kernel.interrupt()
        await said(kernel, "x = 1")
        kernel.interrupt()
        assert (await said(kernel, "x")).results == ["1"]


SMALL = replace(PATIENT, memory=700 * MIB, entries=20_000)
LIMITS = {
    "time": (
        replace(SMALL, timeout=0.5),
        "while True: pass",
        ("timeout", f"Stopped after 0.5 s. {KEPT}"),
    ),
    "memory of a process": (
        SMALL,
        "x = bytearray(10**10)",
        ("memory", f"The code asked for more than 0.684 GB of memory. {KEPT}"),
    ),
    "memory of an array": (
        SMALL,
        "import numpy\nx = numpy.ones(10**9)",
        ("memory", f"The code asked for more than 0.684 GB of memory. {KEPT}"),
    ),
    "memory of a family": (
        SMALL,
        "import os, time\nfor _ in range(6):\n"
        "    if os.fork() == 0:\n        x = bytearray(b'x') * 300_000_000; time.sleep(200)\n"
        "time.sleep(200)",
        ("memory", f"The code and its files held more than 0.684 GB of memory. {GONE}"),
    ),
    "files": (
        SMALL,
        "for i in range(10**6): open(f'/tmp/{i}', 'w').close()",
        ("memory", f"The code made more than 20,000 files. {GONE}"),
    ),
    "output": (
        replace(SMALL, output=2 * MIB),
        "while True: print('x' * 1000)",
        ("output", f"Stopped after 2 MB of output. {KEPT}"),
    ),
    "output past Python": (
        replace(SMALL, output=2 * MIB),
        "import os\nwhile True: os.write(1, b'x' * 10_000)",
        ("output", f"Stopped after 2 MB of output. {KEPT}"),
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", LIMITS)
async def test_each_limit_has_its_message(name: str) -> None:
    limits, code, expected = LIMITS[name]
    async with kernel_of(limits=limits) as kernel:
        ended = (await said(kernel, code)).ended
        assert (ended.status, ended.reason) == expected
        assert kernel.alive == (KEPT in ended.reason)
        assert (await said(kernel, "6 * 7")).results == ["42"]


async def test_a_file_that_grows_too_large_says_so() -> None:
    async with kernel_of(limits=replace(SMALL, file_size=MIB)) as kernel:
        run = await said(kernel, "open('big', 'wb').write(bytes(2**21))")
        assert run.failure.name == "OSError"
        assert "No file may grow larger." in run.notes


async def test_more_pictures_than_the_limit_are_left_out() -> None:
    code = "import matplotlib.pyplot as plt\nfor i in range(5):\n    plt.figure(); plt.plot([i])"
    async with kernel_of(limits=Limits(figures=2)) as kernel:
        run = await said(kernel, code)
    assert len(run.figures) == 2
    assert run.notes == ["More than 2 pictures: the rest is not shown."]
    assert run.ended.status == "ok"


DEATHS = {
    "import os; os._exit(3)": "The kernel ended: exit code 3",
    "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)": "The kernel ended: signal SIGSEGV",
    "import os, signal; os.kill(os.getpid(), signal.SIGKILL)": "The kernel ended: signal SIGKILL",
    "import ctypes; ctypes.string_at(0)": "The kernel ended: signal SIGSEGV",
}


@pytest.mark.parametrize("code", DEATHS)
async def test_a_kernel_that_dies_is_told_and_replaced(code: str) -> None:
    async with kernel_of() as kernel:
        run = await said(kernel, f"print('last words', flush=True)\n{code}")
        assert run.out == "last words\n"
        assert (run.ended.status, run.ended.reason) == ("died", f"{DEATHS[code]}. {GONE}")
        assert (await said(kernel, "1")).results == ["1"]


async def test_a_death_between_two_runs_is_told_by_the_next() -> None:
    code = f"{AFTERWARDS}\nimport os; afterwards(lambda: os._exit(7))"
    async with kernel_of() as kernel:
        assert (await said(kernel, code)).ended.status == "ok"
        await wait_until(lambda: not kernel.alive)
        run = await said(kernel, "2")
        assert run.outputs[0] == Note(
            "The kernel ended: exit code 7: the variables of earlier runs are gone."
        )
        assert run.results == ["2"]


FIND = """
import os, stat
pipes = [fd for fd in range(3, 64) if os.path.exists(f'/dev/fd') or True]
def is_out(fd):
    try:
        import fcntl
        return stat.S_ISFIFO(os.fstat(fd).st_mode) and fcntl.fcntl(fd, fcntl.F_GETFL) & 3 == 1
    except OSError: return False
out = min(fd for fd in pipes if is_out(fd))
"""
"""How code finds the pipe its frames go through: the first that can be written."""
FORGERIES = {
    "garbage": "b'garbage'",
    "JSON": 'b\'{"status": "ok"}\'',
    "half a frame of another": "b'N' + (9).to_bytes(4, 'big') + b'abc'",
    "four gigabytes": "b'F' + b'\\xff' * 4",
    "a second beginning": "b'B' + (5).to_bytes(4, 'big') + (1).to_bytes(4, 'big') + b'1'",
    "being ready again": "b'R' + bytes(4)",
    "a file nobody asked for": "b'C' + (5).to_bytes(4, 'big') + (1).to_bytes(4, 'big') + b'x'",
    "a picture bomb": "b'F' + (4).to_bytes(4, 'big') + bytes(4)",
}


@pytest.mark.parametrize("name", FORGERIES)
async def test_a_forged_frame_ends_the_kernel(name: str) -> None:
    async with kernel_of() as kernel:
        run = await said(kernel, f"{FIND}\nos.write(out, {FORGERIES[name]})\nprint('x' * 100)")
        assert run.ended.status == "died"
        assert run.ended.reason.startswith("Protocol violation: ")
        assert run.ended.reason.endswith(GONE)
        assert (await said(kernel, "1")).results == ["1"]


async def test_a_forged_end_fools_nobody_but_its_run() -> None:
    forged = "b'D' + (6).to_bytes(4, 'big') + (2).to_bytes(4, 'big') + b'ok'"
    async with kernel_of() as kernel:
        run = await said(kernel, f"{FIND}\nos.write(out, {forged})\nprint('later')")
        assert run.ended.status == "ok"
        # What follows belongs to no run; the next one begins with its own beginning.
        following = await said(kernel, "1")
        assert following.ended.status in ("ok", "died")
        assert "later" not in following.out


async def test_output_after_the_end_of_a_run_goes_nowhere() -> None:
    late = "afterwards(lambda: (print('late!', flush=True), open('said', 'w').close()))"
    async with kernel_of() as kernel:
        run = await said(kernel, f"{AFTERWARDS}\n{late}; print('begun')")
        assert run.out == "begun\n"
        await there(kernel, "said")
        run = await said(kernel, "print('mine')")
    assert run.out == "mine\n"
    assert run.notes == ["6 characters that came after the end of an earlier run are gone."]


async def there(kernel: Kernel, name: str) -> None:
    """Wait until the code has written a file, without a run."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        with suppress(NotServed):
            await kernel.fetch(name)
            return
        await asyncio.sleep(0.01)
    pytest.fail(f"no `{name}` within {PATIENCE:g} s")


async def test_files_are_told_and_fetched_by_name() -> None:
    code = """
import os
open('a.csv', 'w').write('a,b')
os.makedirs('sub/deep', exist_ok=True)
open('sub/deep/b.bin', 'wb').write(bytes(range(256)) * 8192)
os.symlink('/etc/passwd', 'link')
os.mkfifo('fifo')
open(os.fsencode('x') + b'\\xff', 'w').close();
"""
    async with kernel_of() as kernel:
        run = await said(kernel, code)
        assert run.files == {"a.csv": 3, "sub/deep/b.bin": 2**21}
        assert await kernel.fetch("a.csv") == b"a,b"
        assert await kernel.fetch("sub/deep/b.bin") == bytes(range(256)) * 8192
        for name in (
            "nothing",
            "link",
            "fifo",
            "sub",
            "",
            ".",
            "/etc/passwd",
            "../etc/passwd",
            "sub/../a.csv",
            "sub/../../usr/bin/python3",
            "/cell/a.csv",
            "a.csv\0",
        ):
            with pytest.raises(NotServed, match="cannot be had"):
                await kernel.fetch(name)
        assert (await said(kernel, "1")).files == {}
        assert (await said(kernel, "open('a.csv', 'a').write('c')")).files == {"a.csv": 4}
    with pytest.raises(NotServed, match="gone"):
        await kernel.fetch("a.csv")


async def test_a_file_larger_than_is_handed_out_costs_nothing_else() -> None:
    async with kernel_of(limits=replace(PATIENT, fetched=MIB)) as kernel:
        await said(kernel, "x = 1; open('big', 'wb').write(bytes(2**22))")
        with pytest.raises(NotServed, match="it has more than 1 MB"):
            await kernel.fetch("big")
        assert (await said(kernel, "x")).results == ["1"]


async def test_a_kernel_that_sends_more_than_it_may_is_ended() -> None:
    async with kernel_of() as kernel:
        await said(kernel, "open('big', 'wb').write(bytes(2**22));")
        kernel.limits = replace(PATIENT, fetched=MIB)  # which the runner does not know
        with pytest.raises(NotServed, match="more of a file than it may"):
            await kernel.fetch("big")
        assert (await said(kernel, "1")).results == ["1"]


@pytest.mark.parametrize("level", LEVELS)
async def test_downloads_lie_in_the_folder_and_the_code_reads_them(level: str) -> None:
    url = "https://data.example/table.csv"
    got = Download(url, "table.csv", b"a,b\n1,2\n" + b"3,4\n" * 500_000)
    async with kernel_of(level) as kernel:
        await said(kernel, "x = 5")
        code = f"import os\ntext = open('{url}').read()\nmode = os.stat('table.csv').st_mode\n"
        code += "len(text), text[:7], oct(mode), x"
        run = await said(kernel, code, downloads=[got])
        assert run.results == ["(2000008, 'a,b\\n1,2', '0o100444', 5)"]
        assert run.files == {}


@pytest.mark.parametrize("level", LEVELS)
async def test_attached_files_can_be_read_and_not_written(level: str, tmp_path: Path) -> None:
    first, second = tmp_path / "first.csv", tmp_path / "second.csv"
    first.write_text("1")
    second.write_text("2")
    async with kernel_of(level, attached=[first]) as kernel:
        assert (await said(kernel, "x = open('first.csv').read(); x")).results == ["'1'"]
        written = await said(kernel, "open('first.csv', 'w').write('no')")
        assert written.ended.status == "error"
        await kernel.attach(second)
        run = await said(kernel, "open('first.csv').read() + open('second.csv').read()")
        assert run.results == ["'12'"]
        assert "attach" in run.notes[0]
        with pytest.raises(UsageError):
            await kernel.attach(tmp_path / "missing")
        assert (await said(kernel, "1")).results == ["1"]
    assert first.read_text() == "1"


async def test_who_stops_listening_ends_the_kernel() -> None:
    async with kernel_of() as kernel:
        async with aclosing(kernel.run("while True: print('x')")) as outputs:
            await anext(outputs)
        assert not kernel.alive
        assert (await said(kernel, "1")).results == ["1"]


async def runs(kernel: Kernel) -> None:
    """Wait until a run has begun that says nothing."""
    await wait_until(lambda: kernel._life and kernel._life.running, what="the run has begun")


async def test_closing_ends_a_run_that_is_running() -> None:
    async with kernel_of() as kernel:
        await kernel.start()
        running = asyncio.ensure_future(said(kernel, "while True: pass"))
        await runs(kernel)
        await kernel.aclose()
        ended = (await running).ended
        assert (ended.status, ended.reason) == ("died", f"The kernel was closed. {GONE}")


async def test_restarting_ends_a_run_that_is_running() -> None:
    async with kernel_of() as kernel:
        await kernel.start()
        running = asyncio.ensure_future(said(kernel, "while True: pass"))
        await runs(kernel)
        await kernel.restart()
        ended = (await running).ended
        assert (ended.status, ended.reason) == ("interrupted", f"The kernel was restarted. {GONE}")
        assert (await said(kernel, "1")).results == ["1"]


async def test_two_runs_at_once_take_turns() -> None:
    async with kernel_of() as kernel:
        first, second = await asyncio.gather(
            said(kernel, "import time; time.sleep(0.2); print('a')"), said(kernel, "print('b')")
        )
    assert (first.out, second.out) == ("a\n", "b\n")


HOST = """
import asyncio, sys
from starchat_tui.sandbox.isolation import probe as preflight
from starchat_tui.sandbox.host.kernel import Kernel

CODE = '''
import os, signal, time
for _ in range(5):
    if os.fork() == 0:
        os.setsid()
        for one in signal.SIGTERM, signal.SIGHUP: signal.signal(one, signal.SIG_IGN)
        while True: time.sleep(1)
print("running", flush=True)
while True: time.sleep(1)
'''

async def main():
    kernel = Kernel(preflight.probe(sys.argv[1]))
    async for output in kernel.run(CODE):
        print(*kernel._life._started.members(), flush=True)

asyncio.run(main())
"""


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM])
def test_everything_is_gone_when_the_host_is_killed(level: str, end: signal.Signals) -> None:
    host = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(HOST), level],
        stdout=subprocess.PIPE,
        cwd=ROOT,
        text=True,
    )
    assert host.stdout is not None
    with host, host.stdout:
        pids = [int(word) for word in re.findall(r"\d+", host.stdout.readline())]
        assert len(pids) > 5, "the code and its five children"
        assert all(map(lives, pids)), "they are there, to begin with"
        host.send_signal(end)
        host.wait()
    block_until(lambda: not any(map(lives, pids)), what=f"still there: {pids}")


def lives(pid: int) -> bool:
    """Whether a process runs; one that only waits to be reaped does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_what_is_there_is_seen() -> None:
    assert lives(os.getpid())
