"""Tells right answers from wrong ones: runs their code, reads what their plots draw."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path

from train.nano.dialogues.family import Check, Plot

RUNNER = Path(__file__).with_name("runner.py")
_FENCE = re.compile(r"```[a-z]*\n(.*?)(?:\n```|\Z)", re.DOTALL)
_LABELS = ("title", "xlabel", "ylabel")
_KINDS = ("bar", "pie", "plot", "scatter", "hist")
BATCH = 200


def code_of(text: str) -> str:
    """The code blocks of an answer, joined."""
    return "\n\n".join(_FENCE.findall(text))


def check_all(pairs: Iterable[tuple[str, Check]], *, workers: int = 1) -> list[str]:
    """For each (answer, check): "" where the answer is right, else what is wrong with it."""
    listed = list(pairs)
    verdicts = [read_only(text, check) for text, check in listed]
    waiting = [i for i, (_, check) in enumerate(listed) if not verdicts[i] and _executes(check)]
    batches = [waiting[at : at + BATCH] for at in range(0, len(waiting), BATCH)]
    with ThreadPoolExecutor(workers) as pool:
        done = pool.map(lambda batch: _run([listed[i] for i in batch]), batches)
        for batch, results in zip(batches, done, strict=True):
            for index, verdict in zip(batch, results, strict=True):
                verdicts[index] = verdict
    return verdicts


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
    if check.plot is not None:
        return _plot_verdict(code, check.plot)
    return ""


def _executes(check: Check) -> bool:
    return bool(check.probes) or check.stdout is not None


def _run(batch: Sequence[tuple[str, Check]]) -> list[str]:
    """Verdicts of one child process, which forks once for each answer."""
    jobs = []
    for text, check in batch:
        job = asdict(check)
        jobs.append(json.dumps({**job, "plot": None, "code": code_of(text)}))
    child = subprocess.run(
        [sys.executable, "-I", "-S", str(RUNNER)],
        input="\n".join(jobs) + "\n",
        capture_output=True,
        text=True,
        env={},
        check=True,
    )
    return [json.loads(line) for line in child.stdout.splitlines()]


def _plot_verdict(code: str, wanted: Plot) -> str:
    try:
        drawn = drawn_by(code)
    except (SyntaxError, ValueError) as error:
        return f"{type(error).__name__}: {error}"
    if drawn is None:
        return "draws nothing"
    if drawn != wanted:
        return f"draws {drawn}"
    return ""


def drawn_by(code: str) -> Plot | None:
    """What a straight-line matplotlib program draws, read from its syntax tree.

    Not run: matplotlib is not needed to make the models. Understands literal assignments and calls
    of `plt`; raises ValueError for a name that was not assigned.
    """
    tree = ast.parse(code)
    names: dict[str, object] = {}
    kind, data, texts, imported, shown = "", tuple[object, ...](), dict[str, str](), False, False
    for statement in tree.body:
        if isinstance(statement, ast.Import):
            imported |= any(
                a.name == "matplotlib.pyplot" and a.asname == "plt" for a in statement.names
            )
        elif isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name):
            names[statement.targets[0].id] = _value(statement.value, names)
        elif isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call):
            call = statement.value
            method = _plt_method(call)
            if method in _KINDS:
                kind = method
                data = tuple(_value(arg, names) for arg in call.args)
                data += tuple(_value(k.value, names) for k in call.keywords if k.arg == "labels")
            elif method in _LABELS:
                texts[method] = str(_value(call.args[0], names))
            shown |= method == "show"
    if not (kind and imported and shown):
        return None
    return Plot(kind, data, **texts)


def _plt_method(call: ast.Call) -> str:
    function = call.func
    if isinstance(function, ast.Attribute) and isinstance(function.value, ast.Name):
        return function.attr if function.value.id == "plt" else ""
    return ""


def _value(node: ast.expr, names: dict[str, object]) -> object:
    """The literal value of an expression; a list as a tuple, as `Plot.data` holds it."""
    if isinstance(node, ast.Name):
        if node.id not in names:
            raise ValueError(f"{node.id} is not defined")
        return names[node.id]
    value = ast.literal_eval(node)
    return tuple(value) if isinstance(value, list) else value


__all__ = ["check_all", "code_of", "drawn_by", "read_only"]
