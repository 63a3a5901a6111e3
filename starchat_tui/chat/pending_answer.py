"""An answer as it grows, and how much of it is committed."""

from __future__ import annotations

import time
from dataclasses import asdict
from typing import Literal

from starchat_tui.chat.events import Finished, Said, Stats, Waiting
from starchat_tui.chat.store import History, State
from starchat_tui.client.protocol import Delta, Progress, Usage
from starchat_tui.dialogue import Turn
from starchat_tui.errors import EngineGone
from starchat_tui.models.resolver import Voice

SAVE_EVERY = 0.25
"""Seconds an answer may grow before what it has become is committed."""


class Answer:
    """An answer as it grows, and how much of it is committed."""

    def __init__(self, history: History, turn: int, voice: Voice) -> None:
        self._history = history
        self._turn = turn
        self._voice = voice
        self._raw = ""
        self._ids: tuple[int, ...] = ()
        self._began = time.monotonic()
        self._first = 0.0
        self._saved = self._began
        self._dirty = False
        self._usage = Usage()
        self._reason = ""
        self.state: State = "partial"

    @property
    def text(self) -> str:
        """The answer as the template keeps it."""
        return self._voice.template.answer(self._raw)

    def take(self, piece: Delta | Progress) -> Waiting | Said | None:
        """Add a piece of the stream; what the screen should know of it."""
        if isinstance(piece, Progress):
            return Waiting(piece)
        self._ids += piece.ids
        self._usage = piece.usage or self._usage
        self._reason = piece.finish_reason or self._reason
        if not piece.text:
            return None
        self._first = self._first or time.monotonic() - self._began
        fresh = piece.text if self._raw else self._voice.template.answer(f"{piece.text}|")[:-1]
        self._raw += piece.text if fresh else ""
        self._dirty = True
        return Said(fresh) if fresh else None

    def unsaved_for(self) -> float | None:
        """Seconds until what has come must be committed; None where nothing is pending."""
        return max(0.0, self._saved + SAVE_EVERY - time.monotonic()) if self._dirty else None

    def save_in_time(self) -> None:
        """Commit what has come where it is due."""
        if self._dirty and time.monotonic() - self._saved >= SAVE_EVERY:
            self.save("partial")

    def save(self, state: State) -> None:
        """Commit what has come, as `state`."""
        self.state = state
        turn = Turn("assistant", self.text, self._ids, self._voice.template.vocabulary.fingerprint)
        stats = {} if state == "partial" else asdict(self._stats())
        self._history.write(self._turn, turn, state=state, stats=stats)
        self._saved, self._dirty = time.monotonic(), False

    def stopped(self) -> None:
        """The user ended it."""
        self._reason = "stopped"

    def finish(self) -> Finished:
        """Commit the whole; raises `EngineGone` where the stream ended without a reason."""
        if not self._reason:
            raise EngineGone(
                "The engine hung up before the answer was complete", "ask again: Ctrl+R retries"
            )
        state: Literal["done", "stopped", "cut"] = "done"
        if self._reason in ("stopped", "cancelled"):
            state = "stopped"
        elif self._reason == "length":
            state = "cut"
        self.save(state)
        return Finished(self.text, state, self._stats())

    def _stats(self) -> Stats:
        seconds = time.monotonic() - self._began
        tokens = self._usage.completion_tokens or len(self._ids)
        decoding = seconds - self._first
        return Stats(
            model=self._voice.model,
            mode=self._voice.mode,
            prompt_tokens=self._usage.prompt_tokens,
            cached_tokens=self._usage.cached_tokens,
            completion_tokens=tokens,
            window=self._voice.window,
            seconds=seconds,
            first_token=self._first,
            tokens_per_second=(tokens - 1) / decoding if tokens > 1 and decoding > 0 else 0.0,
            finish_reason=self._reason,
        )
