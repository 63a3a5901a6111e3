"""Names that code of 2023 expects, provided only where they are missing."""

from __future__ import annotations

import pytest

from starchat_tui.sandbox.host.kernel import SandboxKernel
from tests.sandbox.kernels import open_kernel, run_code

pytestmark = pytest.mark.bwrap


async def test_no_variable_of_the_user_is_overwritten(kernel: SandboxKernel) -> None:
    assert (await run_code(kernel, "sns = 5\ndef plt(): return 6\nsns, plt()")).results == [
        "(5, 6)"
    ]
    assert (await run_code(kernel, "sns, plt()")).results == ["(5, 6)"]
    run = await run_code(kernel, "[np for np in range(2)]")
    assert (run.results, run.notes) == (["[0, 1]"], [])


async def test_what_is_missing_is_provided_and_reported(kernel: SandboxKernel) -> None:
    run = await run_code(kernel, "plt.style.use('seaborn-talk'); np.arange(2).tolist()")
    assert run.results == ["[0, 1]"]
    assert run.notes == [
        "compat: seaborn-talk → seaborn-v0_8-talk",
        "compat: np → import numpy as np",
        "compat: plt → import matplotlib.pyplot as plt",
    ]


async def test_a_star_import_may_bind_every_alias(kernel: SandboxKernel) -> None:
    run = await run_code(kernel, "from math import *\nnp")
    assert run.failure.name == "NameError"
    assert not any(note.startswith("compat:") for note in run.notes)


async def test_the_countries_of_geopandas_are_provided(kernel: SandboxKernel) -> None:
    code = (
        "import geopandas as gpd\nw = gpd.read_file(gpd.datasets.get_path('naturalearth_lowres'))"
    )
    run = await run_code(kernel, f"{code}\nlen(w)")
    assert run.results == ["177"]
    assert run.notes[0].startswith("compat: geopandas.datasets → naturalearth_lowres")


async def test_strict_provides_nothing() -> None:
    async with open_kernel(strict=True) as kernel:
        run = await run_code(kernel, "np")
        assert run.failure.name == "NameError"
        assert not any(note.startswith("compat:") for note in run.notes)
