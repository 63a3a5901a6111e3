"""Attacks on the kernel: excessive use, forged frames, code that outlives its run.

As in `attacks.py`, each is first shown to work in a process without a kernel.
"""

from __future__ import annotations

import base64
import struct
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from starchat_tui.sandbox.guest.pictures import MAX_SIDE
from tests.sandbox.attacks import TOOLS
from tests.sandbox.conftest import Host
from tests.sandbox.kernels import ENVIRONMENTS

pytestmark = [pytest.mark.bwrap, pytest.mark.slow]

MIB = 2**20
Outputs = Sequence[Mapping[str, Any]]


def get_status(outputs: Outputs) -> str:
    """Return the status of a cell, whose run must end exactly once."""
    assert [output["kind"] for output in outputs].count("RunEnded") == 1
    assert outputs[-1]["kind"] == "RunEnded"
    return str(outputs[-1]["status"])


def format_outputs(outputs: Outputs) -> str:
    """Format all outputs of a cell."""
    return repr(outputs)


def create_end_check(*wanted: str) -> Callable[[Sequence[Outputs]], None]:
    """Create a check: the first cell ends with one of these statuses, and the last one succeeds."""

    def check(cells: Sequence[Outputs]) -> None:
        assert get_status(cells[0]) in wanted, cells[0][-2:]
        assert "WON" not in format_outputs(cells[0])
        assert get_status(cells[-1]) == "ok", cells[-1]
        assert "'2'" in format_outputs(cells[-1])

    return check


def check_flood(cells: Sequence[Outputs]) -> None:
    """Check that the first cell was stopped and its threads flooded at most one more."""
    assert get_status(cells[0]) == "output", cells[0][-2:]
    ends = [get_status(cell) for cell in cells[1:]]
    assert ends.count("output") <= 1
    assert set(ends) <= {"ok", "output"}
    assert all("'2'" in format_outputs(cell) for cell in cells[1:] if get_status(cell) == "ok")


def check_quiet(cells: Sequence[Outputs]) -> None:
    """Check that no cell got through and the last one succeeds."""
    for outputs in cells:
        get_status(outputs)
        assert "WON" not in format_outputs(outputs), outputs
    assert get_status(cells[-1]) == "ok", cells[-1]


def check_few_figures(cells: Sequence[Outputs]) -> None:
    """Check that there are no more figures than the limit."""
    check_quiet(cells)
    assert sum(output["kind"] == "Figure" for output in cells[0]) <= 3


def check_no_pictures(cells: Sequence[Outputs]) -> None:
    check_quiet(cells)
    assert not any(output["kind"] == "Figure" for cell in cells for output in cell)


def check_small_pictures(cells: Sequence[Outputs]) -> None:
    """Check that pictures have been scaled down in the sandbox, whose memory is bounded."""
    check_quiet(cells)
    outputs = [output for cell in cells for output in cell]
    figures = [output for output in outputs if output["kind"] == "Figure"]
    assert figures
    assert not any(output["kind"] == "StreamText" for output in outputs)
    assert all(max(one["width"], one["height"]) <= MAX_SIDE for one in figures)


@dataclass(frozen=True, slots=True)
class Attack:
    """Cells that run one after another in a kernel."""

    row: int
    name: str
    cells: tuple[str, ...]
    control: str
    """The same attack in a process without a kernel, where it must call `won`."""
    check: Callable[[Sequence[Outputs]], None] = check_quiet
    limits: Mapping[str, float] = field(default_factory=dict)
    levels: tuple[str, ...] = ("isolated",)
    fetch: tuple[str, ...] = ()


def create_png(width: int, height: int) -> bytes:
    """Create a PNG of one color, which is a few kB whatever its size in pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        checksum = struct.pack(">I", zlib.crc32(kind + data))
        return struct.pack(">I", len(data)) + kind + data + checksum

    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    rows = zlib.compress(bytes((width + 7) // 8 + 1) * height, 9)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")
    )


BOMB = base64.b64encode(create_png(13_000, 13_000)).decode()
DOT = base64.b64encode(create_png(9, 9)).decode()
PIPES = """
import os, stat
pipes = []
for fd in range(3, 64):
    try:
        if stat.S_ISFIFO(os.fstat(fd).st_mode): pipes.append(fd)
    except OSError: pass
def forge(data):
    for fd in pipes:
        try: os.write(fd, data)
        except OSError: pass
def frame(kind, *fields):
    body = b"".join(len(one).to_bytes(4, "big") + one for one in fields)
    return kind + len(body).to_bytes(4, "big") + body
"""
"""Code in the kernel that writes to every pipe that the host may read."""
HOARD = """
for _ in range(4):
    if not os.fork():
        data = bytearray(os.urandom(2**20)) * 80
        time.sleep(15); os._exit(0)
"""

EXCESSIVE = (
    Attack(
        11,
        "ask for ten gigabytes at once",
        ("bytearray(10**10)", "1+1"),
        "won(len(bytearray(2**30)))",
        create_end_check("memory", "error"),
        {"memory": 400 * MIB},
    ),
    Attack(
        11,
        "ask numpy for ten gigabytes",
        ("import numpy; numpy.ones(10**9).sum()", "1+1"),
        "won(len(bytearray(2**30)))",
        create_end_check("memory", "error"),
        {"memory": 500 * MIB},
    ),
    Attack(
        12,
        "grow a list without end",
        ("x = []\nwhile True: x.append(bytes(2**20))", "del x\n1+1"),
        "won(len([bytes(2**20) for _ in range(450)]))",
        create_end_check("memory"),
        {"memory": 400 * MIB},
    ),
    Attack(
        13,
        "use too much memory in four child processes together",
        (f"import os, time\n{HOARD}\ntime.sleep(15)", "1+1"),
        f"import glob\n{HOARD}\nwon()",
        create_end_check("memory"),
        {"memory": 220 * MIB},
        ("isolated", "restricted"),
    ),
    Attack(
        16,
        "use memory in variables and in files together",
        (
            "import time\nx = bytearray(120 * 2**20)\n"
            "for i in range(0, len(x), 4096): x[i] = 1\n"
            "for at in range(10):\n    open(f'/tmp/{at}', 'wb').write(bytes(15 * 2**20))\n"
            "time.sleep(15)",
            "1+1",
        ),
        "won(len(bytearray(400 * 2**20)))",
        create_end_check("memory"),
        {"memory": 220 * MIB},
    ),
    Attack(
        10,
        "create more empty files than the limit",
        ("import time\nfor at in range(5000): open(f'e{at}', 'w').close()\ntime.sleep(15)", "1+1"),
        "for at in range(5000): open(f'e{at}', 'w').close()\n"
        "for at in range(5000): os.unlink(f'e{at}')\nwon()",
        create_end_check("memory"),
        {"entries": 2000},
    ),
    Attack(
        0,
        "hoard memory in sockets, where no process owns it",
        (
            "import os, socket, time\nfor _ in range(4): os.fork()\npairs = []\n"
            "try:\n    while True: pairs.append(socket.socketpair())\nexcept OSError: pass\n"
            "time.sleep(15)",
            "1+1",
        ),
        "import socket\npairs = [socket.socketpair() for _ in range(200)]\n"
        "for one, _ in pairs: one.setblocking(False)\n"
        "won(sum(one.send(bytes(50_000)) for one, _ in pairs))",
        create_end_check("memory"),
        {},
        ("isolated", "restricted"),
    ),
    Attack(
        0,
        "use a process name that is not text, then too much memory",
        (
            f"import ctypes, os, time\nctypes.CDLL(None).prctl(15, b'\\xff', 0, 0, 0)\n"
            f"time.sleep(0.5)\n{HOARD}\ntime.sleep(15)",
            "1+1",
        ),
        f"import glob\n{HOARD}\nlibc.prctl(15, b'\\xff', 0, 0, 0)\n"
        "won(open('/proc/self/stat', 'rb').read(20))",
        create_end_check("memory"),
        {"memory": 220 * MIB},
        ("isolated", "restricted"),
    ),
    Attack(
        0,
        "fill the disk with files that are removed but open",
        (
            "import os, time\nkept = []\nfor at in range(20):\n"
            "    kept.append(open(f'big{at}', 'wb'))\n    os.unlink(f'big{at}')\n"
            "    kept[-1].write(bytes(15 * 2**20)); kept[-1].flush()\n"
            "time.sleep(15)",
            "1+1",
        ),
        "file = open('d', 'wb'); os.unlink('d')\nwon(file.write(bytes(2**20)))",
        create_end_check("memory"),
        {"memory": 220 * MIB},
        ("restricted",),
    ),
    Attack(
        0,
        "fill the disk where its folder is on the disk",
        (
            "import time\nfor at in range(20):\n"
            "    with open(f'big{at}', 'wb') as file: file.write(bytes(15 * 2**20))\n"
            "time.sleep(15)",
            "1+1",
        ),
        "for at in range(3):\n    with open(f'd{at}', 'wb') as file: file.write(bytes(2**20))\n"
        "    os.unlink(f'd{at}')\nwon()",
        create_end_check("memory"),
        {"memory": 220 * MIB},
        ("restricted",),
    ),
    Attack(
        0,
        "fill the disk with files that are removed, mapped and closed",
        (
            "import mmap, os, time\nkept = []\nfor at in range(20):\n"
            "    with open(f'big{at}', 'w+b') as file:\n"
            "        file.write(bytes(15 * 2**20)); file.flush()\n"
            "        kept.append(mmap.mmap(file.fileno(), 0))\n"
            "    os.unlink(f'big{at}')\n"
            "time.sleep(15)",
            "1+1",
        ),
        "import mmap\nfile = open('d', 'w+b'); os.unlink('d'); file.write(bytes(2**20))\n"
        "file.flush(); kept = mmap.mmap(file.fileno(), 0); file.close(); won(len(kept))",
        create_end_check("memory"),
        {"memory": 220 * MIB},
        ("restricted",),
    ),
    Attack(
        0,
        "fill the memory with page tables",
        (
            "import mmap, time\n"
            "held = mmap.mmap(-1, 50 * 2**30, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, 1)\n"
            "for at in range(0, len(held), 2**21): held[at]\n"
            "time.sleep(15)",
            "1+1",
        ),
        "import mmap\n"
        "held = mmap.mmap(-1, 2**32, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, 1)\n"
        "def read():\n"
        "    lines = open('/proc/self/status').read().splitlines()\n"
        "    return int(next(one for one in lines if one.startswith('VmPTE')).split()[1])\n"
        "before = read()\nfor at in range(0, len(held), 2**21): held[at]\n"
        "if read() - before > 4000: won(read() - before)",
        create_end_check("memory"),
        {"memory": 60 * MIB},
        ("isolated", "restricted"),
    ),
    Attack(
        0,
        "reserve more addresses than any program needs",
        (
            "import mmap\n"
            "try: mmap.mmap(-1, 2**37, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, 1); print('WON')\n"
            "except OSError: print('held')",
            "1+1",
        ),
        "import mmap\nwon(len(mmap.mmap(-1, 2**37, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, 1)))",
        check_quiet,
        {},
        ("isolated", "restricted"),
    ),
    Attack(
        0,
        "hold memory in many pairs of sockets that stay within the user's limits",
        (
            "import socket, time\npairs = [socket.socketpair() for _ in range(100)]\n"
            "time.sleep(15)",
            "1+1",
        ),
        "import socket\npairs = [socket.socketpair() for _ in range(100)]\nwon(len(pairs))",
        create_end_check("memory"),
        {},
        ("isolated", "restricted"),
    ),
    Attack(
        14,
        "fork until no more processes can be started",
        (
            "import os, time\n"
            "try:\n    for at in range(200):\n"
            "        if not os.fork(): time.sleep(15); os._exit(0)\n"
            "    print('WON', at)\n"
            "except OSError: print('held', at)",
            "1+1",
        ),
        "made = 0\nfor _ in range(100):\n"
        "    if not os.fork(): time.sleep(5); os._exit(0)\n"
        "    made += 1\nwon(made)",
        check_quiet,
        {"processes": 40},
    ),
    Attack(
        0,
        "print without end",
        ("while True: print('x' * 1000)", "1+1"),
        "won(sum(os.write(os.open('/dev/null', 1), b'x' * 10**6) for _ in range(5)))",
        check_flood,
        {"output": 2 * MIB},
        ("isolated", "restricted"),
    ),
    Attack(
        0,
        "print from many threads, and past Python",
        (
            "import os, threading\n"
            "def pour():\n    while True: os.write(1, b'y' * 10**5); os.write(2, b'z' * 10**5)\n"
            "for _ in range(8): threading.Thread(target=pour, daemon=True).start()\n"
            "threading.Event().wait()",
            *["1+1"] * 4,
        ),
        "won(sum(os.write(os.open('/dev/null', 1), b'x' * 10**6) for _ in range(5)))",
        create_end_check("output"),
        {"output": 2 * MIB},
    ),
    Attack(
        0,
        "let another program print without end",
        ("!yes", "1+1"),
        "ran = subprocess.Popen(['yes'], stdout=subprocess.PIPE)\n"
        "won(len(ran.stdout.read(5 * 10**6))); ran.kill()",
        create_end_check("output"),
        {"output": 2 * MIB},
    ),
    Attack(
        0,
        "draw more figures than the limit",
        (
            "import matplotlib.pyplot as plt\nfor _ in range(12):\n"
            "    plt.figure(figsize=(1, 1)); plt.plot([1, 2]); plt.show()",
            "1+1",
        ),
        "won(100)",
        check_few_figures,
        {"figures": 3},
    ),
    Attack(
        0,
        "create thousands of files and folders",
        (
            "import os\nfor at in range(3000): open(f'file-{at}', 'w').close()\n"
            "os.makedirs('/'.join(['deep'] * 400)); open('x' * 255, 'w').close()\n"
            "open('line\\nbreak\\x1b]0;WON\\x07', 'w').close()",
            "1+1",
        ),
        "for at in range(100): open(f'f{at}', 'w').close()\n"
        "for at in range(100): os.unlink(f'f{at}')\nwon()",
        lambda cells: (
            create_end_check("ok", "error")([[*cells[0][-1:]], cells[-1]]),
            len(cells[0]) < 400 or pytest.fail(str(len(cells[0]))),
        )[0],
    ),
)
STUBBORN = (
    Attack(
        17,
        "loop for ever",
        ("while True: pass", "1+1"),
        "signal.alarm(0)\nend = time.monotonic() + 1\nwhile time.monotonic() < end: pass\nwon()",
        create_end_check("timeout"),
        {"timeout": 1.0},
        ("isolated", "restricted"),
    ),
    Attack(
        17,
        "loop in C, where Python checks no signals",
        ("import re; re.match('(a+)+$', 'a' * 60 + 'b')", "1+1"),
        "signal.alarm(0)\nend = time.monotonic() + 1\nwhile time.monotonic() < end: pass\nwon()",
        create_end_check("timeout"),
        {"timeout": 1.0},
    ),
    Attack(
        17,
        "swallow every interrupt",
        (
            "while True:\n    try:\n        while True: pass\n    except BaseException: pass",
            "1+1",
        ),
        "reader, writer = os.pipe()\npid = os.fork()\n"
        "if not pid:\n    signal.signal(2, signal.SIG_IGN); os.write(writer, b'.')\n"
        "    time.sleep(60); os._exit(0)\n"
        "os.read(reader, 1); os.kill(pid, 2); time.sleep(0.2)\n"
        "if os.waitpid(pid, os.WNOHANG)[0] == 0: won()\nos.kill(pid, 9)",
        create_end_check("timeout"),
        {"timeout": 1.0, "grace": 0.5},
    ),
    Attack(
        0,
        "ignore SIGINT in the process of the kernel",
        (
            "import signal, time\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\n"
            "signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})\n"
            "time.sleep(60)",
            "1+1",
        ),
        "signal.signal(signal.SIGINT, signal.SIG_IGN); os.kill(os.getpid(), 2); won()",
        create_end_check("timeout"),
        {"timeout": 1.0, "grace": 0.5},
    ),
    Attack(
        0,
        "stop itself with SIGSTOP",
        ("import os, signal; os.kill(os.getpid(), signal.SIGSTOP)", "1+1"),
        "pid = os.fork()\n"
        "if not pid: os.kill(os.getpid(), signal.SIGSTOP)\n"
        "won(os.WIFSTOPPED(os.waitpid(pid, os.WUNTRACED)[1])); os.kill(pid, 9)",
        create_end_check("timeout"),
        {"timeout": 1.0, "grace": 0.5},
        ("isolated", "restricted"),
    ),
    Attack(
        18,
        "exit without running any handler",
        ("import os; os._exit(3)", "1+1"),
        "pid = os.fork()\nif not pid: os._exit(3)\nwon(os.waitpid(pid, 0)[1])",
        create_end_check("died"),
        {},
        ("isolated", "restricted"),
    ),
    Attack(
        18,
        "crash in C",
        ("import ctypes; ctypes.string_at(0)", "1+1"),
        "pid = os.fork()\nif not pid: ctypes.string_at(0)\nwon(os.waitpid(pid, 0)[1])",
        create_end_check("died"),
    ),
    Attack(
        18,
        "exit with exit() and SystemExit",
        ("exit()", "raise SystemExit(4)", "1+1"),
        "pid = os.fork()\nif not pid:\n    try: sys.exit(4)\n    except SystemExit: os._exit(4)\n"
        "won(os.waitpid(pid, 0)[1])",
        create_end_check("ok", "error", "died"),
    ),
    Attack(
        0,
        "kill every process it can see, the first one too",
        (
            "import os, signal\nfor pid in (1, -1):\n    try: os.kill(pid, 9)\n"
            "    except OSError: pass\n"
            "import subprocess; subprocess.Popen(['sleep', '60']); os.kill(0, 9)",
            "1+1",
        ),
        "pid = os.fork()\nif not pid: os.kill(os.getpid(), 9)\nwon(os.waitpid(pid, 0)[1])",
        create_end_check("died"),
    ),
    Attack(
        0,
        "crash and leave a core dump",
        (
            "import os, resource\n"
            "try: resource.setrlimit(resource.RLIMIT_CORE, (2**30, 2**30)); print('WON')\n"
            "except (OSError, ValueError): print('held')",
            "1+1",
        ),
        "import resource\nhard = resource.getrlimit(resource.RLIMIT_CORE)[1]\n"
        "resource.setrlimit(resource.RLIMIT_CORE, (hard, hard))\n"
        "won(hard) if hard else absent('no cores here')",
        create_end_check("ok"),
    ),
)
FORGED = tuple(
    Attack(
        row,
        name,
        (f"{PIPES}\nforge({data})\nimport time; time.sleep(0.2)\nprint('after')", "1", "1+1"),
        control,
        # A forged frame may change the outputs of its own run, but not those of the next runs.
        lambda cells: create_end_check("ok")([cells[-1], cells[-1]]),
    )
    for row, name, data, control in (
        (
            0,
            "send a pickle that runs a program",
            "b'cos\\nsystem\\n(S\"touch /tmp/starchat-pickled\"\\ntR.'",
            "import pickle\n"
            "pickle.loads(b'cos\\nsystem\\n(S\"touch starchat-pickled\"\\ntR.')\n"
            "won(os.unlink('starchat-pickled'))",
        ),
        (
            0,
            "send deeply nested brackets",
            "b'[' * 200_000",
            "import json\ntry: json.loads('[' * 200_000)\nexcept RecursionError: won()",
        ),
        (
            0,
            "send an integer of a hundred thousand digits",
            "frame(b'B', b'9' * 100_000)",
            "won(len(str(10 ** 4000)))\nint('9' * 4000)",
        ),
        (0, "announce a frame of four gigabytes", "b'T' + b'\\xff' * 4", "won(0xFFFFFFFF)"),
        (
            0,
            "send bytes that are not text",
            "frame(b'T', b'stdout', b'\\xff\\xfe\\xed')",
            "try: b'\\xff\\xfe'.decode()\nexcept UnicodeDecodeError: won()",
        ),
        (0, "send a frame of unknown kind", "frame(b'Z', b'x')", "won()"),
        (0, "send the wrong number of fields", "frame(b'D')", "won()"),
        (0, "send a picture that is not a PNG", "frame(b'F', b'GIF89a', b'1', b'1', b'')", "won()"),
        (
            28,
            "send a picture with a false size",
            f"frame(b'F', __import__('base64').b64decode('{BOMB}'), b'10', b'10', b'small')",
            f"import base64; data = base64.b64decode('{BOMB}')\n"
            "size = struct.unpack('>II', data[16:24])\n"
            "if size == (13000, 13000) and len(data) < 50_000: won(len(data))",
        ),
        (0, "announce its end several times", "frame(b'D', b'ok') * 3", "won()"),
        (0, "announce an end that only the host may report", "frame(b'D', b'timeout')", "won()"),
        (
            0,
            "announce that an old run begins again",
            "frame(b'B', b'1') + frame(b'B', b'99')",
            "won()",
        ),
    )
)
DISPLAYED = (
    Attack(
        28,
        "display a picture that fills the memory of its viewer",
        (
            "import base64\nfrom IPython.display import Image, display\n"
            f"display(Image(data=base64.b64decode('{BOMB}'), format='png'))",
            "1+1",
        ),
        f"import base64; data = base64.b64decode('{BOMB}')\n"
        "if struct.unpack('>II', data[16:24]) == (13000, 13000): won(len(data))",
        check_small_pictures,
    ),
    Attack(
        0,
        "display HTML, JavaScript and SVG",
        (
            "from IPython.display import HTML, SVG, Javascript, display\n"
            "display(HTML('<img src=x onerror=WON>'), Javascript('WON'), "
            "SVG(data='<svg xmlns=\"http://www.w3.org/2000/svg\"><script>WON</script></svg>'))",
            "1+1",
        ),
        "won('a browser would run it')",
        check_no_pictures,
    ),
    Attack(
        29,
        "print from a thread after the end",
        (
            "import threading, time\n"
            "def late():\n    time.sleep(0.4)\n    print('late', 'WORD')\n"
            "threading.Thread(target=late).start()",
            "import time; time.sleep(1.0)\nprint('own')",
            "1+1",
        ),
        "import threading\none = threading.Timer(0.1, lambda: won('after'))\n"
        "one.start(); one.join()",
    ),
    Attack(
        0,
        "draw from a timer after the end",
        (
            "import threading\nfrom IPython.display import Image, display\n"
            f"data = __import__('base64').b64decode('{DOT}')\n"
            "threading.Timer(0.3, lambda: display(Image(data=data, format='png'))).start()",
            "1",
            "1+1",
        ),
        "import threading\none = threading.Timer(0.1, lambda: won('after'))\n"
        "one.start(); one.join()",
        lambda cells: (check_quiet(cells), get_status(cells[0]))[0],
    ),
    Attack(
        0,
        "ask the user for a password",
        ("print('W' + 'ON' if input('password: ') else 'nothing')", "1+1"),
        "data = os.read(0, 10)\nif data: won(data)",
        create_end_check("error", "ok"),
    ),
    Attack(
        27,
        "create files that are dangerous to fetch",
        (
            "import os\n"
            "for make in (lambda: os.symlink(@FACTS@['secret'], 'link'),\n"
            "             lambda: os.mkfifo('fifo'),\n"
            "             lambda: os.symlink('/dev/zero', 'zero'), lambda: os.mkdir('folder'),\n"
            "             lambda: open('\\x1b]0;name\\x07', 'w').close()):\n"
            "    try: make()\n    except OSError: pass\n"
            "file = open('sparse', 'wb')\n"
            "try: file.truncate(200 * 2**30)\nexcept OSError: print('held')\n",
            "1+1",
        ),
        "os.symlink(H['secret'], 'trap'); won(open('trap').read()); os.unlink('trap')",
        fetch=("link", "fifo", "zero", "folder", "../../etc/passwd", "/etc/passwd", ""),
    ),
    Attack(
        0,
        "run code when the kernel ends",
        (
            "import atexit, os, time\natexit.register(lambda: (print('WON'), time.sleep(60)))",
            "1+1",
        ),
        "pid = os.fork()\nif not pid:\n    import atexit\n    atexit.register(won, 'at exit')\n"
        "    atexit._run_exitfuncs(); os._exit(0)\nos.waitpid(pid, 0)",
    ),
    Attack(
        0,
        "leave processes behind that ignore signals",
        (
            "import os, signal, time\nfor _ in range(10):\n    if not os.fork():\n"
            "        os.setsid()\n"
            "        for one in (1, 2, 15): signal.signal(one, signal.SIG_IGN)\n"
            "        os.fork(); time.sleep(60); os._exit(0)",
            "1+1",
        ),
        "reader, writer = os.pipe()\npid = os.fork()\n"
        "if not pid:\n    os.setsid(); signal.signal(15, signal.SIG_IGN); os.write(writer, b'.')\n"
        "    time.sleep(60); os._exit(0)\n"
        "os.read(reader, 1); os.kill(pid, 15); time.sleep(0.2)\n"
        "if os.waitpid(pid, os.WNOHANG)[0] == 0: won()\nos.kill(pid, 9)",
        levels=("isolated", "restricted"),
    ),
    Attack(
        0,
        "read the environment of the sandbox",
        (
            "import os\nprint([k for k in os.environ if k.startswith(('LD_', 'PYTHONPATH', 'SSH'))]"
            " or 'none', 'WON' if 'ENVSECRET' in str(os.environ) else '')",
            "1+1",
        ),
        "if 'ENVSECRET' in str(os.environ): won()",
    ),
)
ATTACKS = (*EXCESSIVE, *STUBBORN, *FORGED, *DISPLAYED)
CONTROLS = {attack.name: TOOLS + attack.control for attack in ATTACKS}


@pytest.mark.parametrize("environment", ENVIRONMENTS, ids=str)
@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.name)
def test_attack_works_without_a_kernel_and_fails_in_ours(
    host: Host, attack: Attack, environment: Path | None
) -> None:
    found: Any = host.run_attacks("none", CONTROLS)
    output = found["found"][attack.name][0]
    assert "WON" in output or "ABSENT" in output, output
    for level in attack.levels:
        limits = {"timeout": 120.0, **attack.limits}
        job = {"level": level, "cells": attack.cells, "limits": limits, "fetch": attack.fetch}
        job["environment"] = str(environment or "")
        answer = host.run_job(job)
        assert answer["level"] == level
        attack.check(answer["cells"])
        # Every process that the kernel started must end with it.
        assert answer["left"] == []
        assert not Path("/tmp/starchat-pickled").exists()
        assert not any(isinstance(size, int) for size in answer["files"].values()), answer["files"]
