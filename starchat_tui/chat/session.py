"""One conversation: say, stop, retry, switch, resume, run. It yields events and knows no screen."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing, suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from starchat_tui.chat.events import Asked, Event, Failed, Said
from starchat_tui.chat.pending_answer import Answer
from starchat_tui.chat.store import History, NotKept, StoredTurn, Summary
from starchat_tui.client.protocol import Request, Sampling
from starchat_tui.dialogue import Dialogue, Mode, Turn
from starchat_tui.errors import PromptTooLong, StarChatError, UsageError
from starchat_tui.models.resolver import Engine, Voice, Voices
from starchat_tui.templates.template import Prompt, fit

if TYPE_CHECKING:
    from starchat_tui.execution.kernel_manager import Allowed, Running
    from starchat_tui.execution.run_result import Outcome
    from starchat_tui.sandbox.host.downloads import Download
    from starchat_tui.sandbox.outputs import Note, Output

TITLE_LENGTH = 60
"""Characters of the first question that name a conversation."""


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
        running: Running | None = None,
    ) -> None:
        self.running = running
        """What runs the conversation's code; None where this face runs none."""
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
        self._permit("")

    def _permit(self, allowed: str) -> None:
        """Another conversation: what it lets run, and nothing that runs for the one before."""
        self._allowed = allowed
        if self.running is not None:
            self.running.leave()

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
        if self.conversation:
            self._history.change(self.conversation, system=text)
        self._dialogue = replace(self._dialogue, system=text)

    def switch(self, mode: Mode) -> None:
        """Go on in another mode; the dialogue stays, its rendering and the model change."""
        if self.conversation:
            model = self._voices.model_name(mode)
            self._history.change(self.conversation, mode=mode, model=model)
        self.mode = mode
        self.window = 0

    def resume(self, name: str) -> None:
        """Go on with a stored conversation: the beginning of its id, or `last`."""
        found = self._history.conversation(name)
        turns = self._history.path(found.id)
        self.conversation, self.title, self.mode = found.id, found.title, found.mode
        self._dialogue = Dialogue(found.system)
        self._permit(found.allowed)
        self._follow(turns)

    def _follow(self, turns: Sequence[StoredTurn]) -> None:
        """Be on this branch; another window that moves the head does not change that."""
        self.turns = tuple(turns)
        self._dialogue = self._said(turns)

    def _said(self, turns: Sequence[StoredTurn]) -> Dialogue:
        said = tuple(stored.turn for stored in turns if stored.turn.text.strip())
        return replace(self._dialogue, turns=said)

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
        self._foresee(text)
        try:
            voice = await self._voice()
            prompt = self._fit(self._dialogue.plus("user", text), voice)
            turn = self._begin(text, voice)
        except StarChatError as error:
            yield Failed(error, "")
            return
        async with aclosing(self._answer(turn, voice, prompt, otherwise=turn)) as events:
            async for event in events:
                yield event

    def _begin(self, text: str, voice: Voice) -> int:
        """Commit a question and the place of its answer, or neither; the answer's turn."""
        title = self.title if self.conversation else title_of(text)
        parent = self.turns[-1].id if self.turns else None
        with self._history.at_once():
            name = self.conversation or self._history.start(
                title, mode=self.mode, model=voice.model, system=self.system
            )
            question = Turn("user", text)
            asked = self._history.add(
                name, question, parent=parent, state="done", model=voice.model
            )
            turn = self._place(name, asked, voice)
            turns = self._history.path(name, asked)
        self.conversation, self.title = name, title
        self._follow(turns)
        return turn

    def _place(self, conversation: str, asked: int, voice: Voice) -> int:
        answer = Turn("assistant", "")
        return self._history.add(
            conversation, answer, parent=asked, state="partial", model=voice.model
        )

    async def retry(self) -> AsyncGenerator[Event, None]:
        """Ask the last question again; the new answer is a sibling of the old one.

        The old one stays where no word of a new one comes.
        """
        self._stopping.clear()
        asked = [at for at, stored in enumerate(self.turns) if stored.turn.role == "user"]
        if not asked:
            yield Failed(UsageError("There is no question to retry", "type one first"), "")
            return
        kept, head = self.turns[: asked[-1] + 1], self.turns[-1].id
        try:
            voice = await self._voice()
            prompt = self._fit(self._said(kept), voice)
            with self._history.at_once():
                turn = self._place(self.conversation, kept[-1].id, voice)
                self._history.change(self.conversation, head=head)
        except StarChatError as error:
            yield Failed(error, "")
            return
        async with aclosing(self._answer(turn, voice, prompt, otherwise=head)) as events:
            async for event in events:
                yield event

    async def _answer(
        self, turn: int, voice: Voice, prompt: Prompt, *, otherwise: int
    ) -> AsyncGenerator[Event, None]:
        """Have `turn` grow and go on from it, or from `otherwise` where no word comes."""
        answer, head = Answer(self._history, turn, voice), otherwise
        try:
            yield Asked(str(turn), len(prompt.ids), voice.window, prompt.dropped, prompt.quoted)
            async with aclosing(self._arriving(self._request(voice, prompt), answer)) as events:
                async for event in events:
                    if isinstance(event, Said) and head != turn and answer.text.strip():
                        self._history.change(self.conversation, head=turn)
                        head = turn
                    yield event
            yield answer.finish()
        except StarChatError as error:
            with suppress(NotKept):
                answer.save("failed")
            yield Failed(error, answer.text)
        finally:
            # Also where the reader of these events went away in mid-answer.
            with suppress(NotKept):
                if answer.state == "partial":
                    answer.save("stopped")
            with suppress(NotKept):
                self._follow(self._history.path(self.conversation, head))

    def _request(self, voice: Voice, prompt: Prompt) -> Request:
        room = voice.window - len(prompt.ids)
        return Request(
            model=voice.model,
            prompt=prompt.ids,
            sampling=replace(self._sampling, max_tokens=min(self._sampling.max_tokens, room)),
            stop=(*prompt.stops.texts, *self._stop_texts),
            stop_ids=prompt.stops.ids,
            shared=prompt.shared,
            progress=True,
        )

    async def _arriving(self, request: Request, answer: Answer) -> AsyncGenerator[Event, None]:
        """The stream's events until it ends or `stop` is called; saves what has come in time."""
        async with aclosing(self._engine.stream(request)) as stream:
            stopping = asyncio.ensure_future(self._stopping.wait())
            coming = asyncio.ensure_future(anext(stream, None))
            foreseen = ""
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
                    if isinstance(event, Said):
                        foreseen = foreseen[-40:] + event.text
                        self._foresee(foreseen)
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

    # Code

    def _foresee(self, text: str) -> None:
        """Have a kernel ready where the conversation comes to plots."""
        if self.running is not None and self.allowed != "never":
            self.running.foresee(text)

    @property
    def allowed(self) -> Allowed:
        """Whether this conversation's code may run unasked; a yes counts for one wall alone."""
        if self._allowed == "never":
            return "never"
        level = self.running.level if self.running else None
        return "always" if level and self._allowed == f"always {level}" else "ask"

    @allowed.setter
    def allowed(self, allowed: Allowed) -> None:
        level = self.running.level if self.running else None
        written = {"ask": "", "never": "never", "always": f"always {level}"}[allowed]
        if self.conversation and level != "unsafe":
            self._history.change(self.conversation, allowed=written)
        self._allowed = written

    async def run(
        self, turn: int, block: int, code: str, downloads: Sequence[Download] = ()
    ) -> AsyncGenerator[Output, None]:
        """Run a code block of a turn and yield what it says; the outcome is kept with the turn.

        `block` counts from 0. Ends with exactly one `Ended`. Raises `Busy` where code runs.
        """
        from starchat_tui.execution.run_result import Gathering
        from starchat_tui.sandbox.outputs import Ended

        assert self.running is not None
        gathering, kept = Gathering(), True
        try:
            async with aclosing(self.running.run(code, downloads)) as outputs:
                async for output in outputs:
                    kept = isinstance(output, Ended)
                    if not isinstance(output, Ended):
                        gathering.take(output)
                    elif note := self._keep(turn, block, code, gathering.outcome(output)):
                        yield note
                    yield output
        finally:
            if not kept:
                # The reader went away in the middle.
                ended = Ended("interrupted", self.running.level or "off", 0.0)
                self._keep(turn, block, code, gathering.outcome(ended))

    def _keep(self, turn: int, block: int, code: str, outcome: Outcome) -> Note | None:
        """Commit what a run came to; what to tell where that cannot be done."""
        from starchat_tui.execution.run_result import document
        from starchat_tui.sandbox.outputs import Note

        if outcome.ended.status == "no-sandbox":
            return None
        written, pictures = document(outcome)
        try:
            self._history.add_run(turn, block, code, written, pictures)
        except NotKept as error:
            return Note(f"This run is not kept. {error.message}: {error.hint}")
        return None

    def outcomes(self, turn: int) -> Mapping[int, Outcome]:
        """What the code blocks of a turn came to when they were last run, by their places."""
        from starchat_tui.execution.run_result import of_document

        return {
            run.block: of_document(run.document, run.pictures) for run in self._history.runs(turn)
        }

    async def aclose(self) -> None:
        """End what runs."""
        if self.running is not None:
            await self.running.aclose()


def title_of(question: str) -> str:
    """The first line of a question, cut to a title's length."""
    line = question.strip().split("\n", 1)[0].strip()
    return line if len(line) <= TITLE_LENGTH else f"{line[: TITLE_LENGTH - 1].rstrip()}…"
