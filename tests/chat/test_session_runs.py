"""What a session does about code: consent, prewarming, results that come back."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from contextlib import aclosing
from pathlib import Path

import pytest

from starchat_tui.chat.session import Session
from starchat_tui.chat.store import History
from starchat_tui.client.protocol import Sampling
from starchat_tui.errors import Busy
from starchat_tui.execution.run_result import Outcome
from starchat_tui.models.resolver import Voices
from starchat_tui.sandbox.isolation.probe import Verdict
from starchat_tui.sandbox.outputs import Ended, Figure, Note, Output, Text, Written
from starchat_tui.settings import Settings
from tests.fakes import byte_tokenizer
from tests.scripted import DRAWN, ScriptedEngine, ScriptedWorkshop
from tests.waiting import wait_until

ANSWER = "```python\nimport matplotlib\n```\nand\n```python\nprint(1)\n```"
Make = Callable[[], Session]


@pytest.fixture
def engine() -> ScriptedEngine:
    return ScriptedEngine()


@pytest.fixture
def workshop() -> ScriptedWorkshop:
    return ScriptedWorkshop()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "chats.db"


@pytest.fixture
def make(tmp_path: Path, file: Path, engine: ScriptedEngine, workshop: ScriptedWorkshop) -> Make:
    tokenizer = tmp_path / "tokenizer.json"
    tokenizer.write_text(json.dumps(byte_tokenizer()))
    settings = Settings(url="http://x", tokenizer=str(tokenizer), window=30_000)

    def made() -> Session:
        return Session(
            History.open(file),
            engine,
            Voices(settings, engine),
            sampling=Sampling(),
            running=workshop.running(),
        )

    return made


async def asked(session: Session, engine: ScriptedEngine, answer: str = ANSWER) -> int:
    """Ask; the id of the answer's turn."""
    engine.enqueue(answer)
    async with aclosing(session.say("go")) as events:
        async for _ in events:
            pass
    return session.turns[-1].id


async def ran(session: Session, turn: int, block: int = 0) -> list[Output]:
    async with aclosing(session.run(turn, block, "code")) as outputs:
        return [output async for output in outputs]


async def test_results_are_kept_with_the_turn_and_come_back(
    make: Make, engine: ScriptedEngine, workshop: ScriptedWorkshop
) -> None:
    session = make()
    turn = await asked(session, engine)
    workshop.enqueue("one\n", DRAWN, Written("a.csv", 3))
    workshop.enqueue("two\n")
    said = await ran(session, turn, 0)
    await ran(session, turn, 1)
    again = make()
    again.resume("last")
    found = again.outcomes(turn)
    assert found[0] == Outcome(tuple(said[:-1]), Ended("ok", "isolated", 0.4))
    assert found[0].figures == [DRAWN]
    assert found[1].outputs == (Text("stdout", "two\n"),)


async def test_the_last_run_of_a_block_counts(
    make: Make, engine: ScriptedEngine, workshop: ScriptedWorkshop
) -> None:
    session = make()
    turn = await asked(session, engine)
    for text in ("first", "second"):
        workshop.enqueue(text)
        await ran(session, turn)
    assert session.outcomes(turn)[0].outputs == (Text("stdout", "second"),)


async def test_what_ran_is_deleted_with_its_conversation(
    make: Make, engine: ScriptedEngine, workshop: ScriptedWorkshop, file: Path
) -> None:
    session = make()
    turn = await asked(session, engine)
    mark = b"a picture that nobody else may find" * 40
    workshop.enqueue("x", Figure(mark, 1, 1, "a card"))
    await ran(session, turn)
    history = History.open(file)
    history.remove(session.conversation)
    assert history.runs(turn) == []
    for name in file.parent.glob("chats.db*"):
        assert mark[:35] not in name.read_bytes(), name


async def test_a_reader_that_goes_away_leaves_what_came(
    make: Make, engine: ScriptedEngine, workshop: ScriptedWorkshop
) -> None:
    session = make()
    turn = await asked(session, engine)
    workshop.enqueue("begun", asyncio.Event())
    async with aclosing(session.run(turn, 0, "code")) as outputs:
        await anext(outputs)
    outcome = session.outcomes(turn)[0]
    assert outcome.outputs == (Text("stdout", "begun"),)
    assert outcome.ended.status == "interrupted"
    assert session.running is not None
    assert not session.running.busy


async def test_a_run_that_cannot_be_kept_is_told_and_ends_as_it_did(
    make: Make, engine: ScriptedEngine, workshop: ScriptedWorkshop, file: Path
) -> None:
    session = make()
    turn = await asked(session, engine)
    History.open(file).remove(session.conversation)
    workshop.enqueue("one\n")
    out, note, ended = await ran(session, turn)
    assert (out, ended) == (Text("stdout", "one\n"), Ended("ok", "isolated", 0.4))
    assert isinstance(note, Note)
    assert "not kept" in note.text
    workshop.enqueue("begun", asyncio.Event())
    async with aclosing(session.run(turn, 0, "code")) as outputs:
        assert await anext(outputs) == Text("stdout", "begun")


async def test_a_run_that_never_began_is_not_kept(
    make: Make, engine: ScriptedEngine, workshop: ScriptedWorkshop
) -> None:
    session = make()
    turn = await asked(session, engine)
    workshop.enqueue(asyncio.Event())
    first = asyncio.ensure_future(ran(session, turn))
    await wait_until(lambda: session.running is not None and session.running.busy)
    with pytest.raises(Busy):
        await ran(session, turn, 1)
    assert session.running is not None
    await wait_until(lambda: workshop.kernels and workshop.kernel.codes)
    session.running.interrupt()
    await first
    assert list(session.outcomes(turn)) == [0]


async def test_without_a_wall_nothing_is_kept(
    make: Make, engine: ScriptedEngine, workshop: ScriptedWorkshop
) -> None:
    workshop.verdict = Verdict("off", "no bubblewrap")
    session = make()
    turn = await asked(session, engine)
    await ran(session, turn)
    assert session.outcomes(turn) == {}


async def test_plotting_code_has_a_kernel_ready_and_other_code_has_none(
    make: Make, engine: ScriptedEngine, workshop: ScriptedWorkshop
) -> None:
    session = make()
    await asked(session, engine, "```python\nprint(1)\n```")
    assert not workshop.kernels
    session.new()
    engine.enqueue("```python\nimport matpl", "otlib.pyplot\n```")
    async with aclosing(session.say("go")) as events:
        async for _ in events:
            pass
    await wait_until(lambda: workshop.kernels and workshop.kernel.alive)
    await session.aclose()


async def test_where_running_was_refused_no_kernel_is_begun(
    make: Make, engine: ScriptedEngine, workshop: ScriptedWorkshop
) -> None:
    session = make()
    await asked(session, engine, "hello")
    session.allowed = "never"
    await asked(session, engine)
    await asyncio.sleep(0.05)
    assert not workshop.kernels


async def test_consent_is_kept_with_the_conversation(
    make: Make, engine: ScriptedEngine, workshop: ScriptedWorkshop
) -> None:
    session = make()
    await asked(session, engine)
    assert session.running is not None
    await session.running.wall()
    assert session.allowed == "ask"
    session.allowed = "always"
    first = session.conversation
    session.new()
    assert session.allowed == "ask"
    again = make()
    again.resume(first)
    assert again.allowed == "ask", "not before the wall is known"
    assert again.running is not None
    await again.running.wall()
    assert again.allowed == "always"


async def test_consent_to_one_wall_is_none_to_a_weaker_one(
    make: Make, engine: ScriptedEngine, workshop: ScriptedWorkshop
) -> None:
    session = make()
    await asked(session, engine)
    assert session.running is not None
    await session.running.wall()
    session.allowed = "always"
    workshop.verdict = Verdict("restricted")
    again = make()
    again.resume("last")
    assert again.running is not None
    await again.running.wall()
    assert again.allowed == "ask"


async def test_consent_to_no_wall_is_never_stored(
    make: Make, engine: ScriptedEngine, workshop: ScriptedWorkshop
) -> None:
    workshop.verdict, workshop.unsafe = Verdict("unsafe"), True
    session = make()
    await asked(session, engine)
    assert session.running is not None
    await session.running.wall()
    session.allowed = "always"
    assert session.allowed == "always"
    again = make()
    again.resume("last")
    assert again.running is not None
    await again.running.wall()
    assert again.allowed == "ask"


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
    history = History.open(file)
    assert history.conversation("ab").allowed == ""
