"""Changes of single values in config.toml; the rest of the file, comments too, stays as it is."""

from __future__ import annotations

import json
import os
import re
import tempfile
import tomllib
from contextlib import suppress
from pathlib import Path

from starchat_tui.errors import ConfigError


def write_config_value(file: Path, name: str, value: str) -> None:
    """Set a string in a config.toml, which is created if it is missing.

    Raises `ConfigError` if the file cannot be changed.
    """
    try:
        text = file.read_text(encoding="utf-8") if file.exists() else ""
        changed = replace_value(text, name, value)
        # Not half a file, which would keep every later start from its settings.
        tomllib.loads(changed)
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # A link, such as one into a folder of dotfiles, stays one.
        _write_whole_file(Path(os.path.realpath(file)), changed)
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"`{file}` cannot be changed ({error})", f"put `{name} = {json.dumps(value)}` into it"
        ) from error


def replace_value(text: str, name: str, value: str) -> str:
    """Return the text of a config.toml with a string set before its first table."""
    # A string in JSON is one in TOML as well, where no lone surrogate is in it.
    line = f"{name} = {json.dumps(value)}"
    head, table, rest = re.split(r"(?m)(^\s*\[|\Z)", text, maxsplit=1)
    pattern = rf"(?m)^[ \t]*[\"']?{re.escape(name)}[\"']?[ \t]*=.*$"
    if re.search(pattern, head):
        head = re.sub(pattern, lambda _: line, head, count=1)
    else:
        head = f"{head.rstrip()}\n{line}\n".lstrip("\n")
    return f"{head}{table}{rest}"


def _write_whole_file(file: Path, text: str) -> None:
    descriptor, name = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}-")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as target:
            target.write(text)
        if file.exists():
            os.chmod(name, file.stat().st_mode & 0o777)
        os.replace(name, file)
    except BaseException:
        with suppress(OSError):
            os.unlink(name)
        raise
