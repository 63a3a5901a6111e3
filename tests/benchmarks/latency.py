"""Start-up time: each command against `python -c pass`, interleaved so that load cancels out.

Measured are the CPU seconds of `--version`, of the chat until its first frame is on a terminal, and
of a one-shot question to a warm engine, and the seconds until the first token of its answer.
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
"""Text of the composer, which is the last part of the first frame to be drawn."""
PATIENCE = 120.0
TICKS = os.sysconf("SC_CLK_TCK")


@contextmanager
def create_environment() -> Iterator[dict[str, str]]:
    """Yield the environment of a new home; stop the engine that was started in it."""
    root = tempfile.mkdtemp(prefix="sc-")
    # Byte code must be written: an installed package has it too.
    excluded = ("STARCHAT_", "PYTHONDONTWRITEBYTECODE")
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(excluded)}
    model = sys.argv[1] if len(sys.argv) > 1 else "nano-chat"
    added = {"STARCHAT_HOME": root, "STARCHAT_MODEL": model, "HF_HUB_OFFLINE": "1"}
    environment = {**inherited, **added, "TERM": "xterm-256color"}
    try:
        yield environment
    finally:
        subprocess.run([STARCHAT, "stop"], env=environment, capture_output=True, check=False)
        shutil.rmtree(root, ignore_errors=True)


def measure_cpu(command: list[str], environment: dict[str, str]) -> float:
    """Return the CPU seconds of a command that exits by itself."""
    process = subprocess.Popen(
        command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL
    )
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, command
    return used.ru_utime + used.ru_stime


def measure_first_frame(environment: dict[str, str]) -> float:
    """Return the CPU seconds of the chat and its supervisor until the first frame is drawn."""
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
        return sum(map(_read_cpu_seconds, _list_forks(pid)))
    finally:
        for one in reversed(_list_forks(pid)):
            os.kill(one, 9)
        os.close(screen)
        os.waitpid(pid, 0)


def _list_forks(pid: int) -> list[int]:
    """Return a process and its forks that run the same command, which the engine does not."""
    listed = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    command = Path(f"/proc/{pid}/cmdline").read_bytes()
    forks = [int(one) for one in listed if Path(f"/proc/{one}/cmdline").read_bytes() == command]
    return [pid, *(one for fork in forks for one in _list_forks(fork))]


def _read_cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def measure_question(environment: dict[str, str]) -> tuple[float, float]:
    """Return the seconds until an answer begins on stdout, and the CPU seconds of the client."""
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
    """Measure every command `REPEATS` times and return the medians."""
    pass_, version, frame, question, first_token = [], [], [], [], []
    with create_environment() as environment:
        # The first round writes the byte code, and starts and warms the engine.
        measure_first_frame(environment)
        measure_question(environment)
        for _ in range(REPEATS):
            pass_.append(measure_cpu([sys.executable, "-c", "pass"], environment))
            version.append(measure_cpu([STARCHAT, "--version"], environment))
            frame.append(measure_first_frame(environment))
            seconds, used = measure_question(environment)
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
