from __future__ import annotations

from pathlib import Path

import pytest

from starchat_tui.chat.commands import save_code
from starchat_tui.errors import UsageError
from starchat_tui.ui.app import StarChatApp
from tests.scripted import ScriptedEngine
from tests.ui.screen_helpers import send_line, wait_for_text, wait_until_idle

TWO_BLOCKS = "```python\nfirst()\n```\nand\n```make\nall:\n\tsecond\n```"


@pytest.fixture
def clipboard(app: StarChatApp, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Texts that were written to the terminal's clipboard."""
    found: list[str] = []
    monkeypatch.setattr(app, "copy_to_clipboard", found.append)
    return found


async def test_copy_takes_the_last_block_then_older_ones(
    app: StarChatApp, engine: ScriptedEngine, clipboard: list[str]
) -> None:
    engine.enqueue(TWO_BLOCKS)
    async with app.run_test(notifications=True, size=(100, 30)) as pilot:
        await pilot.press("alt+y")
        await wait_for_text(app, "This conversation has no code block")
        await send_line(pilot, "q")
        await wait_until_idle(pilot)
        for _ in range(3):
            await pilot.press("alt+y")
            await wait_until_idle(pilot)
        await send_line(pilot, "/copy 1")
        await wait_until_idle(pilot)
        assert clipboard == ["all:\n\tsecond", "first()", "all:\n\tsecond", "first()"]
        (notice,) = app._notifications
        assert notice.message.startswith("Sent code block 1 (1 line) to the terminal's clipboard")
        await wait_for_text(app, "Sent code block 1")
        await send_line(pilot, "/copy 3")
        await wait_for_text(app, "No code block 3")
        await wait_for_text(app, "blocks are numbered 1 to 2")


async def test_an_answer_without_code_is_copied_as_a_whole(
    app: StarChatApp, engine: ScriptedEngine, clipboard: list[str]
) -> None:
    engine.enqueue("No code.")
    async with app.run_test() as pilot:
        await send_line(pilot, "q")
        await wait_until_idle(pilot)
        await pilot.press("alt+y")
        await wait_until_idle(pilot)
    assert clipboard == ["No code."]


async def test_save_writes_a_new_file_and_no_old_one(
    app: StarChatApp, engine: ScriptedEngine, tmp_path: Path
) -> None:
    engine.enqueue(TWO_BLOCKS)
    target = tmp_path / "a name.mk"
    async with app.run_test(notifications=True, size=(120, 30)) as pilot:
        await send_line(pilot, "q")
        await wait_until_idle(pilot)
        await send_line(pilot, f"/save 2 {target}")
        await pilot.pause()
        assert target.read_text() == "all:\n\tsecond\n"
        await wait_for_text(app, "Wrote")
        await send_line(pilot, f"/save 1 {target}")
        await wait_for_text(app, "exists")
        await pilot.press("ctrl+u")
        await send_line(pilot, "/save 1")
        await wait_for_text(app, "for example `/save 1 a.py`")
    assert target.read_text() == "all:\n\tsecond\n"


def test_a_file_that_cannot_be_written_is_an_error_with_a_reason(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="No such file"):
        save_code(tmp_path / "no" / "file", "x")
