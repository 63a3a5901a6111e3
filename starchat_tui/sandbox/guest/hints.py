"""What to tell of an exception whose cause is these walls, or the years since 2023."""

from __future__ import annotations

import re

_OLDER = "The code was written for an older library: "
_HINTS = (
    # The walls.
    (r"URLError|gaierror|ConnectionError|HTTPError|RemoteDisconnected|Errno 97|EAFNOSUPPORT",
     "No network in here: attach the file, or let its address be downloaded for this run."),
    (r"EOFError.*(reading a line)|StdinNotImplementedError",
     "Nobody answers `input()` in here: write the value into the code."),
    (r"ModuleNotFoundError: No module named '(\w+)",
     "`{0}` is not installed where StarChat is, and nothing can be installed from in here."),
    (r"FileNotFoundError.*'([^']+)'",
     "The code sees no file of this machine but those that were attached."),
    (r"Read-only file system|PermissionError",
     "Only the folder of the code and /tmp can be written."),
    (r"BlockingIOError: \[Errno 11\]|can't start new thread",
     "No more processes or threads: the limit is reached."),
    (r"OSError: \[Errno 28\]|No space left", "The folder of the code is full."),
    (r"OSError: \[Errno 27\]|File too large", "No file may grow larger."),
    # pandas 2 and 3.
    (r"'DataFrame' object has no attribute 'append'|'Series' object has no attribute 'append'",
     _OLDER + "`append` went with pandas 2, `pd.concat([a, b])` does it."),
    (r"has no attribute 'iteritems'", _OLDER + "`iteritems` is `items` since pandas 2."),
    (r"'DataFrame' object has no attribute 'ix'|has no attribute 'ix'",
     _OLDER + "`ix` is `loc` or `iloc`."),
    (r"unexpected keyword argument '(line_terminator|error_bad_lines|squeeze|infer_datetime_format|"
     r"mangle_dupe_cols|date_parser|delim_whitespace)'",
     _OLDER + "pandas no longer has the argument `{0}`."),
    (r"Could not convert .* to numeric|agg function failed|could not convert string to float",
     _OLDER + "since pandas 2, sums and means want `numeric_only=True` where columns hold text."),
    (r"Invalid frequency: (\w+)",
     _OLDER + "pandas names `{0}` differently now: `ME`, `YE`, `h`, `min`."),
    (r"has no attribute 'mad'",
     _OLDER + "`mad` went with pandas 2: `(x - x.mean()).abs().mean()`."),
    # numpy.
    (r"module 'numpy' has no attribute '(\w+)'", _OLDER + "numpy has no `np.{0}` any more."),
    # matplotlib and seaborn.
    (r"module 'matplotlib.cm' has no attribute 'get_cmap'|has no attribute 'get_cmap'",
     _OLDER + "`cm.get_cmap(name)` is `matplotlib.colormaps[name]`."),
    (r"is not a valid package style", _OLDER + "the `seaborn-…` styles are `seaborn-v0_8-…`."),
    (r"module 'seaborn' has no attribute '(\w+)'", _OLDER + "seaborn has no `{0}` any more."),
    (r"(\w+)\(\) takes from 0 to 1 positional arguments? but|(\w+)\(\) takes 0 positional",
     _OLDER + "seaborn wants names, as in `{0}(data=df, x=…, y=…)`."),
    # geopandas.
    (r"geopandas.dataset|'geopandas' has no attribute 'datasets'",
     _OLDER + "geopandas no longer brings maps; `naturalearth_lowres` is here all the same, "
     "without `--strict`."),
)  # fmt: skip


def hint(name: str, message: str) -> str:
    """A sentence for the exception `name: message`; empty where there is none to say."""
    said = f"{name}: {message}"
    for pattern, words in _HINTS:
        if found := re.search(pattern, said):
            return words.format(*(group for group in found.groups() if group))
    return ""
