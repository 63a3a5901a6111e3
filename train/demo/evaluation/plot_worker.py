"""Child process for answers that draw or need pandas: `-m train.demo.evaluation.plot_worker`.

Imports the packages once and forks for each line of jobs, so that an answer costs milliseconds.
A line holds one job or many; many share a process, and those that fail are judged again alone, so
that none suffers from its neighbour. Draws on no screen: what `show` would show is read from the
artists. The limits are those of `code_worker`, with more memory for the packages.
"""

from __future__ import annotations

import gc
import io
import json
import os
import sys
import tempfile
import warnings
from collections.abc import Sequence
from contextlib import redirect_stderr
from functools import cache
from pathlib import Path
from typing import Any

import geopandas  # type: ignore[import-untyped]
import matplotlib as mpl
import pandas as pd  # type: ignore[import-untyped]
import seaborn as sns  # type: ignore[import-untyped]

mpl.use("Agg")

from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from train.demo.evaluation import code_worker, figure_match, figure_reader

MEMORY = 3 * 2**30
"""Bytes of address space; the packages alone reserve about 1 GiB."""
SECONDS_PER_JOB = 3
MAP_PATH = Path(__file__).parents[3] / "starchat_tui/sandbox/guest/data/naturalearth_lowres.geojson"
"""World map that the product's sandbox offers under the same name."""
DEFAULT_SETTINGS = dict(mpl.rcParams)

_captured: list[figure_reader.AxesState] = []


def main() -> None:
    """Judge every line until stdin ends: a list of jobs in, a list of verdicts out."""
    _prepare_process()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        for line in sys.stdin:
            print(json.dumps(_judge_jobs(json.loads(line))), flush=True)


def _prepare_process() -> None:
    warnings.simplefilter("ignore")
    # `-m` puts the repository on the path, where an answer's imports do not belong.
    sys.path[:] = [entry for entry in sys.path if entry not in ("", os.getcwd())]
    plt.show = plt.savefig = _capture_figures
    setattr(Figure, "show", _capture_figures)  # noqa: B010
    figure_reader.record_boxes()
    figure_reader.record_values()
    geopandas.datasets = _Datasets()
    if MAP_PATH.exists():
        _read_countries()
    _warm_up()
    gc.freeze()  # what is shared stays shared: the children's collector leaves it alone


class _Datasets:
    """Stand-in for `geopandas.datasets`, by which answers find the bundled map."""

    @staticmethod
    def get_path(name: str) -> str:
        if name != MAP_PATH.stem:
            raise ValueError(f"no data set called {name}")
        return str(MAP_PATH)


def _warm_up() -> None:
    """Draw once what loads fonts and tables, so that no child has to."""
    frame = pd.DataFrame({"name": ["a", "b"], "value": [1, 2]})
    sns.barplot(data=frame, x="name", y="value")
    plt.pie([1, 2], labels=["a", "b"])
    figure_reader.read_figures()
    _reset_state()


def _reset_state() -> None:
    plt.close("all")
    dict.update(mpl.rcParams, DEFAULT_SETTINGS)
    _captured.clear()


def _capture_figures(*_: Any, **__: Any) -> None:
    """Replace `show`: read what it would show, then close it like a window."""
    _captured.extend(figure_reader.read_figures())
    plt.close("all")


def _judge_jobs(jobs: Sequence[code_worker.Job]) -> list[str]:
    together = _judge_together(jobs) if len(jobs) > 1 else [None] * len(jobs)
    return [
        "" if found == "" else code_worker.judge_in_child(job, _judge_job, MEMORY)
        for job, found in zip(jobs, together, strict=True)
    ]


def _judge_together(jobs: Sequence[code_worker.Job]) -> list[str | None]:
    """Return verdicts of jobs that share a child; None for those after a crash."""
    read, write = os.pipe()
    if not os.fork():
        os.close(read)
        code_worker.apply_limits(MEMORY, SECONDS_PER_JOB * len(jobs))
        try:
            for job in jobs:
                os.write(write, b"." if _judge_job(job) == "" else b"x")
        finally:
            os._exit(0)
    os.close(write)
    with os.fdopen(read, "rb") as pipe:
        marks = pipe.read()
    os.wait()
    # Fewer marks than jobs: one of them ended the child, and the rest are judged alone.
    right = [mark == ord(".") for mark in marks]
    return ["" if good else None for good in right] + [None] * (len(jobs) - len(right))


def _judge_job(job: code_worker.Job) -> str:
    _reset_state()
    with redirect_stderr(io.StringIO()):
        failure = code_worker.judge_job(job)
    if failure or not job["drawn"]:
        return failure
    if plt.get_fignums():
        return "does not show what it draws"
    expected = json.loads(str(job["drawn"]))
    if any(one["kind"] == "map" for one in expected):
        for seen in _captured:
            seen["countries"] = _read_countries()
    return figure_match.compare_figures(expected, _captured)


@cache
def _read_countries() -> dict[str, str]:
    """Return the name of each country by the key of its outline."""
    world = geopandas.read_file(MAP_PATH)
    world.plot(color="lightgray")
    (collection,) = plt.gca().collections
    paths = collection.get_paths()
    keys = [figure_reader.make_region_key(path.vertices) for path in paths]
    plt.close("all")
    return dict(zip(keys, world["name"], strict=True))


if __name__ == "__main__":
    main()
