"""Child process that runs answers: jobs and verdicts are JSON lines on stdin and stdout.

Covered: each job runs in a process of its own, with limits on time, memory, file size and number of
processes, in an empty directory, without input, and with no environment but the search path. Not
covered: network access and reading files. This is for code that our own generator wrote, or that
our own small model derived from it. Imports nothing of this package.
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
CPU_SECONDS = 3
"""CPU seconds per job."""
WALL_CLOCK_FACTOR = 5
"""Wall-clock seconds per CPU second: the machine may be busy, and the job may sleep."""
MEMORY = 512 * 2**20
FILE_SIZE = 2**20
PROCESSES = 64
VERDICT_MARK = "="
"""First character of every verdict: code that ends its own process leaves none."""
MAX_VERDICT_BYTES = 2000
"""Maximum bytes of a verdict, well below the capacity of a pipe."""
UNCAPPED_LANGUAGES = frozenset(("javascript", "c", "shell"))
"""Languages whose tools start threads or reserve more memory than they use."""
TOOLS = {
    "shell": (("bash", "answer.shell"),),
    "javascript": (("node", "answer.javascript"),),
    "c": (("gcc", "-x", "c", "-o", "answer", "answer.c", "-lm"), ("./answer",)),
}
"""Commands for each language; the output of the last one counts."""


def main() -> None:
    """Judge every job until stdin ends."""
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        for line in sys.stdin:
            print(json.dumps(judge_in_child(json.loads(line))), flush=True)


def judge_in_child(
    job: Job, judge: Callable[[Job], str] | None = None, memory: int = MEMORY
) -> str:
    """Return what failed of the job, run in a child process; "" if every condition holds."""
    read, write = os.pipe()
    # A fork and not a new interpreter: it costs a millisecond, and 85,000 dialogues are checked.
    if not os.fork():
        os.close(read)
        _judge_and_exit(job, write, judge or judge_job, memory)
    os.close(write)
    with os.fdopen(read, "rb") as pipe:
        failure = pipe.read().decode(errors="replace")
    _, status = os.wait()
    _clear_folder()
    return (
        failure[1:] if failure.startswith(VERDICT_MARK) and not status else "took too long or died"
    )


def _clear_folder() -> None:
    """Delete everything that a job wrote, before the next one runs."""
    for path in Path().iterdir():
        shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()


def apply_limits(memory: int | None, seconds: int = CPU_SECONDS) -> None:
    """Limit this process, irrevocably, in memory and CPU time, and detach its streams."""
    limits = [(resource.RLIMIT_CPU, seconds), (resource.RLIMIT_FSIZE, FILE_SIZE)]
    if memory is not None:
        limits += [(resource.RLIMIT_AS, memory), (resource.RLIMIT_NPROC, PROCESSES)]
    for kind, value in limits:
        resource.setrlimit(kind, (value, value))
    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):  # where the jobs come from, and the verdicts go
        os.dup2(nowhere, stream)
    sys.stdin = os.fdopen(nowhere)  # the old one may hold jobs that it has read ahead
    signal.alarm(WALL_CLOCK_FACTOR * seconds)


def _judge_and_exit(job: Job, write: int, judge: Callable[[Job], str], memory: int) -> None:
    """Apply the limits, write the verdict into `write` and exit, in the child process."""
    apply_limits(None if job["language"] in UNCAPPED_LANGUAGES else memory)
    failure = ""
    try:
        failure = judge(job)
    finally:  # whatever the code raised, SystemExit too, is its verdict and goes no further
        error = sys.exc_info()[1]
        failure = f"{type(error).__name__}: {error}" if error else failure
        os.write(write, (VERDICT_MARK + failure).encode(errors="replace")[:MAX_VERDICT_BYTES])
        os._exit(0)


def judge_job(job: Job) -> str:
    """Run the job in this process and return what failed of it."""
    for name, content in job["files"]:  # type: ignore[attr-defined]
        Path(name).write_text(content)
    if job["language"] != "python":
        printed = _run_sql(job) if job["language"] == "sql" else _run_tool(job)
        return _compare_output(job, printed)
    failure = _run_python(job, str(job["setup"]))
    if failure:
        return failure
    # A test that passes with a broken function tests nothing.
    for mutant in job["mutants"]:  # type: ignore[attr-defined]
        with contextlib.suppress(Exception):
            if not _run_python(job, mutant):
                return "does not notice a broken function"
    return ""


def _compare_output(job: Job, printed: str) -> str:
    if job["stdout"] is not None and printed.strip() != str(job["stdout"]).strip():
        return f"printed {printed[:80]!r}"
    return ""


def _run_python(job: Job, setup: str) -> str:
    space: dict[str, object] = {"__name__": "__main__"}
    out = io.StringIO()
    with contextlib.redirect_stdout(io.StringIO()):
        exec(compile(setup, "setup", "exec"), space)
    before = set(space)
    with contextlib.redirect_stdout(out):
        exec(compile(str(job["code"]) + "\n" + str(job["after"]), "answer", "exec"), space)
    if failure := _compare_output(job, out.getvalue()):
        return failure
    name = _find_target(job, space, before)
    for probe, expected in job["probes"]:  # type: ignore[attr-defined]
        with contextlib.redirect_stdout(io.StringIO()):
            value = eval(Template(probe).safe_substitute(f=name), space)
        # By type too: 1.0 and True equal 1, and neither is what was asked for.
        if value != eval(expected) or type(value) is not type(eval(expected)):
            return f"{probe} is {value!r}, not {expected}"
    return ""


def _run_sql(job: Job) -> str:
    """Return the rows of the answer's statements in the format of the sqlite3 program."""
    lines: list[str] = []
    with contextlib.closing(sqlite3.connect(":memory:")) as base:
        base.executescript(str(job["setup"]))
        for statement in f"{job['code']}\n;{job['after']}".split(";"):
            for row in base.execute(statement):
                lines.append("|".join("" if cell is None else str(cell) for cell in row))
    return "\n".join(lines)


def _run_tool(job: Job) -> str:
    """Return the output of a program in another language; raises `RuntimeError` if it fails."""
    language = str(job["language"])
    whole = f"{job['setup']}\n{job['code']}\n{job['after']}\n"
    Path(f"answer.{language}").write_text(whole)
    for command in TOOLS[language]:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(done.stderr.strip()[:200] or f"exit code {done.returncode}")
    return done.stdout


def _find_target(job: Job, space: dict[str, object], before: set[str]) -> str:
    """Return the name that the question fixed, else of the first callable that the code defined."""
    name = str(job["name"])
    if name in space or job["named"]:
        return name
    made = (key for key, value in space.items() if key not in before and callable(value))
    own = (key for key in made if getattr(space[key], "__module__", "") == "__main__")
    return next(own, name)


if __name__ == "__main__":
    main()
