"""Renames of numpy, scipy and scikit-learn, in the libraries that removed the old form."""

from __future__ import annotations

import pytest

from starchat_tui.sandbox.guest.renames import numeric
from starchat_tui.sandbox.host.kernel import SandboxKernel
from tests.sandbox.guest.renames.cases import Case, check_cases

NUMPY: list[Case] = [
    ("print(np.zeros(1, dtype=np.float).dtype)", "float64", "np.float → float (changed in NumPy"),
    ("print(np.int(2.7), np.object is object)", "2 True", "np.int → int"),
    ("from numpy import NaN\nprint(NaN)", "nan", "np.NaN → np.nan"),
    ("print(np.Inf, np.NINF)", "inf -inf", "np.Inf → np.inf"),
    ("print(np.float_(1), np.unicode_('a'))", "1.0 a", "np.float_ → np.float64"),
    ("print(np.asscalar(np.array([3])))", "3", "np.asscalar → a.item()"),
    ("print(np.product([2, 3]), np.cumproduct([2, 3])[1])", "6 6", "np.product → np.prod"),
    ("print(np.alltrue([1, 0]), np.sometrue([1, 0]))", "False True", "np.alltrue → np.all"),
    ("print(np.trapz([1, 2, 3]))", "4.0", "np.trapz → np.trapezoid"),
    ("print(np.in1d([1, 2], [2]))", "[False  True]", "np.in1d → np.isin"),
    ("print(np.msort(np.array([2, 1])))", "[1 2]", "np.msort → np.sort(a, axis=0)"),
    ("print(np.asfarray([1]).dtype)", "float64", "np.asfarray → "),
    ("print(np.row_stack([[1], [2]]).shape)", "(2, 1)", ""),
    ("print(np.math.floor(1.5))", "1", "np.math → math"),
    ("print(np.percentile([1, 2], 50, interpolation='lower'))", "1", "percentile(interpolation=)"),
    ("print(np.histogram([1, 2], 1, normed=True)[0])", "[1.]", "histogram(normed=) → histogram("),
]
SCIPY: list[Case] = [
    (
        "import scipy\nprint(scipy.pi > 3, scipy.interp(1, [0, 2], [0, 4]))",
        "True 2.0",
        "scipy.pi → ",
    ),
    (
        "from scipy.integrate import simps, cumtrapz\n"
        "print(round(float(simps([0, 1, 4], [0, 1, 2])), 3), cumtrapz([1, 1]).tolist())",
        "2.667 [1.0]",
        "scipy.integrate.simps → simpson",
    ),
    (
        "from scipy.misc import derivative, comb\n"
        "print(round(derivative(lambda x: x ** 3, 2.0, dx=1e-3), 3), comb(4, 2))",
        "12.0 6.0",
        "scipy.misc.derivative → central differences",
    ),
    ("from scipy.signal import hann\nprint(len(hann(5)))", "5", "scipy.signal.hann → "),
    (
        "from scipy import stats\nprint(round(float(stats.binom_test(3, 10)), 3))",
        "0.344",
        "scipy.stats.binom_test → ",
    ),
]
SCIKIT_LEARN: list[Case] = [
    (
        "from sklearn.datasets import load_iris\n"
        "from sklearn.linear_model import LogisticRegression\n"
        "from sklearn.metrics import confusion_matrix, plot_confusion_matrix\n"
        "X, y = load_iris(return_X_y=True)\n"
        "clf = LogisticRegression(max_iter=500, multi_class='auto').fit(X, y)\n"
        "print(type(plot_confusion_matrix(clf, X, y)).__name__)",
        "ConfusionMatrixDisplay",
        "sklearn.metrics.plot_confusion_matrix → ConfusionMatrixDisplay.from_estimator",
    ),
    (
        "from sklearn.preprocessing import OneHotEncoder\n"
        "print(OneHotEncoder(sparse=False).fit_transform([[0], [1]]).tolist())",
        "[[1.0, 0.0], [0.0, 1.0]]",
        "OneHotEncoder(sparse=) → OneHotEncoder(sparse_output=)",
    ),
    (
        "from sklearn.feature_extraction.text import CountVectorizer\n"
        "v = CountVectorizer().fit(['b a1', 'a1'])\nprint(v.get_feature_names())",
        "['a1']",
        "CountVectorizer.get_feature_names → ",
    ),
    (
        "from sklearn.metrics import mean_squared_error\n"
        "print(float(mean_squared_error([0], [2], squared=False)))",
        "2.0",
        "mean_squared_error(squared=False) → root_mean_squared_error()",
    ),
    (
        "from sklearn.ensemble import RandomForestClassifier, AdaBoostClassifier\n"
        "from sklearn.base import clone\n"
        "f = RandomForestClassifier(max_features='auto')\nprint(clone(f).max_features)",
        "sqrt",
        "RandomForestClassifier(max_features='auto') → ",
    ),
    ("print(AdaBoostClassifier(base_estimator=None).estimator)", "None", "AdaBoostClassifier(base"),
    (
        "from sklearn.externals import joblib\nprint(joblib.dump.__name__)",
        "dump",
        "sklearn.externals.joblib → joblib",
    ),
    (
        "from sklearn.datasets.samples_generator import make_blobs\nprint(make_blobs.__name__)",
        "make_blobs",
        "sklearn.datasets.samples_generator → sklearn.datasets",
    ),
    (
        "from sklearn.cross_validation import train_test_split\nprint(train_test_split([1, 2])[1])",
        "",
        "sklearn.cross_validation → sklearn.model_selection",
    ),
    (
        "from sklearn.grid_search import GridSearchCV\nprint(GridSearchCV.__name__)",
        "GridSearchCV",
        "",
    ),
]


@pytest.mark.bwrap
async def test_numpy_runs_as_in_2023(kernel: SandboxKernel) -> None:
    await check_cases(kernel, "numpy", NUMPY)


@pytest.mark.bwrap
async def test_scipy_runs_as_in_2023(kernel: SandboxKernel) -> None:
    await check_cases(kernel, "scipy", SCIPY)


@pytest.mark.bwrap
async def test_scikit_learn_runs_as_in_2023(kernel: SandboxKernel) -> None:
    await check_cases(kernel, "sklearn", SCIKIT_LEARN)


@pytest.mark.parametrize(("n", "order", "expected"), [(1, 3, 12.0), (2, 5, 12.0), (3, 5, 6.0)])
def test_derivatives_are_exact_for_polynomials(n: int, order: int, expected: float) -> None:
    found = numeric.differentiate(lambda x: x**3, 2.0, dx=0.5, n=n, order=order)
    # Three points are exact up to the square: the rest of the first derivative is dx².
    assert found == pytest.approx(expected + (0.25 if order == 3 else 0.0))
