from __future__ import annotations

from pathlib import Path

import pytest
from textual import events
from textual._xterm_parser import XTermParser
from textual.app import App, ComposeResult

from starchat_tui.sanitize import sanitize_text
from starchat_tui.terminal.input_history import InputHistory
from starchat_tui.ui import app as app_module
from starchat_tui.ui.app_base import BaseApp
from starchat_tui.ui.messages import Submitted
from starchat_tui.ui.widgets.composer import MAX_PASTE_CHARACTERS, MAX_PASTE_LINES, Composer
from tests.ui.screen_helpers import paste_text, read_screen


class Bench(App[None]):
    CSS_PATH = app_module.__file__.replace("app.py", "starchat.tcss")

    def __init__(self, path: Path | None = None) -> None:
        super().__init__()
        self.composer = Composer(InputHistory(path))
        self.sent: list[str] = []

    def compose(self) -> ComposeResult:
        yield self.composer

    def on_submitted(self, message: Submitted) -> None:
        self.sent.append(message.text)


async def test_enter_sends_and_empties() -> None:
    bench = Bench()
    async with bench.run_test() as pilot:
        await pilot.press("enter", *"  ", "enter")
        assert bench.sent == []
        await pilot.press(*"hi", "enter")
        assert bench.sent == ["  hi"]
        assert bench.composer.text == ""


@pytest.mark.parametrize("key", ["ctrl+j", "alt+enter", "shift+enter"])
async def test_a_new_line_has_three_keys(key: str) -> None:
    bench = Bench()
    async with bench.run_test() as pilot:
        await pilot.press("a", key, "b")
        assert bench.composer.text == "a\nb"
        await pilot.press("enter")
        assert bench.sent == ["a\nb"]


@pytest.mark.parametrize(
    "sequence",
    ["\n", "\x1b\r", "\x1b\n", "\x1b[13;2u", "\x1b[13;3u", "\x1b[27;2;13~", "\x1b[27;3;13~"],
    ids=ascii,
)
async def test_every_terminals_key_for_a_new_line_works(sequence: str) -> None:
    BaseApp(theme="dark")
    parser = XTermParser()
    bench = Bench()
    async with bench.run_test() as pilot:
        await pilot.press("a")
        for event in [*parser.feed(sequence), *parser.feed("")]:
            assert isinstance(event, events.Key)
            bench.composer.post_message(event)
        await pilot.pause()
        await pilot.press("b")
        assert bench.composer.text == "a\nb"
        assert bench.sent == []


async def test_it_grows_with_its_lines_and_not_beyond_ten() -> None:
    bench = Bench()
    async with bench.run_test(size=(60, 30)) as pilot:
        heights = []
        for _ in range(14):
            heights.append(bench.composer.region.height)
            await pilot.press("x", "ctrl+j")
            await pilot.pause()
        assert heights == [3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 12, 12, 12, 12]


async def test_up_and_down_recall_prompts_from_the_outer_rows(tmp_path: Path) -> None:
    bench = Bench(tmp_path / "history.jsonl")
    async with bench.run_test() as pilot:
        for line in ("first", "second"):
            await pilot.press(*line, "enter")
        await pilot.press("ctrl+j", "up", "up")
        assert bench.composer.text == "\n", "nothing typed before begins with a new line"
        await pilot.press("ctrl+u", "backspace", "delete", *"se", "up")
        assert bench.composer.text == "second"
        await pilot.press("down")
        assert bench.composer.text == "se"
        await pilot.press("ctrl+u", "up", "up")
        assert bench.composer.text == "first"
        await pilot.press("x", "up")
        assert bench.composer.text == "firstx", "an edited line is a draft of its own"
    again = Bench(tmp_path / "history.jsonl")
    async with again.run_test() as pilot:
        await pilot.press("up")
        assert again.composer.text == "second"


async def test_a_small_paste_is_text_in_one_piece() -> None:
    bench = Bench()
    async with bench.run_test() as pilot:
        await paste_text(pilot, "a\r\nb\rc")
        assert bench.composer.text == "a\nb\nc"
        assert bench.sent == []


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("x\n" * (MAX_PASTE_LINES - 1) + "x", False),
        ("x\n" * MAX_PASTE_LINES + "x", True),
        ("x" * MAX_PASTE_CHARACTERS, False),
        ("x" * (MAX_PASTE_CHARACTERS + 1), True),
        ("a\x1b[31mb", True),
        ("a\u202eb", True),
    ],
)
async def test_a_large_paste_is_folded_and_sent_in_full(text: str, folded: bool) -> None:
    bench = Bench()
    async with bench.run_test() as pilot:
        await pilot.press(*"see ")
        await paste_text(pilot, text)
        assert ("[pasted " in bench.composer.text) == folded
        assert bench.composer.draft == f"see {text}"
        assert sanitize_text(read_screen(bench)) == read_screen(bench)
        await pilot.press("enter")
        assert bench.sent == [f"see {text}"]


async def test_a_folded_paste_is_deleted_as_one() -> None:
    bench = Bench()
    async with bench.run_test() as pilot:
        await pilot.press(*"a ")
        await paste_text(pilot, "x\n" * 9)
        await paste_text(pilot, "y\n" * 9)
        assert bench.composer.text == "a [pasted 10 lines #1][pasted 10 lines #2]"
        await pilot.press("backspace")
        assert bench.composer.text == "a [pasted 10 lines #1]"
        await pilot.press("left", "backspace")
        assert bench.composer.text == "a [pasted 10 lines #]", "from inside it is text"


async def test_a_recalled_prompt_with_control_sequences_is_folded() -> None:
    bench = Bench()
    async with bench.run_test() as pilot:
        await paste_text(pilot, "a\x1b]0;x\x07")
        await pilot.press("enter", "up")
        assert bench.composer.text == "[pasted 7 characters #1]"
        await pilot.press("enter")
        assert bench.sent == ["a\x1b]0;x\x07"] * 2


async def test_readline_keys_are_not_shadowed() -> None:
    bench = Bench()
    async with bench.run_test() as pilot:
        await pilot.press(*"one two", "ctrl+a", "x", "ctrl+e", "y")
        assert bench.composer.text == "xone twoy"
        await pilot.press("ctrl+w")
        assert bench.composer.text == "xone "
        await pilot.press("ctrl+a", "ctrl+k")
        assert bench.composer.text == ""
        await pilot.press("ctrl+z")
        assert bench.composer.text == "xone "


async def test_a_letter_with_alt_is_not_typed() -> None:
    bench = Bench()
    async with bench.run_test() as pilot:
        await pilot.press("a")
        bench.composer.post_message(events.Key("alt+y", "y"))
        await pilot.press("b")
        assert bench.composer.text == "ab"


async def test_a_command_is_completed() -> None:
    bench = Bench()
    async with bench.run_test() as pilot:
        await pilot.press(*"/ret")
        assert bench.composer.suggestion == "ry"
        await pilot.press("tab")
        assert bench.composer.text == "/retry"
        await pilot.press("ctrl+u", *"/xyz")
        assert bench.composer.suggestion == ""
