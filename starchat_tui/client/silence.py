"""Limit on the silence of a server that sends heartbeats."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

from starchat_tui.client.protocol import HEARTBEAT_SECONDS

MISSED_HEARTBEATS = 3
"""Heartbeats in a row whose absence means that the server does not answer."""

Result = TypeVar("Result")


async def await_heartbeat(waiting: Awaitable[Result], *, limited: bool = True) -> Result:
    """Await something from a server; raise `TimeoutError` if it misses its heartbeats.

    With `limited` false there is no limit. Intervals are counted, not seconds: while this process
    is stopped, by Ctrl+Z for one, or the machine sleeps, at most one of them passes, and what has
    arrived meanwhile is received first.
    """
    if not limited:
        return await waiting
    loop, missed = asyncio.get_running_loop(), 0
    timer: asyncio.TimerHandle

    def count_interval() -> None:
        nonlocal missed, timer
        missed += 1
        if missed >= MISSED_HEARTBEATS:
            limit.reschedule(loop.time())
        else:
            timer = loop.call_later(HEARTBEAT_SECONDS, count_interval)

    timer = loop.call_later(HEARTBEAT_SECONDS, count_interval)
    try:
        async with asyncio.timeout(None) as limit:
            return await waiting
    finally:
        timer.cancel()
