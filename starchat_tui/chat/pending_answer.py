"""An answer that is being received."""

from __future__ import annotations

import time
from dataclasses import asdict
from typing import Literal

from starchat_tui.chat.events import AnswerFinished, AnswerText, EngineProgress
from starchat_tui.chat.store import ConversationStore, State
from starchat_tui.client.answer_stats import MIN_RATE_TOKENS, AnswerStats
from starchat_tui.client.protocol import Delta, Progress, Timings, Usage
from starchat_tui.dialogue import Turn
from starchat_tui.errors import EngineGone
from starchat_tui.models.resolver import ResolvedModel

SAVE_INTERVAL = 0.25
"""Maximum age in seconds of text that is not stored yet."""


class PendingAnswer:
    """An answer that is being received; stores its text at intervals."""

    def __init__(
        self,
        store: ConversationStore,
        turn: int,
        model: ResolvedModel,
        *,
        prompt_tokens: int = 0,
    ) -> None:
        self._prompt_tokens = prompt_tokens
        self._store = store
        self._turn = turn
        self._model = model
        self._raw = ""
        self._ids: tuple[int, ...] = ()
        self._started_at = time.monotonic()
        self._first_text_after = 0.0
        self._saved_at = self._started_at
        self._has_unsaved_text = False
        self._usage: Usage | None = None
        """Counts of the engine; they come with the end, which a stopped answer has not."""
        self._timings = Timings()
        self._finish_reason = ""
        self.state: State = "partial"

    @property
    def text(self) -> str:
        """Text of the answer, as the template strips it."""
        return self._model.template.clean_answer(self._raw)

    def add_piece(self, piece: Delta | Progress) -> EngineProgress | AnswerText | None:
        """Add a piece of the stream and return the event for it, if any."""
        if isinstance(piece, Progress):
            return EngineProgress(piece)
        self._ids += piece.ids
        self._usage = piece.usage or self._usage
        self._timings = piece.timings or self._timings
        self._finish_reason = piece.finish_reason or self._finish_reason
        if not piece.text:
            return None
        self._first_text_after = self._first_text_after or time.monotonic() - self._started_at
        # Some templates strip the answer. At the beginning that holds for a piece, too; its
        # end is protected by the `|`, because a space there may separate it from the next word.
        fresh = (
            piece.text if self._raw else self._model.template.clean_answer(f"{piece.text}|")[:-1]
        )
        self._raw += piece.text if fresh else ""
        self._has_unsaved_text = True
        return AnswerText(fresh) if fresh else None

    def seconds_until_save(self) -> float | None:
        """Return the seconds until the next save is due; None if everything is saved."""
        return (
            max(0.0, self._saved_at + SAVE_INTERVAL - time.monotonic())
            if self._has_unsaved_text
            else None
        )

    def save_if_due(self) -> None:
        """Store the text if a save is due."""
        if self._has_unsaved_text and time.monotonic() - self._saved_at >= SAVE_INTERVAL:
            self.save("partial")

    def save(self, state: State) -> None:
        """Store the text with `state`."""
        self.state = state
        turn = Turn("assistant", self.text, self._ids, self._model.template.tokenizer.fingerprint)
        stats = {} if state == "partial" else asdict(self._build_stats())
        self._store.update_turn(self._turn, turn, state=state, stats=stats)
        self._saved_at, self._has_unsaved_text = time.monotonic(), False

    def mark_stopped(self) -> None:
        """Record that the user stopped the answer."""
        self._finish_reason = "stopped"

    def finish(self) -> AnswerFinished:
        """Store the whole answer; raises `EngineGone` if there was no finish reason."""
        if not self._finish_reason:
            raise EngineGone(
                "The engine closed the connection before the answer was complete",
                "ask again: Ctrl+R retries",
            )
        state: Literal["done", "stopped", "cut"] = "done"
        if self._finish_reason in ("stopped", "cancelled"):
            state = "stopped"
        elif self._finish_reason == "length":
            state = "cut"
        self.save(state)
        return AnswerFinished(self.text, state, self._build_stats())

    def _build_stats(self) -> AnswerStats:
        seconds = time.monotonic() - self._started_at
        usage = self._usage
        tokens = (usage.completion_tokens if usage else 0) or len(self._ids)
        decoding = seconds - self._first_text_after
        return AnswerStats(
            model=self._model.name,
            mode=self._model.mode,
            prompt_tokens=(usage.prompt_tokens if usage else 0) or self._prompt_tokens,
            cached_tokens=usage.cached_tokens if usage else None,
            completion_tokens=tokens,
            window=self._model.window,
            seconds=seconds,
            first_token=self._first_text_after,
            # The first token comes with the prefill and is no part of the decoding time.
            tokens_per_second=(tokens - 1) / decoding
            if tokens >= MIN_RATE_TOKENS and decoding > 0
            else 0.0,
            finish_reason=self._finish_reason,
            proposed_tokens=self._timings.proposed_tokens,
            accepted_tokens=self._timings.accepted_tokens,
        )
