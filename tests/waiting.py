"""Wait for a condition, never for a time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

PATIENCE = 60.0
"""Seconds until a condition counts as failed; generous, because machines are shared."""


async def wait_until(
    condition: Callable[[], object], *, what: str = "", patience: float = PATIENCE
) -> None:
    """Return as soon as `condition` holds; fail with `what` after `patience` seconds."""
    end = time.monotonic() + patience
    while not condition():
        assert time.monotonic() < end, f"not within {patience:g} s: {what or condition}"
        await asyncio.sleep(0.01)


def block_until(
    condition: Callable[[], object], *, what: str = "", patience: float = PATIENCE
) -> None:
    """Do what `wait_until` does in tests without an event loop."""
    end = time.monotonic() + patience
    while not condition():
        assert time.monotonic() < end, f"not within {patience:g} s: {what or condition}"
        time.sleep(0.01)
