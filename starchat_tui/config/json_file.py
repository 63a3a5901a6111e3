"""JSON files that hold one object, such as the configurations of Hugging Face models."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def read_json_object(path: Path) -> dict[str, Any]:
    """Return the object in a JSON file.

    Raises `OSError` if the file cannot be read, `ValueError` if it does not hold a JSON object.
    """
    found = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(found, dict):
        raise ValueError("not a JSON object")
    return found
