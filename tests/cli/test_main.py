"""The command line from outside: real processes, real pipes, a real engine on a tiny model."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import aclosing
from pathlib import Path

import pexpect
import pytest

from starchat_tui import __main__ as door
from starchat_tui import __version__, settings
from starchat_tui.cli import arguments as flags
from starchat_tui.client.http_client import EngineClient
from starchat_tui.client.protocol import Request, Sampling
from starchat_tui.engine.serving.worker import Choices
from starchat_tui.errors import Busy
from tests.demo import CONVERSATION
from tests.fakes import save_tiny_model
from tests.waiting import block_until

ROOT = Path(__file__).parents[2]
STARCHAT = [sys.executable, "-m", "starchat_tui"]


class Shell:
    """Runs `starchat` in a home of its own, with one engine for all that it runs."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.model = save_tiny_model(home / "tiny")

    def environ(self, **more: str) -> dict[str, str]:
        return {
            **{key: os.environ[key] for key in ("PATH", "HOME", "LANG", "TERM")},
            "STARCHAT_HOME": str(self.home),
            "PYTHONPATH": str(ROOT),
            "OMP_NUM_THREADS": "1",
            "HF_HUB_OFFLINE": "1",
            **more,
        }

    def run(
        self, *argv: str, stdin: bytes | None = None, **environ: str
    ) -> subprocess.CompletedProcess[bytes]:
        """Run to the end; stdin is closed where nothing is piped."""
        with_input = {"input": stdin} if stdin is not None else {"stdin": subprocess.DEVNULL}
        return subprocess.run(
            [*STARCHAT, *argv],
            capture_output=True,
            env=self.environ(**environ),
            check=False,
            timeout=120,
            **with_input,  # type: ignore[call-overload]
        )

    def ask(
        self, *argv: str, stdin: bytes | None = None, tokens: int = 6
    ) -> subprocess.CompletedProcess[bytes]:
        """Ask the tiny model for a short answer."""
        model = ("-m", str(self.model), "-t", "0", "--max-tokens", str(tokens))
        return self.run(*model, *argv, stdin=stdin)

    def spawn(self, *argv: str, tokens: int = 6) -> pexpect.spawn[str]:
        """Ask the tiny model in a terminal."""
        first, rest = (argv[:1], argv[1:]) if argv[0] == "repl" else ((), argv)
        options = ["-m", str(self.model), "--max-tokens", str(tokens)]
        command = [*STARCHAT, *first, *options, *rest]
        return pexpect.spawn(
            command[0],
            command[1:],
            env=self.environ(),
            encoding="utf-8",
            codec_errors="replace",
            timeout=60,
            dimensions=(30, 100),
        )


@pytest.fixture(scope="module")
def shell() -> Iterator[Shell]:
    home = Path(tempfile.mkdtemp(prefix="sc-cli-"))
    made = Shell(home)
    os.environ.setdefault("HOME", str(home))
    yield made
    made.run("stop")
    shutil.rmtree(home, ignore_errors=True)


def lines(raw: bytes) -> list[str]:
    return raw.decode().splitlines()


def test_a_pipe_is_answered_on_stdout_and_nothing_else(shell: Shell) -> None:
    done = shell.ask("What is wrong?", stdin=b"def add(a, b): return a - b\n")
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.endswith(b"\n")
    assert len(done.stdout) > 1
    shown = shell.run("show", "--json")
    turns = json.loads(shown.stdout)["turns"]
    assert turns[0]["text"] == "What is wrong?\n\n```python\ndef add(a, b): return a - b\n```"
    assert turns[1]["text"].encode() == done.stdout[:-1]


def test_json_is_one_object_with_every_field(shell: Shell) -> None:
    done = shell.ask("--json", "hello")
    found = json.loads(done.stdout)
    fields = "response code_blocks model mode prompt_tokens cached_tokens completion_tokens"
    fields += " finish_reason seconds tokens_per_second conversation"
    assert set(fields.split()) <= set(found)
    assert found["completion_tokens"] <= 6
    assert found["conversation"] in shell.run("ls").stdout.decode()


def test_continue_sends_the_whole_conversation(shell: Shell) -> None:
    first = json.loads(shell.ask("--json", "one").stdout)
    second = json.loads(shell.ask("--json", "-c", "two").stdout)
    assert second["conversation"] == first["conversation"]
    assert second["cached_tokens"] >= first["prompt_tokens"]
    turns = json.loads(shell.run("show", first["conversation"], "--json").stdout)["turns"]
    assert [turn["role"] for turn in turns] == ["user", "assistant"] * 2


def test_no_log_keeps_nothing(shell: Shell) -> None:
    before = shell.run("ls").stdout
    shell.ask("-n", "a secret question")
    assert shell.run("ls").stdout == before
    assert shell.run("ls", "secret").stdout == b""


def test_no_log_keeps_no_line_that_was_typed(shell: Shell) -> None:
    for more, said in (((), "an open line"), (("-n",), "a secret line")):
        talk = shell.spawn("repl", *more, tokens=4)
        talk.expect("›")
        talk.send(f"{said}\r")
        talk.expect("first after")
        talk.send("\x04")
        talk.expect(pexpect.EOF)
        talk.close()
        assert talk.exitstatus == 0
    kept = (shell.home / "state" / "history.jsonl").read_text()
    assert "an open line" in kept
    assert "a secret line" not in kept


def test_no_log_gives_the_screen_no_file_to_keep_lines_in(monkeypatch: pytest.MonkeyPatch) -> None:
    given: dict[str, object] = {}

    class Opened:
        return_code = 0

        def __init__(self, session: object, **arguments: object) -> None:
            given.update(arguments)

        def run(self) -> None:
            pass

    monkeypatch.setattr("starchat_tui.ui.app.StarChatApp", Opened)
    monkeypatch.setattr("starchat_tui.ui.widgets.image.detect", lambda *_: ("half", ""))
    for argv, kept in (((), True), (("-n",), False)):
        found = flags.parse([*argv, "--mode", "chat"])
        chosen, paths = settings.read(flags.chosen(found), os.environ)
        assert door._screen(found, chosen, paths, "") == 0
        assert (given["input_history"] is not None) == kept
        assert (given["draft"] is not None) == kept


def test_ls_finds_and_rm_deletes(shell: Shell) -> None:
    shell.ask("about quokkas")
    (line,) = lines(shell.run("ls", "quok").stdout)
    assert shell.run("rm", line.split()[0]).returncode == 0
    assert shell.run("ls", "quok").stdout == b""


def test_the_bundled_model_says_what_the_readme_shows(shell: Shell) -> None:
    for (question, answer), more in zip(CONVERSATION, ((), ("-c",)), strict=True):
        done = shell.run("-t", "0", *more, question)
        assert (done.returncode, done.stdout.decode()) == (0, f"{answer}\n"), done.stderr


def test_the_mode_switches_in_mid_conversation_on_the_bundled_models(shell: Shell) -> None:
    first = json.loads(shell.run("--json", "-t", "0", "How do I reverse a list?").stdout)
    again = shell.run("--json", "-t", "0", "-c", "--mode", "ta", "And a string?")
    second = json.loads(again.stdout)
    assert (first["model"], second["model"]) == ("nano-chat", "nano-base")
    assert first["conversation"] == second["conversation"]
    assert second["prompt_tokens"] > 700


# Every exit code of the table


@pytest.mark.parametrize(
    ("argv", "code", "said"),
    [
        (["--no-such-flag", "q"], 2, "--help"),
        (["-t", "hot", "q"], 2, "--temperature"),
        (["show", "zzzz"], 2, "starchat ls"),
        (["--cid", "zzzz", "q"], 2, "starchat ls"),
        (["-f", "/does/not/exist", "q"], 2, "text files"),
        ([], 2, "starchat"),
        (["-m", "starchat-betta", "q"], 69, "starchat-beta"),
        (["-m", "./no-folder", "q"], 69, "folder"),
        (["--url", "http://127.0.0.1:9", "q"], 69, "127.0.0.1:9"),
        (["--prompt", "absent", "--mode", "ta", "q"], 78, "Hub"),
        (["--top-p", "3", "q"], 78, "top_p"),
    ],
)
def test_a_mistake_is_two_lines_and_an_exit_code(
    shell: Shell, argv: Sequence[str], code: int, said: str
) -> None:
    done = shell.run(*argv)
    assert (done.returncode, done.stdout) == (code, b"")
    problem, hint = lines(done.stderr)
    assert problem.startswith("starchat: ")
    assert hint.startswith("  ")
    assert said in done.stderr.decode()


def test_1_the_question_is_too_long(shell: Shell) -> None:
    done = shell.ask("why?", stdin=b"x" * 2000)
    assert done.returncode == 1
    assert b"window of 512" in done.stderr


def test_3_no_code_to_extract(shell: Shell) -> None:
    done = shell.ask("-x", "q")
    assert (done.returncode, done.stdout) == (3, b"")


def test_4_the_answer_was_cut(shell: Shell) -> None:
    done = shell.ask("--fail-on-length", "q", tokens=2)
    assert done.returncode == 4
    assert done.stdout.endswith(b"\n")


def test_69_a_half_copied_model(shell: Shell, tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    shutil.copytree(shell.model, broken)
    weights = broken / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:2000])
    done = shell.run("-m", str(broken), "q")
    assert done.returncode == 69
    assert b"Traceback" not in done.stderr
    assert shell.ask("still there?").returncode == 0


async def test_75_the_engine_is_busy(shell: Shell) -> None:
    shell.ask("warm")
    client = EngineClient(shell.home / "run" / "engine.sock")
    request = Request(str(shell.model), (1, 2, 3), Sampling(max_tokens=500, temperature=1.0))

    async def press() -> None:
        """Ask again and again, so that the queue is full whenever somebody looks."""
        while True:
            try:
                async with aclosing(client.stream(request)) as events:
                    assert [event async for event in events]
            except Busy:
                await asyncio.sleep(0.01)

    crowd = [asyncio.create_task(press()) for _ in range(24)]
    try:
        while (await client.health()).queue < Choices().room:
            await asyncio.sleep(0.01)
        done = await asyncio.to_thread(shell.ask, "may I?")
        for _ in range(3):
            # It may have slipped into the moment between two of the crowd.
            if done.returncode:
                break
            done = await asyncio.to_thread(shell.ask, "and now?")
    finally:
        for one in crowd:
            one.cancel()
        await asyncio.wait(crowd)
    assert done.returncode == 75
    assert b"wait" in done.stderr


def test_78_a_wrong_setting(shell: Shell) -> None:
    done = shell.run("q", STARCHAT_TEMPERATURE="hot")
    assert done.returncode == 78
    assert b"STARCHAT_TEMPERATURE" in done.stderr


def test_69_an_engine_killed_in_mid_answer_loses_nothing(shell: Shell) -> None:
    shell.ask("warm")
    killed = json.loads(shell.run("ps", "--json").stdout)["pid"]
    command = [*STARCHAT, "-m", str(shell.model), "--max-tokens", "450", "-t", "0", "kill it"]
    asking = subprocess.Popen(
        command,
        env=shell.environ(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        bufsize=0,
    )
    assert asking.stdout is not None
    began = asking.stdout.read(1)
    os.kill(killed, signal.SIGKILL)
    rest, told = asking.communicate(timeout=60)
    assert asking.returncode == 69
    assert b"ask again" in told
    answer = json.loads(shell.run("show", "--json").stdout)["turns"][-1]
    assert answer["state"] == "failed"
    assert answer["text"].encode() == (began + rest).removesuffix(b"\n")
    assert shell.ask("and now?").returncode == 0
    assert json.loads(shell.run("ps", "--json").stdout)["pid"] != killed


def test_124_the_time_limit(shell: Shell) -> None:
    done = shell.run("-m", str(shell.model), "--no-daemon", "--timeout", "0.3", "q")
    assert done.returncode == 124
    assert b"--timeout" in done.stderr


def test_130_interrupted_in_a_terminal_keeps_what_came(shell: Shell) -> None:
    talk = shell.spawn("--no-daemon", "interrupt me")
    talk.expect("starting|importing|loading")
    talk.sendintr()
    talk.expect("Stopped")
    talk.expect(pexpect.EOF)
    talk.close()
    assert talk.exitstatus == 130
    turns = json.loads(shell.run("show", "--json").stdout)["turns"]
    assert turns[0]["text"] == "interrupt me"
    assert turns[1]["state"] == "stopped"


def test_141_the_reader_left(shell: Shell) -> None:
    command = [*STARCHAT, "-m", str(shell.model), "--max-tokens", "300", "q"]
    asking = subprocess.Popen(
        command,
        env=shell.environ(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert asking.stdout is not None
    asking.stdout.read(1)
    asking.stdout.close()
    _, told = asking.communicate(timeout=60)
    assert (asking.returncode, told) == (141, b"")


def test_143_terminated(shell: Shell) -> None:
    command = [*STARCHAT, "-m", str(shell.model), "--no-daemon", "terminate me"]
    asking = subprocess.Popen(
        command, env=shell.environ(), stdin=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    block_until(lambda: b"terminate me" in shell.run("ls").stdout, what="the question is stored")
    asking.send_signal(signal.SIGTERM)
    _, told = asking.communicate(timeout=60)
    assert asking.returncode == 143
    assert b"starchat -c" in told


# Terminals


def test_a_terminal_gets_statistics_and_a_pipe_does_not(shell: Shell) -> None:
    talk = shell.spawn("hello")
    talk.expect("tok/s")
    talk.expect(pexpect.EOF)
    talk.close()
    assert talk.exitstatus == 0
    quiet = shell.spawn("-q", "hello")
    quiet.expect(pexpect.EOF)
    quiet.close()
    assert "tok/s" not in (quiet.before or "")


def test_an_idle_inherited_stdin_is_not_waited_for(shell: Shell) -> None:
    reading, writing = os.pipe()
    # A socket pair or pipe that nobody closes would be waited for; a character device is not.
    os.close(reading)
    os.close(writing)
    with open("/dev/zero", "rb") as zero:
        done = subprocess.run(
            [*STARCHAT, "-m", str(shell.model), "--max-tokens", "2", "q"],
            stdin=zero,
            capture_output=True,
            env=shell.environ(),
            timeout=60,
            check=False,
        )
    assert done.returncode == 0


def test_binary_input_is_refused(shell: Shell) -> None:
    done = shell.ask("q", stdin=b"\xff\xfe\x00")
    assert done.returncode == 2
    assert b"UTF-8" in done.stderr


def test_version_and_help(shell: Shell) -> None:
    assert shell.run("--version").stdout.decode() == f"starchat {__version__}\n"
    assert shell.run("-q", "-V").stdout.decode() == f"starchat {__version__}\n"
    told = shell.run("--help").stdout.decode()
    assert "exit codes:" in told
    for name in ("ls", "show", "rm", "prompt", "serve", "ps", "load", "stop"):
        assert shell.run(name, "--help").returncode == 0
        assert f"  {name} " in told


def test_prompt_prints_exactly_what_would_be_sent(shell: Shell) -> None:
    done = shell.run("prompt", "-m", str(shell.model), "--json", "Why <|end|>?")
    found = json.loads(done.stdout)
    text = "<|system|>\n<|end|>\n<|user|>\nWhy <|end|>?<|end|>\n<|assistant|>\n"
    assert found["text"] == text
    assert len(found["ids"]) == found["prompt_tokens"]
    assert found["lookalikes"] == 1


def test_the_line_mode_answers_stops_and_leaves(shell: Shell) -> None:
    talk = shell.spawn("repl", tokens=400)
    talk.expect("›")
    talk.send("a question\r")
    talk.expect("first after")
    talk.send("\x04")
    talk.expect(pexpect.EOF)
    talk.close()
    assert talk.exitstatus == 0
    assert json.loads(shell.run("show", "--json").stdout)["turns"][0]["text"] == "a question"


def test_load_ps_and_stop_tell_of_the_engine(shell: Shell) -> None:
    loaded = shell.run("load", str(shell.model))
    assert b"window 512" in loaded.stdout
    told = json.loads(shell.run("ps", "--json").stdout)
    assert str(shell.model) in told["models"]
    assert shell.run("stop").returncode == 0
    block_until(lambda: b"no engine runs" in shell.run("ps").stdout)
