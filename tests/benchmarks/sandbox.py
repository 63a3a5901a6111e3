"""A kernel in its sandbox against a plain ipykernel, side by side.

Measured are the seconds until each is ready for code, until its first plot, and until the first
plot after the kernel had time to import the plotting libraries, as it has while a model answers;
and the memory of our idle kernel. `python -m tests.benchmarks.sandbox PYTHON`, where PYTHON has
ipykernel, jupyter_client and the plotting libraries; without it, only our kernel is measured.

A kernel is also started in each environment that exists (`starchat env list`), against one in the
interpreter that runs this.
"""

from __future__ import annotations

import asyncio
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import aclosing

from starchat_tui.config.paths import find_paths
from starchat_tui.sandbox.environments.interpreter import Interpreter
from starchat_tui.sandbox.environments.known import RECIPES
from starchat_tui.sandbox.environments.store import EnvironmentStore
from starchat_tui.sandbox.host import watchdog
from starchat_tui.sandbox.host.kernel import SandboxKernel
from starchat_tui.sandbox.isolation import probe
from starchat_tui.sandbox.outputs import Figure
from tests.benchmarks.record import Goal, publish

REPEATS = 3
STARTS = 7
"""Starts of a kernel in each environment."""
THINKING = 8.0
"""Seconds that a model takes to write its code, during which the kernel warms up."""
PLOT = """
import pandas as pd
import seaborn as sns
import matplotlib.pyplot as plt
df = pd.DataFrame({'name': ['Tom', 'Brad', 'Kyle', 'Jerry'], 'age': [20, 21, 19, 18]})
sns.barplot(data=df, x='name', y='age')
plt.show()
"""
PEER = """
import json, sys, time
from jupyter_client.manager import KernelManager
plot, began = sys.argv[1], time.monotonic()
manager = KernelManager(kernel_name="", kernel_cmd=None)
manager.kernel_spec_manager  # looked up before the start, as a notebook has
from jupyter_client.kernelspec import KernelSpec
manager._kernel_spec = KernelSpec(
    argv=[sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
)
began = time.monotonic()
manager.start_kernel()
client = manager.client()
client.start_channels()
client.wait_for_ready(timeout=120)
ready = time.monotonic() - began
def measure_plot(code):
    start = time.monotonic()
    client.execute(code)
    while True:
        message = client.get_iopub_msg(timeout=120)
        if "image/png" in message["content"].get("data", {}):
            return time.monotonic() - start
first = measure_plot("%matplotlib inline\\n" + plot)
second = measure_plot(plot)
manager.shutdown_kernel(now=True)
print(json.dumps({"ready": ready, "first": first, "second": second}))
"""


async def measure_plot(kernel: SandboxKernel) -> float:
    """Return the seconds until the plot of a run has arrived."""
    start, seconds = time.monotonic(), 0.0
    async with aclosing(kernel.run(PLOT)) as outputs:
        async for output in outputs:
            if isinstance(output, Figure):
                seconds = time.monotonic() - start
    assert seconds, "no plot"
    return seconds


async def measure_ours() -> dict[str, float]:
    """Measure our kernel twice: cold, and after the time a model takes to answer."""
    capability = probe.probe_sandbox()
    found = {}
    for name, thinking in (("first", 0.0), ("warm_first", THINKING)):
        kernel = SandboxKernel(capability)
        start = time.monotonic()
        await kernel.start()
        found["ready"] = time.monotonic() - start
        assert kernel._process
        idle = watchdog.measure_use(kernel._process._sandbox.list_pids(), (), 0)
        await asyncio.sleep(thinking)
        found[name] = await measure_plot(kernel)
        found["second"] = await measure_plot(kernel)
        found["idle_mb"] = idle.memory / 2**20
        await kernel.aclose()
    return found


async def measure_start(interpreter: Interpreter | None) -> float:
    """Return the seconds until a kernel has run its first cell."""
    kernel = SandboxKernel(probe.probe_sandbox(), interpreter=interpreter)
    start = time.monotonic()
    async with aclosing(kernel.run("1 + 1")) as outputs:
        async for _ in outputs:
            pass
    seconds = time.monotonic() - start
    await kernel.aclose()
    return seconds


def measure_environments() -> dict[str, float]:
    """Return the median start in each environment, and its ratio to that in our interpreter."""
    store = EnvironmentStore(find_paths(os.environ).environments, os.environ)
    found = {name: store.find_interpreter(name) for name in RECIPES}
    starts: dict[str, list[float]] = {}
    for _ in range(STARTS):
        for name, interpreter in {"own": None, **found}.items():
            if name == "own" or interpreter is not None:
                starts.setdefault(name, []).append(asyncio.run(measure_start(interpreter)))
    medians = {name: statistics.median(values) for name, values in starts.items()}
    figures = {f"start_{name}_s": round(seconds, 3) for name, seconds in medians.items()}
    for name in medians.keys() - {"own"}:
        figures[f"start_{name}_ratio"] = round(medians[name] / medians["own"], 3)
    return figures


def measure_peer(python: str) -> dict[str, float]:
    """Measure a plain ipykernel in the same way."""
    command = [python, "-c", PEER, PLOT]
    process = subprocess.run(command, capture_output=True, text=True, check=False)
    assert process.returncode == 0, process.stderr
    found: dict[str, float] = json.loads(process.stdout.splitlines()[-1])
    return found


def measure() -> Mapping[str, float]:
    """Return the medians; the two kernels are interleaved so that load slows down both."""
    runs: dict[str, list[float]] = {}
    for _ in range(REPEATS):
        measured = {f"ours_{name}": value for name, value in asyncio.run(measure_ours()).items()}
        if len(sys.argv) > 1:
            measured |= {
                f"ipykernel_{name}": value for name, value in measure_peer(sys.argv[1]).items()
            }
        for name, value in measured.items():
            runs.setdefault(name, []).append(value)
    figures = {
        f"{name}_s".replace("_mb_s", "_mb"): round(statistics.median(values), 3)
        for name, values in runs.items()
    }
    if len(sys.argv) > 1:
        warm = figures["ours_warm_first_s"] / figures["ipykernel_first_s"]
        figures["warm_first_ratio"] = round(warm, 3)
        figures["ready_ratio"] = round(figures["ours_ready_s"] / figures["ipykernel_ready_s"], 3)
    return figures | measure_environments()


if __name__ == "__main__":
    goals = {f"start_{name}_ratio": Goal(most=1.2) for name in RECIPES}
    if len(sys.argv) > 1:
        goals |= {"warm_first_ratio": Goal(most=0.5), "ready_ratio": Goal(most=1.0)}
    sys.exit(publish("sandbox", measure, goals))
