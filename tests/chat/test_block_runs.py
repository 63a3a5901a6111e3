"""Runs of code blocks, stored with their turns."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from pathlib import Path

import pytest

from starchat_tui.chat.session import Session
from starchat_tui.chat.store import ConversationStore
from starchat_tui.errors import Busy
from starchat_tui.execution.run_result import RunResult
from starchat_tui.sandbox.isolation.probe import Capability
from starchat_tui.sandbox.outputs import Figure, Note, Output, RunEnded, StreamText, WrittenFile
from tests.chat.conversations import MakeSession, ask_once
from tests.scripted import DRAWN, ScriptedEngine, ScriptedKernelFactory
from tests.waiting import wait_until


async def run_block(session: Session, turn: int, block: int = 0) -> list[Output]:
    async with aclosing(session.run_block(turn, block, "code")) as outputs:
        return [output async for output in outputs]


async def test_results_are_stored_with_the_turn(
    make_session: MakeSession, engine: ScriptedEngine, factory: ScriptedKernelFactory
) -> None:
    session = make_session()
    turn = await ask_once(session, engine)
    factory.enqueue("one\n", DRAWN, WrittenFile("a.csv", 3))
    factory.enqueue("two\n")
    outputs = await run_block(session, turn, 0)
    await run_block(session, turn, 1)
    again = make_session()
    again.resume("last")
    found = again.load_run_results(turn)
    assert found[0] == RunResult(tuple(outputs[:-1]), RunEnded("ok", "isolated", 0.4))
    assert found[0].figures == [DRAWN]
    assert found[1].outputs == (StreamText("stdout", "two\n"),)


async def test_last_run_of_a_block_wins(
    make_session: MakeSession, engine: ScriptedEngine, factory: ScriptedKernelFactory
) -> None:
    session = make_session()
    turn = await ask_once(session, engine)
    for text in ("first", "second"):
        factory.enqueue(text)
        await run_block(session, turn)
    assert session.load_run_results(turn)[0].outputs == (StreamText("stdout", "second"),)


async def test_runs_are_deleted_with_the_conversation(
    make_session: MakeSession,
    engine: ScriptedEngine,
    factory: ScriptedKernelFactory,
    database: Path,
) -> None:
    session = make_session()
    turn = await ask_once(session, engine)
    mark = b"a picture that nobody else may find" * 40
    factory.enqueue("x", Figure(mark, 1, 1, "a card"))
    await run_block(session, turn)
    history = ConversationStore.open(database)
    history.delete_conversation(session.conversation)
    assert history.load_runs(turn) == []
    for name in database.parent.glob("chats.db*"):
        assert mark[:35] not in name.read_bytes(), name


async def test_closed_generator_stores_the_outputs_so_far(
    make_session: MakeSession, engine: ScriptedEngine, factory: ScriptedKernelFactory
) -> None:
    session = make_session()
    turn = await ask_once(session, engine)
    factory.enqueue("begun", asyncio.Event())
    async with aclosing(session.run_block(turn, 0, "code")) as outputs:
        await anext(outputs)
    outcome = session.load_run_results(turn)[0]
    assert outcome.outputs == (StreamText("stdout", "begun"),)
    assert outcome.ended.status == "interrupted"
    assert session.kernel_manager is not None
    assert not session.kernel_manager.is_busy


async def test_failure_to_store_is_a_note(
    make_session: MakeSession,
    engine: ScriptedEngine,
    factory: ScriptedKernelFactory,
    database: Path,
) -> None:
    session = make_session()
    turn = await ask_once(session, engine)
    ConversationStore.open(database).delete_conversation(session.conversation)
    factory.enqueue("one\n")
    out, note, ended = await run_block(session, turn)
    assert (out, ended) == (StreamText("stdout", "one\n"), RunEnded("ok", "isolated", 0.4))
    assert isinstance(note, Note)
    assert "not stored" in note.text
    factory.enqueue("begun", asyncio.Event())
    async with aclosing(session.run_block(turn, 0, "code")) as outputs:
        assert await anext(outputs) == StreamText("stdout", "begun")


async def test_run_that_never_began_is_not_stored(
    make_session: MakeSession, engine: ScriptedEngine, factory: ScriptedKernelFactory
) -> None:
    session = make_session()
    turn = await ask_once(session, engine)
    factory.enqueue(asyncio.Event())
    first = asyncio.ensure_future(run_block(session, turn))
    await wait_until(lambda: session.kernel_manager is not None and session.kernel_manager.is_busy)
    with pytest.raises(Busy):
        await run_block(session, turn, 1)
    assert session.kernel_manager is not None
    await wait_until(lambda: factory.kernels and factory.kernel.codes)
    session.kernel_manager.interrupt()
    await first
    assert list(session.load_run_results(turn)) == [0]


async def test_nothing_is_stored_without_a_sandbox(
    make_session: MakeSession, engine: ScriptedEngine, factory: ScriptedKernelFactory
) -> None:
    factory.capability = Capability("off", "no bubblewrap")
    session = make_session()
    turn = await ask_once(session, engine)
    await run_block(session, turn)
    assert session.load_run_results(turn) == {}
