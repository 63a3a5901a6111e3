"""Requests to an engine, and what its answers have in common."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from starchat_tui.client.http_client import EngineClient
from starchat_tui.client.protocol import Delta, Progress, Request, Sampling, merge_deltas

GREEDY = Sampling(max_tokens=40, temperature=0)


def ignore_progress(stage: str, done: int, total: int) -> None:
    """Ignore the progress of a load."""


def create_request(folder: Path, *ids: int, **fields: object) -> Request:
    """Return a greedy request for `ids`, with other fields replaced.

    Random weights sample an end token at any place, so it ends nothing.
    """
    plain = Request(str(folder), ids or (1, 2, 3), GREEDY, ignore_eos=True)
    return replace(plain, **fields)  # type: ignore[arg-type]


async def stream_answer(client: EngineClient, request: Request) -> tuple[list[Progress], Delta]:
    """Return the progress of a request, and its deltas merged into one."""
    progress, deltas = [], []
    async for event in client.stream(request):
        (progress if isinstance(event, Progress) else deltas).append(event)  # type: ignore[arg-type]
    assert [delta.finish_reason for delta in deltas[:-1]] == [None] * (len(deltas) - 1)
    return progress, merge_deltas(deltas)


async def collect_events(client: EngineClient, request: Request) -> list[Delta | Progress]:
    """Return all events of a request."""
    return [event async for event in client.stream(request)]
