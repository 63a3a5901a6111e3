"""`starchat ls`, `rm` and `export`."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pexpect
import pytest

from starchat_tui.chat.export import FORMATS, export_conversation
from starchat_tui.chat.store import ConversationStore
from starchat_tui.cli.conversations_command import export_conversations
from starchat_tui.errors import UsageError
from tests.chat.conversations import store_conversation
from tests.cli.shell import STARCHAT, Shell, split_lines


def test_ls_finds_and_rm_deletes(shell: Shell) -> None:
    shell.ask("about quokkas")
    (line,) = split_lines(shell.run("ls", "quok").stdout)
    assert shell.run("rm", line.split()[0]).returncode == 0
    assert shell.run("ls", "quok").stdout == b""


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ConversationStore:
    monkeypatch.setenv("STARCHAT_HOME", str(tmp_path))
    from starchat_tui.config.paths import find_paths

    return ConversationStore.open(find_paths(os.environ).database)


def run_export(capsys: pytest.CaptureFixture[str], *argv: str) -> tuple[str, str]:
    assert export_conversations(argv) == 0
    return capsys.readouterr()


@pytest.mark.parametrize("form", FORMATS)
def test_last_conversation_is_exported(
    store: ConversationStore, capsys: pytest.CaptureFixture[str], form: str
) -> None:
    store_conversation(store, ("old", "done"), ("old answer", "done"))
    name = store_conversation(store, ("q", "done"), ("a", "done"))
    out, err = run_export(capsys, "--format", form)
    conversation, path = store.find_conversation(name), store.load_path(name)
    assert out == export_conversation(conversation, path, form) + "\n"
    assert err == ""


def test_all_conversations_are_training_rows(
    store: ConversationStore, capsys: pytest.CaptureFixture[str]
) -> None:
    for number in range(3):
        store_conversation(store, (f"q{number}", "done"), ("a", "done"))
    silent = store_conversation(store, ("q", "done"))
    out, err = run_export(capsys, "--all", "--format", "messages")
    assert len([json.loads(line) for line in out.splitlines()]) == 3
    assert silent in err


def test_conflicting_flags_are_errors(store: ConversationStore) -> None:
    names = [store_conversation(store, ("q", "done"), ("a", "done")) for _ in range(2)]
    for argv in (["--all", names[0]], ["--format", "notebook", *names], ["--format", "pdf"]):
        with pytest.raises(UsageError) as caught:
            export_conversations(argv)
        assert caught.value.hint
    with pytest.raises(UsageError, match="No conversation"):
        export_conversations(["zzzz"])


def test_a_long_list_says_what_it_leaves_out(shell: Shell) -> None:
    for question in ("one", "two", "three"):
        shell.ask(question, tokens=1)
    everything = shell.run("ls", "-l", "0")
    assert everything.stderr == b""
    count = len(split_lines(everything.stdout))
    some = shell.run("ls", "-l", str(count - 1))
    assert len(split_lines(some.stdout)) == count - 1
    assert "1 more: `-l 0` lists all" in some.stderr.decode()
    assert "1 question " in everything.stdout.decode()


@pytest.mark.parametrize(("answer", "deleted"), [("n", 0), ("", 0), ("y", 1)])
def test_a_deletion_in_a_terminal_is_asked_about(shell: Shell, answer: str, deleted: int) -> None:
    shell.ask("what is it?", tokens=1)
    before = len(split_lines(shell.run("ls").stdout))
    child = pexpect.spawn(
        STARCHAT[0], [*STARCHAT[1:], "rm", "last"], env=shell.environ(), encoding="utf-8"
    )
    child.expect("what is it")
    child.expect("Delete for good")
    child.sendline(answer)
    child.expect(pexpect.EOF)
    assert len(split_lines(shell.run("ls").stdout)) == before - deleted


def test_a_script_deletes_without_being_asked(shell: Shell) -> None:
    shell.ask("what is it?", tokens=1)
    before = len(split_lines(shell.run("ls").stdout))
    assert shell.run("rm", "last").returncode == 0
    assert len(split_lines(shell.run("ls").stdout)) == before - 1
