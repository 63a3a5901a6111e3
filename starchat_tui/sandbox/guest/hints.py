"""Hints for exceptions whose cause is the sandbox, or a library that changed since 2023."""

from __future__ import annotations

import re

_OLDER_LIBRARY = "Written for an older library: "
_HINTS = (
    # The sandbox. Errno 97 is EAFNOSUPPORT: seccomp denies sockets with it.
    (r"URLError|gaierror|ConnectionError|HTTPError|RemoteDisconnected|Errno 97|EAFNOSUPPORT",
     "The sandbox has no network: attach the file, or allow its download for this run"),
    (r"CalledProcessError.*\b(pip|conda|uv|apt)\b.*\b(install|add)\b",
     "The sandbox has no network to install from: install it outside, then run the code again"),
    (r"EOFError.*(reading a line)|StdinNotImplementedError",
     "`input()` has no keyboard in the sandbox: put the value in the code"),
    (r"ModuleNotFoundError: No module named '(\w+)",
     "`{0}` is not installed in StarChat's environment, and the sandbox cannot install packages"),
    (r"FileNotFoundError.*'([^']+)'",
     "The sandbox has only the files you attached: attach this one, or correct its path"),
    (r"Read-only file system|PermissionError",
     "The sandbox can write only to its working directory and `/tmp`"),
    (r"BlockingIOError: \[Errno 11\]|can't start new thread",
     "The sandbox limits processes and threads: use fewer at once"),
    (r"OSError: \[Errno 28\]|No space left",
     "The working directory is full: write less, or delete files"),
    (r"OSError: \[Errno 27\]|File too large",
     "The sandbox limits the size of a file: write less to it"),
    # pandas 1, 2 and 3.
    (r"'DataFrame' object has no attribute 'append'|'Series' object has no attribute 'append'",
     _OLDER_LIBRARY + "pandas 2 removed `append`; use `pd.concat([a, b])`"),
    (r"has no attribute 'iteritems'",
     _OLDER_LIBRARY + "pandas 2 renamed `iteritems` to `items`"),
    (r"'DataFrame' object has no attribute 'ix'|has no attribute 'ix'",
     _OLDER_LIBRARY + "pandas 1 removed `ix`; use `loc` or `iloc`"),
    (r"unexpected keyword argument '(line_terminator|error_bad_lines|squeeze|infer_datetime_format|"
     r"mangle_dupe_cols|date_parser|delim_whitespace)'",
     _OLDER_LIBRARY + "pandas has removed or renamed the argument `{0}`"),
    (r"Could not convert .* to numeric|agg function failed|could not convert string to float",
     _OLDER_LIBRARY + "since pandas 2, sums and means of a table with text columns need "
     "`numeric_only=True`"),
    (r"Invalid frequency: (\w+)",
     _OLDER_LIBRARY + "pandas has renamed the frequency `{0}`; use `ME`, `YE`, `h` or `min`"),
    (r"has no attribute 'mad'",
     _OLDER_LIBRARY + "pandas 2 removed `mad`; use `(x - x.mean()).abs().mean()`"),
    # numpy 1.24 and 2.0.
    (r"module 'numpy' has no attribute '(\w+)'",
     _OLDER_LIBRARY + "this version of numpy has no `np.{0}`"),
    # matplotlib 3.6 to 3.9, seaborn 0.12.
    (r"module 'matplotlib.cm' has no attribute 'get_cmap'|has no attribute 'get_cmap'",
     _OLDER_LIBRARY + "matplotlib 3.9 removed `cm.get_cmap(name)`; use "
     "`matplotlib.colormaps[name]`"),
    (r"is not a valid package style",
     _OLDER_LIBRARY + "matplotlib has renamed the `seaborn-…` styles to `seaborn-v0_8-…`"),
    (r"module 'seaborn' has no attribute '(\w+)'",
     _OLDER_LIBRARY + "this version of seaborn has no `{0}`"),
    (r"(\w+)\(\) takes from 0 to 1 positional arguments? but|(\w+)\(\) takes 0 positional",
     _OLDER_LIBRARY + "seaborn takes keyword arguments, as in `{0}(data=df, x=…, y=…)`"),
    # geopandas 1.0.
    (r"geopandas.dataset|'geopandas' has no attribute 'datasets'",
     _OLDER_LIBRARY + "geopandas 1.0 removed its maps; without `--strict`, StarChat provides "
     "`naturalearth_lowres`"),
)  # fmt: skip
"""Patterns of `name: message`, and what to say; `{0}` is the first group that matched."""


def find_hint(name: str, message: str) -> str:
    """Return a hint for the exception `name: message`, or an empty text."""
    summary = f"{name}: {message}"
    for pattern, hint in _HINTS:
        if found := re.search(pattern, summary):
            return hint.format(*(group for group in found.groups() if group))
    return ""
