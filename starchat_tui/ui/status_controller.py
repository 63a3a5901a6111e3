"""Keeps the status line and the saved draft up to date."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import replace
from functools import partial

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
        self.is_answering = False
        """True while an answer is written: its own prompt is the one whose size is shown."""

    def refresh(self, pause: float = 0.0) -> None:
        """Show the model and the mode now, and the size of the next prompt after `pause` s."""
        model, mode = self._session.model, self._session.mode
        status = replace(self._view.status, model=model, mode=mode, demo=self._is_demo)
        self._view.update_status(status)
        self.schedule(pause)

    def schedule(self, pause: float = TYPING_PAUSE) -> None:
        """Save the draft and count its tokens in `pause` s, unless called again before."""
        self._view.run_in_background(
            partial(self._save_and_count, pause), group="count", exclusive=True
        )

    def save_draft(self) -> None:
        """Save the text in the composer."""
        self._draft.save(self._view.composer.draft)

    async def _save_and_count(self, pause: float) -> None:
        await asyncio.sleep(pause)
        self.save_draft()
        if self.is_answering:
            return
        with suppress(StarChatError):  # the same error is shown when the question is sent
            used, window = await self._session.measure_context(self._view.composer.draft)
            self._view.update_status(replace(self._view.status, used=used, window=window))
