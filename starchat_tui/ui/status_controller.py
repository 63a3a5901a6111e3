"""Keeps the status line and the saved draft up to date."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from dataclasses import replace

from starchat_tui.chat.session import Session
from starchat_tui.errors import StarChatError
from starchat_tui.terminal.input_history import Draft
from starchat_tui.ui.widgets.chat_view import ChatView

TYPING_PAUSE = 0.4
"""Seconds without a key, or after the first frame, before tokens are counted."""


class StatusController:
    """Shows the model, the mode and the size of the next prompt; saves the draft."""

    def __init__(self, session: Session, view: ChatView, draft: Draft, *, is_demo: bool) -> None:
        self._session = session
        self._view = view
        self._draft = draft
        self._is_demo = is_demo
        self._due: float | None = None
        """Time at which the pending count begins; None if there is none."""
        self.is_answering = False
        """True while an answer is written: its own prompt is the one whose size is shown."""

    def refresh(self, pause: float = 0.0) -> None:
        """Show the model and the mode now, and the size of the next prompt after `pause` s."""
        model, mode = self._session.model, self._session.mode
        demo = self._is_demo and self._session.is_demo
        status = replace(self._view.status, model=model, mode=mode, demo=demo)
        self._view.update_status(status)
        self.schedule(pause)

    def schedule(self, pause: float = TYPING_PAUSE) -> None:
        """Save the draft and count its tokens in `pause` s, unless called again before."""
        # One worker, whose time is put off: a worker for each key of a flood would cost time that
        # grows with the square of their number.
        is_pending = self._due is not None
        self._due = time.monotonic() + pause
        if not is_pending:
            self._view.run_in_background(self._save_and_count, group="count")

    def save_draft(self) -> None:
        """Save the text in the composer."""
        self._draft.save(self._view.composer.draft)

    async def _save_and_count(self) -> None:
        while self._due is not None and (pause := self._due - time.monotonic()) > 0:
            await asyncio.sleep(pause)
            # Also while the user types without a pause.
            self.save_draft()
        self._due = None
        self.save_draft()
        if self.is_answering:
            return
        with suppress(StarChatError):  # the same error is shown when the question is sent
            used, window = await self._session.measure_context(self._view.composer.draft)
            self._view.update_status(replace(self._view.status, used=used, window=window))
