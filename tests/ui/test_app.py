"""The app itself: its table of command handlers, and a command that it does not know."""

from __future__ import annotations

import asyncio
import base64

import pytest
from textual import events
from textual.widgets import Input

from starchat_tui.chat import commands
from starchat_tui.chat.commands import COMMANDS, SlashCommand
from starchat_tui.chat.session import Session
from starchat_tui.ui.app import StarChatApp
from starchat_tui.ui.screens.dialogs import TextDialog
from tests.scripted import ScriptedEngine
from tests.ui.conftest import CreateApp
from tests.ui.screen_helpers import (
    read_notes,
    read_screen,
    release_pieces,
    send_line,
    wait_for_text,
    wait_until_idle,
)
from tests.waiting import wait_until


async def test_a_command_without_a_handler_is_an_error_and_not_the_end(
    app: StarChatApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commands, "COMMANDS", (*COMMANDS, SlashCommand("title", "set a title")))
    async with app.run_test(size=(100, 30)) as pilot:
        await send_line(pilot, "/title")
        await wait_for_text(app, "`/title` does not work on this screen")
        await pilot.press("h", "i")
        assert app.chat_view.composer.text == "/titlehi"


@pytest.fixture
def clipboard(app: StarChatApp, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Texts that were written to the terminal's clipboard."""
    found: list[str] = []
    monkeypatch.setattr(app, "copy_to_clipboard", found.append)
    return found


async def test_the_terminal_is_asked_with_osc_52(
    app: StarChatApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with app.run_test() as pilot:
        written: list[str] = []
        assert app._driver is not None
        monkeypatch.setattr(app._driver, "write", written.append)
        app._copy("hé", "it")
        await wait_until_idle(pilot)
        assert f"\x1b]52;c;{base64.b64encode('hé'.encode()).decode()}\a" in written


async def test_an_unknown_command_is_not_sent(app: StarChatApp, engine: ScriptedEngine) -> None:
    engine.enqueue("ok")
    async with app.run_test() as pilot:
        await send_line(pilot, "/retyr")
        await wait_for_text(app, "did you mean `/retry`?")
        await send_line(pilot, "//retyr is what?")
        await wait_until_idle(pilot)
    assert bytes(
        one for one in engine.requests[0].prompt if isinstance(one, int) and one < 256
    ).count(b"/retyr is what?")


async def test_palette_offers_commands_without_required_argument(app: StarChatApp) -> None:
    async with app.run_test(size=(100, 40)) as pilot:
        names = [command.title for command in app.get_system_commands(app.screen)]
        assert "/retry" in names
        assert "/save n FILE" not in names
        await pilot.press("ctrl+p", *"help")
        await wait_until(lambda: "show keys and commands" in read_screen(app))
        await pilot.press("enter")
        await wait_until(lambda: isinstance(app.screen, TextDialog))


async def test_a_letter_typed_over_a_code_block_belongs_to_the_draft(
    app: StarChatApp, engine: ScriptedEngine
) -> None:
    engine.enqueue("```\nx\n```")
    async with app.run_test() as pilot:
        await send_line(pilot, "q")
        await wait_until_idle(pilot)
        await pilot.press("tab")
        assert app.focused is not app.chat_view.composer
        await pilot.press("h", "i")
        assert app.chat_view.composer.text == "hi"


async def test_control_c_copies_the_selection(app: StarChatApp, clipboard: list[str]) -> None:
    async with app.run_test() as pilot:
        await pilot.press(*"draft", "shift+left", "shift+left", "ctrl+c")
        await wait_until(lambda: clipboard, what="the copy")
        assert clipboard == ["ft"]
        assert app.chat_view.composer.text == "draft"


def read_texts(session: Session) -> list[tuple[str, str, str]]:
    return [(one.turn.role, one.turn.text, one.state) for one in session.turns]


async def test_control_c_stops_then_clears_then_quits(
    create_app: CreateApp, engine: ScriptedEngine
) -> None:
    now = [1000.0]
    app = create_app(clock=lambda: now[0])
    engine.steps = asyncio.Semaphore(0)
    engine.enqueue("a", "b")
    async with app.run_test() as pilot:
        await send_line(pilot, "q")
        app.chat_view.composer.insert("a draft")
        await pilot.press("ctrl+c")
        await wait_until_idle(pilot)
        assert read_notes(app) == ["stopped"]
        assert app.chat_view.composer.text == "a draft"
        await pilot.press("ctrl+c")
        assert app.chat_view.composer.text == ""
        await pilot.press("up")
        assert app.chat_view.composer.text == "a draft"
        await pilot.press("ctrl+c", "ctrl+c")
        assert app.is_running
        now[0] += 10
        await pilot.press("ctrl+c")
        assert app.is_running, "too late to count as the second press"
        now[0] += 1
        await pilot.press("ctrl+c")
        await pilot.pause()
    assert app.return_code == 0
    assert not app.is_running


async def test_control_d_quits_only_with_an_empty_draft(app: StarChatApp) -> None:
    async with app.run_test() as pilot:
        await pilot.press("a", "b", "home", "ctrl+d")
        assert app.chat_view.composer.text == "b"
        await pilot.press("delete", "ctrl+d")
        await wait_until(lambda: not app.is_running)


async def test_quitting_during_an_answer_stores_its_beginning(
    app: StarChatApp, engine: ScriptedEngine, session: Session
) -> None:
    engine.steps = asyncio.Semaphore(0)
    engine.enqueue("as far as", " this")
    async with app.run_test() as pilot:
        await send_line(pilot, "q")
        release_pieces(engine)
        await wait_for_text(app, "as far as")
        await send_line(pilot, "/quit")
        await wait_until(lambda: not app.is_running)
    assert read_texts(session)[-1] == ("assistant", "as far as", "stopped")


async def test_the_first_question_is_asked_at_once(
    create_app: CreateApp, engine: ScriptedEngine
) -> None:
    engine.enqueue("yes")
    app = create_app(first_question="are you there?")
    async with app.run_test() as pilot:
        await wait_until_idle(pilot)
        await wait_for_text(app, "are you there?")
        await wait_for_text(app, "yes")
    assert len(engine.requests) == 1


@pytest.mark.parametrize("line", ["/edit 2", "/copy x", "/save", "/theme nonsense", "/attach x"])
async def test_a_command_that_cannot_be_run_stays_to_be_corrected(
    app: StarChatApp, line: str
) -> None:
    async with app.run_test() as pilot:
        await send_line(pilot, line)
        await wait_until(lambda: app.chat_view.banner.display)
        assert app.chat_view.composer.text == line


async def test_keys_and_pastes_go_to_the_draft_in_order_wherever_the_focus_is(
    app: StarChatApp,
) -> None:
    async with app.run_test() as pilot:
        await pilot.press("tab")
        assert app.focused is not app.chat_view.composer
        # All are there before the app has seen the first.
        for letter in "ab":
            app.post_message(events.Key(letter, letter))
        app.post_message(events.Paste("cd\nef"))
        app.post_message(events.Key("g", "g"))
        await wait_until(lambda: app.chat_view.composer.text == "abcd\nefg")
        assert app.focused is app.chat_view.composer


async def test_a_paste_into_a_dialog_stays_there(app: StarChatApp) -> None:
    async with app.run_test() as pilot:
        await pilot.press("ctrl+o")
        app.post_message(events.Paste("words"))
        await wait_until(lambda: app.screen.query_one(Input).value == "words")
        assert app.chat_view.composer.text == ""
