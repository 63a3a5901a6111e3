"""Check of answers: runs their code and compares output, values and figures."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from functools import cache
from pathlib import Path

from train.demo.tasks.family import LANGUAGES, Check

ROOT = Path(__file__).parents[3]
CODE_WORKER = Path(__file__).with_name("code_worker.py")
PLOT_WORKER = "train.demo.evaluation.plot_worker"
_FENCE = re.compile(r"```[a-z]*\n(.*?)(?:\n```|\Z)", re.DOTALL)
BATCH = 200
TRUSTED_BATCH = 40
"""Trusted answers per child process of the plot worker."""


def extract_code(text: str) -> str:
    """Return the code blocks of an answer, joined."""
    return "\n\n".join(_FENCE.findall(text))


@cache
def _has_program(tool: str) -> bool:
    return shutil.which(tool) is not None


def find_missing_program(check: Check) -> str:
    """Return the program that the check needs and this machine lacks, "" if none."""
    tool = LANGUAGES[check.language]
    return tool if tool and not _has_program(tool) else ""


def check_answers(
    pairs: Iterable[tuple[str, Check]], *, workers: int = 1, trusted: bool = False
) -> list[str]:
    """Return for each (answer, check) what is wrong with the answer, "" if it is right.

    With `trusted`, answers that draw share processes, which is faster; a model's run one by one.
    """
    listed = list(pairs)
    verdicts = [check_text(text, check) for text, check in listed]
    waiting = [
        i for i, (_, check) in enumerate(listed) if not verdicts[i] and check.needs_execution
    ]
    plain = [i for i in waiting if not needs_plot_worker(listed[i][1])]
    drawing = [i for i in waiting if needs_plot_worker(listed[i][1])]
    # Code workers start in milliseconds and take small batches; a plot worker imports its packages
    # for seconds, so there is one for each of `workers`.
    batches = [plain[at : at + BATCH] for at in range(0, len(plain), BATCH)]
    share = max(1, -(-len(drawing) // workers))
    shares = [drawing[at : at + share] for at in range(0, len(drawing), share)]
    with ThreadPoolExecutor(workers) as pool:
        tasks = [
            *((batch, pool.submit(_check_code, [listed[i] for i in batch])) for batch in batches),
            *(
                (part, pool.submit(_check_plots, [listed[i] for i in part], trusted=trusted))
                for part in shares
            ),
        ]
        for indexes, task in tasks:
            for index, verdict in zip(indexes, task.result(), strict=True):
                verdicts[index] = verdict
    return verdicts


def needs_plot_worker(check: Check) -> bool:
    """Return whether the code needs the packages for plots and tables."""
    return check.packages or bool(check.drawn)


def check_text(text: str, check: Check) -> str:
    """Apply the conditions of a check that need no execution."""
    code = extract_code(text)
    for phrase in check.says:
        if phrase.lower() not in text.lower():
            return f"does not say {phrase!r}"
    for part in check.has:
        if part not in code:
            return f"code lacks {part!r}"
    for part in check.lacks:
        if part in code:
            return f"code has {part!r}"
    if check.needs_execution and not code:
        return "no code"
    return ""


def _build_jobs(batch: Sequence[tuple[str, Check]]) -> list[dict[str, object]]:
    return [{**asdict(check), "code": extract_code(text)} for text, check in batch]


def _check_code(batch: Sequence[tuple[str, Check]]) -> list[str]:
    """Return the verdicts of one code worker, which forks once for each answer."""
    lines = [json.dumps(job) + "\n" for job in _build_jobs(batch)]
    # `-I -S`: neither the user's site-packages nor the environment reach the answers.
    environment = {"PATH": os.environ.get("PATH", os.defpath)}
    answers = _run_worker([sys.executable, "-I", "-S", str(CODE_WORKER)], lines, environment)
    return [json.loads(line) for line in answers]


def _check_plots(batch: Sequence[tuple[str, Check]], *, trusted: bool) -> list[str]:
    """Return the verdicts of one plot worker: a process per answer, or per trusted batch."""
    jobs, size = _build_jobs(batch), TRUSTED_BATCH if trusted else 1
    lines = [json.dumps(jobs[at : at + size]) + "\n" for at in range(0, len(jobs), size)]
    environment = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"} | _matplotlib_environment()
    answers = _run_worker([sys.executable, "-m", PLOT_WORKER], lines, environment)
    return [verdict for line in answers for verdict in json.loads(line)]


def _run_worker(command: list[str], lines: Sequence[str], environment: dict[str, str]) -> list[str]:
    """Return the output lines of a child process; raises `RuntimeError` if it dies."""
    child = subprocess.run(
        command,
        input="".join(lines),
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=environment,
        check=False,
    )
    if child.returncode:
        raise RuntimeError(f"{command[-1]} died:\n{child.stderr[-2000:]}")
    return child.stdout.splitlines()


def _matplotlib_environment() -> dict[str, str]:
    """Return the variables that locate matplotlib's font cache.

    Without it each worker would build the cache anew, which takes seconds.
    """
    return {name: os.environ[name] for name in ("HOME", "MPLCONFIGDIR") if name in os.environ}
