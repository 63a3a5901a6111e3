"""The full-screen chat: it alone knows the session; its widgets say what the user did."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping
from contextlib import aclosing, suppress
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar

from textual.app import ComposeResult, SystemCommand
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.screen import Screen

from starchat_tui.chat import commands
from starchat_tui.chat.events import Asked, Event, Failed, Finished, Said, Waiting
from starchat_tui.chat.session import Session
from starchat_tui.dialogue import MODES, Mode
from starchat_tui.errors import StarChatError, UsageError
from starchat_tui.sanitize import clean
from starchat_tui.terminal import wording
from starchat_tui.terminal.input_history import Draft, InputHistory
from starchat_tui.ui.messages import DraftChanged, Submitted
from starchat_tui.ui.run_controller import Runs
from starchat_tui.ui.widgets.answer_view import Answer, preload
from starchat_tui.ui.widgets.chat_view import Stage
from starchat_tui.ui.widgets.image import Images
from starchat_tui.ui.widgets.welcome import Welcome

QUIT_WITHIN = 3.0
"""Seconds in which a second ^C leaves."""
SETTLED = 0.4
"""Seconds without a key, or after the first frame, before tokens are counted."""


class StarChatApp(Runs):
    """A conversation on the screen."""

    CSS_PATH = "starchat.tcss"
    TITLE = "StarChat"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "stop", "stop the answer, keep what there is", id="chat.stop"),
        Binding(
            "ctrl+c", "interrupt", "copy, stop, clear, leave", id="chat.interrupt", priority=True
        ),
        Binding("ctrl+d", "quit", "leave, where nothing is typed", id="chat.leave"),
        Binding("f1", "help", "the keys and commands", id="chat.help"),
        Binding("f2", "switch", "the other mode: chat or ta", id="chat.mode"),
        Binding("ctrl+n", "new", "a new conversation", id="chat.new"),
        Binding("ctrl+o", "library", "old conversations", id="chat.library"),
        Binding("ctrl+r", "retry", "another answer", id="chat.retry"),
        Binding("ctrl+t", "toggle_theme", "light or dark", id="chat.theme"),
        Binding("alt+y", "copy_next", "copy the last code block, then older ones", id="chat.copy"),
        Binding("alt+r", "run_last", "run the last code block", id="chat.run"),
        Binding("pageup", "page(-1)", id="chat.page_up"),
        Binding("pagedown", "page(1)", id="chat.page_down"),
        Binding("ctrl+home", "end(-1)", id="chat.top"),
        Binding("ctrl+end", "end(1)", id="chat.bottom"),
    ]

    def __init__(
        self,
        session: Session,
        *,
        demo: bool,
        theme: str,
        input_history: Path | None,
        draft: Path | None = None,
        typed_ahead: str = "",
        first_question: str = "",
        advice: Callable[[], str] | None = None,
        environ: Mapping[str, str] = MappingProxyType({}),
        clock: Callable[[], float] = time.time,
        plots: Path | None = None,
        images: Images = Images(),  # noqa: B008
    ) -> None:
        super().__init__(session, environ=environ, theme=theme, plots=plots, images=images)
        self._session = session
        self._demo = demo
        self._first_question = first_question
        self._advice = advice
        self._clock = clock
        self.busy = False
        """Whether an answer is being written."""
        self._asked_to_quit = 0.0
        self._draft = Draft(draft)
        typed = InputHistory(input_history)
        unsafe = session.running is not None and session.running.unsafe
        self.stage = Stage(
            self._welcome(),
            typed,
            draft=self._draft.read() + typed_ahead,
            images=images,
            outcomes=session.outcomes,
            danger=wording.UNSAFE if unsafe else "",
        )

    def compose(self) -> ComposeResult:
        """One stage."""
        yield self.stage

    def _welcome(self) -> Welcome:
        return Welcome(model=self._session.model, demo=self._demo, advice=self._advice)

    async def on_mount(self) -> None:
        """The resumed conversation, the first question."""
        self.prepare()
        if self._session.turns:
            await self._show_session()
        self._refresh_status(SETTLED)
        if self._first_question:
            self.ask(self._first_question)
        self.set_timer(SETTLED, lambda: self.run_worker(preload, thread=True))

    async def on_unmount(self) -> None:
        """Keep the draft, end what runs."""
        self._draft.keep(self.stage.composer.draft)
        await self._session.aclose()

    # What the user sends

    def on_submitted(self, message: Submitted) -> None:
        """A question, or a command."""
        self.stage.banner.close()
        with self._shown_errors():
            meant = commands.parse(message.text)
            if isinstance(meant, commands.Question):
                self.ask(meant.text)
            else:
                self._obey(meant)

    def show_error(self, error: StarChatError) -> None:
        """Say it over the draft."""
        self.stage.banner.show(error)

    def ask(self, text: str) -> None:
        """Ask, or have it wait for the answer that is being written."""
        if self.busy:
            self.stage.queue.put(text)
        else:
            self.busy = True
            self.in_background(partial(self._answer, text), group="answer")

    async def _answer(self, text: str) -> None:
        await self.stage.transcript.ask(text)
        await self._follow(self._session.say(text), text)

    async def _follow(self, happening: AsyncGenerator[Event, None], asked: str) -> None:
        """Draw what happens until the answer ends, then ask what was sent in the meantime."""
        answer = await self.stage.transcript.answer()
        answer.waiting("…")
        self.stage.answering()
        self.stage.status(activity="asking · Esc stops")
        stored = False
        try:
            async with aclosing(happening):
                async for event in happening:
                    if isinstance(event, Failed) and not stored:
                        await self._never_asked(event, asked)
                    else:
                        await self._happened(event, answer)
                    stored = True
        finally:
            self.busy = False
        self._refresh_status()
        if waiting := self.stage.queue.take():
            self.ask(waiting)

    async def _happened(self, event: Event, answer: Answer) -> None:
        if isinstance(event, Asked):
            answer.turn = int(event.turn)
            self.stage.status(used=event.prompt_tokens, window=event.window)
            await self.stage.transcript.unseen(event.dropped)
            if event.quoted:
                await self.stage.transcript.note(wording.quoted(event.quoted), before=answer)
        elif isinstance(event, Waiting):
            said = wording.progress(event.progress)
            answer.waiting(said)
            self.stage.status(activity=f"{said} · Esc stops")
        elif isinstance(event, Said):
            if not answer.text:
                self.stage.status(activity="answering · Esc stops")
            if event.text.strip():
                self.stage.transcript.set_aside()
            answer.feed(event.text)
        elif isinstance(event, Finished):
            await self._finished(event, answer)
        else:
            await self._failed(event, answer)

    async def _end(self, answer: Answer, text: str) -> None:
        """Draw the whole; an answer without a word is no turn."""
        if text.strip():
            await answer.finish(text)
        else:
            await self.stage.transcript.take_back(question=False)

    async def _finished(self, event: Finished, answer: Answer) -> None:
        await self._end(answer, event.text)
        speed = wording.speed(event.stats.tokens_per_second, event.stats.first_token)
        self.stage.status(activity=speed)
        if event.state != "done":
            await self.stage.transcript.note(wording.ENDINGS[event.state], classes="state")
        if event.state == "stopped":
            self.stage.unqueue()

    async def _failed(self, event: Failed, answer: Answer) -> None:
        await self._end(answer, event.text)
        said = f"no whole answer: {event.error.message}"
        await self.stage.transcript.note(said, classes="state")
        self._tell(event.error)

    async def _never_asked(self, event: Failed, asked: str) -> None:
        """Nothing was stored: a question is the user's draft again."""
        await self.stage.transcript.take_back(question=bool(asked))
        self._tell(event.error)
        if asked:
            self.stage.give_back(asked)

    def _tell(self, error: StarChatError) -> None:
        self.stage.status(activity="")
        self.show_error(error)
        self.stage.unqueue()

    # The status line

    def _refresh_status(self, pause: float = 0.0) -> None:
        model, mode = self._session.model, self._session.mode
        self.stage.status(model=model, mode=mode, demo=self._demo)
        self._count_after(pause)

    def on_draft_changed(self, message: DraftChanged) -> None:
        """Keep the draft, and count its tokens, once the user pauses."""
        self._count_after(SETTLED)

    def _count_after(self, pause: float) -> None:
        self.in_background(partial(self._count, pause), group="count", exclusive=True)

    async def _count(self, pause: float) -> None:
        await asyncio.sleep(pause)
        self._draft.keep(self.stage.composer.draft)
        if not self.busy:
            with suppress(StarChatError):  # the same error is shown when the question is sent
                used, window = await self._session.context(self.stage.composer.draft)
                self.stage.status(used=used, window=window)

    # Keys and commands

    def _obey(self, call: commands.Call) -> None:
        name, argument = call.command.name, call.argument
        if self.busy and not call.command.while_busy:
            raise UsageError(f"`/{name}` has to wait for the answer", "stop it with Esc first")
        if self.cell_runs and name in ("new", "resume"):
            raise UsageError(f"`/{name}` has to wait for the code", "interrupt it with Esc first")
        deeds: dict[str, Callable[[], object]] = {
            "help": self.action_help,
            "new": self._new,
            "resume": lambda: self._open_library(argument),
            "mode": lambda: self._switch_to(argument),
            "retry": self._retry,
            "stop": self.action_stop,
            "copy": lambda: self.stage.copy(argument),
            "save": lambda: self.say(f"Wrote {clean(str(self.stage.save(argument)))}"),
            "prompt": self._show_prompt,
            "system": lambda: self._set_system(argument),
            "theme": lambda: self.choose_theme(argument),
            "quit": self.exit,
            **self.run_deeds(argument),
        }
        deeds[name]()

    def _by_key(self, name: str) -> None:
        """Do what the command without an argument does."""
        found = commands.find(name)
        assert found is not None, name
        with self._shown_errors():
            self._obey(commands.Call(found))

    def get_system_commands(self, screen: Screen[Any]) -> Iterable[SystemCommand]:
        """The commands that need nothing more, for the palette."""
        for command in commands.COMMANDS:
            if not command.argument or command.argument.startswith("["):
                yield SystemCommand(
                    command.usage, command.summary, lambda name=command.name: self._by_key(name)
                )
        yield SystemCommand("themes", "choose among all themes", self.search_themes)

    def action_stop(self) -> None:
        """Stop the answer, or the code; without one, close the error and go back to the draft."""
        if self.busy:
            self._session.stop()
        elif not self.interrupt_run():
            self.stage.banner.close()
        self.stage.composer.focus()

    def action_interrupt(self) -> None:
        """^C: copy what is selected, else stop, else clear the draft, else leave at the second."""
        composer = self.stage.composer
        selected = self.screen.get_selected_text() or composer.selected_text
        if selected:
            self.copy_out(selected, "the selection")
        elif self.busy:
            self._session.stop()
        elif self.interrupt_run():
            pass
        elif composer.text:
            composer.clear_draft()
        elif self._clock() - self._asked_to_quit < QUIT_WITHIN:
            self.exit()
        else:
            self._asked_to_quit = self._clock()
            self.say("Press Ctrl+C again to leave")

    def action_help(self) -> None:
        """The keys and commands."""
        from starchat_tui.ui.screens.dialogs import Reader

        bindings = [binding for binding in self.BINDINGS if isinstance(binding, Binding)]
        self.push_screen(Reader("StarChat", wording.help_text(bindings)))

    def action_switch(self) -> None:
        """Go on in the other mode."""
        self._by_key("mode")

    def _switch_to(self, name: str) -> None:
        modes: dict[str, Mode] = {mode: mode for mode in MODES}
        if name and name not in modes:
            raise UsageError(f"There is no mode `{name}`", "they are `chat` and `ta`")
        other = next(mode for mode in MODES if mode != self._session.mode)
        self._session.switch(modes[name] if name else other)
        self.stage.status(used=0, window=0)
        self._refresh_status()
        self.mention(wording.switched(self._session.mode, self._session.model))

    def action_new(self) -> None:
        """Begin a new conversation; the old one is kept."""
        self._by_key("new")

    def _new(self) -> None:
        self._session.new()
        self.in_background(self._show_session, group="show", exclusive=True)

    async def _show_session(self) -> None:
        turns = [stored for stored in self._session.turns if stored.turn.text.strip()]
        await self.stage.transcript.show(turns, welcome=None if turns else self._welcome())
        self.stage.status(activity="")
        self._refresh_status()

    def action_library(self) -> None:
        """The stored conversations."""
        self._by_key("resume")

    def _open_library(self, query: str) -> None:
        from starchat_tui.ui.screens.library import Library

        library = Library(self._session.conversations, now=self._clock(), query=query)
        self.push_screen(library, self._resume)

    async def _resume(self, chosen: str | None) -> None:
        if chosen is not None:
            with self._shown_errors():
                self._session.resume(chosen)
                await self._show_session()

    def action_retry(self) -> None:
        """Ask the last question again."""
        self._by_key("retry")

    def _retry(self) -> None:
        self.busy = True
        self.in_background(partial(self._follow, self._session.retry(), ""), group="answer")

    def _set_system(self, text: str) -> None:
        self._session.system = text
        self.mention(f"system text: {text}")
        self._refresh_status()

    def _show_prompt(self) -> None:
        self.in_background(self._read_prompt, group="prompt", exclusive=True)

    async def _read_prompt(self) -> None:
        from starchat_tui.ui.screens.dialogs import Reader

        with self._shown_errors():
            prompt = await self._session.prompt(self.stage.composer.draft)
            text = await self._session.visible(prompt)
            title = f"What is sent to {self._session.model}: {len(prompt.ids):,} tokens"
            self.push_screen(Reader(title, Content(clean(text))))
