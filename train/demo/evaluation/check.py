"""Tells right answers from wrong ones: runs their code and looks at what it drew."""

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
RUNNER = Path(__file__).with_name("code_worker.py")
EASEL = "train.demo.evaluation.plot_worker"
_FENCE = re.compile(r"```[a-z]*\n(.*?)(?:\n```|\Z)", re.DOTALL)
BATCH = 200
TOGETHER = 40
"""Trusted answers that share a process of the easel."""


def code_of(text: str) -> str:
    """The code blocks of an answer, joined."""
    return "\n\n".join(_FENCE.findall(text))


@cache
def _found(tool: str) -> bool:
    return shutil.which(tool) is not None


def missing(check: Check) -> str:
    """The program that the check needs and the machine does not have, "" where there is none."""
    tool = LANGUAGES[check.language]
    return tool if tool and not _found(tool) else ""


def check_all(
    pairs: Iterable[tuple[str, Check]], *, workers: int = 1, trusted: bool = False
) -> list[str]:
    """For each (answer, check): "" where the answer is right, else what is wrong with it.

    `trusted` answers that draw share processes, which is faster; a model's are run one by one.
    """
    listed = list(pairs)
    verdicts = [read_only(text, check) for text, check in listed]
    waiting = [i for i, (_, check) in enumerate(listed) if not verdicts[i] and check.runs]
    plain = [i for i in waiting if not on_easel(listed[i][1])]
    drawing = [i for i in waiting if on_easel(listed[i][1])]
    batches = [plain[at : at + BATCH] for at in range(0, len(plain), BATCH)]
    share = max(1, -(-len(drawing) // workers))
    shares = [drawing[at : at + share] for at in range(0, len(drawing), share)]
    with ThreadPoolExecutor(workers) as pool:
        tasks = [
            *((batch, pool.submit(_run, [listed[i] for i in batch])) for batch in batches),
            *(
                (part, pool.submit(_draw, [listed[i] for i in part], trusted=trusted))
                for part in shares
            ),
        ]
        for indexes, task in tasks:
            for index, verdict in zip(indexes, task.result(), strict=True):
                verdicts[index] = verdict
    return verdicts


def on_easel(check: Check) -> bool:
    """Whether the code needs the packages for plots and tables."""
    return check.packages or bool(check.drawn)


def read_only(text: str, check: Check) -> str:
    """What can be told without running anything."""
    code = code_of(text)
    for said in check.says:
        if said.lower() not in text.lower():
            return f"does not say {said!r}"
    for part in check.has:
        if part not in code:
            return f"code lacks {part!r}"
    for part in check.lacks:
        if part in code:
            return f"code has {part!r}"
    if check.runs and not code:
        return "no code"
    return ""


def _jobs(batch: Sequence[tuple[str, Check]]) -> list[dict[str, object]]:
    return [{**asdict(check), "code": code_of(text)} for text, check in batch]


def _run(batch: Sequence[tuple[str, Check]]) -> list[str]:
    """Verdicts of one child process, which forks once for each answer."""
    lines = [json.dumps(job) + "\n" for job in _jobs(batch)]
    environment = {"PATH": os.environ.get("PATH", os.defpath)}
    answers = _answers([sys.executable, "-I", "-S", str(RUNNER)], lines, environment)
    return [json.loads(line) for line in answers]


def _draw(batch: Sequence[tuple[str, Check]], *, trusted: bool) -> list[str]:
    """Verdicts of one easel: each answer in a process of its own, or many trusted ones."""
    jobs, size = _jobs(batch), TOGETHER if trusted else 1
    lines = [json.dumps(jobs[at : at + size]) + "\n" for at in range(0, len(jobs), size)]
    environment = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"} | _home()
    answers = _answers([sys.executable, "-m", EASEL], lines, environment)
    return [verdict for line in answers for verdict in json.loads(line)]


def _answers(command: list[str], lines: Sequence[str], environment: dict[str, str]) -> list[str]:
    """What a child process says to `lines`; RuntimeError with its last words where it dies."""
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


def _home() -> dict[str, str]:
    """Where matplotlib keeps its list of fonts; without it each easel would make it anew."""
    return {name: os.environ[name] for name in ("HOME", "MPLCONFIGDIR") if name in os.environ}
