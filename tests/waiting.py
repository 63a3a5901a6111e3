"""Waiting for a condition, never for a time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

PATIENCE = 60.0
"""Seconds before a condition counts as never coming true; generous, because machines are shared."""


async def wait_until(
    condition: Callable[[], object], *, what: str = "", patience: float = PATIENCE
) -> None:
    """Return as soon as `condition` holds, and fail by name where it never does."""
    end = time.monotonic() + patience
    while not condition():
        assert time.monotonic() < end, f"not within {patience:g} s: {what or condition}"
        await asyncio.sleep(0.01)


def block_until(
    condition: Callable[[], object], *, what: str = "", patience: float = PATIENCE
) -> None:
    """The same, for tests of other processes."""
    end = time.monotonic() + patience
    while not condition():
        assert time.monotonic() < end, f"not within {patience:g} s: {what or condition}"
        time.sleep(0.01)
