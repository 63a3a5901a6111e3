"""Size of the tests that repeat random or hostile input: small by default, full for `make fuzz`."""

from __future__ import annotations

import os

IS_FULL = os.environ.get("STARCHAT_FUZZ") == "full"


def choose_size(small: int, full: int) -> int:
    """Return the number of repetitions: `full` with STARCHAT_FUZZ=full, else `small`."""
    return full if IS_FULL else small
