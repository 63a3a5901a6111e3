"""Steps of the tests that run code: ask for it, and wait for the consent dialog."""

from __future__ import annotations

from textual.pilot import Pilot

from starchat_tui.ui.app import StarChatApp
from starchat_tui.ui.screens.consent_dialog import ConsentDialog
from tests.scripted import ScriptedEngine
from tests.ui.screen_helpers import send_line, wait_until_idle
from tests.waiting import wait_until

ANSWER = "Here:\n\n```python\nprint('hi')\n```\n\nand\n\n```python\nplot()\n```\n"
SIZE = (100, 44)


async def ask_for_code(pilot: Pilot[None], engine: ScriptedEngine, answer: str = ANSWER) -> None:
    engine.enqueue(answer)
    await send_line(pilot, "go")
    await wait_until_idle(pilot)


async def wait_for_dialog(app: StarChatApp) -> ConsentDialog:
    await wait_until(lambda: isinstance(app.screen, ConsentDialog) and app.screen._knows_sandbox)
    assert isinstance(app.screen, ConsentDialog)
    return app.screen
