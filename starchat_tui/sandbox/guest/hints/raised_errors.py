"""Errors that a library raises for code of an older version, or for what the sandbox lacks."""

from __future__ import annotations

_FREQUENCIES = {
    "M": "ME", "BM": "BME", "Q": "QE", "BQ": "BQE", "Y": "YE", "A": "YE", "BA": "BYE", "AS": "YS",
    "BAS": "BYS", "H": "h", "BH": "bh", "T": "min", "S": "s", "L": "ms", "U": "us", "N": "ns",
}  # fmt: skip
"""Codes that pandas has renamed in 2.2 and removed in 3.0."""
_REDUCTIONS = "corr|cov|corrwith|mean|sum|std|var|median|quantile|skew|kurt|sem|agg|aggregate"
_NUMERIC_ONLY = (
    "Since pandas 2.0, columns of text are not left out: use `numeric_only=True`, or choose the "
    'columns with `df.select_dtypes("number")`'
)
_NO_FFMPEG = 'There is no ffmpeg here to write videos: use `ani.save("name.gif", writer="pillow")`'

RAISED: tuple[tuple[str, str, str, str], ...] = (
    # pandas
    *(
        ("pandas", rf"Invalid frequency: -?\d*{old}\b", "",
         f"pandas 2.2 renamed the frequency `{old}`, and 3.0 removed the old name: use `{new}`")
        for old, new in _FREQUENCIES.items()
    ),
    ("pandas", r"agg function failed|dtype '?(?:str|object|string)'? does not support operation "
     r"'?(?:mean|median|std|var|sem|prod|quantile)|Cannot perform reduction '\w+' with string",
     "", _NUMERIC_ONLY),
    ("pandas", r"Could not convert .* to numeric|could not convert string to float", _REDUCTIONS,
     _NUMERIC_ONLY),
    ("pandas", r"mode\.use_inf_as_n", "",
     "pandas 3.0 removed the option `mode.use_inf_as_na`: use "
     "`df.replace([np.inf, -np.inf], np.nan)`"),
    ("pandas", r"Value must be a nonnegative integer or None", "set_option",
     "Since pandas 1.0, no limit is `None`, as in `pd.set_option(\"max_colwidth\", None)`"),
    ("pandas", r"nested renamer is not supported", "",
     "pandas 1.0 removed renaming by a dictionary: use `agg(name=(\"column\", \"sum\"))`"),
    ("pandas", r"Invalid value .* for dtype '(\w+)'", "",
     "Since pandas 3.0, a column keeps its type: convert it first, as in "
     "`df[c] = df[c].astype(object)`"),
    ("pandas", r"Cannot interpolate with (?:str|object) dtype", "",
     "Since pandas 3.0, only numbers are interpolated: convert the column with `pd.to_numeric`"),
    ("pandas", r"fill_method must be None", "",
     "pandas 3.0 removed `fill_method`: use `ffill()` before `pct_change()`"),
    ("pandas", r"no numeric data to plot", "",
     "The columns are text: make them numbers with `df[c] = pd.to_numeric(df[c])`"),
    # numpy
    ("numpy", r"`np\.(\w+)` was removed in the NumPy (\S+) release\. Use ([^\n]*?)\.?$", "",
     "numpy {1} removed `np.{0}`: use {2}"),
    ("numpy", r"ValueError: setting an array element with a sequence.*inhomogeneous", "",
     "Since numpy 1.24, rows of different lengths need `np.array(rows, dtype=object)`"),
    ("numpy", r"Unable to avoid copy while creating an array", "",
     "Since numpy 2.0, `copy=False` forbids a copy: use `np.asarray(…)`"),
    ("numpy", r"TypeError: only (?:length-1|size-1|0-dimensional) arrays can be converted", "",
     "Only an array without dimensions is a number: take an element, as in `a[0]` or `a.item()`"),
    # matplotlib and seaborn
    ("matplotlib", r"set\(\) got an unexpected keyword argument 'normed'", "",
     "matplotlib 3.1 removed `normed`: use `density`"),
    ("matplotlib", r"set\(\) got an unexpected keyword argument '(axisbg|axis_bgcolor)'", "",
     "matplotlib renamed `{0}` to `facecolor`"),
    ("matplotlib", r"set\(\) got an unexpected keyword argument 'stat_func'", "",
     "seaborn removed `stat_func`: leave it out, and compute it with `scipy.stats`"),
    ("matplotlib", r"got an unexpected keyword argument 'frameon'", "savefig",
     "matplotlib removed `frameon` of `savefig`: use `facecolor=…`"),
    ("matplotlib", r"got an unexpected keyword argument 'quality'", "savefig",
     'matplotlib removed `quality` of `savefig`: use `pil_kwargs={{"quality": 95}}`'),
    ("matplotlib", r"keyword grid_b is not recognized", "",
     "matplotlib renamed the argument `b` of `grid` to `visible`"),
    ("matplotlib", r"'(seaborn[\w-]*)' is not a valid package style", "",
     "matplotlib 3.6 renamed the styles of seaborn, and 3.8 removed the old names: `{0}` is "
     "`seaborn-v0_8-…` now"),
    ("matplotlib", r"'spectral' is not a valid value for (?:cmap|name)", "",
     'matplotlib renamed the colormap: use "nipy_spectral"'),
    ("matplotlib", r"(?:latex|dvipng|dvips) (?:was )?(?:could )?not (?:be )?found|"
     r"No such file or directory: '(?:latex|dvipng)'|Failed to process string with tex", "",
     "There is no LaTeX here: leave `text.usetex` out, matplotlib draws `$…$` by itself"),
    ("matplotlib", r"Unable to determine Axes to steal space for Colorbar", "",
     "Since matplotlib 3.8, a colorbar of a new mappable needs its axes: `plt.colorbar(m, ax=ax)`"),
    ("matplotlib", r"Requested MovieWriter \((?:ffmpeg|avconv)\w*\) not available", "",
     _NO_FFMPEG),
    ("PIL", r"unknown file extension: \.(?:mp4|avi|mov|mkv|webm|m4v)", "Animation.save",
     _NO_FFMPEG),
    ("matplotlib.backends", r"Failed to import any of the following Qt|Cannot load backend", "",
     "There are no windows in the sandbox: leave `matplotlib.use(…)` out, plots are shown anyway"),
    ("seaborn", r"could not convert string to float", "heatmap|clustermap|inner_f",
     "The table has columns of text: choose the others with `df.select_dtypes(\"number\")`"),
    # scikit-learn and scipy
    ("sklearn", r"`load_boston` has been removed", "",
     "scikit-learn 1.2 removed `load_boston`: `load_diabetes()` is at hand, and other data can be "
     "attached"),
    ("sklearn", r"got an unexpected keyword argument 'squared'", "",
     "scikit-learn 1.6 removed `squared=False`: use `root_mean_squared_error`"),
    ("sklearn", r"The 'max_features' parameter.* Got 'auto'", "",
     'scikit-learn 1.3 removed `max_features="auto"`: use "sqrt", or 1.0 for regression'),
    ("sklearn", r"The 'loss' parameter.* Got '(?:deviance|log)'", "",
     'scikit-learn 1.3 renamed this loss to "log_loss"'),
    ("sklearn", r"The '(?:loss|criterion)' parameter.* Got '(?:ls|mse|squared_loss)'", "",
     'scikit-learn 1.2 renamed it to "squared_error"'),
    ("sklearn", r"The '(?:loss|criterion)' parameter.* Got '(?:lad|mae)'", "",
     'scikit-learn 1.2 renamed it to "absolute_error"'),
    ("scipy", r"`interp2d` has been removed", "",
     "scipy 1.14 removed `interp2d`: use `RegularGridInterpolator`"),
    # Others
    ("PIL.ImageFont", r"OSError: cannot open resource", "",
     "There is no such font file here: `matplotlib.font_manager.findfont(\"DejaVu Sans\")` is the "
     "path of one for `ImageFont.truetype`"),
    ("shapely", r"TypeError: '(Multi\w+|GeometryCollection)' object is not iterable", "",
     "Since shapely 2.0, the parts of a `{0}` are in its `geoms`"),
    ("tqdm", r"IProgress not found", "",
     "There are no widgets here: use `from tqdm import tqdm`, which prints its bar"),
    ("plotly", r"requires the [Kk]aleido package", "",
     "Pictures of plotly need the package `kaleido`, which is not here; `fig.show()` shows what "
     "can be shown"),
    ("_plotly_future_", r"plotly\.plotly module is deprecated", "",
     "plotly 4 removed `plotly.plotly`: use `fig.show()`, or `plotly.offline`"),
    ("geopandas", r"geopandas\.dataset has been deprecated", "",
     "geopandas 1.0 removed its maps; without `--strict`, StarChat provides them"),
)  # fmt: skip
"""Package that raises it, pattern of `class: message`, pattern of the called function, and a hint.

`{0}` is the first group of the pattern of the message.
"""
