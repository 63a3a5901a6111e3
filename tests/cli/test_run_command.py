"""Code from the command line, with a scripted kernel: consent, streams, JSON, exit codes."""

from __future__ import annotations

import asyncio
import base64
import io
import json
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from starchat_tui.chat.session import Session
from starchat_tui.chat.store import History
from starchat_tui.cli.ask import Terminal
from starchat_tui.cli.run_command import Command, Wanted, ending, read_code
from starchat_tui.client.protocol import Sampling
from starchat_tui.errors import (
    CodeFailed,
    Interrupted,
    NoCode,
    NoSandbox,
    RunLimit,
    StarChatError,
    Terminated,
    UsageError,
)
from starchat_tui.models.resolver import Voices
from starchat_tui.sandbox.isolation.probe import Verdict
from starchat_tui.sandbox.outputs import Ended, Failure, Note, Result, Text, Written
from starchat_tui.settings import Settings
from tests.fakes import byte_tokenizer
from tests.scripted import DRAWN, ScriptedEngine, ScriptedWorkshop
from tests.waiting import wait_until

FAILURE = Failure("KeyError", "'x'", "Cell 1, line 1\nKeyError: 'x'")


class Stream(io.StringIO):
    def __init__(self, *, tty: bool) -> None:
        super().__init__()
        self._tty = tty

    def isatty(self) -> bool:
        return self._tty


class Ran:
    """One command, what it printed and how it ended."""

    def __init__(self, workshop: ScriptedWorkshop, *, tty: bool, says: bool, **wanted: Any) -> None:
        self.out, self.err = Stream(tty=tty), Stream(tty=tty)
        self.asked: list[str] = []
        self.running = workshop.running()
        self.error: StarChatError | None = None

        def confirm(question: str, terminal: Terminal) -> bool:
            self.asked.append(question)
            return says

        terminal = Terminal(self.out, self.err, color=tty)
        self.command = Command(self.running, Wanted(**wanted), terminal, confirm=confirm)

    async def file(self, code: str) -> Ran:
        try:
            await ending(self.running, self.command.file(code))
        except StarChatError as error:
            self.error = error
        return self


@pytest.fixture
def workshop() -> ScriptedWorkshop:
    return ScriptedWorkshop()


@pytest.fixture
def run(workshop: ScriptedWorkshop) -> Callable[..., Any]:
    async def ran(
        *pieces: Any, code: str = "code", tty: bool = False, says: bool = False, **wanted: Any
    ) -> Ran:
        workshop.enqueue(*pieces)
        return await Ran(workshop, tty=tty, says=says, **wanted).file(code)

    return ran


async def test_each_stream_goes_its_own_way(run: Any, workshop: ScriptedWorkshop) -> None:
    ran = await run("out", Text("stderr", "warned\n"), Result("42"), DRAWN, Note("compat"))
    assert ran.out.getvalue() == "out\n42\naxes 1: 'Bars' bars [1, 2]\n"
    assert ran.err.getvalue() == "warned\n", "a pipe gets no remarks"
    assert ran.error is None
    assert workshop.kernel.closed == 1


async def test_a_terminal_shows_the_picture_and_the_remarks(run: Any) -> None:
    ran = await run("out", DRAWN, Note("compat: sns"), Written("a.csv", 12), tty=True)
    assert "▀" in ran.err.getvalue()
    assert "axes 1" in ran.out.getvalue()
    for told in ("compat: sns", "wrote a.csv (12 bytes)", "ran · 0.4 s · isolated"):
        assert told in ran.err.getvalue()
    ran = await run(DRAWN, tty=True, images="off")
    assert "▀" not in ran.err.getvalue()


async def test_a_pipe_gets_what_was_written_and_a_terminal_what_is_safe(run: Any) -> None:
    hostile = "\x1b]52;c;aGk=\x07\u202e"
    assert (await run(hostile)).out.getvalue() == hostile
    assert "\x1b" not in (await run(hostile, clean=True)).out.getvalue()
    ran = await run(hostile, Text("stderr", hostile), Failure("E", hostile, hostile), tty=True)
    assert "\x1b]" not in ran.out.getvalue() + ran.err.getvalue()
    assert "\u202e" not in ran.out.getvalue() + ran.err.getvalue()


@pytest.mark.parametrize(
    ("ended", "kind", "code"),
    [
        (Ended("error", "isolated", 1.0), CodeFailed, 5),
        (Ended("died", "isolated", 1.0, "The kernel ended"), CodeFailed, 5),
        (Ended("timeout", "isolated", 1.0, "Stopped after 60 s"), RunLimit, 6),
        (Ended("memory", "isolated", 1.0, "Stopped at 2 GB"), RunLimit, 6),
        (Ended("output", "isolated", 1.0, "Stopped at 64 MB"), RunLimit, 6),
        (Ended("interrupted", "isolated", 1.0), Interrupted, 130),
        (Ended("no-sandbox", "off", 0.0, "No wall"), NoSandbox, 77),
    ],
    ids=lambda one: one.status if isinstance(one, Ended) else "",
)
async def test_each_end_has_an_exit_code(run: Any, ended: Ended, kind: type, code: int) -> None:
    ran = await run("x", ended)
    assert type(ran.error) is kind
    assert ran.error.exit_code == code
    assert ended.reason in f"{ran.error.message} {ran.error.hint}"


async def test_json_is_one_object_with_the_keys_that_are_promised(run: Any) -> None:
    pieces = ("one\n", Text("stderr", "two"), Result("3"), DRAWN, Written("a", 4), FAILURE)
    ran = await run(*pieces, json=True)
    document = json.loads(ran.out.getvalue())
    assert list(document) == [
        *("status", "level", "stdout", "stderr", "error", "figures", "files", "seconds")
    ]
    assert (document["status"], document["level"]) == ("error", "isolated")
    assert (document["stdout"], document["stderr"]) == ("one\n3\n", "two")
    assert document["error"]["name"] == "KeyError"
    assert document["files"] == [{"name": "a", "size": 4}]
    (figure,) = document["figures"]
    assert list(figure) == ["png", "width", "height", "card"]
    assert base64.b64decode(figure["png"]) == DRAWN.png
    assert isinstance(ran.error, CodeFailed)


async def test_json_without_a_wall_says_so(run: Any, workshop: ScriptedWorkshop) -> None:
    workshop.verdict = Verdict("off", "no bubblewrap", ("apt install bubblewrap",))
    ran = await run("never", json=True)
    document = json.loads(ran.out.getvalue())
    assert (document["status"], document["level"]) == ("no-sandbox", "off")
    assert "no bubblewrap" in document["error"]["message"]
    assert ran.error.exit_code == 77


async def test_unseen_characters_are_shown_and_agreed_to(
    run: Any, workshop: ScriptedWorkshop
) -> None:
    code = "x = 1\nadmin\u202e = 2\n"
    refused = await run("never", code=code)
    assert isinstance(refused.error, UsageError)
    assert "U+202E" in refused.error.message
    assert "    2  admin<U+202E> = 2" in refused.err.getvalue()
    assert not workshop.kernels
    agreed = await run(code=code, tty=True, says=True)
    assert agreed.error is None
    assert "    2  admin<U+202E> = 2" in agreed.err.getvalue()
    assert workshop.kernel.codes == [code]


async def test_addresses_are_fetched_where_the_user_agrees(
    run: Any, workshop: ScriptedWorkshop
) -> None:
    url = "https://data.example/a.csv"
    workshop.urls = (url,)
    for how, expected in (
        ({}, 0),
        ({"says": True, "tty": True}, 1),
        ({"hosts": ("data.example",)}, 1),
        ({"hosts": ("other.example",)}, 0),
    ):
        await run("x", code=f"read('{url}')", **how)
        assert len(workshop.kernel.downloads[0]) == expected


async def test_plots_and_files_are_saved(
    run: Any, workshop: ScriptedWorkshop, tmp_path: Path
) -> None:
    folder = tmp_path / "new" / "folder"
    made = workshop.make

    def with_file(verdict: Verdict, attached: Any) -> Any:
        kernel = made(verdict, attached)
        kernel.files["../a.csv"] = b"1,2"
        return kernel

    workshop.make = with_file  # type: ignore[method-assign]
    for _ in range(2):
        await run(DRAWN, Written("../a.csv", 3), save_dir=folder)
    names = sorted(path.name for path in folder.iterdir())
    assert names == ["a-2.csv", "a.csv", "figure-1-2.png", "figure-1.png"]
    assert (folder / "figure-1.png").read_bytes() == DRAWN.png


async def test_a_file_that_cannot_be_had_costs_no_other_and_is_no_success(
    run: Any, tmp_path: Path
) -> None:
    ran = await run(DRAWN, Written("gone.csv", 3), save_dir=tmp_path / "kept")
    assert [path.name for path in (tmp_path / "kept").iterdir()] == ["figure-1.png"]
    assert ran.error.message == "1 of 2 files could not be saved"
    assert ran.error.exit_code == 1
    assert "gone.csv" in ran.err.getvalue()


async def test_a_file_that_is_attached_must_be_there(run: Any, tmp_path: Path) -> None:
    ran = await run("x", attached=(tmp_path / "none.csv",))
    assert isinstance(ran.error, UsageError)


async def test_no_wall_because_the_user_said_so_is_said_in_red(
    run: Any, workshop: ScriptedWorkshop
) -> None:
    workshop.unsafe, workshop.verdict = True, Verdict("unsafe")
    for tty in (True, False):
        ran = await run("x", tty=tty)
        assert "UNSAFE" in ran.err.getvalue()
    assert "\x1b[1;31mUNSAFE" in (await run("x", tty=True)).err.getvalue()


@pytest.mark.parametrize(
    ("number", "kind", "code"),
    [(signal.SIGINT, Interrupted, 130), (signal.SIGTERM, Terminated, 143)],
)
async def test_a_signal_ends_the_code_and_the_kernel(
    workshop: ScriptedWorkshop, number: signal.Signals, kind: type, code: int
) -> None:
    workshop.enqueue("begun", asyncio.Event())
    ran = Ran(workshop, tty=False, says=False)
    running = asyncio.ensure_future(ran.file("code"))
    await wait_until(lambda: "begun" in ran.out.getvalue())
    os.kill(os.getpid(), number)
    await running
    assert type(ran.error) is kind
    assert ran.error is not None
    assert ran.error.exit_code == code
    assert workshop.kernel.closed == 1


@pytest.fixture
def session(tmp_path: Path) -> Callable[[Ran], Session]:
    tokenizer = tmp_path / "tokenizer.json"
    tokenizer.write_text(json.dumps(byte_tokenizer()))

    def made(ran: Ran) -> Session:
        engine = ScriptedEngine()
        settings = Settings(url="http://x", tokenizer=str(tokenizer), window=4000)
        voices = Voices(settings, engine)
        found = Session(
            History.in_memory(), engine, voices, sampling=Sampling(), running=ran.running
        )
        engine.enqueue(ANSWER)
        return found

    return made


ANSWER = """First:

```python
x = 1
```

It prints

```text
not code
```

then

```
print(x)
```

and

```rust
fn main() {}
```
"""


async def answered(ran: Ran, session: Session, text: str = ANSWER) -> None:
    async for _ in session.say("go"):
        pass
    try:
        work = ran.command.answer(session, text, {"response": text})
        await ending(ran.running, work)
    except StarChatError as error:
        ran.error = error


async def test_the_python_of_an_answer_is_run_in_order_after_a_yes(
    workshop: ScriptedWorkshop, session: Callable[[Ran], Session]
) -> None:
    workshop.enqueue("one\n")
    workshop.enqueue("two\n")
    ran = Ran(workshop, tty=True, says=True)
    conversation = session(ran)
    await answered(ran, conversation)
    assert ran.asked == ["Run this code?"]
    assert workshop.kernel.codes == ["x = 1\n", "print(x)\n"]
    assert "one\n" in ran.out.getvalue()
    assert sorted(conversation.outcomes(conversation.turns[-1].id)) == [0, 2]


@pytest.mark.parametrize("tty", [True, False])
async def test_without_a_yes_nothing_is_run(
    workshop: ScriptedWorkshop, session: Callable[[Ran], Session], tty: bool
) -> None:
    ran = Ran(workshop, tty=tty, says=False)
    await answered(ran, session(ran))
    assert isinstance(ran.error, UsageError)
    assert "--yes" in ran.error.hint
    assert not any(kernel.codes for kernel in workshop.kernels)


async def test_yes_runs_at_once_and_a_failure_ends_it(
    workshop: ScriptedWorkshop, session: Callable[[Ran], Session]
) -> None:
    workshop.enqueue(FAILURE)
    ran = Ran(workshop, tty=False, says=False, yes=True, json=True)
    await answered(ran, session(ran))
    assert isinstance(ran.error, CodeFailed)
    assert workshop.kernel.codes == ["x = 1\n"]
    document = json.loads(ran.out.getvalue())
    assert [one["status"] for one in document["runs"]] == ["error"]
    assert document["response"] == ANSWER


async def test_yes_is_no_yes_to_what_cannot_be_seen(
    workshop: ScriptedWorkshop, session: Callable[[Ran], Session]
) -> None:
    ran = Ran(workshop, tty=False, says=False, yes=True)
    await answered(ran, session(ran), "```python\nx = '\u2066'\n```")
    assert isinstance(ran.error, UsageError)
    assert not any(kernel.codes for kernel in workshop.kernels)


async def test_an_answer_without_python_has_nothing_to_run(
    workshop: ScriptedWorkshop, session: Callable[[Ran], Session]
) -> None:
    ran = Ran(workshop, tty=False, says=True)
    await answered(ran, session(ran), "No code here.")
    assert isinstance(ran.error, NoCode)
    ran = Ran(workshop, tty=False, says=True, json=True)
    await answered(ran, session(ran), "No code here.")
    assert json.loads(ran.out.getvalue()) == {"response": "No code here.", "runs": []}


async def test_code_that_went_to_a_pipe_is_shown_before_the_question(
    workshop: ScriptedWorkshop, session: Callable[[Ran], Session]
) -> None:
    ran = Ran(workshop, tty=True, says=False)
    ran.command._terminal.out = Stream(tty=False)
    await answered(ran, session(ran))
    assert "x = 1" in ran.err.getvalue()
    assert "print(x)" in ran.err.getvalue()
    shown = Ran(workshop, tty=True, says=False)
    await answered(shown, session(shown))
    assert "x = 1" not in shown.err.getvalue(), "it stands above already"


def test_code_is_read_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "a.py"
    path.write_text("x = 'ü'")
    assert read_code(str(path)) == "x = 'ü'"
    path.write_bytes(b"\xff")
    for name in (str(path), str(tmp_path), str(tmp_path / "none")):
        with pytest.raises(UsageError, match="cannot be read"):
            read_code(name)
    with path.open("wb") as file:
        file.truncate(5 * 2**20)
    with pytest.raises(UsageError, match="too large"):
        read_code(str(path))
