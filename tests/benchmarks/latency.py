"""Start-up as ratios: each command against `python -c pass`, interleaved, so that load cancels out.

CPU seconds of the version, of the chat's first frame on a terminal, and of a one-shot question to a
warm engine; and the seconds until that question's first token is on stdout.
`python -m tests.benchmarks.latency [MODEL]`.
"""

from __future__ import annotations

import fcntl
import os
import pty
import select
import shutil
import statistics
import struct
import subprocess
import sys
import tempfile
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.benchmarks.record import Goal, publish

REPEATS = 5
STARCHAT = str(Path(sys.executable).with_name("starchat"))
FIRST_FRAME = b"Enter send"
"""The composer's own words: the last part of the first frame to be drawn."""
PATIENCE = 120.0
TICKS = os.sysconf("SC_CLK_TCK")


@contextmanager
def home() -> Iterator[dict[str, str]]:
    """An environment of its own; the engine that was started in it is ended."""
    root = tempfile.mkdtemp(prefix="sc-")
    # An installed package has its byte code.
    dropped = ("STARCHAT_", "PYTHONDONTWRITEBYTECODE")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(dropped)}
    model = sys.argv[1] if len(sys.argv) > 1 else "nano-chat"
    own = {"STARCHAT_HOME": root, "STARCHAT_MODEL": model, "HF_HUB_OFFLINE": "1"}
    environment = {**kept, **own, "TERM": "xterm-256color"}
    try:
        yield environment
    finally:
        subprocess.run([STARCHAT, "stop"], env=environment, capture_output=True, check=False)
        shutil.rmtree(root, ignore_errors=True)


def cpu_of(command: list[str], environment: dict[str, str]) -> float:
    """CPU seconds of a command that ends by itself."""
    process = subprocess.Popen(
        command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL
    )
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, command
    return used.ru_utime + used.ru_stime


def first_frame(environment: dict[str, str]) -> float:
    """CPU seconds of the chat, its watching parent included, until its first frame is drawn."""
    pid, screen = pty.fork()
    if pid == 0:
        os.execve(STARCHAT, [STARCHAT], environment)
    fcntl.ioctl(screen, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 100, 0, 0))
    try:
        drawn, end = b"", time.monotonic() + PATIENCE
        while FIRST_FRAME not in drawn:
            assert time.monotonic() < end, f"no first frame, only {drawn[-2000:]!r}"
            if select.select([screen], [], [], 1.0)[0]:
                drawn += os.read(screen, 65536)
        return sum(map(_cpu_so_far, _family(pid)))
    finally:
        for one in reversed(_family(pid)):
            os.kill(one, 9)
        os.close(screen)
        os.waitpid(pid, 0)


def _family(pid: int) -> list[int]:
    """A process and the forks of its own that still run the same command; the engine is not one."""
    listed = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    command = Path(f"/proc/{pid}/cmdline").read_bytes()
    forks = [int(one) for one in listed if Path(f"/proc/{one}/cmdline").read_bytes() == command]
    return [pid, *(one for fork in forks for one in _family(fork))]


def _cpu_so_far(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def asked(environment: dict[str, str]) -> tuple[float, float]:
    """Seconds until the first token of an answer is on stdout, and the CPU seconds of the face."""
    start = time.monotonic()
    command = [STARCHAT, "--no-log", "--max-tokens", "16", "-t", "0", "How do I sort a list?"]
    process = subprocess.Popen(
        command,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    assert process.stdout is not None
    first = process.stdout.read(1)
    seconds = time.monotonic() - start
    process.stdout.read()
    process.stdout.close()
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert first, "no answer"
    assert process.returncode == 0
    return seconds, used.ru_utime + used.ru_stime


def measure() -> dict[str, float]:
    """The figures."""
    pass_, version, frame, question, first_token = [], [], [], [], []
    with home() as environment:
        # Writes the byte code, and starts and warms the engine.
        first_frame(environment)
        asked(environment)
        for _ in range(REPEATS):
            pass_.append(cpu_of([sys.executable, "-c", "pass"], environment))
            version.append(cpu_of([STARCHAT, "--version"], environment))
            frame.append(first_frame(environment))
            seconds, used = asked(environment)
            first_token.append(seconds)
            question.append(used)
    base = statistics.median(pass_)
    return {
        "pass_cpu_ms": round(1e3 * base, 1),
        "version_cpu_ms": round(1e3 * statistics.median(version), 1),
        "first_frame_cpu_ms": round(1e3 * statistics.median(frame), 1),
        "question_cpu_ms": round(1e3 * statistics.median(question), 1),
        "warm_first_token_ms": round(1e3 * statistics.median(first_token), 1),
        "version_ratio": round(statistics.median(version) / base, 2),
        "first_frame_ratio": round(statistics.median(frame) / base, 1),
        "question_ratio": round(statistics.median(question) / base, 1),
    }


GOALS = {"version_ratio": Goal(most=3.0), "first_frame_ratio": Goal(most=35.0)}

if __name__ == "__main__":
    sys.exit(publish("latency", measure, GOALS))
