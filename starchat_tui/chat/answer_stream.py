"""Events of an answer that streams in, until it ends or is stopped."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing

from starchat_tui.chat.events import AnswerText, ChatEvent
from starchat_tui.chat.pending_answer import PendingAnswer
from starchat_tui.client.protocol import Delta, Progress


async def receive_answer(
    pieces: AsyncGenerator[Delta | Progress, None],
    answer: PendingAnswer,
    stop: asyncio.Event,
    *,
    on_text: Callable[[str], None],
) -> AsyncGenerator[ChatEvent, None]:
    """Yield the events of an answer and save its text at intervals.

    Args:
        pieces: The stream of the engine; it is closed at the end.
        answer: The answer that grows.
        stop: Ends the answer as soon as it is set.
        on_text: Called with the end of the text so far, after each piece.
    """
    async with aclosing(pieces) as stream:
        stopping = asyncio.ensure_future(stop.wait())
        pending = asyncio.ensure_future(anext(stream, None))
        # The end of the text so far: a telling word may be split between two pieces.
        recent = ""
        try:
            while True:
                done, _ = await asyncio.wait(
                    {pending, stopping},
                    timeout=answer.seconds_until_save(),
                    return_when=asyncio.FIRST_COMPLETED,
                )
                answer.save_if_due()
                if stopping in done:
                    answer.mark_stopped()
                    return
                if pending not in done:
                    continue
                piece = pending.result()
                if piece is None:
                    return
                event = answer.add_piece(piece)
                if isinstance(event, AnswerText):
                    recent = recent[-40:] + event.text
                    on_text(recent)
                if event is not None:
                    yield event
                pending = asyncio.ensure_future(anext(stream, None))
        finally:
            stopping.cancel()
            pending.cancel()
            # The stream cannot be closed while a cancelled `anext` still runs in it.
            await asyncio.wait({pending})
            if not pending.cancelled():
                pending.exception()
