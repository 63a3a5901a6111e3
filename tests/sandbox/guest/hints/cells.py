"""Cells that fail, run in this process as the guest would run them."""

from __future__ import annotations

import linecache

SETUP = """
import matplotlib
matplotlib.use("agg")
import numpy as np, pandas as pd, seaborn as sns, matplotlib.pyplot as plt
df = pd.DataFrame({"m": [1, 2], "y": [3, 4], "v": [5, 6], "t": ["a", "b"]})
fig, ax = plt.subplots()
"""


def run_failing_cell(code: str, *, setup: str = "") -> BaseException:
    """Run code as a cell and return the exception that ends it."""
    variables: dict[str, object] = {"__name__": "__main__"}
    exec(setup, variables)
    name = "<ipython-input-1-hint>"
    linecache.cache[name] = (len(code), None, code.splitlines(keepends=True), name)
    try:
        exec(compile(code, name, "exec"), variables)
    except BaseException as error:  # noqa: BLE001
        return error
    raise AssertionError(f"the cell did not fail: {code}")
