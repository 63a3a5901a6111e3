"""What runs inside: IPython's ways, tracebacks, figures, names of 2023, hints."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from starchat_tui.sandbox.guest.hints import hint
from starchat_tui.sandbox.host.kernel import Kernel
from starchat_tui.sandbox.outputs import Result, Text
from tests.sandbox.running import kernel_of, said

pytestmark = pytest.mark.bwrap


@pytest_asyncio.fixture
async def kernel() -> AsyncIterator[Kernel]:
    async with kernel_of() as one:
        yield one


TALK = {
    "print(1)\nprint(2)": "1\n2\n",
    "!echo from a shell": "from a shell\n",
    "name = 'x'\n!echo $name {name * 2}": "x xx\n",
    "%%bash\necho from bash; echo again": "from bash\nagain\n",
    "import asyncio\nawait asyncio.sleep(0)\nprint('awaited')": "awaited\n",
    "import os, sys, subprocess\nprint('a')\nsys.stdout.flush()\nos.write(1, b'b\\n')\n"
    "subprocess.run(['echo', 'c'], check=True)\nsys.stdout.buffer.write(b'd\\n');": "a\nb\nc\nd\n",
    "import os\nif os.fork() == 0: print('child'); os._exit(0)\n_ = os.wait()": "child\n",
    "print('no newline', end='')": "no newline",
    "print('\\ud800\\x1b[2J\\x00ż')": "?\x1b[2J\x00ż\n",
}


@pytest.mark.parametrize("code", TALK)
async def test_what_is_said_is_heard(kernel: Kernel, code: str) -> None:
    run = await said(kernel, code)
    assert (run.out, run.err, run.ended.status) == (TALK[code], "", "ok")


async def test_children_of_a_pool_are_heard(kernel: Kernel) -> None:
    code = """
import multiprocessing
def work(i):
    print(f'<{i}>', flush=True)
    return i * i
with multiprocessing.get_context('fork').Pool(2) as pool:
    print(pool.map(work, range(5)))
"""
    run = await said(kernel, code)
    assert run.out.endswith("[0, 1, 4, 9, 16]\n")
    assert all(f"<{i}>" in run.out for i in range(5))


EARLIER = {
    "os.write(1, b'first\\n')": "stdout",
    "sys.stdout.buffer.write(b'first\\n')": "stdout",
    "subprocess.run(['echo', 'first'])": "stdout",
    "subprocess.run('echo first >&2', shell=True)": "stderr",
    "get_ipython().system('echo first')": "stdout",
    "if os.fork() == 0: print('first'); os._exit(0)\n    os.wait()": "stdout",
}


@pytest.mark.parametrize("code", EARLIER)
async def test_what_was_written_first_is_heard_first(kernel: Kernel, code: str) -> None:
    """Also where the thread that reads what is written past Python comes late: held off here."""
    late = f"import os, subprocess, sys\nwith sys.stdout._outlet._lock:\n    {code}\n"
    run = await said(kernel, f"{late}    print('then')")
    texts = [(one.stream, one.text) for one in run.outputs if isinstance(one, Text)]
    assert run.ended.status == "ok"
    assert "".join(text for _, text in texts) == "first\nthen\n"
    assert texts[0][0] == EARLIER[code]


async def test_a_signal_may_print_in_the_middle_of_a_print(kernel: Kernel) -> None:
    # Armed again by each ring: a clock that ran on would ring in its own ring on a slow machine.
    code = """
import signal
def ring(*_):
    print('rung')
    signal.setitimer(signal.ITIMER_REAL, 0.0002)
signal.signal(signal.SIGALRM, ring)
ring()
for i in range(50_000): print(i)
signal.signal(signal.SIGALRM, signal.SIG_IGN)
"""
    run = await said(kernel, code)
    assert run.ended.status == "ok", run.outputs[-2:]
    assert "rung" in run.out
    assert "49999\n" in run.out


async def test_a_child_that_fails_takes_nothing_of_its_parents(kernel: Kernel) -> None:
    """It has the parent's pipes, and reports an exception of its own."""
    code = """
import os, sys
with sys.stdout._outlet._lock:
    os.write(1, b'first\\n')
    if os.fork() == 0:
        1 / 0
    os.wait()
    print('then')
"""
    run = await said(kernel, code)
    assert (run.out, run.ended.status) == ("first\nthen\n", "ok")


async def test_a_child_that_goes_on_does_not_take_part(kernel: Kernel) -> None:
    """A fork returns from the cell a second time, into a runner that is not its own."""
    assert (await said(kernel, "import os\npid = os.fork()")).ended.status == "ok"
    assert (await said(kernel, "pid > 0")).results == ["True"]


async def test_stdout_and_stderr_come_in_their_order(kernel: Kernel) -> None:
    code = "import sys\nfor i in range(3): print(i); print(-i, file=sys.stderr)\n'end'"
    run = await said(kernel, code)
    kinds = [one.stream for one in run.outputs if isinstance(one, Text)]
    assert kinds == ["stdout", "stderr"] * 3
    assert isinstance(run.outputs[-2], Result), "text that came first stands first"


RESULTS = {
    "1 + 1": ["2"],
    "1 + 1;": [],
    "x = 5": [],
    "'a\\nb'": ["'a\\nb'"],
    "import pandas\npandas.DataFrame({'a': [1, 2]})": ["   a\n0  1\n1  2"],
    "display('one'); display({'two': 2})": ["'one'", "{'two': 2}"],
    "from IPython.display import Markdown\nMarkdown('**bold**')": ["**bold**"],
    "y = !echo a; echo b\ny": ["['a', 'b']"],
    "None": [],
    "_ = 7\n_": ["7"],
    "import matplotlib.pyplot as plt\nplt.plot([1])": [],
}


@pytest.mark.parametrize("code", RESULTS)
async def test_results_are_text(kernel: Kernel, code: str) -> None:
    run = await said(kernel, code)
    assert run.ended.status == "ok", run.outputs
    assert run.results == RESULTS[code]


async def test_a_result_without_end_is_cut(kernel: Kernel) -> None:
    run = await said(kernel, "class A:\n    def __repr__(self): return 'x' * 10**7\nA()")
    assert run.results[0].endswith("… 9,900,000 more characters")


async def test_a_traceback_points_into_the_cell(kernel: Kernel) -> None:
    await said(kernel, "# the first cell\ndef half(x):\n    return 1 / x")
    run = await said(kernel, "\n\na = 0\nhalf(a)\nb = 1")
    assert (run.ended.status, run.failure.name) == ("error", "ZeroDivisionError")
    assert run.failure.message == "division by zero"
    assert run.failure.traceback == (
        "Cell 2, line 2:\n      1 a = 0\n----> 2 half(a)\n      3 b = 1\n"
        "Cell 1, line 3, in half:\n      1 # the first cell\n      2 def half(x):\n"
        "----> 3     return 1 / x\n"
        "ZeroDivisionError: division by zero"
    )


FAILURES = {
    "for x in:\n    pass": ("SyntaxError", "----> 1 for x in:"),
    "  if True:\nx": ("IndentationError", "IndentationError"),
    "def r(n): return r(n)\nr(0)": ("RecursionError", "times more"),
    "raise KeyError('a') from ValueError('b')": ("KeyError", "ValueError: b\n\nThis led to:"),
    "try: 1/0\nexcept Exception: {}['k']": ("KeyError", "While that was handled"),
    "raise ExceptionGroup('many', [ValueError('v'), OSError('o')])": (
        "ExceptionGroup",
        "1. ValueError: v\n  2. OSError: o",
    ),
    "class E(Exception):\n    def __str__(self): raise RuntimeError\nraise E": (
        "E",
        "its text cannot be had",
    ),
    "import sys; sys.exit('bad')": ("SystemExit", "SystemExit: bad"),
    "%nonsense": ("UsageError", ""),
    "%%bash\nexit 3": ("CalledProcessError", "exit status 3"),
    "import pandas\npandas.DataFrame()['x']": ("KeyError", "pandas/core/"),
    "raise ValueError('\\x1b[2J' + 'x' * 10**6)": ("ValueError", "…"),
}


@pytest.mark.parametrize("code", FAILURES)
async def test_failures_say_what_and_where(kernel: Kernel, code: str) -> None:
    name, words = FAILURES[code]
    run = await said(kernel, code)
    assert (run.ended.status, run.failure.name) == ("error", name)
    assert words in run.failure.traceback
    assert len(run.failure.traceback) < 20_000
    assert "/run/guest" not in run.failure.traceback
    assert (await said(kernel, "1")).results == ["1"]


@pytest.mark.parametrize("code", ["exit()", "quit", "exit", "raise SystemExit"])
async def test_leaving_ends_the_run_and_nothing_else(kernel: Kernel, code: str) -> None:
    await said(kernel, "x = 1")
    run = await said(kernel, code)
    assert (run.ended.status, run.err) == ("ok", "")
    assert (await said(kernel, "x")).results == ["1"]


PLOT = "import matplotlib.pyplot as plt\nplt.plot([1, 2])\n"
CARD = "axes:\n  line: (0, 1), (1, 2)"
SHOWN = {
    "at show": (PLOT + "plt.show()\nprint('after')", [CARD]),
    "at the end": (PLOT, [CARD]),
    "inline": ("%matplotlib inline\n" + PLOT, [CARD]),
    "notebook": ("%matplotlib notebook\n" + PLOT, [CARD]),
    "widget": ("%matplotlib widget\n" + PLOT, [CARD]),
    "with Tk": ("import matplotlib\nmatplotlib.use('TkAgg')\n" + PLOT + "plt.show()", [CARD]),
    "with Agg": ("import matplotlib\nmatplotlib.use('Agg')\n" + PLOT + "plt.show()", [CARD]),
    "saved": (PLOT + "plt.savefig('a.png')", [CARD]),
    "saved and closed": (PLOT + "plt.savefig('a.png'); plt.close()", [CARD]),
    "shown, then saved": (PLOT + "f = plt.gcf(); plt.show(); f.savefig('a.png')", [CARD]),
    "as a result": (PLOT + "plt.gcf()", [CARD]),
    "twice": (PLOT + "plt.show()\n" + PLOT + "plt.show()", [CARD, CARD]),
    "empty": ("import matplotlib.pyplot as plt\nplt.figure(); plt.show()", []),
    "of an image": (
        "from PIL import Image\nImage.new('RGB', (6, 4)).save('i.bmp')",
        ["BMP picture 6 × 4 in `i.bmp`"],
    ),
}


@pytest.mark.parametrize("how", SHOWN)
async def test_figures_are_shown_once(kernel: Kernel, how: str) -> None:
    code, cards = SHOWN[how]
    run = await said(kernel, code)
    assert (run.ended.status, run.err) == ("ok", ""), run.outputs
    assert run.cards == cards
    windows = [note for note in run.notes if "windows" in note]
    assert len(windows) == (how in ("notebook", "widget", "with Tk"))


async def test_a_picture_that_is_too_large_is_scaled(kernel: Kernel) -> None:
    code = (
        "import matplotlib.pyplot as plt\nplt.figure(figsize=(200, 100), dpi=300)\nplt.plot([1])\n"
        "plt.show()\nfrom PIL import Image\nImage.new('L', (9000, 3000)).save('b.png')"
    )
    run = await said(kernel, code)
    assert [max(one.width, one.height) <= 4100 for one in run.figures] == [True, True]


async def test_a_picture_bomb_is_not_opened(kernel: Kernel) -> None:
    code = """
import struct, zlib
def chunk(kind, data):
    return struct.pack('>I', len(data)) + kind + data + struct.pack('>I', zlib.crc32(kind + data))
head = struct.pack('>IIBBBBB', 50_000, 50_000, 1, 0, 0, 0, 0)
png = b'\\x89PNG\\r\\n\\x1a\\n' + chunk(b'IHDR', head) + chunk(b'IDAT', zlib.compress(b''))
open('bomb.png', 'wb').write(png);
"""
    run = await said(kernel, code)
    assert run.ended.status == "ok"
    assert not run.figures
    assert run.notes[0].startswith("`bomb.png` cannot be shown")


CARDS = {
    "plt.bar(['a', 'b'], [1, 2.5], label='n'); plt.legend()": 'bars "n": a 1, b 2.5\n  legend: n',
    "plt.barh(['a', 'b'], [1, 2])": "bars: a 1, b 2",
    "plt.hist([1, 1, 2, 4], bins=3)": "histogram: 1 to 2: 2; 2 to 3: 1; 3 to 4: 1",
    "plt.pie([1, 3], labels=['x', 'y'], autopct='%d%%')": "pie: x 25 %, y 75 %",
    "plt.boxplot([[1, 2, 3, 4, 20]])": "box 1: 1 to 4, quartiles 2 and 4, median 3, outliers: 1",
    "sns.heatmap([[1, 2], [3, 4]], annot=True)": "    0: 0 1, 1 2\n    1: 0 3, 1 4",
    "plt.plot(range(1000))": "(1000 points, x 0 to 999, y 0 to 999)",
    "plt.scatter([1], [2]); plt.annotate('name', (1, 2))": "points: name (1, 2)",
    "plt.plot(pd.to_datetime(['2023-01-01', '2023-02-03']), [1, 2])": "(2023-02-03, 2)",
    "plt.plot([1]); plt.axhline(3); plt.yscale('log')": "horizontal line at 3",
    "plt.title('a\\nb'); plt.xlabel('X'); plt.plot([1])": 'axes: "a b"; x "X"',
    "plt.suptitle('S'); plt.text(0, 0.5, 'note')": 'text "note" at (0, 0.5)',
}


@pytest.mark.parametrize("code", CARDS)
async def test_cards_tell_values(kernel: Kernel, code: str) -> None:
    run = await said(kernel, code)
    assert CARDS[code] in run.cards[0]


async def test_nothing_of_the_readers_is_overwritten(kernel: Kernel) -> None:
    assert (await said(kernel, "sns = 5\ndef plt(): return 6\nsns, plt()")).results == ["(5, 6)"]
    assert (await said(kernel, "sns, plt()")).results == ["(5, 6)"]
    run = await said(kernel, "[np for np in range(2)]")
    assert (run.results, run.notes) == (["[0, 1]"], [])


async def test_the_world_is_read_from_its_address_without_a_network(kernel: Kernel) -> None:
    url = "https://naciscdn.org/naturalearth/110m/cultural/ne_110m_admin_0_countries.zip"
    code = f"w = gpd.read_file('{url}')\nlen(w), w[w.NAME == 'Spain'].ISO_A3.item()"
    run = await said(kernel, code)
    assert run.results == ["(177, 'ESP')"]
    assert url in run.notes[0]


def test_hints() -> None:
    assert "pd.concat" in hint("AttributeError", "'DataFrame' object has no attribute 'append'")
    assert "np.float" in hint("AttributeError", "module 'numpy' has no attribute 'float'.\nx")
    assert "barplot(data=df" in hint(
        "TypeError", "barplot() takes from 0 to 1 positional arguments but 2 were given"
    )
    assert "No network" in hint("URLError", "<urlopen error [Errno -3] x>")
    assert "`torch` is not installed" in hint("ModuleNotFoundError", "No module named 'torch'")
    assert hint("ValueError", "x") == ""


async def test_nothing_of_the_product_but_the_runner_is_inside(kernel: Kernel) -> None:
    run = await said(kernel, "import starchat_tui.settings")
    assert run.failure.name == "ModuleNotFoundError"
