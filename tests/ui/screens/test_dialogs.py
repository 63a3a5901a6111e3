from __future__ import annotations

import pytest

from starchat_tui.ui.app import StarChatApp
from starchat_tui.ui.messages import LinkClicked
from starchat_tui.ui.screens.dialogs import LinkDialog
from tests.ui.screen_helpers import read_screen, wait_until_idle
from tests.waiting import wait_until


@pytest.fixture
def clipboard(app: StarChatApp, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Texts that were written to the terminal's clipboard."""
    found: list[str] = []
    monkeypatch.setattr(app, "copy_to_clipboard", found.append)
    return found


async def test_a_link_is_shown_whole_before_it_is_opened(
    app: StarChatApp, clipboard: list[str], monkeypatch: pytest.MonkeyPatch
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
            assert url.replace("\x1b\u202e", "␛<U+202E>") in read_screen(app)
            await pilot.press(keys)
            await pilot.press("escape")
            await wait_until(lambda: len(app.screen_stack) == 1)
            await wait_until_idle(pilot)
    assert opened == ["https://example.org/\x1b\u202ex"]
    assert clipboard == ["javascript:alert(1)"]
