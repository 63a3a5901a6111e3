"""Figures drawn for cells in the sandbox: beside the PNG, within bounds, without a trace."""

from __future__ import annotations

import pytest

from starchat_tui.sandbox.guest.grid_rendering import parse_sizes
from starchat_tui.sandbox.host.kernel import SandboxKernel
from tests.sandbox.kernels import LEVELS, open_kernel, run_code

SIZES = ((80, 24, 2), (110, 40, 4))
PLOT = """
import matplotlib.pyplot as plt
fig, ax = plt.subplots()
ax.bar(["apples", "pears"], [12, 7], label="fruit")
ax.set_title("Fruit"); ax.set_ylabel("pieces"); ax.tick_params(axis="x", rotation=30)
ax.legend()
"""
STATE = """
import io
def look():
    png = io.BytesIO(); fig.savefig(png)
    texts = [(one.get_text(), one.get_size(), one.get_rotation()) for one in fig.findobj(plt.Text)]
    ticks = [list(one.get_ticklocs()) for one in (ax.xaxis, ax.yaxis)]
    return png.getvalue(), texts, ticks, fig.dpi, list(fig.get_size_inches()), type(fig.canvas)
"""


def test_sizes_are_parsed() -> None:
    assert parse_sizes("80 24 2;110 40 4") == list(SIZES)
    assert parse_sizes("") == []


@pytest.mark.bwrap
@pytest.mark.parametrize("level", LEVELS)
async def test_a_figure_comes_for_each_size(level: str) -> None:
    async with open_kernel(level) as kernel:
        plain = await run_code(kernel, f"{PLOT}plt.show()")
        run = await run_code(kernel, f"{PLOT}plt.show()", grids=SIZES)
        ended = await run_code(kernel, "import os; os.waitpid(-1, 0)")
    assert (run.end.status, run.err, run.out, run.notes) == ("ok", "", "", [])
    (figure,) = run.figures
    assert (figure.png, figure.card) == (plain.figures[0].png, plain.figures[0].card)
    assert plain.figures[0].grids == ()
    assert [(one.columns, one.rows) for one in figure.grids] == [(80, 24), (110, 40)]
    for grid in figure.grids:
        assert {"Fruit", "pieces", "apples", "pears", "fruit"} <= {one.text for one in grid.labels}
    assert ended.failure.name == "ChildProcessError", "no process is left"


@pytest.mark.bwrap
async def test_the_figure_of_the_code_stays_as_it_is(kernel: SandboxKernel) -> None:
    code = f"{PLOT}{STATE}before = look()\nfig.canvas.manager.show()\nassert look() == before"
    run = await run_code(kernel, code, grids=SIZES)
    assert run.end.status == "ok", run.outputs
    assert [len(one.grids) for one in run.figures] == [2]


@pytest.mark.bwrap
@pytest.mark.parametrize(
    ("rest", "count"),
    [
        ("plt.savefig('a.png')", 2),
        ("plt.savefig('a.png'); plt.close()", 2),
        ("plt.savefig('a.png'); plt.close('all'); plt.figure(); plt.close()", 2),
        ("plt.savefig('a.png'); ax.set_title('Later'); plt.close()", 0),
        ("from PIL import Image; Image.new('L', (9, 9)).save('a.png'); plt.close()", 0),
    ],
)
async def test_a_figure_that_was_only_saved_is_drawn_for_cells(
    kernel: SandboxKernel, rest: str, count: int
) -> None:
    run = await run_code(kernel, PLOT + rest, grids=SIZES)
    assert [len(one.grids) for one in run.figures] == [count]


HOSTILE = {
    "an artist that raises in the second drawing": """
class Line(type(ax.plot([1, 2])[0])):
    def draw(self, renderer):
        if type(renderer).__name__ == "GridRenderer": raise RuntimeError("no")
ax.add_line(Line([0, 1], [0, 1]))""",
    "an artist that never ends": """
class Line(type(ax.plot([1, 2])[0])):
    def draw(self, renderer):
        while type(renderer).__name__ == "GridRenderer": pass
ax.add_line(Line([0, 1], [0, 1]))""",
    "an artist that takes memory": """
class Line(type(ax.plot([1, 2])[0])):
    def draw(self, renderer):
        if type(renderer).__name__ == "GridRenderer": bytearray(2**30)
ax.add_line(Line([0, 1], [0, 1]))""",
    "no forks": "import os\ndef fork(): raise BlockingIOError\nos.fork = fork",
    "no descriptors": """
import io, os
fig.savefig(io.BytesIO())  # opens the fonts
files = []
while True:
    try: files.append(os.dup(0))
    except OSError: break
os.close(files.pop())""",
}


@pytest.mark.bwrap
@pytest.mark.parametrize("how", HOSTILE)
async def test_a_figure_that_cannot_be_drawn_for_cells_is_still_shown(
    kernel: SandboxKernel, how: str
) -> None:
    run = await run_code(kernel, f"{PLOT}{HOSTILE[how]}\nplt.show()", grids=SIZES)
    assert (run.end.status, run.err) == ("ok", ""), run.outputs
    (figure,) = run.figures
    assert figure.png
    assert figure.grids == ()
    again = await run_code(kernel, "print('alive')")
    assert again.out == "alive\n"


@pytest.mark.bwrap
async def test_neither_warnings_nor_handlers_of_the_code_are_seen(kernel: SandboxKernel) -> None:
    code = (
        "import atexit, os, warnings\nwarnings.simplefilter('error', DeprecationWarning)\n"
        f"atexit.register(print, 'bye')\n{PLOT}ax.set_xlabel('\\u82f9\\u679c \\U0001f34e')\n"
        "warnings.filterwarnings('ignore', 'Glyph')\nplt.show()"
    )
    run = await run_code(kernel, code, grids=SIZES)
    assert (run.end.status, run.out, run.err) == ("ok", "", ""), run.outputs
    assert "苹果 🍎" in {one.text for one in run.figures[0].grids[0].labels}


@pytest.mark.bwrap
async def test_an_interrupt_ends_the_drawing(kernel: SandboxKernel) -> None:
    code = f"{PLOT}import os, signal, threading\n" + HOSTILE["an artist that never ends"]
    code += "\nthreading.Timer(0.5, os.kill, [os.getpid(), signal.SIGINT]).start()\nplt.show()"
    run = await run_code(kernel, code, grids=SIZES)
    assert run.end.status == "interrupted"
    again = await run_code(kernel, f"{PLOT}plt.show()", grids=SIZES[:1])
    assert [len(one.grids) for one in again.figures] == [1]
