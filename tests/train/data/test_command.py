from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from starchat_tui.cli import error_boundary
from starchat_tui.errors import ConfigError, StarChatError, Unavailable, UsageError
from starchat_tui.templates.template import IGNORE_INDEX
from starchat_tui.templates.tokenizer import CHAT_TOKENS, Tokenizer
from tests.sample_tokenizers import ROOT, build_byte_level, save_tokenizer
from tests.train.random_trees import write_jsonl
from train.data.__main__ import main
from train.data.encode import encode_tree
from train.data.trees import Message, chain_messages
from train.modeling.tokenizer_files import read_tokenizer
from train.train_errors import DataError

HELLO = {
    "messages": [
        {"role": "user", "content": "Hello, can you help me?"},
        {"role": "assistant", "content": "Sure, what can I do for you?"},
    ]
}
"""Dialogue whose labels the 2023 blog prints."""


def run_command(capsys: pytest.CaptureFixture[str], *argv: str) -> Any:
    """Return the output of a command: a list for `show`, one document for `stats`."""
    assert main(argv) == 0
    out = capsys.readouterr().out
    return [json.loads(line) for line in out.splitlines()] if argv[0] == "show" else json.loads(out)


@pytest.fixture
def tokenizer(tmp_path: Path) -> str:
    return str(save_tokenizer(build_byte_level(), tmp_path / "tokenizer.json"))


def build_row(question: str, answer: str, **more: Any) -> dict[str, Any]:
    return {"prompt": question, "completion": answer, **more}


class TestExampleOfTheBlog:
    """Labels of `Hello, can you help me?`, as in the 2023 blog post, minus its two mistakes.

    The post learned the header of the assistant's turn and the newline after it, and it numbered
    the tokens in an order in which another one would end answers.
    """

    SAID = (69, 513, 30, 2769, 883, 439, 745, 436, 844, 49)
    """`Sure, what can I do for you?`; the ids agree with the blog's."""

    def test_its_labels(self, starcoder: Tokenizer) -> None:
        turns = [Message("user", "Hello, can you help me?")]
        turns.append(Message("assistant", "Sure, what can I do for you?"))
        row = encode_tree(chain_messages(turns), starcoder)
        system, user, assistant, end = map(starcoder.get_control_id, CHAT_TOKENS)
        assert (system, user, assistant, end) == (49152, 49153, 49154, 49155)
        asked = starcoder.encode("Hello, can you help me?")
        assert row.ids.tolist() == [
            *(system, 203, end, 203),
            *(user, 203, *asked, end, 203),
            *(assistant, 203, *self.SAID, end, 203),
        ]
        before = len(row) - len(self.SAID) - 2
        assert row.labels.tolist() == [*[IGNORE_INDEX] * before, *self.SAID, end, IGNORE_INDEX]

    def test_as_show_prints_it(
        self, tmp_path: Path, shared_data: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        folder = str(shared_data / "starcoder-vocabulary")
        source = write_jsonl(tmp_path / "hello.jsonl", HELLO)
        (line,) = run_command(capsys, "show", "--tokenizer", folder, "--dataset", source)
        learned = [label for label in line["labels"] if label != IGNORE_INDEX]
        assert learned == [*self.SAID, 49155]
        size = len(line["input_ids"])
        assert line["position_ids"] == list(range(size))
        assert line["exit"] == [size] * size
        assert set(line) == {"input_ids", "labels", "position_ids", "exit", "weights"}


class TestShow:
    def test_a_tree_is_a_line(
        self, tmp_path: Path, tokenizer: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        source = write_jsonl(
            tmp_path / "a.jsonl", build_row("q", "a"), build_row("p", "c"), build_row("q", "b")
        )
        argv = ("show", "--tokenizer", tokenizer, "--dataset", source)
        tree, other = run_command(capsys, *argv)
        size, answer = len(tree["input_ids"]), 5
        # Both answers are of one length; the first leaves where the second begins.
        assert set(tree["exit"]) == {size - answer, size}
        assert tree["exit"].count(size - answer) == answer
        assert tree["position_ids"][-answer:] == tree["position_ids"][-2 * answer : -answer]
        assert len(run_command(capsys, *argv, "--limit", "1")) == 1
        assert len(run_command(capsys, *argv, "--paths")) == 3
        (row,) = run_command(capsys, *argv, "--block", "200")
        assert len(row["input_ids"]) == size + len(other["input_ids"])
        assert row["exit"][-1] == len(row["exit"])

    def test_refused_rows_are_counted_on_stderr(
        self, tmp_path: Path, tokenizer: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        source = write_jsonl(tmp_path / "a.jsonl", build_row("q", "a"), build_row("q", ""))
        assert main(["show", "--tokenizer", tokenizer, "--dataset", source]) == 0
        out, err = capsys.readouterr()
        assert len(out.splitlines()) == 1
        assert err.startswith("1 rows")

    def test_the_objective_is_selectable(
        self, tmp_path: Path, tokenizer: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        source = write_jsonl(tmp_path / "a.jsonl", build_row("q", "a"), build_row("q", "a"))
        argv = ("show", "--tokenizer", tokenizer, "--dataset", source)
        assert max(run_command(capsys, *argv)[0]["weights"]) == 2
        assert max(run_command(capsys, *argv, "--weights", "once")[0]["weights"]) == 1

    def test_rows_suit_other_trainers(
        self, tmp_path: Path, tokenizer: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """`input_ids` and `labels` of single dialogues are what any trainer takes."""
        source = write_jsonl(tmp_path / "a.jsonl", build_row("q", "a"), build_row("q", "b"))
        argv = ("show", "--tokenizer", tokenizer, "--dataset", source, "--paths")
        for line in run_command(capsys, *argv):
            assert len(line["input_ids"]) == len(line["labels"])
            kept = [at for at, label in enumerate(line["labels"]) if label != IGNORE_INDEX]
            assert [line["input_ids"][at] for at in kept] == [line["labels"][at] for at in kept]


class TestStats:
    def test_counts(
        self, tmp_path: Path, tokenizer: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        source = write_jsonl(
            tmp_path / "a.jsonl",
            build_row("q", "a"),
            build_row("q", "b"),
            build_row("q", ""),
            {"messages": [{"role": "user", "content": "alone"}]},
            build_row("long " * 300, "never"),
        )
        found = run_command(
            capsys, "stats", "--tokenizer", tokenizer, "--dataset", source, "--block", "128"
        )
        assert (found["rows"], found["trees"], found["dialogues"]) == (5, 2, 3)
        assert (found["messages"], found["messages_learned"]) == (5, 3)
        assert found["refused"] == {
            "an empty assistant turn": {"count": 1, "where": [f"{source}:3"]},
            "no assistant turn to learn": {"count": 1, "where": [f"{source}:4"]},
        }
        assert found["trees_lost"] == [f"{source}:5"]
        assert found["tokens"] == found["tokens_packed"] + found["tokens_cut"]
        share = found["tokens"] / found["tokens_given"]
        assert found["saved_by_trees"] == pytest.approx(1 - share, abs=1e-4)
        assert 0 < found["share_learned"] < 1
        assert found["fill"] == pytest.approx(found["tokens_packed"] / 128, abs=1e-4)

    def test_refused_rows_are_all_named_on_request(
        self, tmp_path: Path, tokenizer: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        bad = [build_row("q", "") for _ in range(9)]
        source = write_jsonl(tmp_path / "a.jsonl", build_row("q", "a"), *bad)
        argv = ("stats", "--tokenizer", tokenizer, "--dataset", source)
        (few,) = run_command(capsys, *argv)["refused"].values()
        assert (few["count"], len(few["where"])) == (9, 5)
        (every,) = run_command(capsys, *argv, "--refused")["refused"].values()
        assert every["where"] == [f"{source}:{line}" for line in range(2, 11)]

    def test_the_real_trees(self, shared_data: Path, capsys: pytest.CaptureFixture[str]) -> None:
        folder = str(shared_data / "starcoder-vocabulary")
        trees = str(shared_data / "oasst" / "en_100_tree.jsonl")
        found = run_command(capsys, "stats", "--tokenizer", folder, "--dataset", trees)
        assert (found["trees"], found["dialogues"], found["tokens"]) == (100, 626, 151_154)
        assert found["share_of_given"] <= 0.63
        assert found["share_learned_given"] == pytest.approx(0.778, abs=5e-4)


WRONG = [
    (["show"], UsageError, "arguments are required"),
    (["look"], UsageError, "invalid choice"),
    ([], UsageError, "arguments are required"),
    (["show", "--tokenizer", "T", "--dataset", "D", "--limit", "0"], UsageError, "--limit"),
    (["show", "--tokenizer", "T", "--dataset", "D", "--block", "x"], UsageError, "--block"),
    (["show", "--tokenizer", "T", "--dataset", "absent.jsonl"], UsageError, "no file"),
    (["show", "--tokenizer", "absent.json", "--dataset", "D"], UsageError, "no tokenizer"),
    (["show", "--tokenizer", "owner/absent", "--dataset", "D"], Unavailable, "cannot be fetched"),
    (["show", "--tokenizer", "D", "--dataset", "D"], ConfigError, "not a tokenizer.json"),
    (["stats", "--tokenizer", "T", "--dataset", "D", "--block", "3"], DataError, "No answer fits"),
    (["stats", "--tokenizer", "T", "--dataset", "E"], DataError, "no rows"),
]


@pytest.mark.parametrize(("argv", "kind", "message"), WRONG, ids=[message for *_, message in WRONG])
def test_every_usage_error_has_a_hint(
    tmp_path: Path, tokenizer: str, argv: list[str], kind: type[StarChatError], message: str
) -> None:
    (tmp_path / "E").write_bytes(b"")
    named = {
        "T": tokenizer,
        "D": write_jsonl(tmp_path / "d", build_row("q", "a")),
        "E": f"{tmp_path}/E",
    }
    with pytest.raises(kind, match=message) as caught:
        main([named.get(word, word) for word in argv])
    assert caught.value.hint


def test_an_error_is_two_lines_and_an_exit_code(
    tmp_path: Path, tokenizer: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "bad\x1b[31m.jsonl").write_text('{"a": 1}\n{"b"')
    argv = ["show", "--tokenizer", tokenizer, "--dataset", str(tmp_path / "bad\x1b[31m.jsonl")]
    assert error_boundary.report_errors(lambda: main(argv), program="train") == 65
    out, err = capsys.readouterr()
    assert out == ""
    assert ":2: not JSON" in err
    assert "\x1b" not in err
    assert len(err.splitlines()) == 2


def test_a_closed_pipe_ends_the_command_quietly(tmp_path: Path, tokenizer: str) -> None:
    listed = [build_row(f"question {at}", "word " * 500) for at in range(100)]
    source = write_jsonl(tmp_path / "a.jsonl", *listed)
    command = [sys.executable, "-m", "train.data", "show", "--tokenizer", tokenizer]
    with subprocess.Popen(
        [*command, "--dataset", source],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=dict(os.environ),
    ) as running:
        assert running.stdout is not None
        assert running.stderr is not None
        assert json.loads(running.stdout.readline())["input_ids"]
        running.stdout.close()
        assert running.stderr.read() == b""
        assert running.wait() == 141


def test_a_tokenizer_is_a_file_or_its_folder(tmp_path: Path, tokenizer: str) -> None:
    assert len(read_tokenizer(tokenizer)) == len(read_tokenizer(str(tmp_path)))
