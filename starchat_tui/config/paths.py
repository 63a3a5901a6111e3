"""Directories of the program, and paths that a user types.

The directories follow the XDG Base Directory Specification (https://specifications.freedesktop.org/
basedir-spec/): a variable counts only if it holds an absolute path.
"""

from __future__ import annotations

import errno
import os
import stat
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from starchat_tui.errors import ConfigError, UsageError

MAX_RUNTIME_PATH = 90
"""Longest runtime directory in bytes: Linux limits the path of a Unix socket to 107."""


@dataclass(frozen=True, slots=True)
class Paths:
    """Directories of the program; all but `environments` exist once `find_paths` has returned them.

    Their mode is 0700.
    """

    config: Path
    data: Path
    state: Path
    cache: Path
    runtime: Path
    environments: Path
    """Environments that run code; created by the first of them."""

    @property
    def socket(self) -> Path:
        """Unix socket on which the engine listens."""
        return self.runtime / "engine.sock"

    @property
    def engine_lock(self) -> Path:
        """Lock file, held while an engine is being started so that only one starts."""
        return self.runtime / "engine.lock"

    @property
    def engine_log(self) -> Path:
        """Log of the engine process."""
        return self.state / "logs" / "engine.log"

    @property
    def database(self) -> Path:
        """SQLite database of the conversations."""
        return self.data / "chats.db"

    @property
    def plots(self) -> Path:
        """Folder of the saved plots."""
        return self.data / "plots"

    @property
    def draft(self) -> Path:
        """Unsent text of the input field."""
        return self.state / "draft.md"

    @property
    def input_history(self) -> Path:
        """Previous inputs, one JSON string per line."""
        return self.state / "history.jsonl"


NO_SPACE_TO_WRITE = (errno.EROFS, errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EPERM)
"""Errors of a home folder that is read-only, full, or not this user's to write."""


def find_paths(environ: Mapping[str, str]) -> Paths:
    """Create and return the program's directories.

    They lie under STARCHAT_HOME if it is set, else where the XDG variables say, else at the
    platform's defaults. Raises `ConfigError` where one of them cannot be used.
    """
    home = environ.get("STARCHAT_HOME")
    if home:
        root = expand_user_path(home).absolute()
        directories = [root / name for name in ("config", "data", "state", "cache")]
        directories.append(_shorten_path(root / "run"))
    else:
        directories = [
            _find_base_directory(environ, kind) for kind in ("config", "data", "state", "cache")
        ]
        directories.append(_find_runtime_directory(environ))
    config, data, state, cache, runtime = directories
    # Only this one is needed in any case: for the socket of the engine.
    runtime = _create_if_possible(runtime, lambda: _find_temporary_directory(runtime))
    chosen = environ.get("STARCHAT_ENVIRONMENTS")
    return Paths(
        # Read where it exists, and where conversations are stored: creating either may fail, and
        # matters only to a command that needs it.
        _create_if_possible(config),
        _create_if_possible(data),
        _create_if_possible(state, lambda: runtime / "state"),
        _create_if_possible(cache, lambda: runtime / "cache"),
        runtime,
        expand_user_path(chosen).absolute() if chosen else data / "environments",
    )


def _create_if_possible(directory: Path, find_fallback: Callable[[], Path] | None = None) -> Path:
    """Create a directory and return it; where nothing can be written, create the fallback.

    Without a fallback, the directory is returned as it is. Raises `ConfigError` for one that is in
    the way, or another user's.
    """
    try:
        make_private_directory(directory)
        # False for root as well, on a file system that is mounted read-only.
        if os.access(directory, os.W_OK):
            return directory
    except ConfigError as error:
        cause = error.__cause__
        if not isinstance(cause, OSError) or cause.errno not in NO_SPACE_TO_WRITE:
            raise
    return make_private_directory(find_fallback()) if find_fallback else directory


def _find_base_directory(environ: Mapping[str, str], kind: str) -> Path:
    root = environ.get(f"XDG_{kind.upper()}_HOME", "")
    if root.startswith("/"):
        return Path(root) / "starchat"
    import platformdirs

    return Path(getattr(platformdirs, f"user_{kind}_dir")("starchat", appauthor=False))


def _find_runtime_directory(environ: Mapping[str, str]) -> Path:
    root = environ.get("XDG_RUNTIME_DIR", "")
    if root.startswith("/") and os.access(root, os.W_OK):
        return _shorten_path(Path(root) / "starchat")
    return _require_temporary_folder() / f"starchat-{os.getuid()}"


def find_temporary_folder() -> Path | None:
    """Return the folder for temporary files; None if none can be written."""
    try:
        return Path(tempfile.gettempdir())
    except FileNotFoundError:
        return None


def _require_temporary_folder() -> Path:
    found = find_temporary_folder()
    if found is None:
        raise ConfigError(
            "No folder for temporary files can be written, and the engine needs a socket",
            "set XDG_RUNTIME_DIR or TMPDIR to a folder that can",
        )
    return found


def _shorten_path(directory: Path) -> Path:
    """Return `directory`, or a short replacement if a socket's path in it would be too long."""
    if len(os.fsencode(directory)) <= MAX_RUNTIME_PATH:
        return directory
    return _find_temporary_directory(directory)


def _find_temporary_directory(directory: Path) -> Path:
    """Return the place in the folder for temporary files that stands for `directory`."""
    import hashlib

    # A digest of the path keeps the socket of each STARCHAT_HOME apart.
    digest = hashlib.sha256(os.fsencode(directory)).hexdigest()[:16]
    return _require_temporary_folder() / f"starchat-{os.getuid()}-{digest}"


def make_private_directory(directory: Path) -> Path:
    """Create `directory` with mode 0700; raise `ConfigError` if it belongs to another user."""
    hint = "set STARCHAT_HOME to a directory of your own"
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        # The runtime directory may lie in a shared /tmp, where another user can create it first.
        found = directory.stat(follow_symlinks=True)
        if found.st_uid != os.getuid():
            raise ConfigError(f"`{directory}` belongs to another user", hint)
        if stat.S_IMODE(found.st_mode) & 0o077:
            directory.chmod(0o700)
    except OSError as error:
        raise ConfigError(f"`{directory}` cannot be used ({error.strerror})", hint) from error
    return directory


def expand_user_path(name: str | Path) -> Path:
    """Expand a leading `~` or `~user`; a user that does not exist stays as typed.

    `Path.expanduser` raises for such a user. Before Python 3.14, `Path.is_dir` and its like raise
    too, for a folder that may not be entered and for a name that is too long: use `os.path` instead
    on what this returns.
    """
    return Path(os.path.expanduser(name))


@contextmanager
def explain_creation_errors(target: Path) -> Iterator[None]:
    """Raise `UsageError` with the reason if creating the file `target` fails in the block."""
    try:
        yield
    except FileExistsError as error:
        raise UsageError(f"`{target}` exists", "name a file that does not exist yet") from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "not a valid name"
        raise UsageError(f"`{target}` cannot be written ({reason})", "name another file") from error
