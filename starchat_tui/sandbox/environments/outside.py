"""Packages that an environment takes from other folders, where the sandbox has no access."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit

from starchat_tui.sandbox.environments.interpreter import Interpreter

_MISSING = re.compile(r"No module named '(\w+)")
_MAX_FILE = 64 * 1024


def explain_missing_module(interpreter: Interpreter, message: str) -> str:
    """Return why a module that is installed cannot be imported; empty if it is not that.

    Args:
        interpreter: The Python that failed to import it.
        message: The message of the `ModuleNotFoundError`.
    """
    found = _MISSING.match(message)
    if found is None:
        return ""
    for folder in find_outside_folders(interpreter):
        for place in (folder, folder / "src"):
            if (place / found[1]).is_dir() or (place / f"{found[1]}.py").is_file():
                return (
                    f"`{found[1]}` is installed from {folder}, outside of the environment, and the"
                    f" code cannot read that folder. A plain `pip install {folder}` copies it into"
                    " the environment, where an editable one (-e) does not"
                )
    return ""


def find_outside_folders(interpreter: Interpreter) -> list[Path]:
    """Return the folders outside the environment that its packages come from.

    They stand in `.pth` files, and in the records of editable installations. The files are read;
    the code that they may hold is not run.
    """
    found = [
        folder
        for library in interpreter.libraries
        for folder in (*_read_pth_files(library), *_read_editable_records(library))
        if not any(folder.is_relative_to(one) for one in interpreter.folders)
    ]
    return list(dict.fromkeys(found))


def _read_pth_files(library: Path) -> Iterator[Path]:
    for path in library.glob("*.pth"):
        for line in _read_text(path).splitlines():
            if line.strip() and not line.startswith(("#", "import ", "import\t")):
                yield Path(os.path.normpath(library / line.strip()))


def _read_editable_records(library: Path) -> Iterator[Path]:
    for path in library.glob("*.dist-info/direct_url.json"):
        try:
            record = json.loads(_read_text(path))
            if record["dir_info"]["editable"] and record["url"].startswith("file://"):
                yield Path(unquote(urlsplit(record["url"]).path))
        except (ValueError, KeyError, TypeError, AttributeError):
            continue


def _read_text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return file.read(_MAX_FILE).decode("utf-8", "replace").replace("\0", "")
    except OSError:
        return ""
