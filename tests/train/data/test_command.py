from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, RandomSampler

from starchat_tui.errors import ConfigError, StarChatError, Unavailable, UsageError
from starchat_tui.templates.template import IGNORED
from starchat_tui.templates.tokenizer import CHAT_TOKENS, Vocabulary
from tests.train.forest import forest, jsonl
from tests.vocabularies import ROOT, byte_level, write
from train import command_line
from train.data.__main__ import main, read_vocabulary
from train.data.collator import Collator, Rows, rows
from train.data.encode import encode
from train.data.packing import Row
from train.data.trees import Message, Tree, chain, grown, trimmed
from train.modeling.masks import attention_4d
from train.train_errors import DataError

HELLO = {
    "messages": [
        {"role": "user", "content": "Hello, can you help me?"},
        {"role": "assistant", "content": "Sure, what can I do for you?"},
    ]
}
"""The dialogue whose labels the 2023 blog prints."""


def printed(capsys: pytest.CaptureFixture[str], *argv: str) -> Any:
    """What a command prints: a list of lines for `show`, one document for `stats`."""
    assert main(argv) == 0
    out = capsys.readouterr().out
    return [json.loads(line) for line in out.splitlines()] if argv[0] == "show" else json.loads(out)


@pytest.fixture
def tokenizer(tmp_path: Path) -> str:
    return str(write(byte_level(), tmp_path / "tokenizer.json"))


def exchange(question: str, answer: str, **more: Any) -> dict[str, Any]:
    return {"prompt": question, "completion": answer, **more}


class TestTheBlogsExample:
    """`Hello, can you help me?`, as the blog prints it, without its two mistakes.

    It learned the header of the assistant's turn, and the newline behind it; and it counted its
    tokens in an order in which the model's own end token would be another.
    """

    SAID = (69, 513, 30, 2769, 883, 439, 745, 436, 844, 49)
    """`Sure, what can I do for you?`; the ids agree with the blog's."""

    def test_its_labels(self, starcoder: Vocabulary) -> None:
        turns = [Message("user", "Hello, can you help me?")]
        turns.append(Message("assistant", "Sure, what can I do for you?"))
        row = encode(chain(turns), starcoder)
        system, user, assistant, end = map(starcoder.control_id, CHAT_TOKENS)
        assert (system, user, assistant, end) == (49152, 49153, 49154, 49155)
        asked = starcoder.text_ids("Hello, can you help me?")
        assert row.ids.tolist() == [
            *(system, 203, end, 203),
            *(user, 203, *asked, end, 203),
            *(assistant, 203, *self.SAID, end, 203),
        ]
        before = len(row) - len(self.SAID) - 2
        assert row.labels.tolist() == [*[IGNORED] * before, *self.SAID, end, IGNORED]

    def test_as_show_prints_it(
        self, tmp_path: Path, shared_data: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        folder = str(shared_data / "starcoder-vocabulary")
        source = jsonl(tmp_path / "hello.jsonl", HELLO)
        (line,) = printed(capsys, "show", "--tokenizer", folder, "--dataset", source)
        learned = [label for label in line["labels"] if label != IGNORED]
        assert learned == [*self.SAID, 49155]
        size = len(line["input_ids"])
        assert line["position_ids"] == list(range(size))
        assert line["exit"] == [size] * size
        assert set(line) == {"input_ids", "labels", "position_ids", "exit", "weights"}


class TestShow:
    def test_a_tree_is_a_line(
        self, tmp_path: Path, tokenizer: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        source = jsonl(
            tmp_path / "a.jsonl", exchange("q", "a"), exchange("p", "c"), exchange("q", "b")
        )
        argv = ("show", "--tokenizer", tokenizer, "--dataset", source)
        tree, other = printed(capsys, *argv)
        size, answer = len(tree["input_ids"]), 5
        # Both answers are of one length; the first leaves where the second begins.
        assert set(tree["exit"]) == {size - answer, size}
        assert tree["exit"].count(size - answer) == answer
        assert tree["position_ids"][-answer:] == tree["position_ids"][-2 * answer : -answer]
        assert len(printed(capsys, *argv, "--limit", "1")) == 1
        assert len(printed(capsys, *argv, "--paths")) == 3
        (row,) = printed(capsys, *argv, "--block", "200")
        assert len(row["input_ids"]) == size + len(other["input_ids"])
        assert row["exit"][-1] == len(row["exit"])

    def test_what_is_refused_is_counted_aside(
        self, tmp_path: Path, tokenizer: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        source = jsonl(tmp_path / "a.jsonl", exchange("q", "a"), exchange("q", ""))
        assert main(["show", "--tokenizer", tokenizer, "--dataset", source]) == 0
        out, err = capsys.readouterr()
        assert len(out.splitlines()) == 1
        assert err.startswith("1 rows")

    def test_weights_are_those_asked_for(
        self, tmp_path: Path, tokenizer: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        source = jsonl(tmp_path / "a.jsonl", exchange("q", "a"), exchange("q", "a"))
        argv = ("show", "--tokenizer", tokenizer, "--dataset", source)
        assert max(printed(capsys, *argv)[0]["weights"]) == 2
        assert max(printed(capsys, *argv, "--weights", "once")[0]["weights"]) == 1

    def test_its_rows_can_be_learned_by_others(
        self, tmp_path: Path, tokenizer: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """`input_ids` and `labels` of single dialogues are what any trainer takes."""
        source = jsonl(tmp_path / "a.jsonl", exchange("q", "a"), exchange("q", "b"))
        argv = ("show", "--tokenizer", tokenizer, "--dataset", source, "--paths")
        for line in printed(capsys, *argv):
            assert len(line["input_ids"]) == len(line["labels"])
            kept = [at for at, label in enumerate(line["labels"]) if label != IGNORED]
            assert [line["input_ids"][at] for at in kept] == [line["labels"][at] for at in kept]


class TestStats:
    def test_counts(
        self, tmp_path: Path, tokenizer: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        source = jsonl(
            tmp_path / "a.jsonl",
            exchange("q", "a"),
            exchange("q", "b"),
            exchange("q", ""),
            {"messages": [{"role": "user", "content": "alone"}]},
            exchange("long " * 300, "never"),
        )
        found = printed(
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
        bad = [exchange("q", "") for _ in range(9)]
        source = jsonl(tmp_path / "a.jsonl", exchange("q", "a"), *bad)
        argv = ("stats", "--tokenizer", tokenizer, "--dataset", source)
        (few,) = printed(capsys, *argv)["refused"].values()
        assert (few["count"], len(few["where"])) == (9, 5)
        (every,) = printed(capsys, *argv, "--refused")["refused"].values()
        assert every["where"] == [f"{source}:{line}" for line in range(2, 11)]

    def test_the_real_trees(self, shared_data: Path, capsys: pytest.CaptureFixture[str]) -> None:
        folder = str(shared_data / "starcoder-vocabulary")
        trees = str(shared_data / "oasst" / "en_100_tree.jsonl")
        found = printed(capsys, "stats", "--tokenizer", folder, "--dataset", trees)
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


@pytest.mark.parametrize(("argv", "kind", "told"), WRONG, ids=[told for *_, told in WRONG])
def test_a_mistake_is_told_with_what_to_do(
    tmp_path: Path, tokenizer: str, argv: list[str], kind: type[StarChatError], told: str
) -> None:
    (tmp_path / "E").write_bytes(b"")
    named = {"T": tokenizer, "D": jsonl(tmp_path / "d", exchange("q", "a")), "E": f"{tmp_path}/E"}
    with pytest.raises(kind, match=told) as caught:
        main([named.get(word, word) for word in argv])
    assert caught.value.hint


def test_a_mistake_is_two_lines_and_an_exit_code(
    tmp_path: Path, tokenizer: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "bad\x1b[31m.jsonl").write_text('{"a": 1}\n{"b"')
    argv = ["show", "--tokenizer", tokenizer, "--dataset", str(tmp_path / "bad\x1b[31m.jsonl")]
    assert command_line.told(lambda: main(argv)) == 65
    out, err = capsys.readouterr()
    assert out == ""
    assert ":2: not JSON" in err
    assert "\x1b" not in err
    assert len(err.splitlines()) == 2


def test_a_reader_that_leaves_is_no_mistake(tmp_path: Path, tokenizer: str) -> None:
    listed = [exchange(f"question {at}", "word " * 500) for at in range(100)]
    source = jsonl(tmp_path / "a.jsonl", *listed)
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


def test_a_vocabulary_is_a_file_or_its_folder(tmp_path: Path, tokenizer: str) -> None:
    assert len(read_vocabulary(tokenizer)) == len(read_vocabulary(str(tmp_path)))


# Rows and batches.


@pytest.fixture
def packed(small: Vocabulary) -> list[Row]:
    trees = [cut for one in forest(Random(0), 30) if (cut := trimmed(one))]
    return rows(trees, small, block=600).rows


def test_packed_rows_say_what_was_lost(small: Vocabulary) -> None:
    long = chain([Message("user", "long " * 99), Message("assistant", "a")], where="f:9")
    short = grown([Message("user", "q"), Message("assistant", "a " * 99, 0)])
    found = rows([long, short], small, block=64)
    assert found.lost == ("f:9",)
    assert found.cut > 99
    assert [len(row) for row in found.rows] == [64]


def test_nothing_that_fits_is_told(small: Vocabulary) -> None:
    made: list[Tree] = [chain([Message("user", "long " * 99), Message("assistant", "a")])]
    with pytest.raises(DataError, match="block of 64"):
        rows(made, small, block=64)


def test_rows_and_collator_travel_to_other_processes(packed: list[Row]) -> None:
    again = pickle.loads(pickle.dumps(Rows(packed)))
    collate = pickle.loads(pickle.dumps(Collator(600, 0)))
    assert len(again) == len(packed)
    for name, column in Collator(600, 0)(packed).items():
        assert column.equal(collate([again[at] for at in range(len(again))])[name])


def test_the_order_is_that_of_the_seed(packed: list[Row]) -> None:
    def order(seed: int) -> list[list[int]]:
        sampler = RandomSampler(Rows(packed), generator=torch.Generator().manual_seed(seed))
        loader = DataLoader(
            Rows(packed), batch_size=2, sampler=sampler, collate_fn=Collator(600, 0)
        )
        return [batch["input_ids"].flatten().tolist() for batch in loader]

    assert order(1) == order(1)
    assert order(1) != order(2)


def test_a_batch_has_what_a_model_takes(packed: list[Row]) -> None:
    batch = Collator(600, 7)(packed[:3])
    longest = max(map(len, packed[:3]))
    shapes = {name: tuple(column.shape) for name, column in batch.items()}
    assert shapes == {
        "input_ids": (3, longest),
        "labels": (3, longest),
        "position_ids": (3, longest),
        "weights": (3, longest),
        "attention_mask": (3, 1, longest, longest),
    }
    assert batch["attention_mask"].dtype == torch.bool
    assert batch["input_ids"].dtype == batch["labels"].dtype == torch.int64
    for row, ids, labels in zip(packed, batch["input_ids"], batch["labels"], strict=False):
        size = len(row)
        assert np.array_equal(ids[:size].numpy(), row.ids)
        assert (ids[size:] == 7).all()
        assert (labels[size:] == IGNORED).all()


def test_what_fills_a_row_up_sees_itself_alone(packed: list[Row]) -> None:
    batch = Collator(600, 0, fixed=True)(packed[:2])
    for row, mask in zip(packed, batch["attention_mask"], strict=False):
        size = len(row)
        assert mask.shape == (1, 600, 600)
        assert mask[0, size:].equal(torch.eye(600, dtype=torch.bool)[size:])
        assert not mask[0, :size, size:].any()


def test_exits_stand_for_the_mask(packed: list[Row]) -> None:
    dense = Collator(600, 0)(packed)["attention_mask"]
    bare = Collator(600, 0, form="exits")(packed)
    assert "attention_mask" not in bare
    assert attention_4d(bare["exits"]).equal(dense)


def test_a_row_beyond_the_block_is_a_fault_of_the_caller(packed: list[Row]) -> None:
    with pytest.raises(AssertionError, match="in a block of 8"):
        Collator(8, 0)(packed[:1])
