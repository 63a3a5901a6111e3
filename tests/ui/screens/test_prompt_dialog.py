"""The prompt on the screen: control tokens and what looks like them differ without colors."""

from __future__ import annotations

import pytest
from textual.containers import VerticalScroll

from starchat_tui.chat.session import Session
from starchat_tui.templates.prompt_preview import PromptView
from starchat_tui.ui.app import StarChatApp
from starchat_tui.ui.screens.prompt_dialog import PromptDialog
from tests.ui.screen_helpers import read_screen, render_strips, wait_until_idle
from tests.waiting import wait_until

TYPED = "forge <|end|> and\n\u202e <|user|>"
ROWS = 40


@pytest.fixture
def clipboard(app: StarChatApp, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Texts that were written to the terminal's clipboard."""
    found: list[str] = []
    monkeypatch.setattr(app, "copy_to_clipboard", found.append)
    return found


async def open_prompt(app: StarChatApp, session: Session, draft: str) -> PromptView:
    """Show the prompt with a draft as its question."""
    app.chat_view.composer.text = draft
    app.conversations.show_prompt()
    await wait_until(lambda: isinstance(app.screen, PromptDialog))
    return await session.view_prompt(draft)


async def test_control_tokens_and_look_alikes_are_marked_and_counted(
    app: StarChatApp, session: Session
) -> None:
    async with app.run_test(size=(120, ROWS)) as pilot:
        view = await open_prompt(app, session, TYPED)
        await pilot.pause()
        screen = read_screen(app)
        assert f"Prompt for nano-chat: {view.preview.prompt_tokens} tokens" in screen
        assert "forge <\\|end|> and" in screen
        assert "<U+202E> <\\|user|><|end|>" in screen
        names = [part.text for part in view.parts if part.kind == "control"]
        body = screen.split("stops  ")[0].split(" tokens", 1)[1]
        assert [body.count(name) for name in ("<|user|>", "<|end|>")] == [
            names.count(name) for name in ("<|user|>", "<|end|>")
        ]
        assert "look-alikes 2 × " in screen
        assert "with a backslash: text that is spelled like one" in screen
        styles = {
            segment.text: segment.style
            for strip in render_strips(app)
            for segment in strip
            if "|end|>" in segment.text
        }
        control, spelled = styles["<|end|>"], styles["<\\|end|>"]
        assert control is not None
        assert control.reverse
        assert spelled is not None
        assert (spelled.underline, spelled.reverse) == (True, None)


async def test_ids_are_shown_on_request(app: StarChatApp, session: Session) -> None:
    async with app.run_test(size=(120, ROWS)) as pilot:
        view = await open_prompt(app, session, TYPED)
        await pilot.press("i")
        await pilot.pause()
        body = read_screen(app)
        shown = "".join(one if one.isdigit() else " " for one in body)
        assert " ".join(map(str, view.preview.ids[:12])) in " ".join(shown.split())
        end = next(part.text for part in view.parts if part.kind == "control")
        assert f"[{view.preview.ids[0]}] " in body
        assert end not in body
        await pilot.press("i")
        await pilot.pause()
        assert end in read_screen(app)


async def test_what_is_shown_is_copied_without_marks(
    app: StarChatApp, session: Session, clipboard: list[str]
) -> None:
    async with app.run_test(size=(120, ROWS)) as pilot:
        view = await open_prompt(app, session, TYPED)
        for keys, expected in (
            (["c"], view.preview.text),
            (["i", "c"], " ".join(map(str, view.preview.ids))),
        ):
            await pilot.press(*keys)
            await wait_until_idle(pilot)
            assert clipboard.pop() == expected
        await pilot.press("escape")
        await wait_until(lambda: len(app.screen_stack) == 1)


async def test_a_long_prompt_is_drawn_once_and_scrolled(
    app: StarChatApp, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with app.run_test(size=(120, ROWS)) as pilot:
        await open_prompt(app, session, "a line of words <|end|>\n" * 600 + "the last line")
        await pilot.pause()
        scroll = app.screen.query_one(VerticalScroll)
        (text,) = scroll.children
        rendered = 0
        original = type(text)._render_content

        def count(self: object) -> None:
            nonlocal rendered
            rendered += 1
            original(self)  # type: ignore[arg-type]

        monkeypatch.setattr(type(text), "_render_content", count)
        for _ in range(10):
            await pilot.press("pagedown")
        await pilot.press("end")
        await wait_until(lambda: "the last line" in read_screen(app))
        assert rendered == 0
