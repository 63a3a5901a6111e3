"""Asks questions, one at a time, and draws their answers."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace
from functools import partial

from starchat_tui.chat.events import (
    AnswerFailed,
    AnswerFinished,
    AnswerStarted,
    AnswerText,
    ChatEvent,
    EngineProgress,
)
from starchat_tui.chat.session import Session
from starchat_tui.errors import StarChatError
from starchat_tui.terminal import status_text
from starchat_tui.ui.status_controller import StatusController
from starchat_tui.ui.widgets.answer_view import AnswerView
from starchat_tui.ui.widgets.chat_view import ChatView


class AnswerController:
    """Follows the answer that is being written; questions sent meanwhile are queued."""

    def __init__(self, session: Session, view: ChatView, status: StatusController) -> None:
        self._session = session
        self._view = view
        self._status = status

    @property
    def is_busy(self) -> bool:
        """True while an answer is being written."""
        return self._status.is_answering

    def ask(self, text: str) -> None:
        """Ask, or queue the question behind the answer that is being written."""
        if self.is_busy:
            self._view.queue.add(text)
        else:
            self._status.is_answering = True
            self._view.run_in_background(partial(self._ask, text), group="answer")

    def retry(self) -> None:
        """Ask the last question again."""
        self._status.is_answering = True
        follow = partial(self._follow, self._session.retry(), question="")
        self._view.run_in_background(follow, group="answer")

    def stop(self) -> bool:
        """Stop the answer and keep what there is; return whether one was being written."""
        if self.is_busy:
            self._session.stop()
        return self.is_busy

    async def _ask(self, text: str) -> None:
        await self._view.transcript.add_question(text)
        await self._follow(self._session.ask(text), question=text)

    async def _follow(self, events: AsyncGenerator[ChatEvent, None], *, question: str) -> None:
        """Draw the events of an answer, then ask the next question of the queue."""
        answer = await self._view.transcript.add_answer()
        answer.show_waiting("…")
        self._view.reset_copying()
        self._view.show_activity("asking · Esc stops")
        is_first = True
        try:
            async with aclosing(events):
                async for event in events:
                    # An error before anything else: the question was not stored.
                    if isinstance(event, AnswerFailed) and is_first:
                        await self._take_back(event, question)
                    else:
                        await self._show(event, answer)
                    is_first = False
        finally:
            self._status.is_answering = False
        # The queue is only asked now: a stop or an error has given its questions back as the draft.
        self._status.refresh()
        if queued := self._view.queue.take_first():
            self.ask(queued)

    async def _show(self, event: ChatEvent, answer: AnswerView) -> None:
        if isinstance(event, AnswerStarted):
            await self._show_start(event, answer)
        elif isinstance(event, EngineProgress):
            progress = status_text.format_progress(event.progress)
            answer.show_waiting(progress)
            self._view.show_activity(f"{progress} · Esc stops")
        elif isinstance(event, AnswerText):
            if not answer.text:
                self._view.show_activity("answering · Esc stops")
            if event.text.strip():
                self._view.transcript.dim_previous_answer()
            answer.feed(event.text)
        elif isinstance(event, AnswerFinished):
            await self._show_finish(event, answer)
        else:
            await self._show_failure(event, answer)

    async def _show_start(self, event: AnswerStarted, answer: AnswerView) -> None:
        transcript, status = self._view.transcript, self._view.status
        answer.turn_id = event.turn
        self._view.update_status(replace(status, used=event.prompt_tokens, window=event.window))
        await transcript.mark_context_boundary(event.dropped_turns)
        if event.quoted_lines:
            note = status_text.format_quoted_lines(event.quoted_lines)
            await transcript.add_note(note, before=answer)

    async def _show_finish(self, event: AnswerFinished, answer: AnswerView) -> None:
        await self._finish(answer, event.text)
        stats = event.stats
        self._view.show_activity(
            status_text.format_speed(stats.tokens_per_second, stats.first_token)
        )
        await self._view.transcript.show_siblings(answer.turn_id)
        if event.state != "done":
            note = status_text.ANSWER_END_TEXTS[event.state]
            await self._view.transcript.add_note(note, classes="state")
        if event.state == "stopped":
            self._view.restore_queued()

    async def _show_failure(self, event: AnswerFailed, answer: AnswerView) -> None:
        await self._finish(answer, event.text)
        note = f"{status_text.ANSWER_END_TEXTS['failed']}: {event.error.message}"
        await self._view.transcript.add_note(note, classes="state")
        self._show_error(event.error)

    async def _finish(self, answer: AnswerView, text: str) -> None:
        """Draw the complete answer; remove one without a word, which is no turn."""
        if text.strip():
            await answer.finish(text)
        else:
            await self._view.transcript.remove_unanswered(question=False)

    async def _take_back(self, event: AnswerFailed, question: str) -> None:
        """Make a question that was not stored the user's draft again."""
        await self._view.transcript.remove_unanswered(question=bool(question))
        self._show_error(event.error)
        if question:
            self._view.restore_draft(question)

    def _show_error(self, error: StarChatError) -> None:
        self._view.show_activity("")
        self._view.show_error(error)
        self._view.restore_queued()
