from __future__ import annotations

import asyncio

import pytest

from starchat_tui.chat.session import Session
from starchat_tui.errors import OutOfMemory
from starchat_tui.ui.app import StarChatApp
from starchat_tui.ui.screens.dialogs import TextDialog
from starchat_tui.ui.widgets.transcript import Question
from starchat_tui.ui.widgets.welcome import Welcome
from tests.scripted import ScriptedEngine
from tests.ui.screen_helpers import (
    read_notes,
    read_screen,
    release_pieces,
    send_line,
    wait_for_text,
    wait_until_idle,
)
from tests.waiting import wait_until


async def test_prompt_shows_exactly_the_text_that_is_sent(
    app: StarChatApp, session: Session
) -> None:
    async with app.run_test(size=(100, 40)) as pilot:
        await send_line(pilot, "/system Be brief")
        await wait_until_idle(pilot)
        assert read_notes(app) == ["system text: Be brief"]
        app.chat_view.composer.insert("hi \x1b")
        app.chat_view.composer.text = "hi"
        app.chat_view.composer.insert("\n/prompt")
        app.chat_view.composer.text = "/prompt"
        await pilot.press("enter")
        await wait_until_idle(pilot)
        assert isinstance(app.screen, TextDialog)
        count = len((await session.build_prompt()).ids)
        await wait_for_text(app, f"Prompt for nano-chat: {count} tokens")
        await wait_for_text(app, "<|system|>")
        await wait_for_text(app, "Be brief<|end|>")
        await pilot.press("escape")
        assert not isinstance(app.screen, TextDialog)


async def test_the_mode_is_switched_in_mid_conversation(
    app: StarChatApp, engine: ScriptedEngine, session: Session
) -> None:
    engine.enqueue("one")
    engine.enqueue(" two\nHuman: three")
    async with app.run_test() as pilot:
        await send_line(pilot, "first")
        await wait_until_idle(pilot)
        await pilot.press("f2")
        await wait_until_idle(pilot)
        assert read_notes(app) == [
            "ta mode: nano-base (base model + few-shot prompt). Same conversation."
        ]
        await wait_for_text(app, "nano-base   ta")
        await send_line(pilot, "second")
        await wait_until_idle(pilot)
        await send_line(pilot, "/mode chat")
        await wait_until_idle(pilot)
        await wait_for_text(app, "nano-chat   chat")
    chat, ta = engine.requests
    assert chat.model == "nano-chat"
    assert ta.model == "nano-base"
    assert bytes(token for token in ta.prompt if isinstance(token, int) and token < 256).endswith(
        b"\n\nHuman: first\n\nAssistant: one\n\nHuman: second\n\nAssistant:"
    )


async def test_a_question_right_after_a_new_conversation_is_in_that_one(
    app: StarChatApp, engine: ScriptedEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown_anew, answered = asyncio.Event(), asyncio.Event()
    engine.enqueue("one")
    engine.enqueue(answered, OutOfMemory("No memory", ""))
    async with app.run_test() as pilot:
        await send_line(pilot, "first")
        await wait_until_idle(pilot)
        transcript = app.chat_view.transcript
        remove = transcript.remove_children

        async def late() -> None:
            await shown_anew.wait()
            await remove()

        monkeypatch.setattr(transcript, "remove_children", late)
        app.action_new()
        app.answers.ask("second")
        await pilot.pause()
        shown_anew.set()
        await wait_until(lambda: len(engine.requests) == 2)
        await pilot.pause()
        answered.set()
        await wait_until_idle(pilot)
        await wait_for_text(app, "No memory")
        assert [str(one.render()) for one in transcript.query(Question)] == ["second"]
        assert not app.query(Welcome)


async def test_a_new_conversation_and_back_through_the_library(
    app: StarChatApp, engine: ScriptedEngine, session: Session
) -> None:
    engine.enqueue("an answer about sorting")
    async with app.run_test() as pilot:
        await send_line(pilot, "how to sort")
        await wait_until_idle(pilot)
        await pilot.press("ctrl+n")
        await wait_until_idle(pilot)
        assert "how to sort" not in read_screen(app)
        await wait_for_text(app, "demo model")
        assert session.turns == ()
        await pilot.press("ctrl+o")
        await pilot.pause()
        await wait_for_text(app, "how to sort")
        await pilot.press(*"nowhere")
        await wait_for_text(app, "No conversation found")
        await pilot.press("ctrl+u", *"sorting", "enter")
        await wait_until_idle(pilot)
        await wait_for_text(app, "an answer about sorting")
    assert len(session.turns) == 2


@pytest.mark.parametrize("key", ["ctrl+n", "ctrl+o", "ctrl+r"])
async def test_a_running_answer_blocks_a_new_conversation(
    app: StarChatApp, engine: ScriptedEngine, key: str
) -> None:
    engine.steps = asyncio.Semaphore(0)
    engine.enqueue("a")
    async with app.run_test() as pilot:
        await send_line(pilot, "q")
        await pilot.press(key)
        await pilot.pause()
        await wait_for_text(app, "has to wait for the answer")
        release_pieces(engine, 5)
        await wait_until_idle(pilot)
        assert len(engine.requests) == 1
