"""Names that libraries and Python have removed since 2015 or so, and what has replaced them.

A hint is only looked up for a name that the installed version lacks.
"""

from __future__ import annotations

from collections.abc import Iterator

_FRAMES = "pandas.DataFrame pandas.Series"
_ABC = (
    "Callable Container Generator Hashable ItemsView Iterable Iterator KeysView Mapping "
    "MappingView MutableMapping MutableSequence MutableSet Sequence Set Sized ValuesView"
)
_WINDOWS = "barthann bartlett blackman boxcar cosine flattop gaussian hamming hann hanning nuttall"
_NUMPY_IN_SCIPY = (
    "arange array cos dot exp eye linspace log log10 mean ones pi rand randn sin sqrt std zeros"
)

_ROWS: tuple[tuple[str, str, str], ...] = (
    # pandas
    (f"{_FRAMES} pandas.Index", "append", "pandas 2.0 removed `append`: use `pd.concat([a, b])`"),
    (f"{_FRAMES} pandas.Index", "iteritems", "pandas 2.0 renamed `iteritems` to `items`"),
    (_FRAMES, "ix", "pandas 1.0 removed `ix`: use `loc` for labels, `iloc` for positions"),
    (f"{_FRAMES} pandas.DataFrameGroupBy pandas.SeriesGroupBy", "mad",
     "pandas 2.0 removed `mad`: use `(x - x.mean()).abs().mean()`"),
    ("pandas.DataFrame", "lookup", "pandas 2.0 removed `lookup`: index `df.to_numpy()` with "
     "`df.index.get_indexer(rows)` and `df.columns.get_indexer(columns)`"),
    ("pandas.DataFrame pandas.Styler", "applymap",
     "pandas 2.1 renamed `applymap` to `map`, and 3.0 removed the old name"),
    (_FRAMES, "sort order", "pandas has no `{0}` any more: use `sort_values`"),
    (_FRAMES, "sortlevel", "pandas has no `sortlevel` any more: use `sort_index(level=…)`"),
    (_FRAMES, "as_matrix", "pandas 1.0 removed `as_matrix`: use `to_numpy()`"),
    (_FRAMES, "get_value set_value", "pandas 1.0 removed `{0}`: use `df.at[row, column]`"),
    (_FRAMES, "convert_objects",
     "pandas 1.0 removed `convert_objects`: use `infer_objects()` or `pd.to_numeric`"),
    (_FRAMES, "get_dtype_counts", "pandas 1.0 removed `{0}`: use `df.dtypes.value_counts()`"),
    (_FRAMES, "tshift slice_shift", "pandas 2.0 removed `{0}`: use `shift(freq=…)`"),
    (f"{_FRAMES} pandas.DataFrameGroupBy pandas.SeriesGroupBy", "pad",
     "pandas has removed `pad`: use `ffill()`"),
    (f"{_FRAMES} pandas.DataFrameGroupBy pandas.SeriesGroupBy", "backfill",
     "pandas has removed `backfill`: use `bfill()`"),
    ("pandas.DataFrameGroupBy pandas.SeriesGroupBy", "fillna",
     "pandas 3.0 removed `groupby(…).fillna`: use `groupby(…).ffill()` or `bfill()`"),
    (_FRAMES, "first", "pandas 3.0 removed `first`: use `df.loc[:end]`, or `head(n)` for rows"),
    (_FRAMES, "last", "pandas 3.0 removed `last`: use `df.loc[start:]`, or `tail(n)` for rows"),
    (_FRAMES, "swapaxes", "pandas 3.0 removed `swapaxes`: use `transpose()`"),
    (f"{_FRAMES} pandas.Index", "is_monotonic",
     "pandas 2.0 renamed `is_monotonic` to `is_monotonic_increasing`"),
    ("pandas.DatetimeProperties pandas.DatetimeIndex", "week weekofyear",
     "pandas 2.0 removed `{0}`: use `isocalendar().week`"),
    ("pandas.Timestamp", "freq", "pandas 2.0 removed `Timestamp.freq`: ask the index for `freq`"),
    ("pandas", "Int64Index UInt64Index Float64Index",
     "pandas 2.0 removed `{0}`: use `pd.Index(values)`"),
    ("pandas", "Panel", "pandas has no `Panel` any more: use a `DataFrame` with a `MultiIndex`"),
    ("pandas", "np", "pandas 2.0 removed `pd.np`: use `import numpy as np`"),
    ("pandas", "datetime", "pandas 2.0 removed `pd.datetime`: use `from datetime import datetime`"),
    ("pandas", "scatter_matrix", "`scatter_matrix` has moved: use `pd.plotting.scatter_matrix`"),
    ("pandas", "value_counts", "pandas 3.0 removed `pd.value_counts`: use `series.value_counts()`"),
    ("pandas", "TimeGrouper", "pandas 1.0 removed `TimeGrouper`: use `pd.Grouper(freq=…)`"),
    ("pandas", "rolling_mean rolling_std rolling_sum rolling_max rolling_min rolling_median",
     "pandas has no `{0}` any more: use `series.rolling(n)` and its methods, as in `.mean()`"),
    ("pandas", "ewma", "pandas has no `ewma` any more: use `series.ewm(…).mean()`"),
    ("pandas.io.json", "json_normalize", "`json_normalize` has moved: use `pd.json_normalize`"),
    # numpy
    ("numpy", "float int bool object str complex",
     "numpy 1.24 removed `np.{0}`: use Python's own `{0}`"),
    ("numpy", "long unicode", "numpy 1.24 removed `np.{0}`: use `int` or `str`"),
    ("numpy", "asscalar", "numpy 1.23 removed `np.asscalar(a)`: use `a.item()`"),
    ("numpy", "trapz", "numpy 2.0 renamed `np.trapz` to `np.trapezoid`"),
    ("numpy", "product", "numpy 2.0 removed `np.product`: use `np.prod`"),
    ("numpy", "cumproduct", "numpy 2.0 removed `np.cumproduct`: use `np.cumprod`"),
    ("numpy", "sometrue", "numpy 2.0 removed `np.sometrue`: use `np.any`"),
    ("numpy", "alltrue", "numpy 2.0 removed `np.alltrue`: use `np.all`"),
    ("numpy", "in1d", "numpy has removed `np.in1d`: use `np.isin`"),
    ("numpy", "row_stack", "numpy has removed `np.row_stack`: use `np.vstack`"),
    ("numpy", "math", "numpy has removed `np.math`: use `import math`"),
    ("numpy", "rank", "numpy has no `np.rank` any more: use `np.ndim`"),
    ("numpy", "msort", "numpy 2.0 removed `np.msort(a)`: use `np.sort(a, axis=0)`"),
    ("numpy", "round_", "numpy 2.0 removed `np.round_`: use `np.round`"),
    ("numpy.ndarray", "tostring", "numpy has removed `tostring`: use `tobytes()`"),
    ("numpy.ndarray", "ptp", "numpy 2.0 removed `a.ptp()`: use `np.ptp(a)`"),
    ("numpy.ndarray", "itemset", "numpy 2.0 removed `a.itemset(i, x)`: use `a[i] = x`"),
    # matplotlib
    ("matplotlib.cm", "get_cmap",
     "matplotlib 3.9 removed `cm.get_cmap(name)`: use `matplotlib.colormaps[name]`, or "
     "`plt.get_cmap(name, n)` for n colors"),
    ("matplotlib.cm", "register_cmap",
     "matplotlib 3.9 removed `cm.register_cmap`: use `matplotlib.colormaps.register(cmap)`"),
    ("matplotlib.Tick", "label", "matplotlib 3.8 removed `tick.label`: use `tick.label1`"),
    ("matplotlib.Legend", "legendHandles",
     "matplotlib 3.9 removed `legendHandles`: use `legend_handles`"),
    ("matplotlib.Legend", "draggable",
     "matplotlib has renamed `draggable()` to `set_draggable(True)`"),
    ("matplotlib.FigureCanvasBase", "set_window_title",
     "matplotlib 3.6 removed `canvas.set_window_title`: use `canvas.manager.set_window_title`; "
     "there are no windows in the sandbox, so `plt.title` shows more"),
    ("matplotlib.FigureManagerBase", "window frame",
     "There are no windows in the sandbox, so none to resize or maximize: "
     "`plt.figure(figsize=(12, 8))` sets the size of the plot"),
    ("matplotlib.Axes matplotlib.pyplot", "hold ishold",
     "matplotlib 3.0 removed `{0}`: every plot is added to what is there, so leave it out"),
    ("matplotlib.Axes", "set_axis_bgcolor", "matplotlib has renamed `{0}` to `set_facecolor`"),
    ("matplotlib.Axes", "plot_date",
     "matplotlib has removed `plot_date`: use `plot`, which takes dates"),
    ("matplotlib.pyplot", "plot_date",
     "matplotlib has removed `plot_date`: use `plot`, which takes dates"),
    ("matplotlib.Axes", "is_first_col is_first_row is_last_col is_last_row",
     "matplotlib has removed `ax.{0}()`: use `ax.get_subplotspec().{0}()`"),
    ("mpl_toolkits.Axes3D", "w_xaxis w_yaxis w_zaxis",
     "matplotlib 3.8 removed `{0}`: use the same name without `w_`"),
    ("matplotlib.GrouperView", "join", "matplotlib 3.8 removed `join`: use `ax.sharex(other)`"),
    ("matplotlib.ArtistList", "append extend insert",
     "Since matplotlib 3.7, lists such as `ax.lines` cannot be changed: use `ax.add_line(…)`, "
     "`ax.add_patch(…)` or `ax.add_artist(…)`"),
    ("matplotlib.ArtistList", "remove pop clear",
     "Since matplotlib 3.7, lists such as `ax.lines` cannot be changed: use `artist.remove()`"),
    ("matplotlib.ContourSet", "collections",
     "matplotlib 3.10 removed `contour.collections`: use the contour itself, as in "
     "`contour.set_linewidth(…)`"),
    ("matplotlib.mlab", "normpdf", "matplotlib 3.1 removed `{0}`: use `scipy.stats.norm.pdf`"),
    ("matplotlib.mlab", "griddata",
     "matplotlib 3.1 removed `{0}`: use `scipy.interpolate.griddata`"),
    ("matplotlib.mlab", "bivariate_normal",
     "matplotlib 3.1 removed `{0}`: use `scipy.stats.multivariate_normal`"),
    ("matplotlib.Axis", "set_smart_bounds",
     "matplotlib 3.4 removed `{0}`: use `ax.spines[…].set_bounds(low, high)`"),
    # seaborn
    ("seaborn", "factorplot", "seaborn renamed `factorplot` to `catplot`"),
    ("seaborn", "tsplot", "seaborn removed `tsplot`: use `lineplot`"),
    ("seaborn", "plt", "seaborn has no `plt`: use `import matplotlib.pyplot as plt`"),
    ("seaborn", "pie pieplot piechart", "seaborn has no pie charts: use `plt.pie(values)`"),
    # Pillow
    ("PIL.Image", "ANTIALIAS", "Pillow 10 removed `Image.ANTIALIAS`: use `Image.LANCZOS`"),
    ("PIL.Image", "LINEAR", "Pillow 10 removed `Image.LINEAR`: use `Image.BILINEAR`"),
    ("PIL.Image", "CUBIC", "Pillow 10 removed `Image.CUBIC`: use `Image.BICUBIC`"),
    ("PIL.ImageDraw", "textsize multiline_textsize",
     "Pillow 10 removed `{0}`: use `textbbox((0, 0), text, font=font)`, which gives left, top, "
     "right and bottom"),
    ("PIL.FreeTypeFont PIL.ImageFont PIL.TransposedFont", "getsize getsize_multiline",
     "Pillow 10 removed `{0}`: use `getbbox(text)`, which gives left, top, right and bottom"),
    ("PIL.Image", "fromstring", "Pillow has renamed `fromstring` to `frombytes`"),
    ("PIL.Image", "tostring", "Pillow has renamed `tostring` to `tobytes`"),
    # scikit-learn
    ("sklearn.metrics", "plot_confusion_matrix",
     "scikit-learn 1.2 removed `{0}`: use `ConfusionMatrixDisplay.from_estimator(model, X, y)`"),
    ("sklearn.metrics", "plot_roc_curve",
     "scikit-learn 1.2 removed `{0}`: use `RocCurveDisplay.from_estimator(model, X, y)`"),
    ("sklearn.metrics", "plot_precision_recall_curve",
     "scikit-learn 1.2 removed `{0}`: use `PrecisionRecallDisplay.from_estimator(model, X, y)`"),
    ("sklearn.inspection", "plot_partial_dependence",
     "scikit-learn 1.2 removed `{0}`: use `PartialDependenceDisplay.from_estimator`"),
    ("sklearn.metrics", "SCORERS", "scikit-learn 1.3 removed `{0}`: use `get_scorer_names()`"),
    ("sklearn.metrics", "jaccard_similarity_score",
     "scikit-learn has renamed `{0}` to `jaccard_score`"),
    ("sklearn.preprocessing", "Imputer",
     "scikit-learn 0.22 removed `{0}`: use `from sklearn.impute import SimpleImputer`"),
    ("sklearn.externals", "joblib", "scikit-learn 0.23 removed `{0}`: use `import joblib`"),
    ("sklearn.externals", "six", "scikit-learn 0.23 removed `{0}`: use `import six`"),
    ("sklearn.datasets", "fetch_mldata",
     "scikit-learn 0.22 removed `{0}`: `fetch_openml` replaces it, but the sandbox has no network; "
     "`load_digits()` is at hand"),
    ("sklearn.BaseEstimator", "get_feature_names",
     "scikit-learn 1.2 removed `get_feature_names`: use `get_feature_names_out()`"),
    # scipy
    ("scipy.misc scipy.ndimage", "imread",
     "scipy has removed `imread`: use `plt.imread(path)` or `numpy.asarray(PIL.Image.open(path))`"),
    ("scipy.misc", "imsave toimage", "scipy has removed `{0}`: use `plt.imsave(path, array)`"),
    ("scipy.misc", "imresize imrotate",
     "scipy has removed `{0}`: use the methods of `PIL.Image.fromarray(array)`"),
    ("scipy.misc", "face ascent electrocardiogram",
     "scipy has moved `{0}` to `scipy.datasets`, which downloads it, and the sandbox has no "
     "network: attach a picture, or use `matplotlib.cbook.get_sample_data`"),
    ("scipy.misc", "comb factorial logsumexp", "`{0}` has moved: use `scipy.special.{0}`"),
    ("scipy.misc", "derivative",
     "scipy 1.12 removed `derivative`: use `(f(x + h) - f(x - h)) / (2 * h)` with a small h"),
    ("scipy.integrate", "simps", "scipy 1.14 removed `simps`: use `simpson`"),
    ("scipy.integrate", "trapz", "scipy 1.14 removed `trapz`: use `trapezoid`"),
    ("scipy.integrate", "cumtrapz", "scipy 1.14 removed `cumtrapz`: use `cumulative_trapezoid`"),
    ("scipy.integrate", "quadrature romberg", "scipy has removed `{0}`: use `quad`"),
    ("scipy", "interp", "scipy has no `interp` any more: use `np.interp`"),
    ("scipy", _NUMPY_IN_SCIPY, "scipy has no copies of numpy's functions any more: use `np.{0}`"),
    ("scipy.stats", "median_absolute_deviation",
     "scipy has renamed `{0}` to `median_abs_deviation`"),
    ("scipy.stats", "binom_test", "scipy 1.12 removed `binom_test`: use `binomtest(…).pvalue`"),
    ("scipy.stats", "itemfreq",
     "scipy has removed `itemfreq`: use `np.unique(values, return_counts=True)`"),
    ("scipy.signal", _WINDOWS, "scipy 1.13 moved `{0}`: use `scipy.signal.windows.{0}`"),
    ("scipy.signal", "cwt ricker morlet morlet2 daub qmf",
     "scipy has removed `{0}`: the package `pywt` (PyWavelets) has wavelets"),
    ("scipy.interpolate", "spline", "scipy has removed `spline`: use `make_interp_spline(x, y)`"),
    ("scipy.linalg", "pinv2", "scipy has removed `pinv2`: use `pinv`"),
    # networkx
    ("networkx", "info", "networkx 3.0 removed `nx.info(G)`: use `print(G)`"),
    ("networkx.Graph", "node", "networkx 2.4 removed `G.node`: use `G.nodes`"),
    ("networkx.Graph", "nodes_iter edges_iter neighbors_iter",
     "networkx 2.0 removed `{0}`: use the name without `_iter`"),
    ("networkx.Graph", "add_path add_cycle add_star",
     "networkx has moved `{0}`: `nx.{0}(G, nodes)`"),
    ("networkx", "to_numpy_matrix", "networkx 3.0 removed `{0}`: use `nx.to_numpy_array`"),
    ("networkx", "from_numpy_matrix", "networkx 3.0 removed `{0}`: use `nx.from_numpy_array`"),
    ("networkx", "from_scipy_sparse_matrix to_scipy_sparse_matrix",
     "networkx 3.0 removed `{0}`: its name ends in `_array` instead of `_matrix`"),
    ("networkx", "from_pandas_dataframe",
     "networkx has renamed `{0}` to `nx.from_pandas_edgelist`"),
    ("networkx", "write_gpickle read_gpickle",
     "networkx 3.0 removed `{0}`: use `pickle.dump(G, file)` and `pickle.load(file)`"),
    ("networkx", "connected_component_subgraphs",
     "networkx 2.4 removed `{0}`: use `[G.subgraph(c) for c in nx.connected_components(G)]`"),
    ("networkx", "OrderedGraph OrderedDiGraph",
     "networkx 3.0 removed `{0}`: `nx.Graph` and `nx.DiGraph` keep the order"),
    # geopandas, shapely, plotly, statsmodels, IPython
    ("geopandas", "datasets",
     "geopandas 1.0 removed its maps; without `--strict`, StarChat provides them"),
    ("geopandas.GeoSeries geopandas.GeoDataFrame", "cascaded_union",
     "geopandas has removed `{0}`: use `union_all()`, or `unary_union` before geopandas 1.0"),
    ("shapely.ops", "cascaded_union", "shapely 2 removed `cascaded_union`: use `unary_union`"),
    ("plotly.figure_factory", "create_distplot", "plotly has removed `{0}`: use `px.histogram`"),
    ("statsmodels.tsa.api", "ARMA",
     "statsmodels removed `ARMA`: use `sm.tsa.arima.ARIMA(y, order=(p, 0, q))`"),
    ("statsmodels.formula.api", "OLS WLS GLS GLM Logit Poisson",
     "Formulas have names in small letters, as in `smf.ols`; with arrays use `sm.{0}(y, X)`"),
    ("IPython.core.display", "display HTML Image SVG Markdown clear_output",
     "IPython has moved `{0}`: use `from IPython.display import {0}`"),
    # Python
    ("collections", _ABC, "Python 3.10 moved `{0}`: use `collections.abc.{0}`"),
    ("time", "clock", "Python 3.8 removed `time.clock`: use `time.perf_counter`"),
    ("fractions", "gcd", "Python 3.9 removed `fractions.gcd`: use `math.gcd`"),
    ("inspect", "getargspec", "Python 3.11 removed `getargspec`: use `getfullargspec`"),
    ("asyncio", "coroutine", "Python 3.11 removed `asyncio.coroutine`: use `async def`"),
    ("base64", "encodestring", "Python 3.9 removed `{0}`: use `base64.encodebytes`"),
    ("base64", "decodestring", "Python 3.9 removed `{0}`: use `base64.decodebytes`"),
    ("cgi", "escape", "Python 3.8 removed `cgi.escape`: use `html.escape`"),
    ("string", "letters lowercase uppercase", "Python 3 has `string.ascii_{0}`"),
    ("string", "maketrans", "Python 3 has `str.maketrans`"),
    ("string", "join", "Python 3 has no `string.join`: use `' '.join(words)`"),
    ("itertools", "izip imap ifilter", "Python 3 has no `{0}`: use the function without the `i`"),
    ("itertools", "izip_longest", "Python 3 has `itertools.zip_longest`"),
    ("sys", "maxint", "Python 3 has no largest integer: use `sys.maxsize`"),
    ("urllib", "urlopen urlretrieve Request", "Python 3 has `urllib.request.{0}`"),
    ("urllib", "quote unquote urlencode quote_plus", "Python 3 has `urllib.parse.{0}`"),
    ("builtins.dict", "has_key", "Python 3 has no `has_key`: use `key in d`"),
    ("builtins.dict", "iteritems itervalues iterkeys",
     "Python 3 has no `{0}`: use the name without `iter`"),
    ("builtins.str", "decode", "In Python 3 a `str` is text already: leave `decode` out"),
    ("builtins.generator", "next", "Python 3 has no `.next()`: use `next(generator)`"),
    ("array.array", "tostring", "Python 3.9 removed `tostring`: use `tobytes()`"),
    ("array.array", "fromstring", "Python 3.9 removed `fromstring`: use `frombytes(…)`"),
    ("xml.Element", "getchildren", "Python 3.9 removed `getchildren`: use `list(element)`"),
    ("threading.Thread", "isAlive", "Python 3.9 removed `isAlive`: use `is_alive()`"),
    ("unittest.TestCase", "assertEquals assertNotEquals assertRegexpMatches assert_",
     "Python 3.12 removed `{0}`: use `assertEqual`, `assertNotEqual`, `assertRegex` or "
     "`assertTrue`"),
    ("configparser", "SafeConfigParser", "Python 3.12 removed `{0}`: use `ConfigParser`"),
    ("locale", "format", "Python 3.12 removed `locale.format`: use `locale.format_string`"),
)  # fmt: skip
"""Owners (a module, or a class by its top package), names, and a hint; `{0}` is the name."""


def _expand_rows() -> Iterator[tuple[str, str]]:
    for owners, names, text in _ROWS:
        for owner in owners.split():
            for name in names.split():
                yield f"{owner}.{name}", text.format(name)


REMOVED = dict(_expand_rows())
"""Hint by the owner and the name that it lacks."""

BUILTIN_NAMES = {
    "xrange": "Python 3 has no `xrange`: use `range`",
    "raw_input": "Python 3 has no `raw_input`: use `input`",
    "unicode": "Python 3 has no `unicode`: use `str`",
    "basestring": "Python 3 has no `basestring`: use `str`",
    "long": "Python 3 has no `long`: use `int`",
    "unichr": "Python 3 has no `unichr`: use `chr`",
    "reduce": "Python 3 has moved `reduce`: use `from functools import reduce`",
    "execfile": "Python 3 has no `execfile`: use `exec(open(path).read())`",
    "reload": "Python 3 has moved `reload`: use `from importlib import reload`",
    "file": "Python 3 has no `file`: use `open`",
    "__file__": "A cell has no file: use `os.getcwd()`, or run the code as a script with "
    "`starchat run FILE`",
    "cmp": "Python 3 has no `cmp`: use `(a > b) - (a < b)`",
    "np": "Its import is missing: `import numpy as np`",
    "pd": "Its import is missing: `import pandas as pd`",
    "plt": "Its import is missing: `import matplotlib.pyplot as plt`",
    "sns": "Its import is missing: `import seaborn as sns`",
    "gpd": "Its import is missing: `import geopandas as gpd`",
}
"""Hint by a name that is not defined."""
