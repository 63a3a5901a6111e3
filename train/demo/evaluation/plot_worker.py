"""The child process that runs answers which draw or need pandas: `python -m train.demo.evaluation.plot_worker`.

Imports the packages once and forks for each line of jobs, so that an answer costs milliseconds.
A line holds one job or many; many share a process, and those that fail are judged again alone, so
that none suffers from its neighbour. Draws on no screen: what `show` would show is read from the
artists. The limits are the runner's, with room for the packages.
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
"""Bytes of address space; the packages alone reserve about one."""
SECONDS_EACH = 3
MAP = Path(__file__).parents[3] / "starchat_tui/sandbox/guest/naturalearth_lowres.geojson"
"""The map that the sandbox of the product offers by the same name."""
SETTINGS = dict(mpl.rcParams)

_shown: list[figure_reader.Seen] = []


def main() -> None:
    """Answer every line until stdin ends: a list of jobs, a list of verdicts."""
    _prepare()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        for line in sys.stdin:
            print(json.dumps(_judged(json.loads(line))), flush=True)


def _prepare() -> None:
    warnings.simplefilter("ignore")
    sys.path[:] = [entry for entry in sys.path if entry not in ("", os.getcwd())]
    plt.show = plt.savefig = _show
    setattr(Figure, "show", _show)  # noqa: B010
    figure_reader.record_boxes()
    figure_reader.record_values()
    geopandas.datasets = _Datasets()
    if MAP.exists():
        _countries()
    _warm()
    gc.freeze()  # what is shared stays shared: the children's collector leaves it alone


class _Datasets:
    """The name by which answers reach the map that ships with the product."""

    @staticmethod
    def get_path(name: str) -> str:
        if name != MAP.stem:
            raise ValueError(f"no data set called {name}")
        return str(MAP)


def _warm() -> None:
    """Draw once what loads fonts and tables, before there are children to do it each."""
    frame = pd.DataFrame({"name": ["a", "b"], "value": [1, 2]})
    sns.barplot(data=frame, x="name", y="value")
    plt.pie([1, 2], labels=["a", "b"])
    figure_reader.figures()
    _clean()


def _clean() -> None:
    plt.close("all")
    dict.update(mpl.rcParams, SETTINGS)
    _shown.clear()


def _show(*_: Any, **__: Any) -> None:
    """In place of `show`: what it would show is read, and gone as on a screen closed by hand."""
    _shown.extend(figure_reader.figures())
    plt.close("all")


def _judged(jobs: Sequence[code_worker.Job]) -> list[str]:
    together = _together(jobs) if len(jobs) > 1 else [None] * len(jobs)
    return [
        "" if found == "" else code_worker.judged(job, _verdict, MEMORY)
        for job, found in zip(jobs, together, strict=True)
    ]


def _together(jobs: Sequence[code_worker.Job]) -> list[str | None]:
    """Verdicts of jobs that share a child; None for those it did not live to judge."""
    read, write = os.pipe()
    if not os.fork():
        os.close(read)
        code_worker.limit(MEMORY, SECONDS_EACH * len(jobs))
        try:
            for job in jobs:
                os.write(write, b"." if _verdict(job) == "" else b"x")
        finally:
            os._exit(0)
    os.close(write)
    with os.fdopen(read, "rb") as pipe:
        marks = pipe.read()
    os.wait()
    right = [mark == ord(".") for mark in marks]
    return ["" if good else None for good in right] + [None] * (len(jobs) - len(right))


def _verdict(job: code_worker.Job) -> str:
    _clean()
    with redirect_stderr(io.StringIO()):
        fault = code_worker.verdict(job)
    if fault or not job["drawn"]:
        return fault
    if plt.get_fignums():
        return "does not show what it draws"
    wanted = json.loads(str(job["drawn"]))
    if any(one["kind"] == "map" for one in wanted):
        for seen in _shown:
            seen["countries"] = _countries()
    return figure_match.verdict(wanted, _shown)


@cache
def _countries() -> dict[str, str]:
    """The name of each country by what tells its outline."""
    world = geopandas.read_file(MAP)
    world.plot(color="lightgray")
    (collection,) = plt.gca().collections
    paths = collection.get_paths()
    keys = [figure_reader.region_key(path.vertices) for path in paths]
    plt.close("all")
    return dict(zip(keys, world["name"], strict=True))


if __name__ == "__main__":
    main()
