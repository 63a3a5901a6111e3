"""Plots as files of the user's, and the program that shows them."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from starchat_tui.errors import ConfigError
from starchat_tui.paths import made_new, typed

_SLUG = 40
"""Characters of a file name that come from the conversation's title."""


def save_plot(folder: Path, conversation: str, title: str, png: bytes) -> Path:
    """Write a picture to `folder/<conversation>/<n>-<title>.png`, a new file each; its path.

    No part of the name is the code's. The file is the user's alone (0600), its folder too.
    """
    slug = re.sub(r"[^a-z0-9]+", "-", title.lower())[:_SLUG].strip("-") or "plot"
    place = folder / re.sub(r"[^0-9a-f]", "", conversation)
    try:
        for directory in (folder, place):
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        number = 1 + max((_number(path) for path in place.iterdir()), default=0)
        while True:
            target = place / f"{number}-{slug}.png"
            try:
                write_new(target, png)
                return target
            except FileExistsError:
                number += 1
    except OSError as error:
        raise ConfigError(f"The plot cannot be saved ({error})", "see to that folder") from error


def _number(path: Path) -> int:
    found = re.match(r"(\d{1,9})-", path.name)
    return int(found[1]) if found else 0


def write_new(target: Path, data: bytes) -> None:
    """Write a file that was not there, readable by its owner alone; raises `OSError`."""
    descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)


def save_out(name: str, data: bytes, wanted: str) -> Path:
    """Write what the code called `name` to a new file: `wanted`, or its own name here.

    `wanted` may be a folder. Raises `UsageError` where the file exists or cannot be written.
    """
    target = typed(wanted or plain_name(name))
    if os.path.isdir(target):
        target = target / plain_name(name)
    with made_new(target):
        write_new(target, data)
    return target.absolute()


def plain_name(name: str) -> str:
    """A file's name without a folder, a leading dot or a character a shell or reader trips over."""
    last = name.replace("\\", "/").rpartition("/")[2]
    return re.sub(r"[^\w.+=@-]+", "_", last, flags=re.ASCII).lstrip(".-_")[:120] or "file"


def opener(
    environ: Mapping[str, str], which: Callable[[str], str | None] = shutil.which
) -> str | None:
    """The program that opens a file in the user's desktop; None where there is no desktop."""
    if sys.platform == "darwin":
        return "open"
    desktop = environ.get("DISPLAY") or environ.get("WAYLAND_DISPLAY")
    return which("xdg-open") if desktop else None


def open_file(path: Path, environ: Mapping[str, str]) -> bool:
    """Show a file in its program, which outlives us; False where there is no desktop."""
    program = opener(environ)
    if program is None:
        return False
    # A shell in between, which ends at once: nobody has to wait for the program.
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
