"""Arguments that functions of libraries no longer take."""

from __future__ import annotations

from collections.abc import Iterator

SUGGESTED_PACKAGES = frozenset(
    ("numpy", "pandas", "matplotlib", "seaborn", "scipy", "sklearn", "sympy", "networkx", "PIL")
)
"""Packages of which a name is suggested that resembles one they do not have."""

_ROWS: tuple[tuple[str, str, str], ...] = (
    # pandas
    ("pandas.fillna", "method",
     "pandas 3.0 removed `fillna(method=…)`: use `ffill()` or `bfill()`"),
    ("pandas.replace", "method", "pandas 3.0 removed `{1}`: use `mask(…).ffill()`"),
    ("pandas.to_csv", "line_terminator", "pandas 2.0 renamed `{1}` to `lineterminator`"),
    ("pandas.read_csv pandas.read_table", "error_bad_lines warn_bad_lines",
     'pandas 2.0 removed `{1}`: use `on_bad_lines="skip"`'),
    ("pandas.read_csv pandas.read_table pandas.read_excel", "squeeze",
     'pandas 2.0 removed `squeeze`: use `{0}(…).squeeze("columns")`'),
    ("pandas.read_csv pandas.read_table pandas.read_excel", "mangle_dupe_cols prefix",
     "pandas 2.0 removed `{1}`: leave it out"),
    ("pandas.read_csv pandas.read_table pandas.read_excel", "date_parser",
     "pandas 3.0 removed `date_parser`: use `date_format=…`, or `pd.to_datetime` afterwards"),
    ("pandas.read_csv pandas.read_table", "delim_whitespace",
     'pandas 3.0 removed `delim_whitespace`: use `sep=r"\\s+"`'),
    ("pandas.read_csv pandas.read_table pandas.to_datetime", "infer_datetime_format",
     "pandas 3.0 removed `infer_datetime_format`: leave it out, formats are always inferred"),
    ("pandas.read_excel", "sheetname", "pandas renamed `sheetname` to `sheet_name`"),
    ("pandas.set_axis", "inplace", "pandas 2.0 removed `{1}`: use `df = df.set_axis(…)`"),
    ("pandas.sum pandas.mean pandas.count pandas.min pandas.max pandas.std pandas.median", "level",
     "pandas 2.0 removed `{0}(level=…)`: use `groupby(level=…).{0}()`"),
    ("pandas.groupby", "axis", "pandas 3.0 removed `groupby(axis=1)`: use `df.T.groupby(…)`"),
    ("pandas.groupby", "squeeze", "pandas 2.0 removed `{1}`: leave it out"),
    ("pandas.concat", "join_axes", "pandas 1.0 removed `join_axes`: use `pd.concat(…).reindex(…)`"),
    ("pandas.date_range pandas._generate_range", "closed",
     "pandas 2.0 renamed `closed` to `inclusive`"),
    ("pandas.describe", "datetime_is_numeric", "pandas 2.0 removed `{1}`: leave it out"),
    ("pandas.resample", "how", "pandas removed `how`: use `resample(…).mean()`, or another method"),
    ("pandas.apply", "broadcast reduce", "pandas 1.0 removed `{1}`: use `result_type=…`"),
    # matplotlib
    ("matplotlib.gca", "projection",
     'matplotlib 3.6 removed `gca(projection=…)`: use `fig.add_subplot(projection="3d")`'),
    ("matplotlib.boxplot matplotlib.bxp", "labels",
     "matplotlib 3.9 renamed `labels` to `tick_labels`, and 3.11 removed the old name"),
    ("matplotlib.annotate", "missing:text", "matplotlib 3.3 renamed the argument `s` to `text`"),
    ("matplotlib.bar", "missing:x", "matplotlib 3.0 renamed the argument `left` to `x`"),
    ("matplotlib.stem", "use_line_collection",
     "matplotlib 3.8 removed `use_line_collection`: leave it out"),
    # seaborn
    ("seaborn.lmplot seaborn.catplot seaborn.factorplot seaborn.FacetGrid seaborn.jointplot "
     "seaborn.JointGrid seaborn.PairGrid seaborn.pairplot seaborn.relplot", "size",
     "seaborn 0.9 renamed the argument `size` of grids to `height`"),
    # scikit-learn
    ("sklearn.OneHotEncoder", "sparse", "scikit-learn 1.4 renamed `sparse` to `sparse_output`"),
    ("sklearn.LinearRegression sklearn.Ridge sklearn.Lasso sklearn.ElasticNet", "normalize",
     "scikit-learn 1.2 removed `normalize`: put a `StandardScaler()` before it in a pipeline"),
    ("sklearn.KMeans sklearn.MiniBatchKMeans", "n_jobs precompute_distances",
     "scikit-learn 1.0 removed `{1}` of `{0}`: leave it out"),
    ("sklearn.AgglomerativeClustering", "affinity",
     "scikit-learn 1.4 renamed `affinity` to `metric`"),
    ("sklearn.AdaBoostClassifier sklearn.AdaBoostRegressor sklearn.BaggingClassifier "
     "sklearn.BaggingRegressor", "base_estimator",
     "scikit-learn 1.4 renamed `base_estimator` to `estimator`"),
    ("sklearn.LogisticRegression", "multi_class",
     "scikit-learn removed `multi_class`: leave it out, or use `OneVsRestClassifier`"),
    ("sklearn.TSNE", "n_iter", "scikit-learn renamed `n_iter` to `max_iter`"),
    ("sklearn.mean_squared_error", "squared",
     "scikit-learn 1.6 removed `squared=False`: use `root_mean_squared_error`"),
    # geopandas
    ("geopandas.sjoin", "op", "geopandas 1.0 removed `op`: use `predicate`"),
)  # fmt: skip
"""Functions by their top package, arguments, and a hint; `{0}` is the function, `{1}` the other."""

_BY_NAME_PANDAS = (
    "dropna drop_duplicates set_index reset_index sort_values sort_index fillna where mask clip "
    "interpolate ffill bfill set_axis rename_axis to_csv to_excel read_csv read_excel concat split "
    "rsplit to_json to_html to_latex"
)
_BY_NAME_SEABORN = (
    "scatterplot lineplot relplot barplot countplot boxplot violinplot stripplot swarmplot "
    "boxenplot pointplot catplot histplot kdeplot ecdfplot rugplot displot regplot lmplot "
    "residplot jointplot"
)


def _expand_rows() -> Iterator[tuple[str, str]]:
    for functions, arguments, text in _ROWS:
        for function in functions.split():
            for argument in arguments.split():
                name = function.partition(".")[2]
                yield f"{function}({argument})", text.format(name, argument)


ARGUMENTS = dict(_expand_rows())
"""Hint by the function and the argument that it does not take."""

POSITIONAL = {
    "pandas.pivot": "Since pandas 2.0, `pivot` takes its arguments by name: "
    "`df.pivot(index=…, columns=…, values=…)`",
    "pandas.drop": "Since pandas 2.0, `drop` takes the axis by name: `df.drop(columns=…)`",
    **{
        f"pandas.{name}": f"Since pandas 2.0, `{name}` takes its further arguments by name, "
        "as in `axis=…`"
        for name in _BY_NAME_PANDAS.split()
    },
    **{
        f"seaborn.{name}": f"Since seaborn 0.12, `{name}` takes its data by name: "
        f"`{name}(data=df, x=…, y=…)`"
        for name in _BY_NAME_SEABORN.split()
    },
}
"""Hint by the function that takes fewer arguments by their position than it did."""
PACKAGES = sorted({key.partition(".")[0] for key in (*ARGUMENTS, *POSITIONAL)})
"""Packages that the tables have hints on."""
