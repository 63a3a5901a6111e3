"""Renames of numpy, scipy, scikit-learn and networkx."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

from starchat_tui.sandbox.guest.renames.declarations import (
    Adaptation,
    ChangedCall,
    RemovedMember,
    RemovedModule,
    RemovedName,
    Rename,
    drop_argument,
    list_names,
    rename_argument,
)


def convert_to_scalar(array: Any) -> Any:
    """Return the only element of an array, as `np.asscalar` did."""
    return array.item()


def sort_first_axis(array: Any) -> Any:
    """Return an array sorted along its first axis, as `np.msort` did."""
    import numpy

    return numpy.sort(array, axis=0)


def convert_to_floats(array: Any, dtype: Any = None) -> Any:
    """Return an array of floating-point numbers, as `np.asfarray` did."""
    import numpy

    wanted = numpy.dtype(dtype or float)
    return numpy.asarray(array, wanted if wanted.kind in "fc" else float)


def find_members(first: Any, second: Any, *args: Any, **named: Any) -> Any:
    """Return for each element whether it is in `second`, as `np.in1d` did."""
    import numpy

    return numpy.isin(numpy.asarray(first).ravel(), second, *args, **named)


def integrate_by_simpson(y: Any, x: Any = None, dx: float = 1.0, axis: int = -1) -> Any:
    """Integrate samples, as `scipy.integrate.simps` did: `x` could be positional."""
    return import_module("scipy.integrate").simpson(y, x=x, dx=dx, axis=axis)


def compute_binomial_p_value(x: Any, n: Any, p: float = 0.5, alternative: str = "two-sided") -> Any:
    """Return the p-value of a binomial test, as `scipy.stats.binom_test` did."""
    return import_module("scipy.stats").binomtest(x, n, p, alternative).pvalue


def differentiate(
    function: Callable[..., float],
    x0: float,
    dx: float = 1.0,
    n: int = 1,
    args: tuple[Any, ...] = (),
    order: int = 3,
) -> Any:
    """Return the `n`-th derivative by central differences, as `scipy.misc.derivative` did.

    Args:
        function: Function of one number, and of `args`.
        x0: Number at which the derivative is taken.
        dx: Distance of the points.
        n: Order of the derivative.
        args: Further arguments of `function`.
        order: Number of points; odd, and greater than `n`.
    """
    import numpy

    half = order // 2
    steps = numpy.arange(-half, half + 1)
    # The weights that are exact for every polynomial of degree `order - 1`.
    powers = numpy.vander(steps, increasing=True).T.astype(float)
    wanted = numpy.zeros(order)
    wanted[n] = import_module("math").factorial(n)
    weights = numpy.linalg.solve(powers, wanted)
    values = numpy.array([function(x0 + step * dx, *args) for step in steps])
    return weights @ values / dx**n


def convert_graph_to_matrix(graph: Any, *args: Any, **named: Any) -> Any:
    """Return the adjacency matrix, as `nx.to_numpy_matrix` did."""
    import numpy

    return numpy.asmatrix(import_module("networkx").to_numpy_array(graph, *args, **named))


def write_pickled_graph(graph: Any, path: Any) -> None:
    """Write a graph to a file, as `nx.write_gpickle` did."""
    with open(path, "wb") as file:
        import_module("pickle").dump(graph, file)


def read_pickled_graph(path: Any) -> Any:
    """Read a graph that the code wrote, as `nx.read_gpickle` did."""
    with open(path, "rb") as file:
        return import_module("pickle").load(file)


def _take_root(original: Callable[..., Any], args: list[Any], named: dict[str, Any]) -> Adaptation:
    """Adapt `mean_squared_error(squared=False)`."""
    if named.get("squared") is not False:
        return None
    named.pop("squared")
    function = import_module("sklearn.metrics").root_mean_squared_error
    return "squared=False → root_mean_squared_error()", function


def _set_max_features(value: Any) -> Any:
    """Return an adapter for `max_features="auto"`, which meant `value`."""

    def adapt(original: Callable[..., Any], args: list[Any], named: dict[str, Any]) -> Adaptation:
        if named.get("max_features") != "auto":
            return None
        named["max_features"] = value
        return f"max_features='auto' → max_features={value!r}", original

    return adapt


def _set_log_loss(
    original: Callable[..., Any], args: list[Any], named: dict[str, Any]
) -> Adaptation:
    """Adapt `loss="log"`."""
    if named.get("loss") != "log":
        return None
    named["loss"] = "log_loss"
    return "loss='log' → loss='log_loss'", original


_NUMPY_1_24 = {
    **{name: f"builtins.{name}" for name in ("float", "int", "bool", "object", "str", "complex")},
    **{"long": "builtins.int", "unicode": "builtins.str"},
    **{"bool8": "numpy.bool_", "int0": "numpy.intp", "uint0": "numpy.uintp"},
    **{"object0": "numpy.object_", "str0": "numpy.str_", "bytes0": "numpy.bytes_"},
}
_NUMPY_2 = {
    **dict.fromkeys(("NaN", "NAN"), "numpy.nan"),
    **dict.fromkeys(("Inf", "Infinity", "infty", "PINF"), "numpy.inf"),
    **{"float_": "numpy.float64", "complex_": "numpy.complex128", "cfloat": "numpy.complex128"},
    **{"unicode_": "numpy.str_", "string_": "numpy.bytes_", "longfloat": "numpy.longdouble"},
    **{"singlecomplex": "numpy.complex64", "clongfloat": "numpy.clongdouble"},
    **{"longcomplex": "numpy.clongdouble", "product": "numpy.prod", "cumproduct": "numpy.cumprod"},
    **{"alltrue": "numpy.all", "sometrue": "numpy.any", "round_": "numpy.round"},
    **{"row_stack": "numpy.vstack", "mat": "numpy.asmatrix", "issubclass_": "builtins.issubclass"},
    **{
        name: f"numpy.exceptions.{name}"
        for name in ("AxisError", "ComplexWarning", "RankWarning", "VisibleDeprecationWarning")
    },
}
_WINDOWS = ("hann", "hamming", "blackman", "bartlett", "boxcar", "triang", "gaussian", "kaiser")
_SCIPY_FROM_NUMPY = (
    *("array", "arange", "linspace", "zeros", "ones", "eye", "dot", "mean", "std", "interp"),
    *("pi", "sin", "cos", "exp", "polyfit", "polyval"),
)
_DISPLAYS = {
    "plot_confusion_matrix": "ConfusionMatrixDisplay",
    "plot_roc_curve": "RocCurveDisplay",
    "plot_precision_recall_curve": "PrecisionRecallDisplay",
}
_PRIVATE_MODULES = (
    *("datasets.samples_generator", "datasets.base", "neighbors.kde", "neighbors.classification"),
    *("linear_model.logistic", "linear_model.base", "ensemble.forest", "tree.tree", "svm.classes"),
    *("cluster.k_means_", "decomposition.pca", "preprocessing.data", "metrics.classification"),
    *("feature_selection.univariate_selection", "neural_network.multilayer_perceptron"),
)
"""Modules of scikit-learn that were never public, but often imported from."""
_ENSEMBLES = ("AdaBoostClassifier", "AdaBoostRegressor", "BaggingClassifier", "BaggingRegressor")

NUMPY: tuple[Rename, ...] = (
    *list_names("numpy", "NumPy 1.24", _NUMPY_1_24),
    *list_names("numpy", "NumPy 2.0", _NUMPY_2),
    *list_names("numpy", "NumPy 2.4", {"trapz": "numpy.trapezoid"}),
    *list_names("numpy", "NumPy 1.25", {"math": "math", "warnings": "warnings"}),
    RemovedName("numpy", "NINF", "NumPy 2.0", float("-inf"), "-np.inf"),
    RemovedName("numpy", "asscalar", "NumPy 1.23", convert_to_scalar, "a.item()"),
    RemovedName("numpy", "msort", "NumPy 2.0", sort_first_axis, "np.sort(a, axis=0)"),
    RemovedName("numpy", "asfarray", "NumPy 2.0", convert_to_floats, "np.asarray(a, dtype=float)"),
    RemovedName("numpy", "in1d", "NumPy 2.4", find_members, "np.isin"),
    ChangedCall("numpy", "", ("histogram",), "NumPy 1.24", rename_argument("normed", "density")),
    ChangedCall(
        "numpy",
        "",
        ("percentile", "quantile", "nanpercentile", "nanquantile"),
        "NumPy 2.4",
        rename_argument("interpolation", "method"),
    ),
)
SCIPY: tuple[Rename, ...] = (
    *list_names("scipy", "SciPy 2.0", {name: f"numpy.{name}" for name in _SCIPY_FROM_NUMPY}),
    *list_names("scipy", "SciPy 2.0", {n: f"numpy.random.{n}" for n in ("rand", "randn")}),
    *list_names(
        "scipy.integrate",
        "SciPy 1.14",
        {
            "trapz": "scipy.integrate.trapezoid",
            "cumtrapz": "scipy.integrate.cumulative_trapezoid",
        },
    ),
    RemovedName("scipy.integrate", "simps", "SciPy 1.14", integrate_by_simpson, "simpson"),
    RemovedName(
        "scipy.stats", "binom_test", "SciPy 1.12", compute_binomial_p_value, "binomtest(…).pvalue"
    ),
    *list_names(
        "scipy.signal", "SciPy 1.13", {name: f"scipy.signal.windows.{name}" for name in _WINDOWS}
    ),
    *list_names(
        "scipy.misc",
        "SciPy 1.3",
        {name: f"scipy.special.{name}" for name in ("comb", "factorial", "logsumexp")},
    ),
    RemovedName("scipy.misc", "derivative", "SciPy 1.12", differentiate, "central differences"),
    *list_names("scipy.linalg", "SciPy 1.9", {"pinv2": "scipy.linalg.pinv"}),
)
SCIKIT_LEARN: tuple[Rename, ...] = (
    *(
        RemovedName(
            "sklearn.metrics",
            name,
            "scikit-learn 1.2",
            f"sklearn.metrics.{display}.from_estimator",
            f"{display}.from_estimator",
        )
        for name, display in _DISPLAYS.items()
    ),
    RemovedName(
        "sklearn.inspection",
        "plot_partial_dependence",
        "scikit-learn 1.2",
        "sklearn.inspection.PartialDependenceDisplay.from_estimator",
        "PartialDependenceDisplay.from_estimator",
    ),
    RemovedModule("sklearn.externals.joblib", "scikit-learn 0.23", "joblib"),
    *(
        RemovedModule(f"sklearn.{name}", "scikit-learn 0.24", f"sklearn.{name.partition('.')[0]}")
        for name in _PRIVATE_MODULES
    ),
    RemovedModule(
        "sklearn.cross_validation",
        "scikit-learn 0.20",
        "sklearn.model_selection",
        ("train_test_split", "cross_val_score", "cross_val_predict"),
    ),
    RemovedModule(
        "sklearn.grid_search",
        "scikit-learn 0.20",
        "sklearn.model_selection",
        ("GridSearchCV", "RandomizedSearchCV", "ParameterGrid", "ParameterSampler"),
    ),
    *(
        RemovedMember(
            module,
            owner,
            "get_feature_names",
            "scikit-learn 1.2",
            "get_feature_names_out",
            lambda self, *args: self.get_feature_names_out(*args).tolist(),
        )
        for module, owner in (
            ("sklearn.feature_extraction.text", "CountVectorizer"),
            ("sklearn.feature_extraction", "DictVectorizer"),
            ("sklearn.preprocessing", "PolynomialFeatures"),
        )
    ),
    ChangedCall(
        "sklearn.preprocessing",
        "OneHotEncoder",
        ("__init__",),
        "scikit-learn 1.4",
        rename_argument("sparse", "sparse_output"),
    ),
    *(
        ChangedCall(
            "sklearn.ensemble",
            owner,
            ("__init__",),
            "scikit-learn 1.4",
            rename_argument("base_estimator", "estimator"),
        )
        for owner in _ENSEMBLES
    ),
    *(
        ChangedCall(
            "sklearn.ensemble",
            f"{kind}{task}",
            ("__init__",),
            "scikit-learn 1.3",
            _set_max_features(value),
        )
        for task, value in (("Classifier", "sqrt"), ("Regressor", 1.0))
        for kind in ("RandomForest", "ExtraTrees")
    ),
    ChangedCall(
        "sklearn.cluster",
        "AgglomerativeClustering",
        ("__init__",),
        "scikit-learn 1.4",
        rename_argument("affinity", "metric"),
    ),
    ChangedCall(
        "sklearn.linear_model",
        "LogisticRegression",
        ("__init__",),
        "scikit-learn 1.8",
        drop_argument("multi_class", "auto", "multinomial"),
    ),
    ChangedCall(
        "sklearn.linear_model", "SGDClassifier", ("__init__",), "scikit-learn 1.3", _set_log_loss
    ),
    ChangedCall(
        "sklearn.manifold",
        "TSNE",
        ("__init__",),
        "scikit-learn 1.7",
        rename_argument("n_iter", "max_iter"),
    ),
    ChangedCall("sklearn.metrics", "", ("mean_squared_error",), "scikit-learn 1.6", _take_root),
)
NETWORKX: tuple[Rename, ...] = (
    *list_names(
        "networkx",
        "NetworkX 3.0",
        {
            "from_numpy_matrix": "networkx.from_numpy_array",
            "to_scipy_sparse_matrix": "networkx.to_scipy_sparse_array",
            "from_scipy_sparse_matrix": "networkx.from_scipy_sparse_array",
        },
    ),
    RemovedName(
        "networkx", "info", "NetworkX 3.0", lambda graph, node=None: str(graph), "str(graph)"
    ),
    RemovedName(
        "networkx", "to_numpy_matrix", "NetworkX 3.0", convert_graph_to_matrix, "nx.to_numpy_array"
    ),
    RemovedName("networkx", "write_gpickle", "NetworkX 3.0", write_pickled_graph, "pickle.dump"),
    RemovedName("networkx", "read_gpickle", "NetworkX 3.0", read_pickled_graph, "pickle.load"),
    RemovedMember(
        "networkx",
        "Graph",
        "node",
        "NetworkX 2.4",
        "Graph.nodes",
        lambda self: self.nodes,
        is_property=True,
    ),
)
