"""Renames of the standard library, Pillow, IPython, networkx and the map libraries."""

from __future__ import annotations

import pytest

from starchat_tui.sandbox.host.kernel import SandboxKernel
from tests.sandbox.guest.renames.cases import Case, check_cases

OTHERS: list[Case] = [
    (
        "from collections import Iterable, Mapping\nprint(isinstance([], Iterable))",
        "True",
        "collections.Iterable → collections.abc.Iterable (changed in Python 3.10)",
    ),
    (
        "from PIL import Image, ImageDraw, ImageFont\n"
        "im = Image.new('RGB', (9, 9)).resize((4, 4), Image.ANTIALIAS)\nprint(im.size)",
        "(4, 4)",
        "PIL.Image.ANTIALIAS → PIL.Image.LANCZOS (changed in Pillow 10)",
    ),
    (
        "w, h = ImageDraw.Draw(im).textsize('Hello')\nprint(w > h > 5)",
        "True",
        "ImageDraw.textsize → ImageDraw.textbbox",
    ),
    (
        "w, h = ImageFont.load_default().getsize('Hello')\nprint(w > h > 5)",
        "True",
        "FreeTypeFont.getsize → FreeTypeFont.getbbox",
    ),
    (
        "from IPython.core.display import display, HTML\ndisplay(1); print(HTML.__name__)",
        "HTML",
        "IPython.core.display.display → IPython.display.display",
    ),
    (
        "import threading\nprint(threading.current_thread().isAlive())",
        "True",
        "Thread.isAlive → Thread.is_alive",
    ),
    (
        "from IPython.display import set_matplotlib_formats\n"
        "set_matplotlib_formats('retina'); print('ok')",
        "ok",
        "IPython.display.set_matplotlib_formats → nothing",
    ),
    (
        "import networkx as nx\nprint(nx.info(nx.path_graph(3)))",
        "3 nodes",
        "nx.info → str(graph)",
    ),
    (
        "import networkx as nx\nG = nx.from_numpy_matrix(np.ones((2, 2)))\n"
        "print(len(G.node), nx.to_numpy_matrix(G).shape)",
        "2 (2, 2)",
        "nx.from_numpy_matrix → nx.from_numpy_array (changed in NetworkX 3.0)",
    ),
    (
        "from shapely.ops import cascaded_union\nfrom shapely.geometry import box\n"
        "print(cascaded_union([box(0, 0, 1, 1), box(1, 0, 2, 1)]).area)",
        "2.0",
        "shapely.ops.cascaded_union → shapely.ops.unary_union",
    ),
    (
        "import geopandas\nf = geopandas.GeoDataFrame({'a': [1]}, geometry=[box(0, 0, 1, 1)])\n"
        "print(len(geopandas.sjoin(f, f, op='within')))",
        "1",
        "sjoin(op=) → sjoin(predicate=) (changed in geopandas 1.0)",
    ),
]


@pytest.mark.bwrap
async def test_code_of_other_libraries_runs_as_in_2023(kernel: SandboxKernel) -> None:
    await check_cases(kernel, "geopandas", OTHERS)
