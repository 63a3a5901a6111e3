"""Figures and pictures of a run: shown once, within limits."""

from __future__ import annotations

import pytest

from starchat_tui.sandbox.host.kernel import SandboxKernel
from tests.sandbox.kernels import run_code

pytestmark = pytest.mark.bwrap


PLOT = "import matplotlib.pyplot as plt\nplt.plot([1, 2])\n"
DESCRIPTION = "axes:\n  line: (0, 1), (1, 2)"
SHOWN: dict[str, tuple[str, list[str]]] = {
    "at show": (PLOT + "plt.show()\nprint('after')", [DESCRIPTION]),
    "at the end": (PLOT, [DESCRIPTION]),
    "inline": ("%matplotlib inline\n" + PLOT, [DESCRIPTION]),
    "notebook": ("%matplotlib notebook\n" + PLOT, [DESCRIPTION]),
    "widget": ("%matplotlib widget\n" + PLOT, [DESCRIPTION]),
    "with Tk": (
        "import matplotlib\nmatplotlib.use('TkAgg')\n" + PLOT + "plt.show()",
        [DESCRIPTION],
    ),
    "with Agg": ("import matplotlib\nmatplotlib.use('Agg')\n" + PLOT + "plt.show()", [DESCRIPTION]),
    "saved": (PLOT + "plt.savefig('a.png')", [DESCRIPTION]),
    "saved and closed": (PLOT + "plt.savefig('a.png'); plt.close()", [DESCRIPTION]),
    "shown, then saved": (PLOT + "f = plt.gcf(); plt.show(); f.savefig('a.png')", [DESCRIPTION]),
    "as a result": (PLOT + "plt.gcf()", [DESCRIPTION]),
    "twice": (PLOT + "plt.show()\n" + PLOT + "plt.show()", [DESCRIPTION, DESCRIPTION]),
    "empty": ("import matplotlib.pyplot as plt\nplt.figure(); plt.show()", []),
    "of an image": (
        "from PIL import Image\nImage.new('RGB', (6, 4)).save('i.bmp')",
        ["BMP picture 6 × 4 in `i.bmp`"],
    ),
}


@pytest.mark.parametrize("how", SHOWN)
async def test_figures_are_shown_once(kernel: SandboxKernel, how: str) -> None:
    code, descriptions = SHOWN[how]
    run = await run_code(kernel, code)
    assert (run.end.status, run.err) == ("ok", ""), run.outputs
    assert run.descriptions == descriptions
    windows = [note for note in run.notes if "windows" in note]
    assert len(windows) == (how in ("notebook", "widget", "with Tk"))
