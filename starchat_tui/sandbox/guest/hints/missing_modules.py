"""Modules that cannot be imported: not installed, renamed, or a file that is not attached."""

from __future__ import annotations

import importlib.machinery
import re

from starchat_tui.sandbox.guest.hints.origin import Origin
from starchat_tui.sandbox.guest.installs import advise_install

DISTRIBUTIONS = {
    "Bio": "biopython",
    "OpenSSL": "pyopenssl",
    "PIL": "pillow",
    "bs4": "beautifulsoup4",
    "cairosvg": "cairosvg",
    "cv2": "opencv-python-headless",
    "dateutil": "python-dateutil",
    "docx": "python-docx",
    "dotenv": "python-dotenv",
    "fitz": "pymupdf",
    "google.protobuf": "protobuf",
    "igraph": "igraph",
    "mpl_toolkits.basemap": "basemap",
    "mpl_finance": "mplfinance",
    "pandas_datareader": "pandas-datareader",
    "pptx": "python-pptx",
    "psycopg2": "psycopg2-binary",
    "pydotplus": "pydotplus",
    "pywt": "pywavelets",
    "serial": "pyserial",
    "skimage": "scikit-image",
    "sklearn": "scikit-learn",
    "usb": "pyusb",
    "wx": "wxpython",
    "yaml": "pyyaml",
}
"""Distributions whose name differs from that of their module."""
_KNOWN = frozenset(
    (
        "altair arviz astropy bokeh cartopy catboost corner cupy cycler dask datasets dash django "
        "fastapi fiona flask folium gensim geopandas geopy graphviz gym gymnasium h5py holoviews "
        "imageio ipywidgets jax joblib jupyter kaleido keras lifelines lightgbm lmfit lxml "
        "matplotlib missingno moviepy mplcursors mplfinance mpmath networkx nltk numba numpy "
        "odfpy openai openpyxl optuna osmnx pandas plotly plotnine polars prophet psutil pyarrow "
        "pycountry pydantic pydot pygal pygame pygraphviz pymc pymongo pyproj pyspark pytest "
        "pytz pyvista rasterio redis regex requests rich scipy seaborn selenium shap shapely "
        "simpy sktime spacy sqlalchemy squarify statsmodels streamlit sympy tabulate "
        "tensorflow textblob torch torchvision tqdm transformers trimesh umap vega_datasets "
        "wordcloud xarray xgboost xlrd xlsxwriter xlwt yfinance"
    ).split()
)
"""Libraries on the package index under the name of their module."""
RENAMED = {
    "pandas.tools.plotting": "pandas has moved `{0}`: use `from pandas.plotting import …`",
    "pandas.tools": "pandas has moved `{0}`: use `from pandas.plotting import scatter_matrix`, or "
    "`pd.merge` and `pd.concat`",
    "pandas.util.testing": "pandas 2.0 removed `{0}`: use `pandas.testing`",
    "pandas.io.data": "pandas has no data of the network any more: its successor "
    "`pandas_datareader` needs a network, and the sandbox has none; attach the data",
    "sklearn.cross_validation": "scikit-learn 0.20 moved `{0}`: use `sklearn.model_selection`",
    "sklearn.grid_search": "scikit-learn 0.20 moved `{0}`: use `sklearn.model_selection`",
    "sklearn.learning_curve": "scikit-learn 0.20 moved `{0}`: use `sklearn.model_selection`",
    "sklearn.datasets.samples_generator": "scikit-learn 0.24 moved `{0}`: use `sklearn.datasets`",
    "sklearn.externals.joblib": "scikit-learn 0.23 removed `{0}`: use `import joblib`",
    "sklearn.ensemble.forest": "scikit-learn 0.24 moved `{0}`: use `sklearn.ensemble`",
    "sklearn.tree.tree": "scikit-learn 0.24 moved `{0}`: use `sklearn.tree`",
    "matplotlib.finance": "matplotlib removed `{0}`: the package `mplfinance` draws candlesticks",
    "mpl_toolkits.basemap": "Basemap is no longer developed, and not here: geopandas draws maps, "
    "as in `world.plot()`",
    "numpy.core.umath_tests": "numpy removed `{0}`: `inner1d(a, b)` is "
    "`np.einsum('ij,ij->i', a, b)`",
    "scipy.misc": "scipy has removed `{0}`: use `plt.imread(path)` for pictures, "
    "`scipy.special` for `comb` and `factorial`",
    "plotly.plotly": "plotly 4 removed `plotly.plotly`: use `fig.show()`, or `plotly.offline`",
    "sympy.mpmath": "sympy has taken out `{0}`: use `import mpmath`",
    "IPython.html": "IPython has taken out `{0}`: widgets are in `ipywidgets`, and need a notebook",
    "IPython.html.widgets": "IPython has taken out `{0}`: widgets are in `ipywidgets`, and need a "
    "notebook; call the function with fixed values instead",
    "IPython.utils.traitlets": "IPython has taken out `{0}`: use `import traitlets`",
    "geopandas.datasets": "geopandas 1.0 removed its maps; without `--strict`, StarChat provides "
    "them",
    "ipywidgets": "There are no widgets here: call the function with fixed values instead",
    # Python
    "StringIO": "Python 3 has `from io import StringIO`",
    "cStringIO": "Python 3 has `from io import StringIO`",
    "urllib2": "Python 3 has `urllib.request`, and the sandbox has no network: attach the data",
    "urlparse": "Python 3 has `urllib.parse`",
    "Tkinter": "Python 3 has `tkinter`, and there are no windows in the sandbox",
    "tkMessageBox": "Python 3 has `tkinter`, and there are no windows in the sandbox",
    "Queue": "Python 3 has `queue`",
    "ConfigParser": "Python 3 has `configparser`",
    "cPickle": "Python 3 has `pickle`",
    "HTMLParser": "Python 3 has `html.parser`",
    "commands": "Python 3 has `subprocess.getoutput`",
    "distutils": "Python 3.12 removed `distutils`: use `shutil`, `subprocess` or `setuptools`",
    "imp": "Python 3.12 removed `imp`: use `importlib`",
    "asyncore": "Python 3.12 removed `asyncore`: use `asyncio`",
    "cgi": "Python 3.13 removed `cgi`: use `urllib.parse` and `email.message`",
    "crypt": "Python 3.13 removed `crypt`: use `hashlib`",
    "imghdr": "Python 3.13 removed `imghdr`: use `PIL.Image.open(path).format`",
    "telnetlib": "Python 3.13 removed `telnetlib`, and the sandbox has no network",
    "pkg_resources": "It belongs to `setuptools`: use `importlib.metadata` or "
    "`importlib.resources`",
}
"""Hint by the name of a module."""
_OPTIONAL = re.compile(
    r"Missing optional dependency '([\w.-]+)'|`Import (\w+)` failed|^(\w+) not found, please "
    r"install it|requires (pygraphviz|pydot)"
)
_NETWORK_LIBRARIES = frozenset(("yfinance", "pandas_datareader", "openai", "selenium", "redis"))
_WINDOW_LIBRARIES = frozenset(("pygame", "wx", "PyQt5", "PyQt6", "PySide2", "PySide6", "kivy"))


def find_module_hint(origin: Origin) -> str:
    """Return a hint if a module could not be imported."""
    error = origin.error
    if not isinstance(error, ImportError):
        return ""
    if not isinstance(error, ModuleNotFoundError) or not error.name:
        # A library that offers a function only together with another one.
        wanted = None if origin.in_user_code else _OPTIONAL.search(origin.message)
        return _explain_library(next(filter(None, wanted.groups()))) if wanted else ""
    name = str(error.name)
    top = name.partition(".")[0]
    if hint := RENAMED.get(name):
        return hint.format(name)
    if top != name and _is_importable(top):
        return ""
    if top in _WINDOW_LIBRARIES:
        return f"There are no windows in the sandbox, so `{top}` could not run there"
    if top in _NETWORK_LIBRARIES:
        return (
            f"`{top}` needs a network, and the sandbox has none: attach the data as a file (`-f`)"
        )
    if name in DISTRIBUTIONS or top in DISTRIBUTIONS or top in _KNOWN or not origin.in_user_code:
        return _explain_library(top)
    return (
        f"If `{top}` is a file of yours, attach it (`-f {top}.py`). "
        f"If it is a library, install it. {advise_install([top])}"
    )


def _explain_library(name: str) -> str:
    package = DISTRIBUTIONS.get(name, name)
    return f"`{name}` is not installed. {advise_install([package])}"


def _is_importable(name: str) -> bool:
    try:
        return importlib.machinery.PathFinder.find_spec(name) is not None
    except (ImportError, ValueError):
        return False
