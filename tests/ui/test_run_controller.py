"""Code that is run from the screen: consent, output, plots, errors, files."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from starchat_tui.chat.session import Session
from starchat_tui.chat.store import ConversationStore
from starchat_tui.sandbox.environments.store import EnvironmentStore
from starchat_tui.sandbox.host.downloads import Download
from starchat_tui.sandbox.isolation.probe import Capability
from starchat_tui.sandbox.outputs import Failure, Note, Result, WrittenFile
from starchat_tui.ui.app import StarChatApp
from starchat_tui.ui.widgets.code_cell import CodeCell
from starchat_tui.ui.widgets.figure import FigureView
from starchat_tui.ui.widgets.output import FixButton
from tests.sandbox.environments.tiny_environment import RECIPE, create_store
from tests.scripted import DRAWN, ScriptedEngine, ScriptedKernelFactory
from tests.ui.conftest import CreateApp
from tests.ui.run_steps import ANSWER, SIZE, ask_for_code, wait_for_dialog
from tests.ui.screen_helpers import (
    read_notes,
    read_screen,
    send_line,
    wait_for_text,
    wait_until_idle,
)
from tests.waiting import wait_until

FAILURE = Failure("NameError", "name 'sn' is not defined", "Cell 1, line 1\nNameError: name 'sn'")


def read_notice(app: StarChatApp) -> str:
    """The notice on the screen."""
    return "".join(one.message for one in app._notifications)


async def test_always_and_never_are_remembered(
    app: StarChatApp, engine: ScriptedEngine, kernel_factory: ScriptedKernelFactory
) -> None:
    async with app.run_test(size=SIZE) as pilot:
        await ask_for_code(pilot, engine)
        kernel_factory.enqueue("one")
        kernel_factory.enqueue("two")
        await send_line(pilot, "/run 1")
        await wait_for_dialog(app)
        await pilot.press("a")
        await wait_until_idle(pilot)
        await send_line(pilot, "/run 2")
        await wait_until_idle(pilot)
        assert kernel_factory.kernel.codes == ["print('hi')", "plot()"]
        app._session.permission = "ask"
        await pilot.press("alt+r")
        await wait_for_dialog(app)
        await pilot.press("n")
        await wait_until_idle(pilot)
        await pilot.press("alt+r")
        await wait_until_idle(pilot)
        await wait_for_text(app, "as you chose")
        assert len(kernel_factory.kernel.codes) == 2
        await send_line(pilot, "/run 2")
        await wait_for_dialog(app)
        await pilot.press("escape")


async def test_output_streams_while_the_user_types(
    app: StarChatApp, engine: ScriptedEngine, kernel_factory: ScriptedKernelFactory
) -> None:
    gate = asyncio.Event()
    async with app.run_test(size=SIZE) as pilot:
        await ask_for_code(pilot, engine)
        kernel_factory.enqueue("first line\n", gate, "second line\n")
        await pilot.press("alt+r")
        await wait_for_dialog(app)
        await pilot.press("enter")
        await wait_for_text(app, "first line")
        await wait_for_text(app, "running · Esc interrupts")
        await pilot.press(*"typing")
        assert app.chat_view.composer.text == "typing"
        assert "second line" not in read_screen(app)
        gate.set()
        await wait_until_idle(pilot)
        await wait_for_text(app, "second line")


@pytest.mark.parametrize("key", ["escape", "ctrl+c"])
async def test_a_key_interrupts_and_keeps_the_output(
    app: StarChatApp, engine: ScriptedEngine, kernel_factory: ScriptedKernelFactory, key: str
) -> None:
    async with app.run_test(size=SIZE) as pilot:
        await ask_for_code(pilot, engine)
        kernel_factory.enqueue("begun\n", asyncio.Event())
        await pilot.press("alt+r")
        await wait_for_dialog(app)
        await pilot.press("enter")
        await wait_for_text(app, "begun")
        await send_line(pilot, "/new")
        await wait_for_text(app, "has to wait for the code")
        await pilot.press(key)
        await wait_until_idle(pilot)
        await wait_for_text(app, "Variables are kept")
        assert "begun" in read_screen(app)


@pytest.mark.parametrize("key", ["escape", "ctrl+c"])
async def test_stopping_a_download_also_cancels_the_run(
    app: StarChatApp, engine: ScriptedEngine, kernel_factory: ScriptedKernelFactory, key: str
) -> None:
    async def endless(url: str) -> Download:
        await asyncio.Event().wait()
        raise AssertionError(url)

    url = "https://data.example/a.csv"
    kernel_factory.urls = (url,)
    running = app._session.kernel_manager
    assert running is not None
    running._factory = replace(running._factory, download=endless)
    async with app.run_test(size=SIZE) as pilot:
        await ask_for_code(pilot, engine, f"```python\nread('{url}')\n```")
        await pilot.press("alt+r")
        await wait_for_dialog(app)
        await pilot.press("d", "enter")
        await wait_until(lambda: app.chat_view.status.activity.startswith("downloading"))
        await pilot.press(key)
        await wait_until_idle(pilot)
        await wait_for_text(app, "Interrupted before it began")
        assert not any(kernel.codes for kernel in kernel_factory.kernels)


async def test_the_answer_is_stopped_before_the_code(
    app: StarChatApp, engine: ScriptedEngine, kernel_factory: ScriptedKernelFactory
) -> None:
    async with app.run_test(size=SIZE) as pilot:
        await ask_for_code(pilot, engine)
        kernel_factory.enqueue("begun\n", asyncio.Event())
        await pilot.press("alt+r")
        await wait_for_dialog(app)
        await pilot.press("enter")
        await wait_for_text(app, "begun")
        engine.enqueue("an answer", asyncio.Event())
        await send_line(pilot, "next")
        await wait_for_text(app, "an answer")
        await pilot.press("escape")
        await wait_until(lambda: not app.answers.is_busy)
        assert app.runs.is_running
        await pilot.press("escape")
        await wait_until_idle(pilot)


async def test_code_of_an_unfinished_answer_does_not_run(
    app: StarChatApp, engine: ScriptedEngine, kernel_factory: ScriptedKernelFactory
) -> None:
    async with app.run_test(size=SIZE) as pilot:
        engine.enqueue(ANSWER, asyncio.Event())
        await send_line(pilot, "go")
        await wait_for_text(app, "plot()")
        await pilot.press("alt+r")
        await wait_for_text(app, "still being written")
        await pilot.press("escape")
        await wait_until_idle(pilot)
        assert not any(kernel.codes for kernel in kernel_factory.kernels)


async def test_the_error_of_a_failed_run_is_sent_to_the_model(
    app: StarChatApp, engine: ScriptedEngine, kernel_factory: ScriptedKernelFactory
) -> None:
    async with app.run_test(size=SIZE) as pilot:
        await ask_for_code(pilot, engine)
        await send_line(pilot, "/fix")
        await wait_for_text(app, "no failed run")
        kernel_factory.enqueue(FAILURE)
        await pilot.press("alt+r")
        await wait_for_dialog(app)
        await pilot.press("enter")
        await wait_until_idle(pilot)
        await wait_for_text(app, "Fix it")
        engine.enqueue("Use sns.")
        app.query_one(FixButton).focus()
        await pilot.press("enter")
        await wait_until_idle(pilot)
        assert app._session.turns[-2].turn.text.startswith("This code fails:")
        assert "NameError: name 'sn' is not defined" in app._session.turns[-2].turn.text
        await wait_for_text(app, "Use sns.")


async def test_a_failed_run_is_found_above_one_that_ran(
    app: StarChatApp, engine: ScriptedEngine, kernel_factory: ScriptedKernelFactory
) -> None:
    async with app.run_test(size=SIZE) as pilot:
        await ask_for_code(pilot, engine)
        for block, output in (("2", "ran"), ("1", FAILURE)):
            kernel_factory.enqueue(output)
            await send_line(pilot, f"/run {block}")
            await wait_for_dialog(app)
            await pilot.press("enter")
            await wait_until_idle(pilot)
        await send_line(pilot, "/fix 2")
        await wait_for_text(app, "no failed run")
        await pilot.press("ctrl+u")
        engine.enqueue("Use sns.")
        await send_line(pilot, "/fix")
        await wait_until_idle(pilot)
        assert app._session.turns[-2].turn.text.startswith("This code fails:")


@pytest.mark.parametrize("where", ["key", "click"])
async def test_a_block_is_run_by_its_key_and_its_button(
    app: StarChatApp, engine: ScriptedEngine, kernel_factory: ScriptedKernelFactory, where: str
) -> None:
    async with app.run_test(size=SIZE) as pilot:
        await ask_for_code(pilot, engine)
        kernel_factory.enqueue("ran")
        cell = app.chat_view.transcript.query(CodeCell).first()
        if where == "key":
            cell.query("CodeLines").first().focus()
            await pilot.press("r")
        else:
            await pilot.click(cell.query(".cell--run").first())
        await wait_for_dialog(app)
        await pilot.press("o")
        await wait_until_idle(pilot)
        assert kernel_factory.kernel.codes == ["print('hi')"]


async def test_a_key_that_a_block_takes_is_not_typed(
    app: StarChatApp, engine: ScriptedEngine
) -> None:
    async with app.run_test(size=SIZE) as pilot:
        await ask_for_code(pilot, engine)
        app.query("CodeLines").first().focus()
        await pilot.press("c")
        await wait_until(lambda: "code block" in read_notice(app))
        assert app.chat_view.composer.text == ""
        await pilot.press("w")
        assert app.chat_view.composer.text == "w"


async def test_a_block_of_another_language_has_no_run_button(
    app: StarChatApp, engine: ScriptedEngine, kernel_factory: ScriptedKernelFactory
) -> None:
    async with app.run_test(size=SIZE) as pilot:
        await ask_for_code(pilot, engine, "```rust\nfn main() {}\n```")
        assert not app.query(".cell--run")
        await pilot.press("alt+r")
        await wait_for_text(app, "A block of rust cannot be run")
        assert not kernel_factory.kernels


async def test_without_a_sandbox_the_error_has_a_hint(
    app: StarChatApp, engine: ScriptedEngine, kernel_factory: ScriptedKernelFactory, tmp_path: Path
) -> None:
    kernel_factory.capability = Capability(
        "off", "bubblewrap is missing", ("sudo apt install bubblewrap",)
    )
    async with app.run_test(size=SIZE) as pilot:
        await ask_for_code(pilot, engine)
        await pilot.press("alt+r")
        await wait_until_idle(pilot)
        await wait_for_text(app, "Running code is off: bubblewrap is missing")
        assert "sudo apt install bubblewrap" in read_screen(app)
        assert not kernel_factory.kernels
        await send_line(pilot, f"/save 2 {tmp_path / 'kept.py'}")
        assert (tmp_path / "kept.py").read_text() == "plot()\n"


async def test_files_are_listed_attached_and_kept(
    app: StarChatApp, engine: ScriptedEngine, kernel_factory: ScriptedKernelFactory, tmp_path: Path
) -> None:
    data = tmp_path / "data.csv"
    data.write_text("1,2")
    async with app.run_test(size=SIZE) as pilot:
        await ask_for_code(pilot, engine)
        await send_line(pilot, "/files")
        await wait_until_idle(pilot)
        await wait_for_text(app, "no files written")
        await send_line(pilot, f"/attach {data}")
        await wait_for_text(app, "the code can read data.csv")
        kernel_factory.enqueue(WrittenFile("out.txt", 5), DRAWN)
        await pilot.press("alt+r")
        await wait_for_dialog(app)
        await pilot.press("enter")
        await wait_until_idle(pilot)
        await wait_for_text(app, "wrote out.txt (5 bytes)")
        assert kernel_factory.kernel.attached == [data]
        await send_line(pilot, "/files")
        await wait_until_idle(pilot)
        assert "out.txt   5 bytes" in read_notes(app)[-1]
        assert "data.csv   attached" in read_notes(app)[-1]
        assert "figure-1.png" in read_notes(app)[-1]
        kernel_factory.kernel.files["out.txt"] = b"hello"
        target = tmp_path / "kept.txt"
        for _ in range(2):
            await send_line(pilot, f"/savefile out.txt {target}")
            await wait_until_idle(pilot)
        assert target.read_bytes() == b"hello"
        await wait_for_text(app, "exists")
        assert app.chat_view.composer.text == f"/savefile out.txt {target}"
        app.chat_view.composer.text = ""
        await send_line(pilot, "/restart")
        await wait_for_text(app, "kernel restarted")
        assert kernel_factory.kernel.restarts == 1


async def test_results_come_back_with_the_conversation(
    create_app: CreateApp,
    make_session: Callable[..., Session],
    engine: ScriptedEngine,
    kernel_factory: ScriptedKernelFactory,
) -> None:
    app = create_app()
    async with app.run_test(size=SIZE) as pilot:
        await ask_for_code(pilot, engine)
        kernel_factory.enqueue("printed\n", Result("a table"), DRAWN, Note("compat: sns"), FAILURE)
        await send_line(pilot, "/run 1")
        await wait_for_dialog(app)
        await pilot.press("enter")
        await wait_until_idle(pilot)
    session = make_session()
    session.resume("last")
    again = create_app(session=session)
    async with again.run_test(size=(100, 60)) as pilot:
        await wait_until_idle(pilot)
        for text in ("printed", "a table", "axes 1: 'Bars'", "compat: sns", "Fix it", "NameError"):
            await wait_for_text(again, text)
        assert again.query(FigureView)


async def test_an_unsafe_chat_always_shows_a_warning(
    create_app: CreateApp,
    make_session: Callable[..., Session],
    engine: ScriptedEngine,
    kernel_factory: ScriptedKernelFactory,
) -> None:
    kernel_factory.unsafe, kernel_factory.capability = True, Capability("unsafe")
    app = create_app(session=make_session())
    async with app.run_test(size=SIZE) as pilot:
        await wait_for_text(app, "UNSAFE")
        await ask_for_code(pilot, engine)
        assert "UNSAFE" in read_screen(app)
        kernel_factory.enqueue("hi\n")
        await pilot.press("alt+r")
        await wait_for_dialog(app)
        await pilot.press("enter")
        await wait_until_idle(pilot)
        assert "UNSAFE" in read_screen(app)


async def test_quitting_ends_the_kernel(
    app: StarChatApp,
    engine: ScriptedEngine,
    kernel_factory: ScriptedKernelFactory,
    store: ConversationStore,
) -> None:
    async with app.run_test(size=SIZE) as pilot:
        await ask_for_code(pilot, engine)
        kernel_factory.enqueue("begun", asyncio.Event())
        await pilot.press("alt+r")
        await wait_for_dialog(app)
        await pilot.press("enter")
        await wait_for_text(app, "begun")
    assert kernel_factory.kernel.closed == 1


async def test_a_second_run_waits_for_the_first(
    app: StarChatApp, engine: ScriptedEngine, kernel_factory: ScriptedKernelFactory
) -> None:
    async with app.run_test(size=SIZE) as pilot:
        await ask_for_code(pilot, engine)
        going_on = asyncio.Event()
        kernel_factory.enqueue("first\n", going_on)
        await pilot.press("alt+r")
        await wait_for_dialog(app)
        await pilot.press("a")
        await wait_for_text(app, "first")
        kernel_factory.enqueue("second\n")
        await pilot.press("alt+r")
        await pilot.pause()
        assert not app.chat_view.banner.display
        going_on.set()
        await wait_for_text(app, "second")
        await wait_until_idle(pilot)
        assert len(kernel_factory.kernels[0].codes) == 2


async def test_an_error_is_closed_while_code_runs_on(
    app: StarChatApp, engine: ScriptedEngine, kernel_factory: ScriptedKernelFactory
) -> None:
    async with app.run_test(size=SIZE) as pilot:
        await ask_for_code(pilot, engine)
        going_on = asyncio.Event()
        kernel_factory.enqueue("first\n", going_on, "second\n")
        await pilot.press("alt+r")
        await wait_for_dialog(app)
        await pilot.press("a")
        await wait_for_text(app, "first")
        await send_line(pilot, "/new")
        await wait_for_text(app, "interrupt it with Esc first   Ctrl+L close")
        await pilot.press("ctrl+l")
        assert not app.chat_view.banner.display
        assert app.runs.is_running
        going_on.set()
        await wait_for_text(app, "second")


async def test_alt_f_sends_the_error_from_the_composer(
    app: StarChatApp, engine: ScriptedEngine, kernel_factory: ScriptedKernelFactory
) -> None:
    async with app.run_test(size=SIZE) as pilot:
        await ask_for_code(pilot, engine)
        kernel_factory.enqueue(FAILURE, Note("use `sns`", is_hint=True))
        await pilot.press("alt+r")
        await wait_for_dialog(app)
        await pilot.press("enter")
        await wait_until_idle(pilot)
        assert "use `sns`" in read_screen(app)
        engine.enqueue("fixed")
        assert app.focused is app.chat_view.composer
        await pilot.press("alt+f")
        await wait_for_text(app, "fixed")
        await wait_for_text(app, "Hint: use `sns`")
        assert app.chat_view.composer.text == ""


@pytest.fixture
def environments(
    kernel_factory: ScriptedKernelFactory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> EnvironmentStore:
    """Environments of the kernels, of which none has been created."""
    kernel_factory.environments = create_store(tmp_path, monkeypatch, "tiny==1.0")
    return kernel_factory.environments


async def test_the_first_run_creates_its_environment_and_shows_the_progress(
    environments: EnvironmentStore,
    app: StarChatApp,
    engine: ScriptedEngine,
    kernel_factory: ScriptedKernelFactory,
) -> None:
    async with app.run_test(size=SIZE) as pilot:
        await ask_for_code(pilot, engine)
        await send_line(pilot, "/env")
        await wait_for_text(app, "not created yet")
        kernel_factory.enqueue("it runs")
        await send_line(pilot, "/run 1")
        await wait_for_dialog(app)
        await pilot.press("enter")
        await wait_for_text(app, "environment current: ")
        assert "Esc cancels" in read_screen(app)
        await wait_for_text(app, "it runs")
        await wait_until_idle(pilot)
        await wait_for_text(app, "· current")
        assert environments.find_installed(RECIPE) is not None
        await send_line(pilot, "/env 2024")
        await wait_for_text(app, "No environment `2024`")
        assert app.chat_view.composer.text == "/env 2024"


async def test_esc_ends_the_creation_of_an_environment(
    environments: EnvironmentStore,
    app: StarChatApp,
    engine: ScriptedEngine,
    kernel_factory: ScriptedKernelFactory,
) -> None:
    async with app.run_test(size=SIZE) as pilot:
        await ask_for_code(pilot, engine)
        await send_line(pilot, "/run 1")
        await wait_for_dialog(app)
        await pilot.press("enter")
        await wait_for_text(app, "environment current: ")
        await pilot.press("escape")
        await wait_until_idle(pilot)
        assert environments.find_installed(RECIPE) is None
        assert kernel_factory.kernels == []
