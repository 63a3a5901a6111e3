"""Code that is run from the screen: consent, output, plots, errors, files."""

from __future__ import annotations

import asyncio
import stat
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from textual.pilot import Pilot

from starchat_tui.chat.session import Session
from starchat_tui.chat.store import ConversationStore
from starchat_tui.sandbox.host.downloads import Download
from starchat_tui.sandbox.isolation.probe import Capability
from starchat_tui.sandbox.outputs import Failure, Note, Result, RunEnded, StreamText, WrittenFile
from starchat_tui.ui.app import StarChatApp
from starchat_tui.ui.screens.consent_dialog import ConsentDialog
from starchat_tui.ui.widgets.code_cell import CodeCell
from starchat_tui.ui.screens.figure_screen import FigureScreen
from starchat_tui.ui.widgets.figure import FigureView, HalfBlocks
from starchat_tui.ui.widgets.output import FixButton, OutputLines
from tests.scripted import DRAWN, ScriptedEngine, ScriptedKernelFactory
from tests.ui.conftest import Make
from tests.ui.looking import notes, sees, send, settled, shown
from tests.waiting import wait_until

ANSWER = "Here:\n\n```python\nprint('hi')\n```\n\nand\n\n```python\nplot()\n```\n"
SIZE = (100, 44)
FAILURE = Failure("NameError", "name 'sn' is not defined", "Cell 1, line 1\nNameError: name 'sn'")


async def asked(pilot: Pilot[None], engine: ScriptedEngine, answer: str = ANSWER) -> None:
    engine.enqueue(answer)
    await send(pilot, "go")
    await settled(pilot)


def code_of(app: StarChatApp) -> list[str]:
    return [cell.block.code for cell in app.chat_view.transcript.query(CodeCell)]


def told(app: StarChatApp) -> str:
    """The notice on the screen."""
    return "".join(one.message for one in app._notifications)


async def dialog(app: StarChatApp) -> ConsentDialog:
    await wait_until(lambda: isinstance(app.screen, ConsentDialog) and app.screen._knows_sandbox)
    assert isinstance(app.screen, ConsentDialog)
    return app.screen


async def test_the_first_run_asks_and_shows_the_code(
    app: StarChatApp, engine: ScriptedEngine, workshop: ScriptedKernelFactory
) -> None:
    async with app.run_test(size=SIZE) as pilot:
        await asked(pilot, engine)
        await pilot.press("alt+r")
        await dialog(app)
        await sees(app, "Run this code?")
        assert "plot()" in shown(app)
        assert "bubblewrap" in shown(app)
        assert not workshop.kernels or not workshop.kernel.codes, "nothing ran before the yes"
        workshop.enqueue("42\n", DRAWN)
        await pilot.press("enter")
        await settled(pilot)
        await sees(app, "42")
        await sees(app, "ran · 0.4 s · isolated")
        await sees(app, "axes 1: 'Bars'")
        assert workshop.kernel.codes == ["plot()"]
        assert app.query_one(HalfBlocks).size.height >= 1
        await pilot.press("alt+r")
        await dialog(app)
        await pilot.press("escape")
        await settled(pilot)
        assert workshop.kernel.codes == ["plot()"]


async def test_always_is_kept_and_never_too(
    app: StarChatApp, engine: ScriptedEngine, workshop: ScriptedKernelFactory
) -> None:
    async with app.run_test(size=SIZE) as pilot:
        await asked(pilot, engine)
        workshop.enqueue("one")
        workshop.enqueue("two")
        await send(pilot, "/run 1")
        await dialog(app)
        await pilot.press("a")
        await settled(pilot)
        await send(pilot, "/run 2")
        await settled(pilot)
        assert workshop.kernel.codes == ["print('hi')", "plot()"]
        app._session.permission = "ask"
        await pilot.press("alt+r")
        await dialog(app)
        await pilot.press("n")
        await settled(pilot)
        await pilot.press("alt+r")
        await settled(pilot)
        await sees(app, "as you chose")
        assert len(workshop.kernel.codes) == 2
        await send(pilot, "/run 2")
        await dialog(app)
        await pilot.press("escape")


async def test_unseen_characters_are_shown_before_each_run(
    app: StarChatApp, engine: ScriptedEngine, workshop: ScriptedKernelFactory
) -> None:
    answer = "```python\nok = 'a\u202eb'\n```"
    async with app.run_test(size=SIZE) as pilot:
        await asked(pilot, engine, answer)
        assert app._session.kernel_manager is not None
        await app._session.kernel_manager.probe_sandbox()
        app._session.permission = "always"
        for _ in range(2):
            workshop.enqueue("ran")
            await pilot.press("alt+r")
            await dialog(app)
            await sees(app, "characters one cannot see")
            assert "<U+202E>" in shown(app)
            await pilot.press("enter")
            await settled(pilot)
        assert workshop.kernel.codes == ["ok = 'a\u202eb'"] * 2


async def test_the_end_of_a_long_line_is_shown_before_the_yes(
    app: StarChatApp, engine: ScriptedEngine, workshop: ScriptedKernelFactory
) -> None:
    async with app.run_test(size=SIZE) as pilot:
        await asked(pilot, engine, f"```python\nx = 1{' ' * 300}; steal()\n```")
        await pilot.press("alt+r")
        await dialog(app)
        await sees(app, "steal()")
        assert isinstance(app.screen, ConsentDialog)
        await pilot.press("escape")
        await wait_until(lambda: not isinstance(app.screen, ConsentDialog))
        assert not workshop.kernels


async def test_addresses_are_fetched_only_with_consent(
    app: StarChatApp, engine: ScriptedEngine, workshop: ScriptedKernelFactory
) -> None:
    url = "https://data.example/a.csv"
    workshop.urls = (url,)
    async with app.run_test(size=SIZE) as pilot:
        await asked(pilot, engine, f"```python\nread('{url}')\n```")
        for pressed, expected in ((["enter"], 0), (["d", "enter"], 1)):
            workshop.enqueue("ran")
            await pilot.press("alt+r")
            await dialog(app)
            await sees(app, "download from data.example for this run")
            await pilot.press(*pressed)
            await settled(pilot)
            downloads = workshop.kernel.downloads[-1]
            assert [one.url for one in downloads] == [url] * expected


async def test_output_streams_while_the_user_types(
    app: StarChatApp, engine: ScriptedEngine, workshop: ScriptedKernelFactory
) -> None:
    gate = asyncio.Event()
    async with app.run_test(size=SIZE) as pilot:
        await asked(pilot, engine)
        workshop.enqueue("first line\n", gate, "second line\n")
        await pilot.press("alt+r")
        await dialog(app)
        await pilot.press("enter")
        await sees(app, "first line")
        await sees(app, "running · Esc interrupts")
        await pilot.press(*"typing")
        assert app.chat_view.composer.text == "typing"
        assert "second line" not in shown(app)
        gate.set()
        await settled(pilot)
        await sees(app, "second line")


@pytest.mark.parametrize("key", ["escape", "ctrl+c"])
async def test_a_key_interrupts_and_keeps_what_came(
    app: StarChatApp, engine: ScriptedEngine, workshop: ScriptedKernelFactory, key: str
) -> None:
    async with app.run_test(size=SIZE) as pilot:
        await asked(pilot, engine)
        workshop.enqueue("begun\n", asyncio.Event())
        await pilot.press("alt+r")
        await dialog(app)
        await pilot.press("enter")
        await sees(app, "begun")
        await send(pilot, "/new")
        await sees(app, "has to wait for the code")
        await pilot.press(key)
        await settled(pilot)
        await sees(app, "Variables are kept")
        assert "begun" in shown(app)


@pytest.mark.parametrize("key", ["escape", "ctrl+c"])
async def test_a_download_is_called_off_and_nothing_is_run(
    app: StarChatApp, engine: ScriptedEngine, workshop: ScriptedKernelFactory, key: str
) -> None:
    async def endless(url: str) -> Download:
        await asyncio.Event().wait()
        raise AssertionError(url)

    url = "https://data.example/a.csv"
    workshop.urls = (url,)
    running = app._session.kernel_manager
    assert running is not None
    running._factory = replace(running._factory, download=endless)
    async with app.run_test(size=SIZE) as pilot:
        await asked(pilot, engine, f"```python\nread('{url}')\n```")
        await pilot.press("alt+r")
        await dialog(app)
        await pilot.press("d", "enter")
        await wait_until(lambda: running._fetching, what="the download")
        await pilot.press(key)
        await settled(pilot)
        await sees(app, "Interrupted before it began")
        assert not any(kernel.codes for kernel in workshop.kernels)


async def test_the_answer_is_stopped_before_the_code(
    app: StarChatApp, engine: ScriptedEngine, workshop: ScriptedKernelFactory
) -> None:
    async with app.run_test(size=SIZE) as pilot:
        await asked(pilot, engine)
        workshop.enqueue("begun\n", asyncio.Event())
        await pilot.press("alt+r")
        await dialog(app)
        await pilot.press("enter")
        await sees(app, "begun")
        engine.enqueue("an answer", asyncio.Event())
        await send(pilot, "next")
        await sees(app, "an answer")
        await pilot.press("escape")
        await wait_until(lambda: not app.answers.is_busy)
        assert app.runs.is_running
        await pilot.press("escape")
        await settled(pilot)


async def test_code_of_an_answer_that_is_being_written_waits(
    app: StarChatApp, engine: ScriptedEngine, workshop: ScriptedKernelFactory
) -> None:
    async with app.run_test(size=SIZE) as pilot:
        engine.enqueue(ANSWER, asyncio.Event())
        await send(pilot, "go")
        await sees(app, "plot()")
        await pilot.press("alt+r")
        await sees(app, "still being written")
        await pilot.press("escape")
        await settled(pilot)
        assert not any(kernel.codes for kernel in workshop.kernels)


async def test_a_failed_run_goes_back_to_the_model(
    app: StarChatApp, engine: ScriptedEngine, workshop: ScriptedKernelFactory
) -> None:
    async with app.run_test(size=SIZE) as pilot:
        await asked(pilot, engine)
        await send(pilot, "/fix")
        await sees(app, "no failed run")
        workshop.enqueue(FAILURE)
        await pilot.press("alt+r")
        await dialog(app)
        await pilot.press("enter")
        await settled(pilot)
        await sees(app, "fix it")
        engine.enqueue("Use sns.")
        app.query_one(FixButton).focus()
        await pilot.press("enter")
        await settled(pilot)
        assert app._session.turns[-2].turn.text.startswith("This code fails:")
        assert "NameError: name 'sn' is not defined" in app._session.turns[-2].turn.text
        await sees(app, "Use sns.")


async def test_a_failed_run_is_found_above_one_that_ran(
    app: StarChatApp, engine: ScriptedEngine, workshop: ScriptedKernelFactory
) -> None:
    async with app.run_test(size=SIZE) as pilot:
        await asked(pilot, engine)
        for block, output in (("2", "ran"), ("1", FAILURE)):
            workshop.enqueue(output)
            await send(pilot, f"/run {block}")
            await dialog(app)
            await pilot.press("enter")
            await settled(pilot)
        await send(pilot, "/fix 2")
        await sees(app, "no failed run")
        engine.enqueue("Use sns.")
        await send(pilot, "/fix")
        await settled(pilot)
        assert app._session.turns[-2].turn.text.startswith("This code fails:")


@pytest.mark.parametrize("where", ["key", "click"])
async def test_a_block_is_run_by_its_own_key_and_mark(
    app: StarChatApp, engine: ScriptedEngine, workshop: ScriptedKernelFactory, where: str
) -> None:
    async with app.run_test(size=SIZE) as pilot:
        await asked(pilot, engine)
        workshop.enqueue("ran")
        cell = app.chat_view.transcript.query(CodeCell).first()
        if where == "key":
            cell.query("CodeLines").first().focus()
            await pilot.press("r")
        else:
            await pilot.click(cell.query(".cell--run").first())
        await dialog(app)
        await pilot.press("o")
        await settled(pilot)
        assert workshop.kernel.codes == ["print('hi')"]


async def test_a_key_that_a_block_takes_is_not_typed(
    app: StarChatApp, engine: ScriptedEngine
) -> None:
    async with app.run_test(size=SIZE) as pilot:
        await asked(pilot, engine)
        app.query("CodeLines").first().focus()
        await pilot.press("c")
        await wait_until(lambda: "code block" in told(app))
        assert app.chat_view.composer.text == ""
        await pilot.press("w")
        assert app.chat_view.composer.text == "w"


async def test_a_block_of_another_language_has_no_run_mark(
    app: StarChatApp, engine: ScriptedEngine, workshop: ScriptedKernelFactory
) -> None:
    async with app.run_test(size=SIZE) as pilot:
        await asked(pilot, engine, "```rust\nfn main() {}\n```")
        assert not app.query(".cell--run")
        await pilot.press("alt+r")
        await sees(app, "A block of rust cannot be run")
        assert not workshop.kernels


async def test_without_a_wall_the_message_says_what_helps(
    app: StarChatApp, engine: ScriptedEngine, workshop: ScriptedKernelFactory, tmp_path: Path
) -> None:
    workshop.capability = Capability(
        "off", "bubblewrap is missing", ("sudo apt install bubblewrap",)
    )
    async with app.run_test(size=SIZE) as pilot:
        await asked(pilot, engine)
        await pilot.press("alt+r")
        await settled(pilot)
        await sees(app, "Running code is off: bubblewrap is missing")
        assert "sudo apt install bubblewrap" in shown(app)
        assert not workshop.kernels
        await send(pilot, f"/save 2 {tmp_path / 'kept.py'}")
        assert (tmp_path / "kept.py").read_text() == "plot()\n"


async def test_a_plot_is_enlarged_saved_and_its_path_told(
    app: StarChatApp, engine: ScriptedEngine, workshop: ScriptedKernelFactory, typed: Path
) -> None:
    async with app.run_test(size=(110, 44)) as pilot:
        await asked(pilot, engine)
        workshop.enqueue(DRAWN)
        await pilot.press("alt+r")
        await dialog(app)
        await pilot.press("enter")
        await settled(pilot)
        view = app.query_one(FigureView)
        view.focus()
        await pilot.press("enter")
        assert isinstance(app.screen, FigureScreen)
        await pilot.press("escape")
        await pilot.pause()
        await pilot.press("s")
        folder = typed.with_name("plots") / app._session.conversation
        await wait_until(lambda: folder.exists() and list(folder.iterdir()))
        (saved,) = folder.iterdir()
        assert saved.name == "1-go.png"
        assert saved.read_bytes() == DRAWN.png
        assert stat.S_IMODE(saved.stat().st_mode) == 0o600
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert told(app) == f"Saved {saved}"
        await pilot.press("o")
        await wait_until(lambda: "no desktop" in told(app))
        assert app.chat_view.composer.text == "", "what a plot takes is not typed"
        assert {path.name for path in folder.iterdir()} == {"1-go.png", "2-go.png"}


async def test_files_are_listed_attached_and_kept(
    app: StarChatApp, engine: ScriptedEngine, workshop: ScriptedKernelFactory, tmp_path: Path
) -> None:
    data = tmp_path / "data.csv"
    data.write_text("1,2")
    async with app.run_test(size=SIZE) as pilot:
        await asked(pilot, engine)
        await send(pilot, "/files")
        await settled(pilot)
        await sees(app, "wrote no file")
        await send(pilot, f"/attach {data}")
        await sees(app, "the code can read data.csv")
        workshop.enqueue(WrittenFile("out.txt", 5), DRAWN)
        await pilot.press("alt+r")
        await dialog(app)
        await pilot.press("enter")
        await settled(pilot)
        await sees(app, "wrote out.txt (5 bytes)")
        assert workshop.kernel.attached == [data]
        await send(pilot, "/files")
        await settled(pilot)
        assert "out.txt   5 bytes" in notes(app)[-1]
        assert "data.csv   attached" in notes(app)[-1]
        assert "figure-1.png" in notes(app)[-1]
        workshop.kernel.files["out.txt"] = b"hello"
        target = tmp_path / "kept.txt"
        for _ in range(2):
            await send(pilot, f"/savefile out.txt {target}")
            await settled(pilot)
        assert target.read_bytes() == b"hello"
        await sees(app, "exists")
        await send(pilot, "/restart")
        await sees(app, "a fresh kernel")
        assert workshop.kernel.restarts == 1


async def test_results_come_back_with_the_conversation(
    make: Make,
    make_session: Callable[..., Session],
    engine: ScriptedEngine,
    workshop: ScriptedKernelFactory,
) -> None:
    app = make()
    async with app.run_test(size=SIZE) as pilot:
        await asked(pilot, engine)
        workshop.enqueue("printed\n", Result("a table"), DRAWN, Note("compat: sns"), FAILURE)
        await send(pilot, "/run 1")
        await dialog(app)
        await pilot.press("enter")
        await settled(pilot)
    session = make_session()
    session.resume("last")
    again = make(session=session)
    async with again.run_test(size=(100, 60)) as pilot:
        await settled(pilot)
        for text in ("printed", "a table", "axes 1: 'Bars'", "compat: sns", "fix it", "NameError"):
            await sees(again, text)
        assert again.query(FigureView)


async def test_without_a_wall_at_all_the_screen_says_so_all_the_time(
    make: Make,
    make_session: Callable[..., Session],
    engine: ScriptedEngine,
    workshop: ScriptedKernelFactory,
) -> None:
    workshop.unsafe, workshop.capability = True, Capability("unsafe")
    app = make(session=make_session())
    async with app.run_test(size=SIZE) as pilot:
        await sees(app, "UNSAFE")
        await asked(pilot, engine)
        assert "UNSAFE" in shown(app)
        workshop.enqueue("hi\n")
        await pilot.press("alt+r")
        await dialog(app)
        await pilot.press("enter")
        await settled(pilot)
        assert "UNSAFE" in shown(app)


async def test_a_carriage_return_begins_its_line_anew(
    app: StarChatApp, engine: ScriptedEngine, workshop: ScriptedKernelFactory
) -> None:
    async with app.run_test(size=SIZE) as pilot:
        await asked(pilot, engine)
        bar = [StreamText("stderr", f"\r{share} %") for share in (10, 50, 100)]
        workshop.enqueue(*bar, StreamText("stderr", "\n"), "done\r\n", "x\ry\rz\n")
        await pilot.press("alt+r")
        await dialog(app)
        await pilot.press("enter")
        await settled(pilot)
        lines = ["".join(text for _, text in line) for line in app.query_one(OutputLines)._lines]
        assert lines == ["100 %", "done", "z"]


async def test_of_a_flood_the_end_is_shown_and_the_rest_counted(
    app: StarChatApp, engine: ScriptedEngine, workshop: ScriptedKernelFactory
) -> None:
    async with app.run_test(size=SIZE) as pilot:
        await asked(pilot, engine)
        pieces = [
            "".join(f"line {n}\n" for n in range(at, at + 1000)) for at in range(0, 50000, 1000)
        ]
        workshop.enqueue(*pieces)
        await pilot.press("alt+r")
        await dialog(app)
        await pilot.press("enter")
        await settled(pilot)
        await sees(app, "line 49999")
        kept = app.query_one(OutputLines)._lines
        assert len(kept) <= 1000
        assert kept[0][0][1] == f"… {50_001 - len(kept):,} earlier lines are not shown"


async def test_a_run_that_hit_a_limit_says_which(
    app: StarChatApp, engine: ScriptedEngine, workshop: ScriptedKernelFactory
) -> None:
    async with app.run_test(size=SIZE) as pilot:
        await asked(pilot, engine)
        reason = "Stopped after 60 s. Variables are gone."
        workshop.enqueue("x", RunEnded("timeout", "isolated", 60.0, reason))
        await pilot.press("alt+r")
        await dialog(app)
        await pilot.press("enter")
        await settled(pilot)
        await sees(app, reason)
        assert not app.query(FixButton)


async def test_leaving_ends_the_kernel(
    app: StarChatApp,
    engine: ScriptedEngine,
    workshop: ScriptedKernelFactory,
    history: ConversationStore,
) -> None:
    async with app.run_test(size=SIZE) as pilot:
        await asked(pilot, engine)
        workshop.enqueue("begun", asyncio.Event())
        await pilot.press("alt+r")
        await dialog(app)
        await pilot.press("enter")
        await sees(app, "begun")
    assert workshop.kernel.closed == 1
