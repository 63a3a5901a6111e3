"""Paths as a user types them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from starchat_tui.errors import UsageError


def typed(name: str | Path) -> Path:
    """A path with its `~` replaced, which stays where nobody has that name.

    `Path.expanduser` raises there, and `Path.is_dir` and its like, before Python 3.14, for a folder
    that may not be entered and for a name that is too long: ask `os.path` instead.
    """
    return Path(os.path.expanduser(name))


@contextmanager
def made_new(target: Path) -> Iterator[None]:
    """Raise `UsageError`, with the reason, where the file `target` cannot be made within."""
    try:
        yield
    except FileExistsError as error:
        raise UsageError(f"`{target}` exists", "name a file that does not") from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "no such name"
        raise UsageError(f"`{target}` cannot be written ({reason})", "name another file") from error
