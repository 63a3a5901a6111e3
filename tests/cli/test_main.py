"""The command line from outside: exit codes, stdin, help."""

from __future__ import annotations

import asyncio
import json
import os
import resource
import shutil
import signal
import subprocess
from collections.abc import Sequence
from contextlib import aclosing
from pathlib import Path

import pexpect
import pytest

from starchat_tui import __version__
from starchat_tui.client.http_client import EngineClient
from starchat_tui.client.protocol import Request, Sampling
from starchat_tui.engine.serving.worker import EngineOptions
from starchat_tui.errors import Busy
from tests.cli.shell import STARCHAT, Shell, split_lines
from tests.fakes import save_tiny_model
from tests.waiting import block_until


@pytest.mark.parametrize(
    ("argv", "code", "said"),
    [
        (["--no-such-flag", "q"], 2, "--help"),
        (["-t", "hot", "q"], 2, "--temperature"),
        (["show", "zzzz"], 2, "starchat ls"),
        (["--cid", "zzzz", "q"], 2, "starchat ls"),
        (["-f", "/does/not/exist", "q"], 2, "a text file"),
        ([], 2, "starchat"),
        (["-m", "starchat-betta", "q"], 69, "starchat-beta"),
        (["-m", "./no-folder", "q"], 69, "folder"),
        (["--url", "http://127.0.0.1:9", "q"], 69, "127.0.0.1:9"),
        (["--prompt", "absent", "--mode", "ta", "q"], 78, "Hub"),
        (["--top-p", "3", "q"], 78, "top_p"),
    ],
)
def test_error_is_two_lines_and_an_exit_code(
    shell: Shell, argv: Sequence[str], code: int, said: str
) -> None:
    done = shell.run(*argv)
    assert (done.returncode, done.stdout) == (code, b"")
    problem, hint = split_lines(done.stderr)
    assert problem.startswith("starchat: ")
    assert hint.startswith("  ")
    assert said in done.stderr.decode()


def test_exit_1_question_too_long(shell: Shell) -> None:
    done = shell.ask("why?", stdin=b"x" * 2000)
    assert done.returncode == 1
    assert b"window of 512" in done.stderr


def test_exit_3_no_code_to_extract(shell: Shell) -> None:
    done = shell.ask("-x", "q")
    assert (done.returncode, done.stdout) == (3, b"")


def test_exit_4_answer_truncated(shell: Shell) -> None:
    done = shell.ask("--fail-on-length", "q", tokens=2)
    assert done.returncode == 4
    assert done.stdout.endswith(b"\n")


def test_exit_69_incomplete_model(shell: Shell, tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    shutil.copytree(shell.model, broken)
    weights = broken / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:2000])
    done = shell.run("-m", str(broken), "q")
    assert done.returncode == 69
    assert b"Traceback" not in done.stderr
    assert shell.ask("still there?").returncode == 0


async def test_exit_75_engine_busy(shell: Shell) -> None:
    shell.ask("warm")
    client = EngineClient(shell.home / "run" / "engine.sock")
    request = Request(str(shell.model), (1, 2, 3), Sampling(max_tokens=500, temperature=1.0))

    async def send_requests() -> None:
        """Send requests without pause, so that the queue stays full."""
        while True:
            try:
                async with aclosing(client.stream(request)) as events:
                    assert [event async for event in events]
            except Busy:
                await asyncio.sleep(0.01)

    size = EngineOptions().queue_capacity + EngineOptions().running_capacity + 8
    crowd = [asyncio.create_task(send_requests()) for _ in range(size)]
    try:
        while (await client.fetch_health()).queue < EngineOptions().queue_capacity:
            await asyncio.sleep(0.01)
        done = await asyncio.to_thread(shell.ask, "may I?")
        for _ in range(3):
            # It may have found the queue with a free slot, between two of the others.
            if done.returncode:
                break
            done = await asyncio.to_thread(shell.ask, "and now?")
    finally:
        for one in crowd:
            one.cancel()
        await asyncio.wait(crowd)
    assert done.returncode == 75
    assert b"wait" in done.stderr


def test_exit_78_invalid_setting(shell: Shell) -> None:
    done = shell.run("q", STARCHAT_TEMPERATURE="hot")
    assert done.returncode == 78
    assert b"STARCHAT_TEMPERATURE" in done.stderr


def test_exit_69_killed_engine_loses_no_text(shell: Shell) -> None:
    # Its answer takes seconds: it must not be complete when the engine is killed.
    slow = str(save_tiny_model(shell.home / "slow", window=8192))
    shell.run("-m", slow, "--max-tokens", "2", "warm")
    killed = json.loads(shell.run("ps", "--json").stdout)["pid"]
    command = [*STARCHAT, "-m", slow, "--max-tokens", "8000", "-t", "0", "kill it"]
    process = subprocess.Popen(
        command,
        env=shell.environ(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        bufsize=0,
    )
    assert process.stdout is not None
    began = process.stdout.read(1)
    os.kill(killed, signal.SIGKILL)
    rest, output = process.communicate(timeout=60)
    assert process.returncode == 69
    assert b"ask again" in output
    answer = json.loads(shell.run("show", "--json").stdout)["turns"][-1]
    assert answer["state"] == "failed"
    assert answer["text"].encode() == (began + rest).removesuffix(b"\n")
    assert shell.ask("and now?").returncode == 0
    assert json.loads(shell.run("ps", "--json").stdout)["pid"] != killed


def test_exit_124_time_limit(shell: Shell) -> None:
    done = shell.run("-m", str(shell.model), "--no-daemon", "--timeout", "0.3", "q")
    assert done.returncode == 124
    assert b"--timeout" in done.stderr


def test_exit_130_interrupt_keeps_the_text(shell: Shell) -> None:
    terminal = shell.spawn("--no-daemon", "interrupt me")
    terminal.expect("starting|importing|loading")
    terminal.sendintr()
    terminal.expect("Stopped")
    terminal.expect(pexpect.EOF)
    terminal.close()
    assert terminal.exitstatus == 130
    turns = json.loads(shell.run("show", "--json").stdout)["turns"]
    assert turns[0]["text"] == "interrupt me"
    assert turns[1]["state"] == "stopped"


def test_exit_141_closed_pipe(shell: Shell) -> None:
    command = [*STARCHAT, "-m", str(shell.model), "--max-tokens", "300", "q"]
    process = subprocess.Popen(
        command,
        env=shell.environ(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    process.stdout.read(1)
    process.stdout.close()
    _, output = process.communicate(timeout=60)
    assert (process.returncode, output) == (141, b"")


def test_exit_143_sigterm(shell: Shell) -> None:
    command = [*STARCHAT, "-m", str(shell.model), "--no-daemon", "terminate me"]
    process = subprocess.Popen(
        command, env=shell.environ(), stdin=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    block_until(lambda: b"terminate me" in shell.run("ls").stdout, what="the question is stored")
    process.send_signal(signal.SIGTERM)
    _, output = process.communicate(timeout=60)
    assert process.returncode == 143
    assert b"starchat -c" in output


def test_idle_inherited_stdin_is_not_read(shell: Shell) -> None:
    reading, writing = os.pipe()
    # An open pipe or socket would be read to its end; a character device must not be.
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


def test_a_log_that_cannot_fit_is_refused_before_it_is_encoded(shell: Shell) -> None:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = shell.ask("sum it up", stdin=b"2026-12-01 INFO worker 17 is done\n" * 300_000)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert done.returncode == 1
    assert b"10,200,0" in done.stderr
    # Encoding alone would take seconds; a hundred times as much as one window.
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 3


ODD_WORDS = (
    ("ls", "{}"),
    ("show", "{}"),
    ("export", "{}"),
    ("rm", "{}"),
    ("prompt", "{}"),
    ("load", "{}"),
    ("run", "{}"),
    ("-n", "--stop", "{}", "q"),
    ("-n", "-s", "{}", "q"),
    ("-n", "-f", "{}", "q"),
    ("-n", "--url", "{}", "q"),
    ("-n", "--tokenizer", "{}", "q"),
    ("--cid", "{}", "q"),
    ("-n", "-m", "{}", "q"),
    ("-n", "--prompt", "{}", "--mode", "ta", "q"),
)


@pytest.mark.parametrize("words", ODD_WORDS, ids=" ".join)
def test_bytes_that_are_no_text_are_no_bug(shell: Shell, words: tuple[str, ...]) -> None:
    odd = os.fsdecode(b"a\xff\xe9")
    done = shell.run(*(word.format(odd) for word in words))
    assert done.returncode in (1, 2, 69, 78)
    assert b"Traceback" not in done.stderr
    assert b"bug in StarChat" not in done.stderr


def test_version_and_help(shell: Shell) -> None:
    assert shell.run("--version").stdout.decode() == f"starchat {__version__}\n"
    assert shell.run("-q", "-V").stdout.decode() == f"starchat {__version__}\n"
    output = shell.run("--help").stdout.decode()
    assert "exit codes:" in output
    for name in ("ls", "show", "rm", "prompt", "serve", "ps", "load", "stop"):
        assert shell.run(name, "--help").returncode == 0
        assert f"  {name} " in output
