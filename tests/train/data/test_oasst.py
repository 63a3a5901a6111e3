from __future__ import annotations

from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
import torch

from starchat_tui.templates.template import IGNORED
from starchat_tui.templates.tokenizer import CHAT_TOKENS, Vocabulary
from tests.train.forest import jsonl, tensors, tiny_model
from train.data.encode import Encoded, encode, encode_all, lengths
from train.data.load import Loaded, load
from train.data.packing import pack
from train.data.schemas import Filters
from train.data.split import split
from train.data.trees import Tree, paths
from train.modeling.loss import weighted
from train.modeling.masks import attention_4d
from train.train_errors import DataError


def message(name: str, role: str, *replies: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {
        "message_id": name,
        "text": f"text of {name}",
        "role": role,
        "lang": "en",
        "deleted": False,
        "review_result": True,
        "synthetic": False,
        "replies": list(replies),
        **fields,
    }


def asked(name: str, *replies: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return message(name, "prompter", *replies, **fields)


def said(name: str, *replies: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return message(name, "assistant", *replies, **fields)


def row(prompt: dict[str, Any], state: str = "ready_for_export") -> dict[str, Any]:
    return {"message_tree_id": prompt["message_id"], "tree_state": state, "prompt": prompt}


def flat(prompt: dict[str, Any]) -> list[dict[str, Any]]:
    """The same tree as the Hub's data set has it: a message a row, with its parent."""
    rows, pending = [], [(prompt, None)]
    while pending:
        one, parent = pending.pop()
        rows.append({k: v for k, v in one.items() if k != "replies"} | {"parent_id": parent})
        pending += [(reply, one["message_id"]) for reply in reversed(one["replies"])]
    return rows


def names(found: Tree) -> list[str]:
    return [one.text.removeprefix("text of ") for one in found.messages]


def read(tmp_path: Path, *rows: Any, **wanted: Any) -> Loaded:
    return load(jsonl(tmp_path / "trees.jsonl", *rows), filters=Filters(**wanted))


PROMPT = asked("q", said("a", asked("x", said("b")), asked("y")), said("c"), said("d"))
"""Three answers, one of them followed up twice, once without an answer."""


@pytest.mark.parametrize("form", ["nested", "flat", "shuffled"])
def test_a_tree_comes_out_as_it_was(tmp_path: Path, form: str) -> None:
    rows = [row(PROMPT)] if form == "nested" else flat(PROMPT)
    if form == "shuffled":
        Random(1).shuffle(rows)
    found = read(tmp_path, *rows)
    (tree,) = found.trees
    assert not found.refused
    spoken = {tuple(turn.text for turn in tree.dialogue(at).turns) for at in range(6)}
    assert sorted(names(tree)) == ["a", "b", "c", "d", "q", "x"]
    assert ("text of q", "text of a", "text of x", "text of b") in spoken
    ends = {one.text: one.ends for one in tree.messages}
    # The follow-up without an answer is cut; its dialogue then ends with the answer before it.
    assert ends == {f"text of {name}": int(name in "abcd") for name in "qaxbcd"}


FILTERS = [
    ({"lang": "de"}, {}, "another language"),
    ({"lang": "de"}, {"languages": ("de", "en")}, None),
    ({"lang": "en-US"}, {}, None),
    ({"lang": "pt-BR"}, {"languages": ()}, None),
    ({"deleted": True}, {}, "deleted"),
    ({"deleted": True}, {"deleted": True}, None),
    ({"review_result": False}, {}, "rejected in review"),
    ({"review_result": False}, {"rejected": True}, None),
    ({"review_result": None}, {}, None),
    ({"synthetic": True}, {}, None),
    ({"synthetic": True}, {"synthetic": False}, "synthetic"),
    ({"role": "moderator"}, {}, "unknown role 'moderator'"),
    ({"role": ["assistant"]}, {}, "unknown role \"['assistant']\""),
    ({"role": "system"}, {}, "a system turn in a tree"),
    ({"role": "prompter"}, {}, "two user turns in a row"),
    ({"text": "  \n"}, {}, "an empty assistant turn"),
    ({"text": None}, {}, "a text is not a text"),
    ({"text": 7}, {}, "a text is not a text"),
]


@pytest.mark.parametrize("form", ["nested", "flat"])
@pytest.mark.parametrize(("fields", "wanted", "reason"), FILTERS)
def test_a_refused_message_takes_its_replies_with_it(
    tmp_path: Path, form: str, fields: dict[str, Any], wanted: dict[str, Any], reason: str | None
) -> None:
    prompt = asked("q", said("bad", asked("x", said("b"))) | fields, said("c"))
    found = read(tmp_path, *([row(prompt)] if form == "nested" else flat(prompt)), **wanted)
    if reason is None:
        assert names(found.trees[0]) == ["q", "bad", "x", "b", "c"]
        assert not found.refused
    else:
        assert names(found.trees[0]) == ["q", "c"]
        assert found.reasons() == {reason: 1, "a reply to a refused message": 2}


def test_a_refusal_names_its_place(tmp_path: Path) -> None:
    prompt = asked("q", said("bad", deleted=True), said("c"))
    nested = read(tmp_path, row(prompt)).refused[0]
    assert nested.where == f"{tmp_path / 'trees.jsonl'}:1 bad"
    listed = read(tmp_path, *flat(prompt)).refused[0]
    assert listed.where == f"{tmp_path / 'trees.jsonl'}:2"


def test_replies_stay_up_to_a_rank(tmp_path: Path) -> None:
    prompt = asked("q", said("worst", rank=2), said("best", rank=0), said("unranked"))
    prompt["replies"][1]["replies"] = [asked("x", said("only"))]
    assert names(read(tmp_path, row(prompt), max_rank=0).trees[0]) == ["q", "best", "x", "only"]
    found = read(tmp_path, row(prompt), max_rank=2)
    assert names(found.trees[0]) == ["q", "worst", "best", "x", "only"]
    assert found.reasons() == {"a rank that is too low": 1}


def test_only_trees_that_were_ready_stay(tmp_path: Path) -> None:
    other = row(asked("r", said("s")), state="aborted_low_grade")
    found = read(tmp_path, row(PROMPT), other)
    assert len(found.trees) == 1
    assert found.reasons() == {"a tree in the state 'aborted_low_grade'": 1}
    assert len(read(tmp_path, other, states=()).trees) == 1


def test_missing_parents_circles_and_repeated_ids_are_told_apart(tmp_path: Path) -> None:
    rows = flat(asked("q", said("a")))
    rows.append({**said("orphan"), "parent_id": "nobody"})
    rows.append({**asked("below"), "parent_id": "orphan"})
    rows += [{**said("one"), "parent_id": "two"}, {**asked("two"), "parent_id": "one"}]
    rows.append({**said("self"), "parent_id": "self"})
    rows.append({**said("a"), "parent_id": "q"})
    rows.append({**said(""), "parent_id": "q"})
    found = read(tmp_path, *rows)
    assert [names(tree) for tree in found.trees] == [["q", "a"]]
    assert found.reasons() == {
        "a parent that is not there": 2,
        "parents that go in a circle": 3,
        "a message id that is there already": 1,
        "a message without an id": 1,
    }


def test_a_nested_id_that_is_repeated_is_refused(tmp_path: Path) -> None:
    found = read(tmp_path, row(asked("q", said("a"), said("a"))))
    assert names(found.trees[0]) == ["q", "a"]
    assert found.reasons() == {"a message id that is there already": 1}


@pytest.mark.parametrize("replies", ["text", [1, 2], {"a": 1}, [None]])
def test_replies_that_are_no_messages_are_refused(tmp_path: Path, replies: Any) -> None:
    prompt = asked("q", said("a"))
    prompt["replies"][0]["replies"] = replies
    found = read(tmp_path, row(prompt))
    assert names(found.trees[0]) == ["q", "a"]
    assert found.reasons() == {"replies that are not a list of messages": 1}


def test_flat_messages_may_be_thousands_deep(tmp_path: Path) -> None:
    rows = []
    for at in range(5_000):
        one = (asked if at % 2 == 0 else said)(f"m{at}")
        rows.append({**one, "parent_id": f"m{at - 1}" if at else None})
    assert len(read(tmp_path, *rows).trees[0].messages) == 5_000


def test_nothing_left_says_what_was_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="Nothing") as caught:
        read(tmp_path, row(PROMPT), languages=("fr",))
    assert "another language: 1" in caught.value.hint


# The published sample: 100 English trees, with StarCoder's own vocabulary.


FOLDED = 1021
"""Ids of the tiny model that the real trees train; a prime, so that ids fall anywhere."""


@pytest.fixture(scope="session")
def real(shared_data: Path) -> Loaded:
    return load(str(shared_data / "oasst" / "en_100_tree.jsonl"))


def test_the_real_trees_are_all_read(real: Loaded) -> None:
    assert (real.rows, len(real.trees), len(real.whole)) == (100, 100, 100)
    assert not real.refused
    assert sum(len(tree.messages) for tree in real.whole) == 1_167
    assert sum(one.ends for tree in real.trees for one in tree.messages) == 626


def test_trees_have_at_most_063_of_the_tokens_of_paths(real: Loaded, starcoder: Vocabulary) -> None:
    as_trees = sum(lengths(tree, starcoder)[0] for tree in real.trees)
    as_paths = sum(lengths(tree, starcoder)[1] for tree in real.whole)
    assert as_trees == 151_154
    assert as_trees / as_paths <= 0.63
    apart = sum(len(encode(path, starcoder)) for tree in real.whole[:20] for path in paths(tree))
    assert apart == sum(lengths(tree, starcoder)[1] for tree in real.whole[:20])


def test_no_user_system_or_header_token_is_learned(real: Loaded, starcoder: Vocabulary) -> None:
    """Every message is found again in its row, and only the assistant's hold a label."""
    for tree in real.trees:
        row = encode(tree, starcoder)
        learned = np.flatnonzero(row.labels != IGNORED)
        spoken = [one for one in tree.messages if one.role == "assistant"]
        wanted = [[*starcoder.text_ids(one.text), starcoder.end_id] for one in spoken]
        assert row.ids[learned].tolist() == [token for ids in wanted for token in ids]
        controls = [starcoder.control_id(token) for token in CHAT_TOKENS[:3]]
        assert not set(row.ids[learned].tolist()) & set(controls)
        ends = int((row.ids[learned] == starcoder.end_id).sum())
        assert ends == len(spoken)


def test_the_share_that_is_learned_is_the_assistants(real: Loaded, starcoder: Vocabulary) -> None:
    encoded = [encode(tree, starcoder) for tree in real.trees]
    given = sum(lengths(tree, starcoder)[1] for tree in real.whole)
    assert sum(row.learned for row in encoded) == 136_712
    # What the recipe of 2023 read: the same answers as often as dialogues go through them.
    assert sum(float(row.weights.sum()) for row in encoded) / given == pytest.approx(
        0.778, abs=5e-4
    )


@pytest.mark.parametrize("block", [1024, 2048, 4096])
def test_packed_real_trees_lose_only_what_is_longer_than_the_block(
    real: Loaded, starcoder: Vocabulary, block: int
) -> None:
    parts = encode_all(real.trees, starcoder, block=block)
    rows = pack(parts.encoded, block)
    assert sum(map(len, rows)) == sum(map(len, parts.encoded))
    assert max(map(len, rows)) <= block
    assert not parts.lost
    whole = sum(float(encode(tree, starcoder).weights.sum()) for tree in real.trees)
    kept = sum(float(row.weights.sum()) for row in rows)
    if block == 4096:
        assert (parts.cut, kept) == (0, whole)
    else:
        assert 0 < parts.cut < 0.1 * 151_154
        assert 0.93 * whole < kept < whole


def test_no_real_test_text_shares_a_prefix_with_training(real: Loaded) -> None:
    train, test = split(real.trees, 42, 0.2)
    assert (len(train), len(test)) == (80, 20)
    begun = {one.messages[0].text for one in train}
    assert not begun & {one.messages[0].text for one in test}


def graded(model: torch.nn.Module, row: Encoded, total: float) -> float:
    """The loss of a row, its gradient added to the model's."""
    given = tensors(row)
    logits = model(
        input_ids=given["ids"].long(),
        position_ids=given["positions"].long(),
        attention_mask=attention_4d(given["exits"]),
    ).logits
    loss = weighted(logits, given["labels"], given["weights"], total=total)
    loss.backward()  # type: ignore[no-untyped-call]
    return float(loss.detach())


@pytest.mark.slow
def test_the_real_trees_train_as_their_paths(real: Loaded, starcoder: Vocabulary) -> None:
    """Loss and gradient of 100 trees, packed, against 626 dialogues, each by itself."""
    every = [encode(tree, starcoder) for tree in real.trees]
    model = tiny_model(FOLDED, window=4096, dtype=torch.float32)

    def narrowed(row: Encoded) -> Encoded:
        """The row with its ids folded, so that the head stays small."""
        ids = row.ids % FOLDED
        labels = np.where(row.labels == IGNORED, IGNORED, ids).astype(np.int32)
        return Encoded(ids, labels, row.positions, row.exits, row.weights)

    def gradient() -> torch.Tensor:
        found = torch.cat(
            [one.grad.flatten() for one in model.parameters() if one.grad is not None]
        )
        model.zero_grad()
        return found

    total = sum(float(row.weights.sum()) for row in every)
    rows = pack(encode_all(real.trees, starcoder, block=4096).encoded, 4096)
    as_trees = sum(graded(model, narrowed(row), total) for row in rows)
    from_trees = gradient()
    apart = (path for tree in real.trees for path in paths(tree))
    alone = [(encode(one, starcoder, weights="once"), one.messages[-1].ends) for one in apart]
    repeated = [row for row, times in alone for _ in range(times)]
    assert len(repeated) == 626
    as_paths = sum(graded(model, narrowed(row), total) for row in repeated)
    from_paths = gradient()
    assert abs(as_trees - as_paths) <= 1e-6 * as_paths
    assert (from_trees - from_paths).norm() <= 1e-5 * from_paths.norm()
