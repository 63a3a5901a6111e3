"""Plots and files of the code, saved as files of the user's, and opened in a viewer."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from starchat_tui.config.paths import expand_user_path, explain_creation_errors
from starchat_tui.errors import ConfigError

_MAX_SLUG = 40
"""Characters of a file name that are taken from the conversation's title."""


def save_plot(folder: Path, conversation: str, title: str, png: bytes) -> Path:
    """Write a figure to a new file `folder/<conversation>/<n>-<title>.png`; return its path.

    No part of the name comes from the code. Only the user may read the file (0600) and its folder
    (0700). Raises `ConfigError` if it cannot be written.

    Args:
        folder: Folder of all plots, created if it is missing.
        conversation: Id of the conversation, hexadecimal.
        title: Title of the conversation.
        png: The figure.
    """
    slug = re.sub(r"[^a-z0-9]+", "-", title.lower())[:_MAX_SLUG].strip("-") or "plot"
    target_folder = folder / re.sub(r"[^0-9a-f]", "", conversation)
    try:
        for directory in (folder, target_folder):
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        number = 1 + max((_parse_number(path) for path in target_folder.iterdir()), default=0)
        while True:
            target = target_folder / f"{number}-{slug}.png"
            try:
                write_new_file(target, png)
                return target
            except FileExistsError:
                # Another window of the same conversation took the number first.
                number += 1
    except OSError as error:
        raise ConfigError(
            f"The plot cannot be saved ({error})",
            f"make `{target_folder}` writable, or free disk space",
        ) from error


def _parse_number(path: Path) -> int:
    found = re.match(r"(\d{1,9})-", path.name)
    return int(found[1]) if found else 0


def write_new_file(target: Path, data: bytes) -> None:
    """Write a file that does not exist yet, readable by its owner only; raise `OSError`."""
    # Exclusive and without following a link: nothing is overwritten, whatever lies at the path.
    descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)


def save_run_file(name: str, data: bytes, destination: str) -> Path:
    """Write a file of the code to a new file, and return its absolute path.

    Raises `UsageError` if the file exists already or cannot be written.

    Args:
        name: Its name in the sandbox, chosen by the code.
        data: Its content.
        destination: Path of the new file or of a folder; empty for the present folder.
    """
    target = expand_user_path(destination or sanitize_file_name(name))
    if os.path.isdir(target):
        target = target / sanitize_file_name(name)
    with explain_creation_errors(target):
        write_new_file(target, data)
    return target.absolute()


def sanitize_file_name(name: str) -> str:
    """Return a name without folders, leading dots or characters that are special to a shell."""
    last = name.replace("\\", "/").rpartition("/")[2]
    return re.sub(r"[^\w.+=@-]+", "_", last, flags=re.ASCII).lstrip(".-_")[:120] or "file"


def find_viewer(
    environ: Mapping[str, str], which: Callable[[str], str | None] = shutil.which
) -> str | None:
    """Return the program that opens files on the user's desktop; None if there is no desktop."""
    if sys.platform == "darwin":
        return "open"
    desktop = environ.get("DISPLAY") or environ.get("WAYLAND_DISPLAY")
    return which("xdg-open") if desktop else None


def open_in_viewer(path: Path, environ: Mapping[str, str]) -> bool:
    """Open a file in its viewer, which outlives this process; return False if there is none."""
    program = find_viewer(environ)
    if program is None:
        return False
    # A shell in between, which ends at once and leaves the viewer to init: no zombie remains. The
    # path is an argument, never part of the script.
    command = ["/bin/sh", "-c", '"$1" "$2" &', "sh", program, str(path)]
    try:
        subprocess.run(
            command,
            check=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return False
    return True
