"""JSON files that hold one object, such as the configurations of Hugging Face models."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

MAX_BYTES = 2**26
"""Largest file that is read; an index of a thousand shards has a few megabytes."""


def read_json_object(path: Path) -> dict[str, Any]:
    """Return the object in a JSON file.

    Raises `OSError` if the file cannot be read, `ValueError` if it does not hold a JSON object.
    """
    with path.open("rb") as file:
        data = file.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise ValueError(f"larger than {MAX_BYTES // 2**20} MiB")
    return parse_json_object(data)


def parse_json_object(data: bytes) -> dict[str, Any]:
    """Return the object in JSON text; raise `ValueError` if it does not hold one."""
    found = parse_json(data)
    if not isinstance(found, dict):
        raise ValueError("not a JSON object")
    return found


def parse_json(data: bytes | str) -> Any:
    """Return the value of JSON text of foreign origin; raise `ValueError` if it is malformed."""
    try:
        return json.loads(data)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
