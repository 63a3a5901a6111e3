"""The child process that runs answers: jobs and verdicts are JSON lines on stdin and stdout.

Covered: each job in a process of its own, with limits on time, memory, files and processes, in an
empty directory, without environment. Not covered: the network and reading files; this is for code
that our own generator wrote, or that our own small model wrote from it. Imports nothing of ours.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import resource
import signal
import sys
import tempfile
from string import Template

SECONDS = 3
MEMORY = 512 * 2**20
FILE_SIZE = 2**20
PROCESSES = 64
LONGEST = 2000
"""Bytes of a verdict; more would fill the pipe."""


def main() -> None:
    """Answer every job until stdin ends."""
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        for line in sys.stdin:
            print(json.dumps(judged(json.loads(line))), flush=True)


def judged(job: dict[str, object]) -> str:
    """What failed of the job, in a process of its own; nothing where every condition holds."""
    read, write = os.pipe()
    if not os.fork():
        os.close(read)
        _answer(job, write)
    os.close(write)
    with os.fdopen(read, "rb") as pipe:
        said = pipe.read().decode(errors="replace")
    _, status = os.wait()
    return "took too long or died" if status else said


def _answer(job: dict[str, object], write: int) -> None:
    """In the child: limits, then the verdict into `write`; never returns."""
    for limit, value in (
        (resource.RLIMIT_CPU, SECONDS),
        (resource.RLIMIT_AS, MEMORY),
        (resource.RLIMIT_FSIZE, FILE_SIZE),
        (resource.RLIMIT_NPROC, PROCESSES),
    ):
        resource.setrlimit(limit, (value, value))
    signal.alarm(SECONDS)
    verdict = ""
    try:
        verdict = _verdict(job)
    finally:  # whatever the code raised, SystemExit too, is its verdict and goes no further
        error = sys.exc_info()[1]
        said = f"{type(error).__name__}: {error}" if error else verdict
        os.write(write, said.encode(errors="replace")[:LONGEST])
        os._exit(0)


def _verdict(job: dict[str, object]) -> str:
    space: dict[str, object] = {"__name__": "__main__"}
    out = io.StringIO()
    with contextlib.redirect_stdout(io.StringIO()):
        exec(compile(str(job["setup"]), "setup", "exec"), space)
    before = set(space)
    with contextlib.redirect_stdout(out):
        exec(compile(str(job["code"]), "answer", "exec"), space)
    if job["stdout"] is not None and out.getvalue().strip() != str(job["stdout"]).strip():
        return f"printed {out.getvalue()[:80]!r}"
    name = _target(job, space, before)
    for probe, expected in job["probes"]:  # type: ignore[attr-defined]
        with contextlib.redirect_stdout(io.StringIO()):
            value = eval(Template(probe).safe_substitute(f=name), space)
        if value != eval(expected) or type(value) is not type(eval(expected)):
            return f"{probe} is {value!r}, not {expected}"
    return ""


def _target(job: dict[str, object], space: dict[str, object], before: set[str]) -> str:
    """The name the question fixed, or else the first thing the code defined that can be called."""
    name = str(job["name"])
    if name in space or job["named"]:
        return name
    made = (key for key, value in space.items() if key not in before and callable(value))
    own = (key for key in made if getattr(space[key], "__module__", "") == "__main__")
    return next(own, name)


if __name__ == "__main__":
    main()
