from __future__ import annotations

import base64
from pathlib import Path

import pytest
from textual import events
from textual.screen import Screen
from textual.widgets import Input

from starchat_tui.chat.commands import save_code
from starchat_tui.chat.session import Session
from starchat_tui.errors import UsageError
from starchat_tui.ui.app import StarChatApp
from starchat_tui.ui.messages import LinkClicked
from starchat_tui.ui.screens.dialogs import LinkDialog, TextDialog
from starchat_tui.ui.screens.library import format_age
from starchat_tui.ui.widgets.welcome import EXAMPLES, Example
from tests.scripted import ScriptedEngine
from tests.ui.conftest import Make
from tests.ui.looking import notes, sees, send, settled, shown
from tests.waiting import wait_until

TWO_BLOCKS = "```python\nfirst()\n```\nand\n```make\nall:\n\tsecond\n```"


@pytest.fixture
def copied(app: StarChatApp, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was written to the terminal's clipboard."""
    found: list[str] = []
    monkeypatch.setattr(app, "copy_to_clipboard", found.append)
    return found


async def test_copy_takes_the_last_block_then_older_ones(
    app: StarChatApp, engine: ScriptedEngine, copied: list[str]
) -> None:
    engine.enqueue(TWO_BLOCKS)
    async with app.run_test(notifications=True, size=(100, 30)) as pilot:
        await pilot.press("alt+y")
        await sees(app, "no code block in this conversation")
        await send(pilot, "q")
        await settled(pilot)
        for _ in range(3):
            await pilot.press("alt+y")
            await settled(pilot)
        await send(pilot, "/copy 1")
        await settled(pilot)
        assert copied == ["all:\n\tsecond", "first()", "all:\n\tsecond", "first()"]
        (notice,) = app._notifications
        assert notice.message.startswith("Sent code block 1 (1 line) to the terminal's clipboard")
        await sees(app, "Sent code block 1")
        await send(pilot, "/copy 3")
        await sees(app, "There is no code block 3")
        await sees(app, "they are numbered 1 to 2")


async def test_an_answer_without_code_is_copied_whole(
    app: StarChatApp, engine: ScriptedEngine, copied: list[str]
) -> None:
    engine.enqueue("No code.")
    async with app.run_test() as pilot:
        await send(pilot, "q")
        await settled(pilot)
        await pilot.press("alt+y")
        await settled(pilot)
    assert copied == ["No code."]


async def test_the_terminal_is_asked_with_osc_52(
    app: StarChatApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with app.run_test() as pilot:
        written: list[str] = []
        assert app._driver is not None
        monkeypatch.setattr(app._driver, "write", written.append)
        app._copy("hé", "it")
        await settled(pilot)
        assert f"\x1b]52;c;{base64.b64encode('hé'.encode()).decode()}\a" in written


async def test_save_writes_a_new_file_and_no_old_one(
    app: StarChatApp, engine: ScriptedEngine, tmp_path: Path
) -> None:
    engine.enqueue(TWO_BLOCKS)
    target = tmp_path / "a name.mk"
    async with app.run_test(notifications=True, size=(120, 30)) as pilot:
        await send(pilot, "q")
        await settled(pilot)
        await send(pilot, f"/save 2 {target}")
        await pilot.pause()
        assert target.read_text() == "all:\n\tsecond\n"
        await sees(app, "Wrote")
        await send(pilot, f"/save 1 {target}")
        await sees(app, "exists")
        await send(pilot, "/save 1")
        await sees(app, "give `/save 1 example.py`")
    assert target.read_text() == "all:\n\tsecond\n"


def test_a_file_that_cannot_be_written_is_an_error_with_a_reason(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="No such file"):
        save_code(tmp_path / "no" / "file", "x")


async def test_prompt_shows_exactly_what_is_sent(app: StarChatApp, session: Session) -> None:
    async with app.run_test(size=(100, 40)) as pilot:
        await send(pilot, "/system Be brief")
        await settled(pilot)
        assert notes(app) == ["system text: Be brief"]
        app.chat_view.composer.insert("hi \x1b")
        app.chat_view.composer.text = "hi"
        app.chat_view.composer.insert("\n/prompt")
        app.chat_view.composer.text = "/prompt"
        await pilot.press("enter")
        await settled(pilot)
        assert isinstance(app.screen, TextDialog)
        count = len((await session.build_prompt()).ids)
        await sees(app, f"What is sent to nano-chat: {count} tokens")
        await sees(app, "<|system|>")
        await sees(app, "Be brief<|end|>")
        await pilot.press("escape")
        assert not isinstance(app.screen, TextDialog)


async def test_themes_by_key_by_name_and_by_mistake(app: StarChatApp) -> None:
    async with app.run_test() as pilot:
        assert app.theme == "starchat-dark"
        await pilot.press("ctrl+t")
        assert app.theme == "starchat-light"
        await send(pilot, "/theme nord")
        assert app.theme == "nord"
        await send(pilot, "/theme")
        assert app.theme == "starchat-light"
        await send(pilot, "/theme no-such")
        await sees(app, "There is no theme `no-such`")
        assert app.theme == "starchat-light"


async def test_an_unknown_command_is_not_sent(app: StarChatApp, engine: ScriptedEngine) -> None:
    engine.enqueue("ok")
    async with app.run_test() as pilot:
        await send(pilot, "/retyr")
        await sees(app, "did you mean `/retry`?")
        await send(pilot, "//retyr is what?")
        await settled(pilot)
    assert bytes(
        one for one in engine.requests[0].prompt if isinstance(one, int) and one < 256
    ).count(b"/retyr is what?")


async def test_help_lists_the_keys_and_the_commands(app: StarChatApp) -> None:
    async with app.run_test(size=(110, 70)) as pilot:
        await pilot.press("f1")
        screen = shown(app)
        for word in ("Ctrl+J", "F2", "Alt+Y", "/save n FILE", "/mode [chat|ta]", "//…"):
            assert word in screen
        await pilot.press("f1")
        assert len(app.screen_stack) == 1


async def test_the_palette_offers_what_needs_nothing_more(app: StarChatApp) -> None:
    async with app.run_test(size=(100, 40)) as pilot:
        names = [command.title for command in app.get_system_commands(app.screen)]
        assert "/retry" in names
        assert "/save n FILE" not in names
        await pilot.press("ctrl+p", *"help")
        await wait_until(lambda: "the keys and commands" in shown(app))
        await pilot.press("enter")
        await wait_until(lambda: isinstance(app.screen, TextDialog))


async def test_a_link_is_shown_whole_before_it_is_opened(
    app: StarChatApp, copied: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []
    monkeypatch.setattr(app, "open_url", lambda url, *, new_tab=True: opened.append(url))
    async with app.run_test(size=(100, 30)) as pilot:
        for url, keys in (
            ("https://example.org/\x1b\u202ex", "o"),
            ("vscode://evil", "o"),
            ("javascript:alert(1)", "c"),
            ("https://[your-host]/api", "o"),
            ("https://example.org", "escape"),
        ):
            app.post_message(LinkClicked(url))
            await wait_until(lambda: isinstance(app.screen, LinkDialog))
            await pilot.pause()
            assert url.replace("\x1b\u202e", "␛<U+202E>") in shown(app)
            await pilot.press(keys)
            await pilot.press("escape")
            await wait_until(lambda: len(app.screen_stack) == 1)
            await settled(pilot)
    assert opened == ["https://example.org/\x1b\u202ex"]
    assert copied == ["javascript:alert(1)"]


async def test_an_example_is_taken_with_the_mouse_or_the_keys(app: StarChatApp) -> None:
    async with app.run_test(size=(100, 30)) as pilot:
        await pilot.click(Example)
        assert app.chat_view.composer.text == EXAMPLES[0]
        await pilot.press("ctrl+u", "shift+tab", "enter")
        await pilot.pause()
        assert app.chat_view.composer.text == EXAMPLES[-1]
        assert app.focused is app.chat_view.composer


async def test_an_example_leaves_what_was_typed(app: StarChatApp) -> None:
    async with app.run_test(size=(100, 30)) as pilot:
        await pilot.press(*"mine")
        await pilot.click(Example)
        await pilot.pause()
        assert app.chat_view.composer.text == "mine"
        assert app.focused is app.chat_view.composer
        await pilot.press("ctrl+u")
        for example, text in zip(app.query(Example), EXAMPLES, strict=True):
            await pilot.click(example)
            await pilot.pause()
            assert app.chat_view.composer.text == text


@pytest.mark.parametrize("demo", [True, False])
async def test_a_demo_says_so_and_how_to_get_a_real_model(make: Make, demo: bool) -> None:
    app = make(demo=demo)
    async with app.run_test(size=(100, 30)):
        assert ("demo model" in shown(app)) == demo
        assert ("starchat --model starchat-beta" in shown(app)) == demo
        assert ("Hub id" in shown(app)) == demo


async def test_a_letter_typed_over_a_code_block_belongs_to_the_draft(
    app: StarChatApp, engine: ScriptedEngine
) -> None:
    engine.enqueue("```\nx\n```")
    async with app.run_test() as pilot:
        await send(pilot, "q")
        await settled(pilot)
        await pilot.press("tab")
        assert app.focused is not app.chat_view.composer
        await pilot.press("h", "i")
        assert app.chat_view.composer.text == "hi"


async def test_control_c_copies_what_is_selected(app: StarChatApp, copied: list[str]) -> None:
    async with app.run_test() as pilot:
        await pilot.press(*"draft", "shift+left", "shift+left", "ctrl+c")
        await settled(pilot)
        assert copied == ["ft"]
        assert app.chat_view.composer.text == "draft"


async def test_leaving_the_window_styles_nothing_anew(
    app: StarChatApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Textual would style every widget, seconds in a long conversation."""
    styled: list[Screen[object]] = []
    async with app.run_test() as pilot:
        monkeypatch.setattr(Screen, "update_node_styles", styled.append)
        app.post_message(events.AppBlur())
        await pilot.pause()
        await pilot.press("a")
        app.post_message(events.AppFocus())
        await pilot.pause()
        await pilot.press("b")
        assert styled == []
        assert app.chat_view.composer.text == "ab"


async def test_the_library_searches_what_was_said(
    app: StarChatApp, engine: ScriptedEngine, session: Session
) -> None:
    async with app.run_test(size=(100, 30)) as pilot:
        for question, answer in (("sorting", "use sorted()"), ("files \x1b[2J", "use open()")):
            engine.enqueue(answer)
            session.start_conversation()
            await send(pilot, question)
            await settled(pilot)
        await pilot.press("ctrl+n")
        await settled(pilot)
        await send(pilot, "/resume sorted")
        await pilot.pause()
        assert app.screen.query_one(Input).value == "sorted"
        await sees(app, "sorting")
        assert "files" not in shown(app)
        await pilot.press("ctrl+u", "down", "down", "up")
        await sees(app, "files ␛[2J")
        await pilot.press("enter")
        await settled(pilot)
    assert session.title.startswith(("sorting", "files"))


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(5, "just now"), (60, "1 minute ago"), (7300, "2 hours ago"), (86400 * 3, "3 days ago")],
)
def test_time_is_told_in_its_largest_unit(seconds: float, words: str) -> None:
    assert format_age(seconds) == words
