"""A conversation: ask, stop, retry, switch the mode, resume, run code.

Yields events and knows nothing about the front end that shows them.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing, suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from starchat_tui.chat.answer_stream import receive_answer
from starchat_tui.chat.block_runs import BlockRuns
from starchat_tui.chat.consent import Permission, parse_permission, stored_permission
from starchat_tui.chat.events import AnswerFailed, AnswerStarted, AnswerText, ChatEvent
from starchat_tui.chat.pending_answer import PendingAnswer
from starchat_tui.chat.siblings import SiblingFinder
from starchat_tui.chat.store import ConversationStore, StoredTurn, Summary
from starchat_tui.chat.store_errors import StoreError
from starchat_tui.chat.titles import make_title
from starchat_tui.client.protocol import Request, Sampling
from starchat_tui.dialogue import Dialogue, Mode, Turn
from starchat_tui.errors import PromptTooLong, StarChatError, UsageError
from starchat_tui.models.registry import find_model
from starchat_tui.models.resolver import Engine, ModelResolver, ResolvedModel
from starchat_tui.templates.context_window import Prompt, fit_prompt
from starchat_tui.templates.prompt_preview import PromptView, view_prompt

if TYPE_CHECKING:
    from starchat_tui.execution.kernel_manager import KernelManager
    from starchat_tui.execution.run_result import RunResult
    from starchat_tui.sandbox.host.downloads import Download
    from starchat_tui.sandbox.outputs import IsolationLevel, Output
    from starchat_tui.sandbox.run_state import RunControl


class Session:
    """A conversation with the model of its mode, stored as it grows."""

    def __init__(
        self,
        store: ConversationStore,
        engine: Engine,
        resolver: ModelResolver,
        *,
        sampling: Sampling,
        system: str = "",
        stop: tuple[str, ...] = (),
        kernel_manager: KernelManager | None = None,
    ) -> None:
        self.kernel_manager = kernel_manager
        """Runs the code of the conversation; None if this front end runs none."""
        self._store = store
        self.siblings = SiblingFinder(store)
        self._block_runs = BlockRuns(store, kernel_manager)
        self._engine = engine
        self._resolver = resolver
        self._sampling = sampling
        self._stop_texts = stop
        self._stopping = asyncio.Event()
        self._default_system = system
        self.mode: Mode = resolver.choose_initial_mode()
        self.window = 0
        """Context window in tokens; 0 until the first prompt is built."""
        self.former_model = ""
        """Model that a resumed conversation was held with, if another one answers now."""
        self.server = resolver.server
        """Host that the questions go to; empty if they stay on this machine."""
        self.start_conversation()

    @property
    def model(self) -> str:
        """Name of the model of the current mode."""
        return self._resolver.choose_model_name(self.mode)

    @property
    def is_demo(self) -> bool:
        """True if one of the small models that come with the package answers."""
        return not self.server and find_model(self.model).demo

    def start_conversation(self) -> None:
        """Start an empty conversation; it is stored with its first question."""
        self._resolver.adopt_model("")
        self.former_model = ""
        self.conversation = ""
        self.title = ""
        self.turns: tuple[StoredTurn, ...] = ()
        self._dialogue = Dialogue(self._default_system)
        self._enter_conversation("", "")

    def _enter_conversation(self, stored_permission: str, environment: str) -> None:
        """Take over what is stored about a conversation's code; end the kernel of the last one."""
        self._stored_permission, self._environment = stored_permission, environment
        if self.kernel_manager is not None:
            self.kernel_manager.reset()

    @property
    def dialogue(self) -> Dialogue:
        """System prompt and turns of the current branch."""
        return self._dialogue

    @property
    def system(self) -> str:
        """System prompt of the conversation."""
        return self._dialogue.system

    @system.setter
    def system(self, text: str) -> None:
        if self.conversation:
            self._store.update_conversation(self.conversation, system=text)
        self._dialogue = replace(self._dialogue, system=text)

    def switch_mode(self, mode: Mode) -> None:
        """Continue in another mode; the dialogue stays, its rendering and the model change."""
        if self.conversation:
            model = self._resolver.choose_model_name(mode)
            self._store.update_conversation(self.conversation, mode=mode, model=model)
        self.mode = mode
        # Unknown until the other model is resolved.
        self.window = 0

    def resume(self, name: str) -> None:
        """Continue a stored conversation: the beginning of its id, or `last`."""
        found = self._store.find_conversation(name)
        turns = self._store.load_path(found.id)
        self.conversation, self.title, self.mode = found.id, found.title, found.mode
        self._dialogue = Dialogue(found.system)
        self._enter_conversation(found.allowed, found.environment)
        self._set_branch(turns)
        self._adopt_model(found.model)

    def _adopt_model(self, stored: str) -> None:
        """Continue with the model that a conversation was held with, where that is possible."""
        is_same = not stored or stored == self.model
        self.former_model = "" if is_same or self._resolver.adopt_model(stored) else stored

    def pin_model(self) -> None:
        """Keep the model of the settings, whatever a stored conversation was held with."""
        self._resolver.is_pinned = True

    def _set_branch(self, turns: Sequence[StoredTurn]) -> None:
        """Make `turns` the current branch.

        Another front end that moves the head of the same conversation does not change it.
        """
        self.turns = tuple(turns)
        self._dialogue = self._build_dialogue(turns)

    def _build_dialogue(self, turns: Sequence[StoredTurn]) -> Dialogue:
        # An answer that failed before its first word is stored, but is nothing to send.
        spoken = tuple(stored.turn for stored in turns if stored.turn.text.strip())
        return replace(self._dialogue, turns=spoken)

    def list_conversations(self, query: str = "") -> list[Summary]:
        """Return the stored conversations that contain the words of `query`, newest first."""
        return self._store.list_summaries(query)

    async def build_prompt(self, draft: str = "") -> Prompt:
        """Return the prompt of the dialogue, with `draft` as its next question."""
        return self._fit_prompt(self._add_draft(draft), await self._resolve_model())

    def _add_draft(self, draft: str) -> Dialogue:
        return self._dialogue.with_message("user", draft) if draft else self._dialogue

    async def view_prompt(self, draft: str = "") -> PromptView:
        """Return the prompt that `build_prompt` would return, for a reader."""
        model = await self._resolve_model()
        dialogue, reserve = self._add_draft(draft), self._reserve_tokens(model)
        return view_prompt(dialogue, model.template, window=model.window, reserve=reserve)

    async def measure_context(self, draft: str = "") -> tuple[int, int]:
        """Return the length of the next prompt and the context window, in tokens."""
        try:
            return len((await self.build_prompt(draft)).ids), self.window
        except PromptTooLong:
            return self.window, self.window

    async def _resolve_model(self) -> ResolvedModel:
        model = await self._resolver.resolve(self.mode)
        self.window = model.window
        return model

    def _fit_prompt(self, dialogue: Dialogue, model: ResolvedModel) -> Prompt:
        reserve = self._reserve_tokens(model)
        return fit_prompt(dialogue, model.template, window=model.window, reserve=reserve)

    def _reserve_tokens(self, model: ResolvedModel) -> int:
        return min(self._sampling.max_tokens, model.reserve)

    def stop(self) -> None:
        """Stop the running answer within one token; its text is kept."""
        self._stopping.set()

    async def ask(self, text: str) -> AsyncGenerator[ChatEvent, None]:
        """Ask a question and yield the events; it is stored before anything is generated."""
        self._stopping.clear()
        self._prewarm_if_plotting(text)
        try:
            model = await self._resolve_model()
            prompt = self._fit_prompt(self._dialogue.with_message("user", text), model)
            turn = self._commit_question(text, model)
        except StarChatError as error:
            yield AnswerFailed(error, "")
            return
        async with aclosing(self._stream_answer(turn, model, prompt, fallback_head=turn)) as events:
            async for event in events:
                yield event

    def _commit_question(self, text: str, model: ResolvedModel) -> int:
        """Store a question and its empty answer, or neither; returns the id of the answer."""
        title = self.title if self.conversation else make_title(text)
        parent = self.turns[-1].id if self.turns else None
        with self._store.transaction():
            name = self.conversation or self._store.create_conversation(
                title,
                mode=self.mode,
                model=model.name,
                system=self.system,
                environment=self.environment,
            )
            question = Turn("user", text)
            question_id = self._store.add_turn(
                name, question, parent=parent, state="done", model=model.name
            )
            turn = self._add_empty_answer(name, question_id, model)
            turns = self._store.load_path(name, question_id)
        self.conversation, self.title = name, title
        self._set_branch(turns)
        return turn

    def _add_empty_answer(self, conversation: str, question_id: int, model: ResolvedModel) -> int:
        answer = Turn("assistant", "")
        return self._store.add_turn(
            conversation, answer, parent=question_id, state="partial", model=model.name
        )

    def show_sibling(self, turn: int | None, step: int) -> None:
        """Make another answer current, with what followed it; see `SiblingFinder.find_head`."""
        head = self.siblings.find_head(self.turns, turn, step)
        self._store.update_conversation(self.conversation, head=head)
        self._set_branch(self._store.load_path(self.conversation))

    async def retry(self) -> AsyncGenerator[ChatEvent, None]:
        """Ask the last question again; the new answer becomes a sibling of the old one.

        The old answer stays current until the new one has its first word.
        """
        self._stopping.clear()
        questions = [index for index, stored in enumerate(self.turns) if stored.turn.role == "user"]
        if not questions:
            yield AnswerFailed(UsageError("There is no question to retry", "ask one first"), "")
            return
        turns, head = self.turns[: questions[-1] + 1], self.turns[-1].id
        try:
            model = await self._resolve_model()
            prompt = self._fit_prompt(self._build_dialogue(turns), model)
            with self._store.transaction():
                turn = self._add_empty_answer(self.conversation, turns[-1].id, model)
                # Adding a turn moves the head, and the old answer is still the current one.
                self._store.update_conversation(self.conversation, head=head)
        except StarChatError as error:
            yield AnswerFailed(error, "")
            return
        async with aclosing(self._stream_answer(turn, model, prompt, fallback_head=head)) as events:
            async for event in events:
                yield event

    async def _stream_answer(
        self, turn: int, model: ResolvedModel, prompt: Prompt, *, fallback_head: int
    ) -> AsyncGenerator[ChatEvent, None]:
        """Stream into `turn` and make it the head, or `fallback_head` if it stays empty."""
        answer = PendingAnswer(self._store, turn, model, prompt_tokens=len(prompt.ids))
        head = fallback_head
        try:
            yield AnswerStarted(
                turn, len(prompt.ids), model.window, prompt.dropped_turns, prompt.quoted_lines
            )
            async with aclosing(
                receive_answer(
                    self._engine.stream(self._build_request(model, prompt)),
                    answer,
                    self._stopping,
                    on_text=self._prewarm_if_plotting,
                )
            ) as events:
                async for event in events:
                    # A retry that fails before its first word must not replace the old answer.
                    if isinstance(event, AnswerText) and head != turn and answer.text.strip():
                        self._store.update_conversation(self.conversation, head=turn)
                        head = turn
                    yield event
            yield answer.finish()
        except StarChatError as error:
            with suppress(StoreError):
                answer.save("failed")
            yield AnswerFailed(error, answer.text)
        finally:
            # Also if the consumer of these events closes the generator before the end.
            with suppress(StoreError):
                if answer.state == "partial":
                    answer.save("stopped")
            with suppress(StoreError):
                self._set_branch(self._store.load_path(self.conversation, head))

    def _build_request(self, model: ResolvedModel, prompt: Prompt) -> Request:
        room = model.window - len(prompt.ids)
        return Request(
            model=model.name,
            prompt=prompt.ids,
            sampling=replace(self._sampling, max_tokens=min(self._sampling.max_tokens, room)),
            stop=(*prompt.stops.texts, *self._stop_texts),
            stop_ids=prompt.stops.ids,
            shared=prompt.shared_tokens,
            progress=True,
        )

    # Code

    def _prewarm_if_plotting(self, text: str) -> None:
        """Start the kernel ahead of time if `text` looks like plotting."""
        if self.kernel_manager is not None and self.permission != "never":
            self.kernel_manager.select_environment(self.environment)
            self.kernel_manager.prewarm_if_plotting(text)

    @property
    def environment(self) -> str:
        """Environment of the conversation's code: the chosen one, or that of its model."""
        return self._environment or self._resolver.choose_environment(self.mode)

    def select_environment(self, choice: str) -> bool:
        """Run the code in another environment; return whether a kernel was closed for that."""
        closed = self.kernel_manager is not None and self.kernel_manager.select_environment(choice)
        if self.conversation:
            self._store.update_conversation(self.conversation, environment=choice)
        self._environment = choice
        return closed

    @property
    def permission(self) -> Permission:
        """Standing permission to run this conversation's code, at the current sandbox level."""
        return parse_permission(self._stored_permission, self._level)

    @permission.setter
    def permission(self, permission: Permission) -> None:
        stored = stored_permission(permission, self._level)
        # A choice made without a sandbox holds for this process alone.
        if self.conversation and self._level != "unsafe":
            self._store.update_conversation(self.conversation, allowed=stored)
        self._stored_permission = stored

    @property
    def _level(self) -> IsolationLevel | None:
        return self.kernel_manager.level if self.kernel_manager else None

    def run_block(
        self,
        turn: int,
        block: int,
        code: str,
        downloads: Sequence[Download] = (),
        control: RunControl | None = None,
    ) -> AsyncGenerator[Output, None]:
        """Run a code block of a turn, yield its outputs and store the result; see `BlockRuns`."""
        if self.kernel_manager is not None:
            self.kernel_manager.select_environment(self.environment)
        return self._block_runs.run(turn, block, code, downloads, control)

    def load_run_results(self, turn: int) -> Mapping[int, RunResult]:
        """Return the last result of each code block of a turn, by the index of the block."""
        return self._block_runs.load_results(turn)

    async def aclose(self) -> None:
        """End the kernel."""
        if self.kernel_manager is not None:
            await self.kernel_manager.aclose()
