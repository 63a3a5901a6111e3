"""The environments that ship, in the sandbox: they plot, show only themselves, stay the same."""

from __future__ import annotations

import os
from pathlib import Path
from typing import get_args

import pytest

from starchat_tui.config.settings import KnownEnvironment
from starchat_tui.sandbox.environments.known import RECIPES
from starchat_tui.sandbox.environments.store import EnvironmentStore
from starchat_tui.sandbox.host.kernel import SandboxKernel
from starchat_tui.sandbox.isolation import probe
from tests.sandbox.kernels import LEVELS, RELAXED_LIMITS, run_code

pytestmark = pytest.mark.bwrap
PROGRAM = """
import os, sys
import matplotlib, matplotlib.pyplot as plt, pandas, seaborn, sklearn, scipy, sympy, statsmodels
changed = []
for place in (sys.prefix, sys.base_prefix, os.path.dirname(pandas.__file__), sys.executable):
    for act in (
        lambda: open(place + "/new", "x"), lambda: open(place, "ab"), lambda: os.remove(place),
        lambda: os.chmod(place, 0o777), lambda: os.rename(place, place + "-old"),
    ):
        try: act(); changed.append(place)
        except OSError: pass
print(sys.prefix)
print(pandas.__version__, matplotlib.__version__)
print("changed:", changed)
print("siblings:", sorted(set(os.listdir(os.path.dirname(sys.prefix)))))
plt.plot([1, 2, 4]); plt.title("Growth"); plt.show()
"""


@pytest.fixture(params=get_args(KnownEnvironment))
def kernel_environment(request: pytest.FixtureRequest) -> str:
    name = str(request.param)
    store = EnvironmentStore(Path(os.environ["STARCHAT_ENVIRONMENTS"]), os.environ)
    if store.find_installed(RECIPES[request.param]) is None:
        if os.environ.get("STARCHAT_REQUIRE_SANDBOX"):
            pytest.fail(f"the environment {name} is missing: `starchat env create {name}`")
        pytest.skip(f"the environment {name} is missing")
    return name


@pytest.mark.parametrize("level", LEVELS)
async def test_code_plots_and_changes_nothing(kernel_environment: str, level: str) -> None:
    store = EnvironmentStore(Path(os.environ["STARCHAT_ENVIRONMENTS"]), os.environ)
    interpreter = store.find_interpreter(kernel_environment)
    assert interpreter is not None
    capability = probe.probe_sandbox("restricted" if level == "restricted" else "isolated")
    kernel = SandboxKernel(capability, limits=RELAXED_LIMITS, interpreter=interpreter)
    code = PROGRAM if level == "isolated" else PROGRAM.replace('print("siblings', "#")
    try:
        run = await run_code(kernel, code)
    finally:
        await kernel.aclose()
    assert run.end.status == "ok", run.outputs
    lines = run.out.splitlines()
    assert lines[0] == str(store.root / kernel_environment)
    assert lines[2] == "changed: []"
    if level == "isolated":
        assert lines[3] == f"siblings: ['{kernel_environment}']"
    if kernel_environment == "2023" and interpreter.version == (3, 11):
        assert lines[1] == "1.5.3 3.6.3"
    assert "Growth" in run.descriptions[0]
