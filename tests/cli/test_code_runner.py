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
from starchat_tui.chat.store import ConversationStore
from starchat_tui.cli.ask import Terminal
from starchat_tui.cli.code_runner import (
    CodeRunner,
    RunOptions,
    read_exit_status,
    run_and_close,
)
from starchat_tui.client.protocol import Sampling
from starchat_tui.config.settings import Settings
from starchat_tui.errors import (
    CodeFailed,
    Interrupted,
    NoCode,
    NoSandbox,
    RunLimitExceeded,
    StarChatError,
    Terminated,
    UsageError,
)
from starchat_tui.execution.run_result import RunResult
from starchat_tui.models.resolver import ModelResolver
from starchat_tui.sandbox.isolation.probe import Capability
from starchat_tui.sandbox.outputs import Failure, Note, Result, RunEnded, StreamText, WrittenFile
from tests.fakes import byte_tokenizer
from tests.scripted import DRAWN, ScriptedEngine, ScriptedKernelFactory
from tests.waiting import wait_until

FAILURE = Failure("KeyError", "'x'", "Cell 1, line 1\nKeyError: 'x'")


class Stream(io.StringIO):
    def __init__(self, *, tty: bool) -> None:
        super().__init__()
        self._tty = tty

    def isatty(self) -> bool:
        return self._tty


class CommandRun:
    """One command, its output and its error."""

    def __init__(
        self, factory: ScriptedKernelFactory, *, tty: bool, confirms: bool, **wanted: Any
    ) -> None:
        self.out, self.err = Stream(tty=tty), Stream(tty=tty)
        self.questions: list[str] = []
        self.kernel_manager = factory.create_manager()
        self.error: StarChatError | None = None

        def confirm(question: str, terminal: Terminal) -> bool:
            self.questions.append(question)
            return confirms

        terminal = Terminal(self.out, self.err, color=tty)
        self.command = CodeRunner(
            self.kernel_manager, RunOptions(**wanted), terminal, confirm=confirm
        )

    async def file(self, code: str) -> CommandRun:
        try:
            await run_and_close(self.kernel_manager, self.command.run_file(code))
        except StarChatError as error:
            self.error = error
        return self


@pytest.fixture
def factory() -> ScriptedKernelFactory:
    return ScriptedKernelFactory()


@pytest.fixture
def run(factory: ScriptedKernelFactory) -> Callable[..., Any]:
    async def create_and_run(
        *pieces: Any, code: str = "code", tty: bool = False, confirms: bool = False, **wanted: Any
    ) -> CommandRun:
        factory.enqueue(*pieces)
        return await CommandRun(factory, tty=tty, confirms=confirms, **wanted).file(code)

    return create_and_run


async def test_outputs_go_to_their_streams(run: Any, factory: ScriptedKernelFactory) -> None:
    done = await run("out", StreamText("stderr", "warned\n"), Result("42"), DRAWN, Note("compat"))
    assert done.out.getvalue() == "out\n42\naxes 1: 'Bars' bars [1, 2]\n"
    assert done.err.getvalue() == "warned\ncompat\n", "notes, but no summary"
    assert done.error is None
    assert factory.kernel.closed == 1


async def test_terminal_gets_plots_and_notes(run: Any) -> None:
    done = await run("out", DRAWN, Note("compat: sns"), WrittenFile("a.csv", 12), tty=True)
    assert "\x1b[38;2;" in done.err.getvalue()
    assert "axes 1" in done.out.getvalue()
    for text in ("compat: sns", "wrote a.csv (12 bytes)", "ran · 0.4 s · isolated"):
        assert text in done.err.getvalue()
    done = await run(DRAWN, tty=True, images="off")
    assert "\x1b[38;2;" not in done.err.getvalue()


async def test_pipe_gets_raw_text_and_terminal_sanitized_text(run: Any) -> None:
    hostile = "\x1b]52;c;aGk=\x07\u202e"
    assert (await run(hostile)).out.getvalue() == hostile
    assert "\x1b" not in (await run(hostile, clean=True)).out.getvalue()
    done = await run(
        hostile, StreamText("stderr", hostile), Failure("E", hostile, hostile), tty=True
    )
    assert "\x1b]" not in done.out.getvalue() + done.err.getvalue()
    assert "\u202e" not in done.out.getvalue() + done.err.getvalue()


@pytest.mark.parametrize(
    ("ended", "kind", "code"),
    [
        (RunEnded("error", "isolated", 1.0), CodeFailed, 5),
        (RunEnded("died", "isolated", 1.0, "The kernel ended"), CodeFailed, 5),
        (RunEnded("timeout", "isolated", 1.0, "Stopped after 60 s"), RunLimitExceeded, 6),
        (RunEnded("memory", "isolated", 1.0, "Stopped at 2 GB"), RunLimitExceeded, 6),
        (RunEnded("output", "isolated", 1.0, "Stopped at 64 MB"), RunLimitExceeded, 6),
        (RunEnded("interrupted", "isolated", 1.0), Interrupted, 130),
        (RunEnded("no-sandbox", "off", 0.0, "No sandbox"), NoSandbox, 77),
    ],
    ids=lambda one: one.status if isinstance(one, RunEnded) else "",
)
async def test_exit_code_of_each_end(run: Any, ended: RunEnded, kind: type, code: int) -> None:
    done = await run("x", ended)
    assert type(done.error) is kind
    assert done.error.exit_code == code
    assert ended.reason in f"{done.error.message} {done.error.hint}"


async def test_json_has_the_documented_keys(run: Any) -> None:
    pieces = (
        "one\n",
        StreamText("stderr", "two"),
        Result("3"),
        DRAWN,
        WrittenFile("a", 4),
        FAILURE,
    )
    done = await run(*pieces, json=True)
    document = json.loads(done.out.getvalue())
    assert list(document) == [
        *("status", "level", "environment", "stdout", "stderr", "error", "figures", "files"),
        *("hint", "notes", "seconds"),
    ]
    assert (document["status"], document["level"]) == ("error", "isolated")
    assert (document["stdout"], document["stderr"]) == ("one\n3\n", "two")
    assert document["error"]["name"] == "KeyError"
    assert document["files"] == [{"name": "a", "size": 4}]
    (figure,) = document["figures"]
    assert list(figure) == ["png", "width", "height", "card"]
    assert base64.b64decode(figure["png"]) == DRAWN.png
    assert isinstance(done.error, CodeFailed)


async def test_json_without_a_sandbox(run: Any, factory: ScriptedKernelFactory) -> None:
    factory.capability = Capability("off", "no bubblewrap", ("apt install bubblewrap",))
    done = await run("never", json=True)
    document = json.loads(done.out.getvalue())
    assert (document["status"], document["level"]) == ("no-sandbox", "off")
    assert "no bubblewrap" in document["error"]["message"]
    assert done.error.exit_code == 77


async def test_invisible_characters_need_consent(run: Any, factory: ScriptedKernelFactory) -> None:
    code = "x = 1\nadmin\u202e = 2\n"
    refused = await run("never", code=code)
    assert isinstance(refused.error, UsageError)
    assert "U+202E" in refused.error.message
    assert "    2  admin<U+202E> = 2" in refused.err.getvalue()
    assert not factory.kernels
    agreed = await run(code=code, tty=True, confirms=True)
    assert agreed.error is None
    assert "    2  admin<U+202E> = 2" in agreed.err.getvalue()
    assert factory.kernel.codes == [code]


async def test_downloads_need_consent(run: Any, factory: ScriptedKernelFactory) -> None:
    url = "https://data.example/a.csv"
    factory.urls = (url,)
    for how, expected in (
        ({}, 0),
        ({"confirms": True, "tty": True}, 1),
        ({"download_hosts": ("data.example",)}, 1),
        ({"download_hosts": ("other.example",)}, 0),
    ):
        await run("x", code=f"read('{url}')", **how)
        assert len(factory.kernel.downloads[0]) == expected


async def test_save_dir_gets_plots_and_files(
    run: Any, factory: ScriptedKernelFactory, tmp_path: Path
) -> None:
    folder = tmp_path / "new" / "folder"
    create = factory.create_kernel

    def with_file(capability: Capability, attached: Any, interpreter: Any) -> Any:
        kernel = create(capability, attached, interpreter)
        kernel.files["../a.csv"] = b"1,2"
        return kernel

    factory.create_kernel = with_file  # type: ignore[method-assign]
    for _ in range(2):
        await run(DRAWN, WrittenFile("../a.csv", 3), save_dir=folder)
    names = sorted(path.name for path in folder.iterdir())
    assert names == ["a-2.csv", "a.csv", "figure-1-2.png", "figure-1.png"]
    assert (folder / "figure-1.png").read_bytes() == DRAWN.png


async def test_lost_file_is_an_error_and_the_others_are_saved(run: Any, tmp_path: Path) -> None:
    done = await run(DRAWN, WrittenFile("gone.csv", 3), save_dir=tmp_path / "kept")
    assert [path.name for path in (tmp_path / "kept").iterdir()] == ["figure-1.png"]
    assert done.error.message == "1 of 2 files could not be saved"
    assert done.error.exit_code == 1
    assert "gone.csv" in done.err.getvalue()


async def test_attached_file_must_exist(run: Any, tmp_path: Path) -> None:
    done = await run("x", files=(tmp_path / "none.csv",))
    assert isinstance(done.error, UsageError)


async def test_unsafe_run_is_warned_about_in_red(run: Any, factory: ScriptedKernelFactory) -> None:
    factory.unsafe, factory.capability = True, Capability("unsafe")
    for tty in (True, False):
        done = await run("x", tty=tty)
        assert "UNSAFE" in done.err.getvalue()
    assert "\x1b[1;31mUNSAFE" in (await run("x", tty=True)).err.getvalue()


@pytest.mark.parametrize(
    ("number", "kind", "code"),
    [(signal.SIGINT, Interrupted, 130), (signal.SIGTERM, Terminated, 143)],
)
async def test_signal_ends_code_and_kernel(
    factory: ScriptedKernelFactory, number: signal.Signals, kind: type, code: int
) -> None:
    factory.enqueue("begun", asyncio.Event())
    done = CommandRun(factory, tty=False, confirms=False)
    kernel_manager = asyncio.ensure_future(done.file("code"))
    await wait_until(lambda: "begun" in done.out.getvalue())
    os.kill(os.getpid(), number)
    await kernel_manager
    assert type(done.error) is kind
    assert done.error is not None
    assert done.error.exit_code == code
    assert factory.kernel.closed == 1


@pytest.fixture
def session(tmp_path: Path) -> Callable[[CommandRun], Session]:
    tokenizer = tmp_path / "tokenizer.json"
    tokenizer.write_text(json.dumps(byte_tokenizer()))

    def create(done: CommandRun) -> Session:
        engine = ScriptedEngine()
        settings = Settings(url="http://x", tokenizer=str(tokenizer), window=4000)
        resolver = ModelResolver(settings, engine)
        found = Session(
            ConversationStore.in_memory(),
            engine,
            resolver,
            sampling=Sampling(),
            kernel_manager=done.kernel_manager,
        )
        engine.enqueue(ANSWER)
        return found

    return create


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


async def run_answer(done: CommandRun, session: Session, text: str = ANSWER) -> None:
    async for _ in session.ask("go"):
        pass
    try:
        work = done.command.run_answer(session, text, {"response": text})
        await run_and_close(done.kernel_manager, work)
    except StarChatError as error:
        done.error = error


async def test_python_blocks_run_in_order_after_consent(
    factory: ScriptedKernelFactory, session: Callable[[CommandRun], Session]
) -> None:
    factory.enqueue("one\n")
    factory.enqueue("two\n")
    done = CommandRun(factory, tty=True, confirms=True)
    conversation = session(done)
    await run_answer(done, conversation)
    assert done.questions == ["Run this code?"]
    assert factory.kernel.codes == ["x = 1\n", "print(x)\n"]
    assert "one\n" in done.out.getvalue()
    assert sorted(conversation.load_run_results(conversation.turns[-1].id)) == [0, 2]


@pytest.mark.parametrize("tty", [True, False])
async def test_nothing_runs_without_consent(
    factory: ScriptedKernelFactory, session: Callable[[CommandRun], Session], tty: bool
) -> None:
    done = CommandRun(factory, tty=tty, confirms=False)
    await run_answer(done, session(done))
    assert isinstance(done.error, UsageError)
    assert "--yes" in done.error.hint
    assert not any(kernel.codes for kernel in factory.kernels)


async def test_yes_flag_runs_and_stops_at_the_first_failure(
    factory: ScriptedKernelFactory, session: Callable[[CommandRun], Session]
) -> None:
    factory.enqueue(FAILURE)
    done = CommandRun(factory, tty=False, confirms=False, yes=True, json=True)
    await run_answer(done, session(done))
    assert isinstance(done.error, CodeFailed)
    assert factory.kernel.codes == ["x = 1\n"]
    document = json.loads(done.out.getvalue())
    assert [one["status"] for one in document["runs"]] == ["error"]
    assert document["response"] == ANSWER


async def test_yes_flag_does_not_cover_invisible_characters(
    factory: ScriptedKernelFactory, session: Callable[[CommandRun], Session]
) -> None:
    done = CommandRun(factory, tty=False, confirms=False, yes=True)
    await run_answer(done, session(done), "```python\nx = '\u2066'\n```")
    assert isinstance(done.error, UsageError)
    assert not any(kernel.codes for kernel in factory.kernels)


async def test_answer_without_python_is_an_error(
    factory: ScriptedKernelFactory, session: Callable[[CommandRun], Session]
) -> None:
    done = CommandRun(factory, tty=False, confirms=True)
    await run_answer(done, session(done), "No code here.")
    assert isinstance(done.error, NoCode)
    done = CommandRun(factory, tty=False, confirms=True, json=True)
    await run_answer(done, session(done), "No code here.")
    assert json.loads(done.out.getvalue()) == {"response": "No code here.", "runs": []}


async def test_code_is_shown_before_the_question_if_stdout_is_a_pipe(
    factory: ScriptedKernelFactory, session: Callable[[CommandRun], Session]
) -> None:
    done = CommandRun(factory, tty=True, confirms=False)
    done.command._terminal.out = Stream(tty=False)
    await run_answer(done, session(done))
    assert "x = 1" in done.err.getvalue()
    assert "print(x)" in done.err.getvalue()
    shown = CommandRun(factory, tty=True, confirms=False)
    await run_answer(shown, session(shown))
    assert "x = 1" not in shown.err.getvalue(), "the answer is on the screen already"


@pytest.mark.parametrize(
    ("failure", "status"),
    [
        (Failure("SystemExit", "3", ""), 3),
        (Failure("SystemExit", "-1", ""), 255),
        (Failure("SystemExit", "256", ""), 0),
        (Failure("SystemExit", "1" * 5000, ""), 1),
        (Failure("SystemExit", "no data", ""), 1),
        (Failure("ValueError", "3", ""), 1),
    ],
)
def test_exit_status_of_a_script(failure: Failure, status: int) -> None:
    result = RunResult((failure,), RunEnded("error", "isolated", 0.1))
    assert read_exit_status(result) == status
    assert read_exit_status(RunResult((failure,), RunEnded("timeout", "isolated", 0.1))) is None
