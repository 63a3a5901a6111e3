"""Slash commands that the front ends have in common."""

from __future__ import annotations

import venv
from contextlib import aclosing
from pathlib import Path

import pytest

from starchat_tui.chat.commands import COMMANDS
from starchat_tui.chat.session import Session
from starchat_tui.chat.shared_commands import SHARED_HANDLERS
from starchat_tui.errors import UsageError
from starchat_tui.sandbox.environments.store import EnvironmentStore
from starchat_tui.sandbox.outputs import WrittenFile
from tests.chat.conversations import MakeSession, ask_once
from tests.sandbox.environments.tiny_environment import create_store
from tests.scripted import DRAWN, ScriptedEngine, ScriptedKernelFactory
from tests.waiting import wait_until


async def run_block(session: Session, turn: int) -> None:
    async with aclosing(session.run_block(turn, 0, "code")) as outputs:
        async for _ in outputs:
            pass


async def test_files_are_attached_listed_and_saved(
    make_session: MakeSession,
    engine: ScriptedEngine,
    factory: ScriptedKernelFactory,
    tmp_path: Path,
) -> None:
    session = make_session()
    data = tmp_path / "data.csv"
    data.write_text("1,2")
    assert await SHARED_HANDLERS["files"](session, "") == "no files written, none attached"
    assert "can read data.csv" in await SHARED_HANDLERS["attach"](session, str(data))
    factory.enqueue(WrittenFile("out.txt", 5), DRAWN)
    await run_block(session, await ask_once(session, engine))
    listed = (await SHARED_HANDLERS["files"](session, "")).splitlines()
    assert [line.split()[0] for line in listed] == ["figure-1.png", "out.txt", "data.csv"]
    target = tmp_path / "kept.png"
    note = await SHARED_HANDLERS["savefile"](session, f"figure-1.png {target}")
    assert note == f"wrote {target}"
    assert target.read_bytes() == DRAWN.png
    with pytest.raises(UsageError, match="exists"):
        await SHARED_HANDLERS["savefile"](session, f"figure-1.png {target}")


async def test_a_restart_replaces_the_kernel(
    make_session: MakeSession, engine: ScriptedEngine, factory: ScriptedKernelFactory
) -> None:
    session = make_session()
    factory.enqueue("x")
    await run_block(session, await ask_once(session, engine))
    assert "kernel restarted" in await SHARED_HANDLERS["restart"](session, "")
    assert factory.kernel.restarts == 1


async def test_an_environment_is_chosen_and_kept_with_the_conversation(
    make_session: MakeSession,
    engine: ScriptedEngine,
    factory: ScriptedKernelFactory,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    factory.environments = create_store(tmp_path, monkeypatch, "tiny==1.0")
    session = make_session()
    choose = SHARED_HANDLERS["env"]
    assert "* current" in await choose(session, "")
    factory.enqueue("x")
    turn = await ask_once(session, engine)
    await run_block(session, turn)
    said = await choose(session, "2023")
    assert said.startswith("code runs in 2023 from now on; variables and files are gone\n")
    assert f"about 1000 MB in {tmp_path / 'environments' / '2023'}" in said
    await wait_until(lambda: factory.kernel.closed == 1)
    assert "* 2023" in await choose(session, "")
    (conversation,) = session.list_conversations()
    session.start_conversation()
    assert "* current" in await choose(session, "")
    session.resume(conversation.id)
    assert "* 2023" in await choose(session, "")


async def test_an_environment_that_cannot_be_chosen_changes_nothing(
    make_session: MakeSession, factory: ScriptedKernelFactory, tmp_path: Path
) -> None:
    factory.environments = EnvironmentStore(tmp_path / "environments", {})
    session = make_session()
    venv.create(tmp_path / "bare", with_pip=False, symlinks=True)
    for choice, text in (("2024", "No environment `2024`"), (str(tmp_path / "bare"), "IPython")):
        with pytest.raises(UsageError, match=text):
            await SHARED_HANDLERS["env"](session, choice)
        assert session.environment == "current"


@pytest.mark.parametrize("name", SHARED_HANDLERS)
async def test_a_session_without_a_kernel_manager_refuses(
    make_session: MakeSession, name: str
) -> None:
    session = make_session()
    session.kernel_manager = None
    with pytest.raises(UsageError, match="runs no code"):
        await SHARED_HANDLERS[name](session, "x")


def test_every_handler_belongs_to_a_command() -> None:
    assert set(SHARED_HANDLERS) <= {command.name for command in COMMANDS}
