"""The matplotlib backend: whatever the code chooses, figures are shown here."""

from __future__ import annotations

import pytest

from starchat_tui.sandbox.host.kernel import SandboxKernel
from tests.sandbox.kernels import open_kernel, run_code

pytestmark = pytest.mark.bwrap

BACKENDS = {
    "%matplotlib inline": 0,
    "%matplotlib notebook": 1,
    "%matplotlib widget": 1,
    "import matplotlib; matplotlib.use('Agg')": 0,
    "import matplotlib; matplotlib.use('TkAgg')": 1,
}
"""Choices of a backend, and the number of notes about windows."""


@pytest.mark.parametrize("choice", BACKENDS)
async def test_every_backend_shows_figures_here(library_kernel: SandboxKernel, choice: str) -> None:
    code = f"{choice}\nimport matplotlib.pyplot as plt\nplt.plot([1, 2])\nplt.show()"
    run = await run_code(library_kernel, code)
    assert (run.end.status, run.err) == ("ok", ""), run.outputs
    assert run.descriptions == ["axes:\n  line: (0, 1), (1, 2)"]
    assert len([note for note in run.notes if "windows" in note]) == BACKENDS[choice]


WITHOUT_PYPLOT = """
from matplotlib.figure import Figure
figure = Figure()
figure.add_subplot().plot([1, 2])
figure.savefig('a.pdf')
"""


async def test_figures_are_shown_without_pyplot_in_the_first_cell(
    library_kernel: SandboxKernel,
) -> None:
    run = await run_code(library_kernel, WITHOUT_PYPLOT)
    assert (run.end.status, list(run.files)) == ("ok", ["a.pdf"])
    assert run.descriptions == ["axes:\n  line: (0, 1), (1, 2)"]


async def test_a_plot_of_seaborn_objects_is_shown_and_described(kernel: SandboxKernel) -> None:
    code = "import seaborn.objects as so\nso.Plot(x=[1, 2], y=[3, 4]).add(so.Line())"
    run = await run_code(kernel, code)
    assert [card.split("\n")[-1] for card in run.descriptions] == ["  line: (1, 3), (2, 4)"]


AXES_3D = """
import matplotlib.pyplot as plt
from mpl_toolkits.mplot3d import Axes3D
fig = plt.figure()
ax = Axes3D(fig{options})
ax.plot([0, 1], [0, 1], [0, 5])
plt.title('space')
{more}
plt.show()
"""


@pytest.mark.parametrize(
    ("options", "more", "notes"),
    [
        ("", "", 1),
        (", auto_add_to_figure=True", "", 1),
        (", auto_add_to_figure=False", "fig.add_axes(ax); ax.set_title('space')", 0),
    ],
)
async def test_axes_in_space_add_themselves(
    library_kernel: SandboxKernel, options: str, more: str, notes: int
) -> None:
    code = AXES_3D.format(options=options, more=more)
    if not notes:
        code = code.replace("plt.title('space')\n", "")
    run = await run_code(library_kernel, code)
    assert run.descriptions == ['axes: "space"\n  line: (0, 0, 0), (1, 1, 5)']
    assert len(run.notes) == notes


async def test_axes_in_space_are_not_added_in_strict_mode() -> None:
    code = AXES_3D.format(options="", more="").replace("plt.title('space')\n", "")
    async with open_kernel(strict=True) as kernel:
        run = await run_code(kernel, code)
    assert (run.end.status, run.figures) == ("ok", [])
    assert run.notes == ["The figure is empty: it has no axes, so there is nothing to show"]


async def test_plots_of_a_fork_are_reported(library_kernel: SandboxKernel) -> None:
    code = """
import matplotlib.pyplot as plt
from multiprocessing import get_context
def work():
    plt.plot([1]); plt.show()
process = get_context('fork').Process(target=work); process.start(); process.join()
"""
    run = await run_code(library_kernel, code)
    assert (run.end.status, run.figures) == ("ok", [])
    assert run.err == "A plot of another process is not shown here\n"
