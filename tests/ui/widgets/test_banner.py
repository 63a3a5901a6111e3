from __future__ import annotations

from textual.app import App, ComposeResult

from starchat_tui.errors import StarChatError
from starchat_tui.ui.messages import BannerDismissed
from starchat_tui.ui.widgets.banner import Banner, QuestionQueue
from tests.ui.screen_helpers import read_screen


class Bench(App[None]):
    CSS = "Banner, QuestionQueue { height: auto; }"

    def __init__(self) -> None:
        super().__init__()
        self.banner = Banner()
        self.queue = QuestionQueue()
        self.dismissals = 0

    def compose(self) -> ComposeResult:
        yield self.banner
        yield self.queue

    def on_banner_dismissed(self, message: BannerDismissed) -> None:
        self.dismissals += 1


async def test_an_error_is_shown_with_its_hint_until_it_is_hidden() -> None:
    bench = Bench()
    async with bench.run_test(size=(60, 10)) as pilot:
        assert read_screen(bench).strip() == ""
        bench.banner.show_error(StarChatError("It failed", "try again"))
        await pilot.pause()
        assert [line.rstrip() for line in read_screen(bench).split("\n")[:2]] == [
            "It failed",
            "try again   Ctrl+L close",
        ]
        bench.banner.show_error(StarChatError("Another one"))
        await pilot.pause()
        assert "It failed" not in read_screen(bench)
        assert "Another one   Ctrl+L close" in read_screen(bench)
        bench.banner.hide()
        await pilot.pause()
        assert read_screen(bench).strip() == ""


async def test_a_click_asks_to_dismiss_the_error() -> None:
    bench = Bench()
    async with bench.run_test(size=(60, 10)) as pilot:
        bench.banner.show_error(StarChatError("It failed"))
        await pilot.pause()
        await pilot.click(Banner)
        assert bench.dismissals == 1


async def test_queued_questions_leave_in_order() -> None:
    bench = Bench()
    async with bench.run_test(size=(60, 10)) as pilot:
        for text in ("first\nwith a second line", "second", "third"):
            bench.queue.add(text)
        await pilot.pause()
        rows = [line.strip() for line in read_screen(bench).split("\n")[:3]]
        assert rows == ["next: first", "next: second", "next: third"]
        assert bench.queue.take_first() == "first\nwith a second line"
        assert bench.queue.take_all() == ["second", "third"]
        assert bench.queue.take_first() == ""
        await pilot.pause()
        assert read_screen(bench).strip() == ""
