"""Each hint by its true cause, and by a look-alike from the user's own code."""

from __future__ import annotations

import linecache
from pathlib import Path

import pytest

from starchat_tui.sandbox.guest.hints.finder import find_hint
from tests.sandbox.guest.hints.cells import SETUP, run_failing_cell

# The bar of tqdm that failed in its constructor fails again when it is collected.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")

CAUSES = {
    # pandas
    "df.append({'m': 1}, ignore_index=True)": "pd.concat",
    "for name, column in df.iteritems(): pass": "`items`",
    "df.ix[0]": "`loc`",
    "df.pivot('m', 'y', 'v')": "df.pivot(index=…, columns=…, values=…)",
    "df.groupby('m').mean()": "numeric_only=True",
    "df.mean()": "numeric_only=True",
    "df.corr()": "numeric_only=True",
    "df.fillna(method='ffill')": "ffill()",
    "df.applymap(str)": "renamed `applymap` to `map`",
    "pd.date_range('2020', periods=2, freq='M')": "use `ME`",
    "pd.Series(1, pd.date_range('2020', periods=2)).resample('3H')": "use `h`",
    "df.m.mad()": "removed `mad`",
    "df.to_csv(line_terminator='x')": "`lineterminator`",
    "pd.read_csv('x.csv', error_bad_lines=False)": 'on_bad_lines="skip"',
    "df.drop('m', 1)": "df.drop(columns=…)",
    "df.sum(level=0)": "groupby(level=…).sum()",
    "pd.date_range('2020', '2021', closed='left')": "`inclusive`",
    "pd.set_option('mode.use_inf_as_na', True)": "np.inf",
    "pd.value_counts([1])": "series.value_counts()",
    "pd.Int64Index([1])": "pd.Index(values)",
    "from pandas.io.json import json_normalize": "pd.json_normalize",
    "from pandas.tools.plotting import scatter_matrix": "from pandas.plotting",
    "df.t.plot()": "pd.to_numeric",
    "pd.read_json('{\"a\": [1]}')": "io.StringIO(text)",
    # numpy
    "np.float(1)": "Python's own `float`",
    "np.NaN": "use `np.nan`",
    "np.product([1])": "np.prod",
    "np.asscalar(np.array([1]))": "a.item()",
    "np.array([[1, 2], [3]])": "dtype=object",
    "np.array([1, 2]).ptp()": "np.ptp(a)",
    "np.lineSpace(0, 1)": "did you mean `linspace`?",
    # matplotlib and seaborn
    "fig.gca(projection='3d')": "fig.add_subplot(projection=",
    "plt.figure().gca(projection='3d')": "fig.add_subplot(projection=",
    "matplotlib.cm.get_cmap('viridis')": "matplotlib.colormaps[name]",
    "from matplotlib.cm import get_cmap": "matplotlib.colormaps[name]",
    "plt.stem([1], [2], use_line_collection=True)": "leave it out",
    "plt.hist([1, 2], normed=True)": "use `density`",
    "ax.grid(b=True)": "`visible`",
    "ax.xaxis.get_major_ticks()[0].label.set_fontsize(3)": "tick.label1",
    "ax.plot([1], label='a'); ax.legend().legendHandles": "legend_handles",
    "fig.canvas.set_window_title('x')": "no windows",
    "plt.get_current_fig_manager().window.showMaximized()": "figsize=",
    "plt.style.use('seaborn-whitegrid')": "seaborn-v0_8-…",
    "ax.annotate(s='x', xy=(0, 0))": "`text`",
    "sns.barplot(df.m, df.v)": "`barplot(data=df",
    "plot = sns.lineplot\nplot('m', 'v', data=df)": "`lineplot(data=df",
    "sns.lmplot(x='m', y='v', data=df, size=3)": "`height`",
    "sns.factorplot(x='m', y='v', data=df)": "`catplot`",
    "sns.pieplot([1])": "plt.pie",
    "sns.heatmap(df)": "select_dtypes",
    "from matplotlib.animation import FuncAnimation\n"
    "FuncAnimation(fig, lambda at: [], frames=2).save('x.mp4', writer='ffmpeg')": "no ffmpeg",
    # Others
    "import collections\ncollections.Iterable": "collections.abc.Iterable",
    "from collections import Mapping": "collections.abc.Mapping",
    "from PIL import Image\nImage.ANTIALIAS": "Image.LANCZOS",
    "from PIL import Image, ImageDraw\nImageDraw.Draw(Image.new('L', (4, 4))).textsize('a')": (
        "textbbox"
    ),
    "from PIL import ImageFont\nImageFont.truetype('no-such-font.ttf', 12)": "DejaVu Sans",
    "import networkx as nx\nnx.info(nx.Graph())": "print(G)",
    "from tqdm.notebook import tqdm\ntqdm(range(2))": "from tqdm import tqdm",
    "from IPython.core.display import display": "from IPython.display import display",
    "from shapely.geometry import MultiPoint\nlist(MultiPoint([(0, 0)]))": "`geoms`",
    "import time\ntime.clock()": "perf_counter",
    "{}.has_key(1)": "key in d",
    "xrange(3)": "use `range`",
    "import urllib2": "urllib.request",
}
LOOK_ALIKES = [
    "def greet(): pass\ngreet('Ann')",
    "def barplot(data=None): pass\nbarplot(1, 2)",
    "class Plot:\n    def boxplot(self, x): pass\nPlot().boxplot(1, labels=[])",
    "def wrap():\n    class FigureBase:\n        def gca(self): pass\n"
    "    FigureBase().gca(projection='3d')\nwrap()",
    "def read_csv(path): pass\nread_csv('x', squeeze=True)",
    "class DataFrame: pass\nDataFrame().append(1)",
    "class Mine:\n    def __getattr__(self, name): raise AttributeError(name)\nMine().iteritems",
    "class DataFrame:\n    def pivot(self): pass\nDataFrame().pivot('m', 'y', 'v')",
    "class Graph: pass\nGraph().node",
    "class ConnectionErrorX(Exception): pass\nraise ConnectionErrorX('HTTPError')",
    "class URLError(OSError): pass\nraise URLError('x')",
    "raise ConnectionError('the database is closed')",
    "raise EOFError('EOF when reading a line')",
    "raise FileNotFoundError(2, 'No such file', 'a.csv')",
    "raise PermissionError(13, 'not yours', 'a.csv')",
    "raise ModuleNotFoundError(\"No module named 'torch'\", name='torch')",
    "raise ImportError('IProgress not found')",
    "raise TypeError('barplot() takes from 0 to 1 positional arguments but 2 were given')",
    "assert False, 'Invalid frequency: M'",
    "int('could not convert string to float')",
    "float('x')",
    "df.m.astype(str).replace('1', 'x').astype(float)",
    "df['no']",
    "df.head(1, 2, 3)",
    "np.zeros(3) + np.zeros(4)",
    "sns.zzz",
    "df.zzz",
    "try:\n    df.append({})\nexcept AttributeError:\n    1 / 0",
    "class Bad(Exception):\n    def __str__(self): raise RuntimeError\nraise Bad",
    "class Odd(TypeError):\n    @property\n    def __cause__(self): raise RuntimeError\nraise Odd",
]


@pytest.fixture(autouse=True)
def leave_checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Code below the working directory counts as the user's: these tests are not."""
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("code", CAUSES)
def test_true_cause_has_its_hint(code: str) -> None:
    hint = find_hint(run_failing_cell(code, setup=SETUP))
    assert CAUSES[code] in hint
    assert "\n" not in hint
    assert "{" not in hint.replace('{"quality"', "")


@pytest.mark.parametrize("code", CAUSES)
def test_same_words_raised_by_the_user_have_none(code: str) -> None:
    error = run_failing_cell(code, setup=SETUP)
    again = "raise kind(message)"
    kind = type(error) if type(error).__module__ == "builtins" else RuntimeError
    raised = run_failing_cell(again, setup=f"message = {str(error)!r}\nkind = {kind.__name__}")
    assert find_hint(raised) == ""


@pytest.mark.parametrize("code", LOOK_ALIKES)
def test_look_alike_of_the_user_has_none(code: str) -> None:
    assert find_hint(run_failing_cell(code, setup=SETUP)) == ""


def test_cause_is_found_behind_the_error_of_the_user() -> None:
    code = "try:\n    df.append({})\nexcept Exception as e:\n    raise RuntimeError('x') from e"
    assert "pd.concat" in find_hint(run_failing_cell(code, setup=SETUP))
    code = code.replace(" from e", "")
    assert "pd.concat" in find_hint(run_failing_cell(code, setup=SETUP))
    code = f"{code} from None"
    assert find_hint(run_failing_cell(code, setup=SETUP)) == ""


def test_error_in_a_module_of_the_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "hint_helper.py").write_text(
        "def barplot(data=None): pass\ndef load(df): return df.append({})\n"
        "def stop(): raise ConnectionError('closed')\n"
    )
    linecache.clearcache()
    call = "import hint_helper\nhint_helper."
    assert "pd.concat" in find_hint(run_failing_cell(f"{call}load(df)", setup=SETUP))
    assert find_hint(run_failing_cell(f"{call}barplot(1, 2)", setup=SETUP)) == ""
    assert find_hint(run_failing_cell(f"{call}stop()", setup=SETUP)) == ""


def test_cycle_of_causes_ends() -> None:
    code = "a, b = ValueError('a'), ValueError('b')\na.__cause__, b.__cause__ = b, a\nraise a"
    assert find_hint(run_failing_cell(code)) == ""
