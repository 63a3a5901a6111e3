"""Events of a stream: text arrives in order, `stop` ends it at once, and the stream is closed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

from starchat_tui.chat.answer_stream import receive_answer
from starchat_tui.chat.events import AnswerText
from starchat_tui.client.protocol import Delta


class Answer:
    """What `receive_answer` needs of a pending answer."""

    def __init__(self) -> None:
        self.is_stopped = False

    def seconds_until_save(self) -> float:
        return 0.01

    def save_if_due(self) -> None:
        pass

    def mark_stopped(self) -> None:
        self.is_stopped = True

    def add_piece(self, piece: Any) -> AnswerText:
        return AnswerText(piece.text)


async def stream(closed: list[bool], *, hangs: bool) -> AsyncGenerator[Delta, None]:
    try:
        for text in ("import mat", "plotlib"):
            yield Delta(text, ())
        if hangs:
            await asyncio.Event().wait()
    finally:
        closed.append(True)


async def collect(stop: asyncio.Event, *, hangs: bool) -> tuple[list[str], list[str], Answer]:
    closed: list[bool] = []
    answer, seen, texts = Answer(), list[str](), list[str]()
    pieces: Any = stream(closed, hangs=hangs)

    def look(text: str) -> None:
        seen.append(text)
        if len(seen) == 2 and hangs:
            stop.set()

    async for event in receive_answer(pieces, answer, stop, on_text=look):  # type: ignore[arg-type]
        assert isinstance(event, AnswerText)
        texts.append(event.text)
    assert closed == [True]
    return texts, seen, answer


async def test_a_word_in_two_pieces_is_seen_whole() -> None:
    texts, seen, answer = await collect(asyncio.Event(), hangs=False)
    assert texts == ["import mat", "plotlib"]
    assert seen[-1] == "import matplotlib"
    assert not answer.is_stopped


async def test_a_stop_ends_a_stream_that_hangs() -> None:
    texts, _, answer = await collect(asyncio.Event(), hangs=True)
    assert texts == ["import mat", "plotlib"]
    assert answer.is_stopped
