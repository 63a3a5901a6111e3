"""One conversation: say, stop, retry, switch, resume. It yields events and knows no screen."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import asdict, dataclass, replace
from typing import Literal

from starchat_tui.dialogue import Dialogue, Mode, Turn
from starchat_tui.errors import EngineGone, PromptTooLong, StarChatError, UsageError
from starchat_tui.history import History, State, StoredTurn, Summary
from starchat_tui.template import Prompt, fit
from starchat_tui.voice import Engine, Voice, Voices
from starchat_tui.wire import Delta, Progress, Request, Sampling, Usage

SAVE_EVERY = 0.25
"""Seconds an answer may grow before what it has become is committed."""
TITLE_LENGTH = 60
"""Characters of the first question that name a conversation."""


@dataclass(frozen=True, slots=True)
class Stats:
    """What an answer took."""

    model: str
    mode: Mode
    prompt_tokens: int
    cached_tokens: int
    completion_tokens: int
    window: int
    seconds: float
    first_token: float
    """Seconds from the question to the first piece of the answer."""
    tokens_per_second: float
    finish_reason: str


@dataclass(frozen=True, slots=True)
class Asked:
    """The question is committed and its prompt is known."""

    turn: str
    prompt_tokens: int
    window: int
    dropped: int
    """Oldest turns the model no longer sees."""
    quoted: int
    """Lines that were quoted because they looked like the prompt's layout."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """The engine is not answering yet."""

    progress: Progress


@dataclass(frozen=True, slots=True)
class Said:
    """The next piece of the answer."""

    text: str


@dataclass(frozen=True, slots=True)
class Finished:
    """The whole answer, as it is kept."""

    text: str
    state: Literal["done", "stopped", "cut"]
    stats: Stats


@dataclass(frozen=True, slots=True)
class Failed:
    """There is no whole answer; what came of it is kept."""

    error: StarChatError
    text: str


Event = Asked | Waiting | Said | Finished | Failed


class Session:
    """A conversation with whoever answers in its mode."""

    def __init__(
        self,
        history: History,
        engine: Engine,
        voices: Voices,
        *,
        sampling: Sampling,
        system: str = "",
        stop: tuple[str, ...] = (),
    ) -> None:
        self._history = history
        self._engine = engine
        self._voices = voices
        self._sampling = sampling
        self._stop_texts = stop
        self._stopping = asyncio.Event()
        self._default_system = system
        self.mode: Mode = voices.first_mode()
        self.window = 0
        """Tokens; 0 until the first prompt is made."""
        self.new()

    @property
    def model(self) -> str:
        """The name of the model that answers in the present mode."""
        return self._voices.model_name(self.mode)

    def new(self) -> None:
        """Begin an empty conversation; it is stored with its first question."""
        self.conversation = ""
        self.title = ""
        self.turns: tuple[StoredTurn, ...] = ()
        self._dialogue = Dialogue(self._default_system)

    @property
    def dialogue(self) -> Dialogue:
        """What was said, along the branch the conversation is on."""
        return self._dialogue

    @property
    def system(self) -> str:
        """The system text."""
        return self._dialogue.system

    @system.setter
    def system(self, text: str) -> None:
        self._dialogue = replace(self._dialogue, system=text)
        if self.conversation:
            self._history.change(self.conversation, system=text)

    def switch(self, mode: Mode) -> None:
        """Go on in another mode; the dialogue stays, its rendering and the model change."""
        self.mode = mode
        self.window = 0
        if self.conversation:
            self._history.change(self.conversation, mode=mode, model=self.model)

    def resume(self, name: str) -> None:
        """Go on with a stored conversation: the beginning of its id, or `last`."""
        found = self._history.conversation(name)
        self.conversation, self.title, self.mode = found.id, found.title, found.mode
        self._dialogue = Dialogue(found.system)
        self._read()

    def _read(self) -> None:
        self.turns = tuple(self._history.path(self.conversation))
        said = tuple(stored.turn for stored in self.turns if stored.turn.text)
        self._dialogue = replace(self._dialogue, turns=said)

    def conversations(self, query: str = "") -> list[Summary]:
        """The stored conversations, newest first, or those that hold the words of `query`."""
        return self._history.summaries(query)

    async def prompt(self, draft: str = "") -> Prompt:
        """What would be sent for the dialogue, with `draft` as its next question."""
        dialogue = self._dialogue.plus("user", draft) if draft else self._dialogue
        return self._fit(dialogue, await self._voice())

    async def visible(self, prompt: Prompt) -> str:
        """The prompt's text with control tokens spelled out, for a reader."""
        return (await self._voice()).template.vocabulary.visible(prompt.ids)

    async def context(self, draft: str = "") -> tuple[int, int]:
        """Tokens the next prompt takes, and the window."""
        try:
            return len((await self.prompt(draft)).ids), self.window
        except PromptTooLong:
            return self.window, self.window

    async def _voice(self) -> Voice:
        voice = await self._voices.voice(self.mode)
        self.window = voice.window
        return voice

    def _fit(self, dialogue: Dialogue, voice: Voice) -> Prompt:
        reserve = min(self._sampling.max_tokens, voice.reserve)
        return fit(dialogue, voice.template, window=voice.window, reserve=reserve)

    def stop(self) -> None:
        """End the running answer within a token; what came of it is kept."""
        self._stopping.set()

    async def say(self, text: str) -> AsyncGenerator[Event, None]:
        """Ask, and yield what happens; the question is committed before anything is generated."""
        self._stopping.clear()
        asked = self._dialogue.plus("user", text)
        try:
            voice = await self._voice()
            prompt = self._fit(asked, voice)
        except StarChatError as error:
            yield Failed(error, "")
            return
        if not self.conversation:
            self.title = title_of(text)
            self.conversation = self._history.start(
                self.title, mode=self.mode, model=voice.model, system=self.system
            )
        self._history.add(
            self.conversation,
            Turn("user", text),
            parent=self.turns[-1].id if self.turns else None,
            state="done",
            model=voice.model,
        )
        self._read()
        async with aclosing(self._answer(voice, prompt)) as events:
            async for event in events:
                yield event

    async def retry(self) -> AsyncGenerator[Event, None]:
        """Ask the last question again; the new answer is a sibling of the old one."""
        self._stopping.clear()
        asked = [stored for stored in self.turns if stored.turn.role == "user"]
        if not asked:
            yield Failed(UsageError("There is no question to retry", "type one first"), "")
            return
        self._history.change(self.conversation, head=asked[-1].id)
        self._read()
        try:
            voice = await self._voice()
            prompt = self._fit(self._dialogue, voice)
        except StarChatError as error:
            yield Failed(error, "")
            return
        async with aclosing(self._answer(voice, prompt)) as events:
            async for event in events:
                yield event

    async def _answer(self, voice: Voice, prompt: Prompt) -> AsyncGenerator[Event, None]:
        turn = self._history.add(
            self.conversation,
            Turn("assistant", ""),
            parent=self.turns[-1].id,
            state="partial",
            model=voice.model,
        )
        answer = _Answer(self._history, turn, voice)
        yield Asked(str(turn), len(prompt.ids), voice.window, prompt.dropped, prompt.quoted)
        try:
            async with aclosing(self._arriving(self._request(voice, prompt), answer)) as events:
                async for event in events:
                    yield event
            yield answer.finish()
        except StarChatError as error:
            answer.save("failed")
            yield Failed(error, answer.text)
        finally:
            # Also where the reader of these events went away in mid-answer.
            if answer.state == "partial":
                answer.save("stopped")
            self._read()

    def _request(self, voice: Voice, prompt: Prompt) -> Request:
        room = voice.window - len(prompt.ids)
        return Request(
            model=voice.model,
            prompt=prompt.ids,
            sampling=replace(self._sampling, max_tokens=min(self._sampling.max_tokens, room)),
            stop=(*prompt.stops.texts, *self._stop_texts),
            stop_ids=prompt.stops.ids,
            progress=True,
        )

    async def _arriving(self, request: Request, answer: _Answer) -> AsyncGenerator[Event, None]:
        """The stream's events until it ends or `stop` is called; saves what has come in time."""
        async with aclosing(self._engine.stream(request)) as stream:
            stopping = asyncio.ensure_future(self._stopping.wait())
            coming = asyncio.ensure_future(anext(stream, None))
            try:
                while True:
                    done, _ = await asyncio.wait(
                        {coming, stopping},
                        timeout=answer.unsaved_for(),
                        return_when=asyncio.FIRST_COMPLETED,
                    )
                    answer.save_in_time()
                    if stopping in done:
                        answer.stopped()
                        return
                    if coming not in done:
                        continue
                    piece = coming.result()
                    if piece is None:
                        return
                    event = answer.take(piece)
                    if event is not None:
                        yield event
                    coming = asyncio.ensure_future(anext(stream, None))
            finally:
                stopping.cancel()
                coming.cancel()
                # The stream cannot be closed while a cancelled `anext` still runs in it.
                await asyncio.wait({coming})
                if not coming.cancelled():
                    coming.exception()


class _Answer:
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

    def take(self, piece: Delta | Progress) -> Event | None:
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


def title_of(question: str) -> str:
    """The first line of a question, cut to a title's length."""
    line = question.strip().split("\n", 1)[0].strip()
    return line if len(line) <= TITLE_LENGTH else f"{line[: TITLE_LENGTH - 1].rstrip()}…"
