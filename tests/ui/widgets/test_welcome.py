from __future__ import annotations

import pytest

from starchat_tui.ui.app import StarChatApp
from starchat_tui.ui.widgets.welcome import EXAMPLES, Example
from tests.ui.conftest import CreateApp
from tests.ui.screen_helpers import read_screen


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
async def test_a_demo_says_so_and_how_to_get_a_real_model(
    create_app: CreateApp, demo: bool
) -> None:
    app = create_app(demo=demo)
    async with app.run_test(size=(100, 30)):
        assert ("demo model" in read_screen(app)) == demo
        assert ("starchat --model starchat-beta" in read_screen(app)) == demo
        assert ("Hub id" in read_screen(app)) == demo
