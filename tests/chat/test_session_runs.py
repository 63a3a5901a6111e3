"""What a session does about code: consent, prewarming, results that come back."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from contextlib import aclosing
from pathlib import Path

import pytest

from starchat_tui.chat.session import Session
from starchat_tui.chat.store import ConversationStore
from starchat_tui.client.protocol import Sampling
from starchat_tui.errors import Busy
from starchat_tui.execution.run_result import RunResult
from starchat_tui.models.resolver import ModelResolver
from starchat_tui.sandbox.isolation.probe import Capability
from starchat_tui.sandbox.outputs import Figure, Note, Output, RunEnded, StreamText, WrittenFile
from starchat_tui.settings import Settings
from tests.fakes import byte_tokenizer
from tests.scripted import DRAWN, ScriptedEngine, ScriptedKernelFactory
from tests.waiting import wait_until

ANSWER = "```python\nimport matplotlib\n```\nand\n```python\nprint(1)\n```"
Make = Callable[[], Session]


@pytest.fixture
def engine() -> ScriptedEngine:
    return ScriptedEngine()


@pytest.fixture
def workshop() -> ScriptedKernelFactory:
    return ScriptedKernelFactory()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "chats.db"


@pytest.fixture
def make(
    tmp_path: Path, file: Path, engine: ScriptedEngine, workshop: ScriptedKernelFactory
) -> Make:
    tokenizer = tmp_path / "tokenizer.json"
    tokenizer.write_text(json.dumps(byte_tokenizer()))
    settings = Settings(url="http://x", tokenizer=str(tokenizer), window=30_000)

    def made() -> Session:
        return Session(
            ConversationStore.open(file),
            engine,
            ModelResolver(settings, engine),
            sampling=Sampling(),
            kernel_manager=workshop.create_manager(),
        )

    return made


async def asked(session: Session, engine: ScriptedEngine, answer: str = ANSWER) -> int:
    """Ask; the id of the answer's turn."""
    engine.enqueue(answer)
    async with aclosing(session.ask("go")) as events:
        async for _ in events:
            pass
    return session.turns[-1].id


async def ran(session: Session, turn: int, block: int = 0) -> list[Output]:
    async with aclosing(session.run(turn, block, "code")) as outputs:
        return [output async for output in outputs]


async def test_results_are_kept_with_the_turn_and_come_back(
    make: Make, engine: ScriptedEngine, workshop: ScriptedKernelFactory
) -> None:
    session = make()
    turn = await asked(session, engine)
    workshop.enqueue("one\n", DRAWN, WrittenFile("a.csv", 3))
    workshop.enqueue("two\n")
    said = await ran(session, turn, 0)
    await ran(session, turn, 1)
    again = make()
    again.resume("last")
    found = again.load_run_results(turn)
    assert found[0] == RunResult(tuple(said[:-1]), RunEnded("ok", "isolated", 0.4))
    assert found[0].figures == [DRAWN]
    assert found[1].outputs == (StreamText("stdout", "two\n"),)


async def test_the_last_run_of_a_block_counts(
    make: Make, engine: ScriptedEngine, workshop: ScriptedKernelFactory
) -> None:
    session = make()
    turn = await asked(session, engine)
    for text in ("first", "second"):
        workshop.enqueue(text)
        await ran(session, turn)
    assert session.load_run_results(turn)[0].outputs == (StreamText("stdout", "second"),)


async def test_what_ran_is_deleted_with_its_conversation(
    make: Make, engine: ScriptedEngine, workshop: ScriptedKernelFactory, file: Path
) -> None:
    session = make()
    turn = await asked(session, engine)
    mark = b"a picture that nobody else may find" * 40
    workshop.enqueue("x", Figure(mark, 1, 1, "a card"))
    await ran(session, turn)
    history = ConversationStore.open(file)
    history.delete_conversation(session.conversation)
    assert history.load_runs(turn) == []
    for name in file.parent.glob("chats.db*"):
        assert mark[:35] not in name.read_bytes(), name


async def test_a_reader_that_goes_away_leaves_what_came(
    make: Make, engine: ScriptedEngine, workshop: ScriptedKernelFactory
) -> None:
    session = make()
    turn = await asked(session, engine)
    workshop.enqueue("begun", asyncio.Event())
    async with aclosing(session.run(turn, 0, "code")) as outputs:
        await anext(outputs)
    outcome = session.load_run_results(turn)[0]
    assert outcome.outputs == (StreamText("stdout", "begun"),)
    assert outcome.ended.status == "interrupted"
    assert session.kernel_manager is not None
    assert not session.kernel_manager.is_busy


async def test_a_run_that_cannot_be_kept_is_told_and_ends_as_it_did(
    make: Make, engine: ScriptedEngine, workshop: ScriptedKernelFactory, file: Path
) -> None:
    session = make()
    turn = await asked(session, engine)
    ConversationStore.open(file).delete_conversation(session.conversation)
    workshop.enqueue("one\n")
    out, note, ended = await ran(session, turn)
    assert (out, ended) == (StreamText("stdout", "one\n"), RunEnded("ok", "isolated", 0.4))
    assert isinstance(note, Note)
    assert "not kept" in note.text
    workshop.enqueue("begun", asyncio.Event())
    async with aclosing(session.run(turn, 0, "code")) as outputs:
        assert await anext(outputs) == StreamText("stdout", "begun")


async def test_a_run_that_never_began_is_not_kept(
    make: Make, engine: ScriptedEngine, workshop: ScriptedKernelFactory
) -> None:
    session = make()
    turn = await asked(session, engine)
    workshop.enqueue(asyncio.Event())
    first = asyncio.ensure_future(ran(session, turn))
    await wait_until(lambda: session.kernel_manager is not None and session.kernel_manager.is_busy)
    with pytest.raises(Busy):
        await ran(session, turn, 1)
    assert session.kernel_manager is not None
    await wait_until(lambda: workshop.kernels and workshop.kernel.codes)
    session.kernel_manager.interrupt()
    await first
    assert list(session.load_run_results(turn)) == [0]


async def test_without_a_wall_nothing_is_kept(
    make: Make, engine: ScriptedEngine, workshop: ScriptedKernelFactory
) -> None:
    workshop.capability = Capability("off", "no bubblewrap")
    session = make()
    turn = await asked(session, engine)
    await ran(session, turn)
    assert session.load_run_results(turn) == {}


async def test_plotting_code_has_a_kernel_ready_and_other_code_has_none(
    make: Make, engine: ScriptedEngine, workshop: ScriptedKernelFactory
) -> None:
    session = make()
    await asked(session, engine, "```python\nprint(1)\n```")
    assert not workshop.kernels
    session.start_conversation()
    engine.enqueue("```python\nimport matpl", "otlib.pyplot\n```")
    async with aclosing(session.ask("go")) as events:
        async for _ in events:
            pass
    await wait_until(lambda: workshop.kernels and workshop.kernel.alive)
    await session.aclose()


async def test_where_running_was_refused_no_kernel_is_begun(
    make: Make, engine: ScriptedEngine, workshop: ScriptedKernelFactory
) -> None:
    session = make()
    await asked(session, engine, "hello")
    session.permission = "never"
    await asked(session, engine)
    await asyncio.sleep(0.05)
    assert not workshop.kernels


async def test_consent_is_kept_with_the_conversation(
    make: Make, engine: ScriptedEngine, workshop: ScriptedKernelFactory
) -> None:
    session = make()
    await asked(session, engine)
    assert session.kernel_manager is not None
    await session.kernel_manager.probe_sandbox()
    assert session.permission == "ask"
    session.permission = "always"
    first = session.conversation
    session.start_conversation()
    assert session.permission == "ask"
    again = make()
    again.resume(first)
    assert again.permission == "ask", "not before the wall is known"
    assert again.kernel_manager is not None
    await again.kernel_manager.probe_sandbox()
    assert again.permission == "always"


async def test_consent_to_one_wall_is_none_to_a_weaker_one(
    make: Make, engine: ScriptedEngine, workshop: ScriptedKernelFactory
) -> None:
    session = make()
    await asked(session, engine)
    assert session.kernel_manager is not None
    await session.kernel_manager.probe_sandbox()
    session.permission = "always"
    workshop.capability = Capability("restricted")
    again = make()
    again.resume("last")
    assert again.kernel_manager is not None
    await again.kernel_manager.probe_sandbox()
    assert again.permission == "ask"


async def test_consent_to_no_wall_is_never_stored(
    make: Make, engine: ScriptedEngine, workshop: ScriptedKernelFactory
) -> None:
    workshop.capability, workshop.unsafe = Capability("unsafe"), True
    session = make()
    await asked(session, engine)
    assert session.kernel_manager is not None
    await session.kernel_manager.probe_sandbox()
    session.permission = "always"
    assert session.permission == "always"
    again = make()
    again.resume("last")
    assert again.kernel_manager is not None
    await again.kernel_manager.probe_sandbox()
    assert again.permission == "ask"


async def test_an_old_database_is_migrated(file: Path, make: Make, engine: ScriptedEngine) -> None:
    import sqlite3

    from starchat_tui.chat.store import _MIGRATIONS

    old = sqlite3.connect(file)
    for statement in _MIGRATIONS[0]:
        old.execute(statement)
    old.execute("INSERT INTO conversation VALUES ('ab', 't', 'chat', 'm', '', NULL, 1, 1)")
    old.execute("PRAGMA user_version = 1")
    old.commit()
    old.close()
    history = ConversationStore.open(file)
    assert history.find_conversation("ab").allowed == ""
