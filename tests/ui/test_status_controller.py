from __future__ import annotations

import asyncio
import stat
from pathlib import Path

from starchat_tui.chat.session import Session
from starchat_tui.ui.app import StarChatApp
from tests.scripted import ScriptedEngine
from tests.ui.conftest import CreateApp
from tests.ui.screen_helpers import read_screen, wait_for_text, wait_until_idle
from tests.waiting import wait_until


async def test_the_draft_is_restored_the_next_time(
    create_app: CreateApp, engine: ScriptedEngine, history_file: Path
) -> None:
    app = create_app()
    async with app.run_test() as pilot:
        await pilot.press(*"half a thought", "ctrl+j", "x", "ctrl+j")
        app.exit()
    kept = history_file.with_name("draft.md")
    assert kept.read_text() == "half a thought\nx\n"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    engine.enqueue("ok")
    app = create_app()
    async with app.run_test() as pilot:
        assert app.chat_view.composer.text == "half a thought\nx\n"
        await pilot.press("enter")
        await wait_until_idle(pilot)
        await wait_until(lambda: not kept.exists())


async def test_the_context_counts_the_draft_exactly(app: StarChatApp, session: Session) -> None:
    async with app.run_test(size=(100, 30)) as pilot:
        await wait_until_idle(pilot)
        empty, window = await session.measure_context()
        await wait_for_text(app, f"{empty:,}/{window:,}")
        app.chat_view.composer.insert("x" * 50)
        used = len((await session.build_prompt("x" * 50)).ids)
        assert used > empty + 50
        await wait_until(lambda: f"{used:,}/{window:,}" in read_screen(app))


async def test_the_draft_is_saved_also_while_somebody_types_without_a_pause(
    create_app: CreateApp, history_file: Path
) -> None:
    app, kept = create_app(), history_file.with_name("draft.md")
    async with app.run_test():
        for _ in range(2_000):
            app.chat_view.composer.insert("x")
            await asyncio.sleep(0.01)
            if kept.exists():
                break
        assert kept.read_text().startswith("x")
