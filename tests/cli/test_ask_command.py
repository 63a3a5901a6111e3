"""`starchat "question"` from outside: real processes, real pipes, a real engine."""

from __future__ import annotations

import json

import pexpect

from tests.cli.shell import Shell
from tests.demo import CONVERSATION


def test_answer_goes_to_stdout_alone(shell: Shell) -> None:
    done = shell.ask("What is wrong?", stdin=b"def add(a, b): return a - b\n")
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.endswith(b"\n")
    assert len(done.stdout) > 1
    shown = shell.run("show", "--json")
    turns = json.loads(shown.stdout)["turns"]
    assert turns[0]["text"] == "What is wrong?\n\n```python\ndef add(a, b): return a - b\n```"
    assert turns[1]["text"].encode() == done.stdout[:-1]


def test_json_has_every_field(shell: Shell) -> None:
    done = shell.ask("--json", "hello")
    found = json.loads(done.stdout)
    fields = "response code_blocks model mode prompt_tokens cached_tokens completion_tokens"
    fields += (
        " finish_reason seconds tokens_per_second proposed_tokens accepted_tokens conversation"
    )
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


def test_no_log_stores_nothing(shell: Shell) -> None:
    before = shell.run("ls").stdout
    shell.ask("-n", "a secret question")
    assert shell.run("ls").stdout == before
    assert shell.run("ls", "secret").stdout == b""


def test_demo_model_answers_as_documented(shell: Shell) -> None:
    for (question, answer), more in zip(CONVERSATION, ((), ("-c",)), strict=True):
        done = shell.run("-t", "0", *more, question)
        assert (done.returncode, done.stdout.decode()) == (0, f"{answer}\n"), done.stderr


def test_mode_switches_within_a_conversation(shell: Shell) -> None:
    first = json.loads(shell.run("--json", "-t", "0", "How do I reverse a list?").stdout)
    again = shell.run("--json", "-t", "0", "-c", "--mode", "ta", "And a string?")
    second = json.loads(again.stdout)
    assert (first["model"], second["model"]) == ("nano-chat", "nano-base")
    assert first["conversation"] == second["conversation"]
    assert second["prompt_tokens"] > 700


def test_statistics_go_to_a_terminal_only(shell: Shell) -> None:
    terminal = shell.spawn("hello")
    terminal.expect("answer tokens")
    terminal.expect(pexpect.EOF)
    terminal.close()
    assert terminal.exitstatus == 0
    quiet = shell.spawn("-q", "hello")
    quiet.expect(pexpect.EOF)
    quiet.close()
    assert "answer tokens" not in (quiet.before or "")


def test_run_without_python_in_the_answer_is_exit_3(shell: Shell) -> None:
    done = shell.ask("--run", "--yes", "hello")
    assert done.returncode == 3
    assert b"no Python code to run" in done.stderr
    document = shell.ask("--run", "--yes", "--json", "hello")
    assert document.returncode == 3
    assert json.loads(document.stdout)["runs"] == []


def test_extract_and_run_cannot_be_combined(shell: Shell) -> None:
    done = shell.ask("-x", "--run", "hello")
    assert (done.returncode, done.stdout) == (2, b"")
    assert b"-x and --run" in done.stderr
