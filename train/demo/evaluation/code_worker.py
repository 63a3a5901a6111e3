"""The child process that runs answers: jobs and verdicts are JSON lines on stdin and stdout.

Covered: each job in a process of its own, with limits on time, memory, files and processes, in an
empty directory, without input and without environment but the search path. Not covered: the
network and reading files; this is for code that our own generator wrote, or that our own small
model wrote from it. Imports nothing of ours.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import resource
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from string import Template

Job = dict[str, object]
SECONDS = 3
"""Of work, for a job."""
PATIENCE = 5
"""Seconds on the clock for each of work: the machine may be busy, and the job may sleep."""
MEMORY = 512 * 2**20
FILE_SIZE = 2**20
PROCESSES = 64
JUDGED = "="
"""Begins every verdict; code that ends its own process leaves none."""
LONGEST = 2000
"""Bytes of a verdict; more would fill the pipe."""
ROOMY = frozenset(("javascript", "c", "shell"))
"""Languages whose tools need threads of their own, or reserve more memory than they use."""
TOOLS = {
    "shell": (("bash", "answer.shell"),),
    "javascript": (("node", "answer.javascript"),),
    "c": (("gcc", "-x", "c", "-o", "answer", "answer.c", "-lm"), ("./answer",)),
}
"""The commands of each language; the last one's output counts."""


def main() -> None:
    """Answer every job until stdin ends."""
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        for line in sys.stdin:
            print(json.dumps(judged(json.loads(line))), flush=True)


def judged(job: Job, judge: Callable[[Job], str] | None = None, memory: int = MEMORY) -> str:
    """What failed of the job, in a process of its own; nothing where every condition holds."""
    read, write = os.pipe()
    if not os.fork():
        os.close(read)
        _answer(job, write, judge or verdict, memory)
    os.close(write)
    with os.fdopen(read, "rb") as pipe:
        said = pipe.read().decode(errors="replace")
    _, status = os.wait()
    _clear()
    return said[1:] if said.startswith(JUDGED) and not status else "took too long or died"


def _clear() -> None:
    """Nothing that one job wrote is there for the next."""
    for path in Path().iterdir():
        shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()


def limit(memory: int | None, seconds: int = SECONDS) -> None:
    """Hold this process, for good, to so many bytes of memory and seconds of work; no streams."""
    limits = [(resource.RLIMIT_CPU, seconds), (resource.RLIMIT_FSIZE, FILE_SIZE)]
    if memory is not None:
        limits += [(resource.RLIMIT_AS, memory), (resource.RLIMIT_NPROC, PROCESSES)]
    for kind, value in limits:
        resource.setrlimit(kind, (value, value))
    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):  # where the jobs come from, and the verdicts go
        os.dup2(nowhere, stream)
    sys.stdin = os.fdopen(nowhere)  # the old one may hold jobs that it has read ahead
    signal.alarm(PATIENCE * seconds)


def _answer(job: Job, write: int, judge: Callable[[Job], str], memory: int) -> None:
    """In the child: limits, then the verdict into `write`; never returns."""
    limit(None if job["language"] in ROOMY else memory)
    found = ""
    try:
        found = judge(job)
    finally:  # whatever the code raised, SystemExit too, is its verdict and goes no further
        error = sys.exc_info()[1]
        said = f"{type(error).__name__}: {error}" if error else found
        os.write(write, (JUDGED + said).encode(errors="replace")[:LONGEST])
        os._exit(0)


def verdict(job: Job) -> str:
    """Run the job here and say what failed of it."""
    for name, content in job["files"]:  # type: ignore[attr-defined]
        Path(name).write_text(content)
    if job["language"] != "python":
        printed = _sql(job) if job["language"] == "sql" else _tool(job)
        return _printing(job, printed)
    said = _python(job, str(job["setup"]))
    if said:
        return said
    for mutant in job["mutants"]:  # type: ignore[attr-defined]
        with contextlib.suppress(Exception):
            if not _python(job, mutant):
                return "does not notice a broken function"
    return ""


def _printing(job: Job, printed: str) -> str:
    if job["stdout"] is not None and printed.strip() != str(job["stdout"]).strip():
        return f"printed {printed[:80]!r}"
    return ""


def _python(job: Job, setup: str) -> str:
    space: dict[str, object] = {"__name__": "__main__"}
    out = io.StringIO()
    with contextlib.redirect_stdout(io.StringIO()):
        exec(compile(setup, "setup", "exec"), space)
    before = set(space)
    with contextlib.redirect_stdout(out):
        exec(compile(str(job["code"]) + "\n" + str(job["after"]), "answer", "exec"), space)
    if said := _printing(job, out.getvalue()):
        return said
    name = _target(job, space, before)
    for probe, expected in job["probes"]:  # type: ignore[attr-defined]
        with contextlib.redirect_stdout(io.StringIO()):
            value = eval(Template(probe).safe_substitute(f=name), space)
        if value != eval(expected) or type(value) is not type(eval(expected)):
            return f"{probe} is {value!r}, not {expected}"
    return ""


def _sql(job: Job) -> str:
    """The rows that the answer's statements give, as the sqlite3 program prints them."""
    lines: list[str] = []
    with contextlib.closing(sqlite3.connect(":memory:")) as base:
        base.executescript(str(job["setup"]))
        for statement in f"{job['code']}\n;{job['after']}".split(";"):
            for row in base.execute(statement):
                lines.append("|".join("" if cell is None else str(cell) for cell in row))
    return "\n".join(lines)


def _tool(job: Job) -> str:
    """What a program in another language prints; raises where it fails."""
    language = str(job["language"])
    whole = f"{job['setup']}\n{job['code']}\n{job['after']}\n"
    Path(f"answer.{language}").write_text(whole)
    for command in TOOLS[language]:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(done.stderr.strip()[:200] or f"exit code {done.returncode}")
    return done.stdout


def _target(job: Job, space: dict[str, object], before: set[str]) -> str:
    """The name the question fixed, or else the first thing the code defined that can be called."""
    name = str(job["name"])
    if name in space or job["named"]:
        return name
    made = (key for key, value in space.items() if key not in before and callable(value))
    own = (key for key in made if getattr(space[key], "__module__", "") == "__main__")
    return next(own, name)


if __name__ == "__main__":
    main()
