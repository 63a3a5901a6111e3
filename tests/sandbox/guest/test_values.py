"""Values that the code displays: a picture or a text for each of them."""

from __future__ import annotations

import pytest

from starchat_tui.sandbox.host.kernel import SandboxKernel
from tests.sandbox.kernels import run_code

pytestmark = pytest.mark.bwrap

SVG = "<svg xmlns='http://www.w3.org/2000/svg'><circle/></svg>"
RESULTS: dict[str, list[str]] = {
    "from IPython.display import HTML\nHTML('<b>bold</b> text')": ["bold text"],
    "from IPython.display import HTML\ndisplay(HTML('<video></video>'))": [
        "[HTML with 1 video, which a terminal cannot show]"
    ],
    "%%html\n<i>magic</i>": ["magic"],
    "import pandas\npandas.DataFrame({'a': [1, 2], 'b': [3.5, 4]}).style.format('{:.1f}')": [
        "     a    b\n0  1.0  3.5\n1  2.0  4.0"
    ],
    "import pandas\npandas.DataFrame({'a': [1]})": ["   a\n0  1"],
    f'from IPython.display import SVG\nSVG("{SVG}")': ["SVG picture: 1 circle"],
    "class A:\n    def _repr_html_(self): return '<p>mine</p>'\nA()": ["mine"],
    "class A:\n    def _repr_html_(self): return '<p>mine</p>'\n"
    "    def __repr__(self): return 'plain'\nA()": ["plain"],
    "class A:\n    def _repr_html_(self): return ('<p>mine</p>', {'meta': 1})\nA()": ["mine"],
    "display({'text/html': '<p>raw</p>'}, raw=True)": ["raw"],
    "display({'application/vnd.vegalite.v5+json': {'mark': 'bar'}}, raw=True)": [
        "Vega-Lite chart:\n  bar"
    ],
}
NOTES = {"SVG": "`cairosvg`", "vegalite": "needs a browser"}


@pytest.mark.parametrize("code", RESULTS)
async def test_markup_is_shown_as_text(kernel: SandboxKernel, code: str) -> None:
    run = await run_code(kernel, code)
    assert run.end.status == "ok", run.outputs
    assert run.results == RESULTS[code]
    expected = next((note for word, note in NOTES.items() if word in code), "")
    assert len(run.notes) == bool(expected)
    assert expected in "".join(run.notes)


async def test_an_html_method_that_raises_is_an_error_of_the_code(kernel: SandboxKernel) -> None:
    code = "class A:\n    def _repr_html_(self): raise ValueError('mine')\nA()"
    run = await run_code(kernel, code)
    assert run.failure.name == "ValueError"


async def test_a_displayed_text_is_updated(kernel: SandboxKernel) -> None:
    run = await run_code(kernel, "h = display('one', display_id=True)\nh.update('two')")
    keys = [one.key for one in run.outputs if hasattr(one, "key")]
    assert run.results == ["'one'", "'two'"]
    assert keys == [keys[0]] * 2
    assert keys[0]


async def test_an_enormous_result_is_truncated(kernel: SandboxKernel) -> None:
    run = await run_code(kernel, "class A:\n    def __repr__(self): return 'x' * 10**7\nA()")
    assert run.results[0].endswith("… 9,900,000 more characters")
