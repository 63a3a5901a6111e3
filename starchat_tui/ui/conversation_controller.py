"""Changes which conversation is shown, its mode and its system text."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from starchat_tui.chat.commands import parse_sibling_step
from starchat_tui.chat.session import Session
from starchat_tui.dialogue import MODES, Mode
from starchat_tui.errors import UsageError
from starchat_tui.terminal.status_text import format_mode_change, format_model_change
from starchat_tui.ui.status_controller import StatusController
from starchat_tui.ui.widgets.chat_view import ChatView
from starchat_tui.ui.widgets.welcome import Welcome


class ConversationController:
    """Starts and resumes conversations and shows their prompt."""

    def __init__(
        self,
        session: Session,
        view: ChatView,
        status: StatusController,
        *,
        create_welcome: Callable[[], Welcome],
        clock: Callable[[], float],
    ) -> None:
        """Create the controller.

        Args:
            session: The conversation.
            view: The screen it is shown on.
            status: Shows the model, the mode and the size of the prompt.
            create_welcome: Returns the widget of an empty conversation.
            clock: Returns the seconds since the epoch.
        """
        self._session = session
        self._view = view
        self._status = status
        self._create_welcome = create_welcome
        self._clock = clock

    async def show(self) -> None:
        """Show the turns of the session, or the welcome of an empty one."""
        turns = [stored for stored in self._session.turns if stored.turn.text.strip()]
        welcome = None if turns else self._create_welcome()
        await self._view.transcript.show_turns(turns, welcome=welcome)
        if turns and self._session.former_model:
            self._view.add_note(
                format_model_change(self._session.former_model, self._session.model)
            )
        self._view.show_activity("")
        self._status.refresh()

    def start_new(self) -> None:
        """Start an empty conversation; the old one is stored."""
        self._session.start_conversation()
        self._view.run_in_background(self.show, group="show", exclusive=True)

    def open_library(self, query: str) -> None:
        """Open the list of stored conversations, narrowed to the words of `query`."""
        # Imported when it is needed, as all dialogs are: the first frame comes sooner.
        from starchat_tui.ui.screens.library import ConversationLibrary

        library = ConversationLibrary(
            self._session.list_conversations, now=self._clock(), query=query
        )
        self._view.app.push_screen(library, self._resume)

    async def _resume(self, conversation: str | None) -> None:
        if conversation is not None:
            with self._view.show_errors():
                self._session.resume(conversation)
                await self.show()

    def switch_mode(self, name: str) -> None:
        """Continue in the named mode, or in the other one without a name."""
        modes: dict[str, Mode] = {mode: mode for mode in MODES}
        if name and name not in modes:
            raise UsageError(f"There is no mode `{name}`", "choose `chat` or `ta`")
        other = next(mode for mode in MODES if mode != self._session.mode)
        self._session.switch_mode(modes[name] if name else other)
        # The speed of the other model's answer would stand beside this one's name.
        self._view.update_status(replace(self._view.status, used=0, window=0, activity=""))
        self._status.refresh()
        self._view.add_note(format_mode_change(self._session.mode, self._session.model))

    def show_sibling(self, turn: int | None, step: int) -> None:
        """Show another answer to the question of `turn`, by default of the last with several."""
        self._session.show_sibling(turn, step)
        self._view.run_in_background(self.show, group="show", exclusive=True)

    def show_answer(self, argument: str) -> None:
        """Show the numbered answer to the last question with several, by default the next."""
        position, count = self._session.siblings.locate_last(self._session.turns)
        self.show_sibling(None, parse_sibling_step(argument, position, count))

    def set_system(self, text: str) -> None:
        """Set the system text of the conversation."""
        self._session.system = text
        self._view.add_note(f"system text: {text}")
        self._status.refresh()

    def show_prompt(self) -> None:
        """Show exactly what is sent to the model, with the draft as the next question."""
        self._view.run_in_background(self._show_prompt, group="prompt", exclusive=True)

    async def _show_prompt(self) -> None:
        from starchat_tui.ui.screens.prompt_dialog import PromptDialog

        with self._view.show_errors():
            prompt = await self._session.view_prompt(self._view.composer.draft)
            title = f"Prompt for {self._session.model}: {prompt.preview.prompt_tokens:,} tokens"
            self._view.app.push_screen(
                PromptDialog(title, text=prompt.parts, ids=prompt.id_parts, rows=prompt.rows)
            )
