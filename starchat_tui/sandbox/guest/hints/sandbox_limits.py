"""Errors that come from the walls around the code: no network, no windows, few files, limits."""

from __future__ import annotations

import errno
import linecache
import os
import subprocess

from starchat_tui.sandbox.guest.hints.origin import Origin
from starchat_tui.sandbox.guest.installs import answer_install

_NETWORK_PACKAGES = frozenset(
    (
        "urllib http socket requests urllib3 httpx httpcore aiohttp ssl ftplib smtplib websockets"
    ).split()
)
"""Packages whose errors mean, in the sandbox, that there is no network."""
_NETWORK_ERRORS = frozenset(
    (
        "URLError HTTPError gaierror herror ConnectionError ConnectTimeout NewConnectionError "
        "NameResolutionError MaxRetryError ConnectError SSLError RemoteDisconnected ProxyError "
        "ClientConnectorError ClientConnectorDNSError"
    ).split()
)
# EAFNOSUPPORT: seccomp denies sockets with it.
_NETWORK_NUMBERS = (errno.EAFNOSUPPORT, errno.ENETUNREACH, errno.EHOSTUNREACH)
_LOADERS = {
    "seaborn": "`sns.load_dataset` downloads this table",
    "sklearn": "This function of `sklearn.datasets` downloads its data",
    "statsmodels": "`get_rdataset` downloads this table",
    "nltk": "nltk downloads this resource",
    "torchvision": "torchvision downloads this data",
    "keras": "Keras downloads this data",
    "yfinance": "yfinance downloads its prices",
    "pandas_datareader": "pandas-datareader downloads its data",
}
"""Packages that make up an address themselves, so that nobody can allow its download."""
_WINDOWS = "There are no windows in the sandbox"


def find_sandbox_hint(origin: Origin) -> str:
    """Return a hint if the error comes from a limit of the sandbox."""
    return (
        _explain_network(origin)
        or _explain_windows(origin)
        or _explain_input(origin)
        or _explain_install(origin)
        or _explain_system(origin)
    )


def _explain_network(origin: Origin) -> str:
    error = origin.error
    kinds = [
        (str(kind.__module__).partition(".")[0], kind.__name__) for kind in type(error).__mro__
    ]
    is_known = any(
        package in _NETWORK_PACKAGES and name in _NETWORK_ERRORS for package, name in kinds
    )
    if not is_known and getattr(error, "errno", None) not in _NETWORK_NUMBERS:
        return ""
    for package, sentence in _LOADERS.items():
        if origin.calls(package):
            return f"{sentence}, and the sandbox has no network: attach the data as a file (`-f`)"
    if _names_address(origin):
        return "The sandbox has no network: attach the file, or allow its download for this run"
    return "The sandbox has no network: attach the data as a file (`-f`)"


def _names_address(origin: Origin) -> bool:
    """Return whether the user's code contains an address, which can be downloaded for the run."""
    found = origin.user_frame
    if found is None:
        return False
    source = "".join(linecache.getlines(found[0].f_code.co_filename))
    return "http://" in source or "https://" in source


def _explain_windows(origin: Origin) -> str:
    kinds = {f"{kind.__module__}.{kind.__name__}" for kind in type(origin.error).__mro__}
    if "_tkinter.TclError" in kinds and "display" in origin.message:
        if origin.calls("turtle"):
            return f"{_WINDOWS}, so turtle cannot draw: use matplotlib, as in `plt.plot(xs, ys)`"
        return f"{_WINDOWS}, so tkinter cannot run: print the values, or plot them"
    if "pygame.error" in kinds and "video" in origin.message:
        return f"{_WINDOWS}, so pygame cannot run"
    if "cv2.error" in kinds and "not implemented" in origin.message:
        return f"{_WINDOWS}: use `plt.imshow(image[:, :, ::-1])` instead of `cv2.imshow`"
    return ""


def _explain_input(origin: Origin) -> str:
    kinds = {kind.__name__ for kind in type(origin.error).__mro__}
    is_input = "StdinNotImplementedError" in kinds or "reading a line" in origin.message
    if is_input and kinds & {"StdinNotImplementedError", "EOFError"}:
        return "`input()` has no keyboard in the sandbox: put the value in the code"
    return ""


def _explain_install(origin: Origin) -> str:
    error = origin.error
    if not isinstance(error, subprocess.CalledProcessError):
        return ""
    words = error.cmd.split() if isinstance(error.cmd, str) else [str(one) for one in error.cmd]
    answer = answer_install(words)
    return answer[0] if answer and answer[1] else ""


def _explain_system(origin: Origin) -> str:
    error = origin.error
    if isinstance(error, RuntimeError) and "can't start new thread" in origin.message:
        return "The sandbox limits processes and threads: use fewer at once"
    if not isinstance(error, OSError):
        return ""
    if error.errno == errno.ENOENT and isinstance(error.filename, str):
        return _explain_missing_file(origin, error.filename)
    if error.errno == errno.EROFS or (
        error.errno in (errno.EACCES, errno.EPERM) and isinstance(error.filename, str)
    ):
        return "The sandbox can write only to its working directory and `/tmp`"
    if error.errno == errno.EAGAIN and origin.module in ("subprocess", "os", "multiprocessing"):
        return "The sandbox limits processes and threads: use fewer at once"
    if error.errno == errno.EAGAIN and origin.calls("multiprocessing"):
        return "The sandbox limits processes and threads: use fewer at once"
    return {
        errno.ENOSPC: "The working directory is full: write less, or delete files",
        errno.EFBIG: "The sandbox limits the size of a file: write less to it",
    }.get(error.errno or 0, "")


def _explain_missing_file(origin: Origin, name: str) -> str:
    if origin.module == "subprocess":
        program = os.path.basename(name)
        return f"There is no program `{program}` in the sandbox"
    if origin.entry[1] in ("read_json", "read_html") and name.lstrip()[:1] in ("{", "[", "<"):
        return f"Since pandas 3.0, text is no file: use `pd.{origin.entry[1]}(io.StringIO(text))`"
    # The path may be one of Windows.
    short = name.replace("\\", "/").rpartition("/")[2]
    if short != name and short:
        return (
            f"The sandbox has only the files you attached, by their names alone: with "
            f"`-f {short}`, read it as `{short}`; a folder to write to has to be created first"
        )
    return f"The sandbox has only the files you attached: attach `{short}`, or correct its name"
