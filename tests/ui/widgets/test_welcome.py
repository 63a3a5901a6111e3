from __future__ import annotations

import pytest

from starchat_tui.ui.app import StarChatApp
from starchat_tui.ui.widgets.welcome import EXAMPLES, Example
from tests.ui.conftest import CreateApp
from tests.ui.screen_helpers import read_screen


async def test_an_example_is_chosen_with_mouse_or_keys(app: StarChatApp) -> None:
    async with app.run_test(size=(100, 30)) as pilot:
        await pilot.click(Example)
        assert app.chat_view.composer.text == EXAMPLES[0]
        await pilot.press("ctrl+u", "shift+tab", "enter")
        await pilot.pause()
        assert app.chat_view.composer.text == EXAMPLES[-1]
        assert app.focused is app.chat_view.composer


async def test_an_example_keeps_a_typed_draft(app: StarChatApp) -> None:
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
async def test_a_demo_model_is_labeled_and_names_the_alternatives(
    create_app: CreateApp, demo: bool
) -> None:
    app = create_app(demo=demo)
    async with app.run_test(size=(100, 30)):
        assert ("demo model" in read_screen(app)) == demo
        assert ("starchat --model starchat-beta" in read_screen(app)) == demo
        assert ("Hub id" in read_screen(app)) == demo
