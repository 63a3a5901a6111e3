from __future__ import annotations

from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
import torch

from starchat_tui.templates.template import IGNORE_INDEX
from starchat_tui.templates.tokenizer import CHAT_TOKENS, Tokenizer
from tests.train.random_trees import create_tiny_model, row_tensors, write_jsonl
from tests.train.reference_loss import mean_cross_entropy
from train.data.encode import EncodedTree, count_tokens, encode_all, encode_tree
from train.data.filters import Filters
from train.data.load import LoadedTrees, load_trees
from train.data.packing import pack_rows
from train.data.split import split_trees
from train.data.trees import Tree, iterate_paths
from train.modeling.masks import build_dense_mask
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


def user_message(name: str, *replies: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return message(name, "prompter", *replies, **fields)


def assistant_message(name: str, *replies: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return message(name, "assistant", *replies, **fields)


def row(prompt: dict[str, Any], state: str = "ready_for_export") -> dict[str, Any]:
    return {"message_tree_id": prompt["message_id"], "tree_state": state, "prompt": prompt}


def flatten_tree(prompt: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the same tree in the flat form of the Hub: one message per row, with its parent."""
    rows, pending = [], [(prompt, None)]
    while pending:
        one, parent = pending.pop()
        rows.append({k: v for k, v in one.items() if k != "replies"} | {"parent_id": parent})
        pending += [(reply, one["message_id"]) for reply in reversed(one["replies"])]
    return rows


def names(found: Tree) -> list[str]:
    return [one.text.removeprefix("text of ") for one in found.messages]


def read(tmp_path: Path, *rows: Any, **wanted: Any) -> LoadedTrees:
    return load_trees(write_jsonl(tmp_path / "trees.jsonl", *rows), filters=Filters(**wanted))


PROMPT = user_message(
    "q",
    assistant_message("a", user_message("x", assistant_message("b")), user_message("y")),
    assistant_message("c"),
    assistant_message("d"),
)
"""Three answers, one of them followed up twice, once without an answer."""


@pytest.mark.parametrize("form", ["nested", "flat", "shuffled"])
def test_a_tree_survives_parsing(tmp_path: Path, form: str) -> None:
    rows = [row(PROMPT)] if form == "nested" else flatten_tree(PROMPT)
    if form == "shuffled":
        Random(1).shuffle(rows)
    found = read(tmp_path, *rows)
    (tree,) = found.trees
    assert not found.refused
    spoken = {tuple(turn.text for turn in tree.dialogue_to(at).turns) for at in range(6)}
    assert sorted(names(tree)) == ["a", "b", "c", "d", "q", "x"]
    assert ("text of q", "text of a", "text of x", "text of b") in spoken
    ends = {one.text: one.dialogue_count for one in tree.messages}
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
    prompt = user_message(
        "q",
        assistant_message("bad", user_message("x", assistant_message("b"))) | fields,
        assistant_message("c"),
    )
    found = read(tmp_path, *([row(prompt)] if form == "nested" else flatten_tree(prompt)), **wanted)
    if reason is None:
        assert names(found.trees[0]) == ["q", "bad", "x", "b", "c"]
        assert not found.refused
    else:
        assert names(found.trees[0]) == ["q", "c"]
        assert found.count_reasons() == {reason: 1, "a reply to a refused message": 2}


def test_a_refusal_has_its_location(tmp_path: Path) -> None:
    prompt = user_message("q", assistant_message("bad", deleted=True), assistant_message("c"))
    nested = read(tmp_path, row(prompt)).refused[0]
    assert nested.where == f"{tmp_path / 'trees.jsonl'}:1 bad"
    listed = read(tmp_path, *flatten_tree(prompt)).refused[0]
    assert listed.where == f"{tmp_path / 'trees.jsonl'}:2"


def test_replies_are_filtered_by_rank(tmp_path: Path) -> None:
    prompt = user_message(
        "q",
        assistant_message("worst", rank=2),
        assistant_message("best", rank=0),
        assistant_message("unranked"),
    )
    prompt["replies"][1]["replies"] = [user_message("x", assistant_message("only"))]
    assert names(read(tmp_path, row(prompt), max_rank=0).trees[0]) == ["q", "best", "x", "only"]
    found = read(tmp_path, row(prompt), max_rank=2)
    assert names(found.trees[0]) == ["q", "worst", "best", "x", "only"]
    assert found.count_reasons() == {"a rank that is too low": 1}


def test_trees_are_filtered_by_state(tmp_path: Path) -> None:
    other = row(user_message("r", assistant_message("s")), state="aborted_low_grade")
    found = read(tmp_path, row(PROMPT), other)
    assert len(found.trees) == 1
    assert found.count_reasons() == {"a tree in the state 'aborted_low_grade'": 1}
    assert len(read(tmp_path, other, states=()).trees) == 1


def test_missing_parents_cycles_and_duplicate_ids_are_distinguished(tmp_path: Path) -> None:
    rows = flatten_tree(user_message("q", assistant_message("a")))
    rows.append({**assistant_message("orphan"), "parent_id": "nobody"})
    rows.append({**user_message("below"), "parent_id": "orphan"})
    rows += [
        {**assistant_message("one"), "parent_id": "two"},
        {**user_message("two"), "parent_id": "one"},
    ]
    rows.append({**assistant_message("self"), "parent_id": "self"})
    rows.append({**assistant_message("a"), "parent_id": "q"})
    rows.append({**assistant_message(""), "parent_id": "q"})
    found = read(tmp_path, *rows)
    assert [names(tree) for tree in found.trees] == [["q", "a"]]
    assert found.count_reasons() == {
        "a missing parent": 2,
        "a cycle of parents": 3,
        "a duplicate message id": 1,
        "a message without an id": 1,
    }


def test_a_duplicate_nested_id_is_refused(tmp_path: Path) -> None:
    found = read(tmp_path, row(user_message("q", assistant_message("a"), assistant_message("a"))))
    assert names(found.trees[0]) == ["q", "a"]
    assert found.count_reasons() == {"a duplicate message id": 1}


@pytest.mark.parametrize("replies", ["text", [1, 2], {"a": 1}, [None]])
def test_replies_that_are_not_messages_are_refused(tmp_path: Path, replies: Any) -> None:
    prompt = user_message("q", assistant_message("a"))
    prompt["replies"][0]["replies"] = replies
    found = read(tmp_path, row(prompt))
    assert names(found.trees[0]) == ["q", "a"]
    assert found.count_reasons() == {"replies that are not a list of messages": 1}


def test_flat_messages_may_be_thousands_deep(tmp_path: Path) -> None:
    rows = []
    for at in range(5_000):
        one = (user_message if at % 2 == 0 else assistant_message)(f"m{at}")
        rows.append({**one, "parent_id": f"m{at - 1}" if at else None})
    assert len(read(tmp_path, *rows).trees[0].messages) == 5_000


def test_an_empty_result_lists_the_refusals(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="nothing to learn") as caught:
        read(tmp_path, row(PROMPT), languages=("fr",))
    assert "another language: 1" in caught.value.hint


# The published sample: 100 English trees, with StarCoder's own vocabulary.


FOLDED = 1021
"""Ids of the tiny model that the real trees train; a prime, so that ids fall anywhere."""


@pytest.fixture(scope="session")
def real(shared_data: Path) -> LoadedTrees:
    return load_trees(str(shared_data / "oasst" / "en_100_tree.jsonl"))


def test_the_real_trees_are_all_read(real: LoadedTrees) -> None:
    assert (real.rows, len(real.trees), len(real.untrimmed)) == (100, 100, 100)
    assert not real.refused
    assert sum(len(tree.messages) for tree in real.untrimmed) == 1_167
    assert sum(one.dialogue_count for tree in real.trees for one in tree.messages) == 626


def test_trees_have_at_most_063_of_the_tokens_of_paths(
    real: LoadedTrees, starcoder: Tokenizer
) -> None:
    as_trees = sum(count_tokens(tree, starcoder)[0] for tree in real.trees)
    as_paths = sum(count_tokens(tree, starcoder)[1] for tree in real.untrimmed)
    assert as_trees == 151_154
    assert as_trees / as_paths <= 0.63
    apart = sum(
        len(encode_tree(path, starcoder))
        for tree in real.untrimmed[:20]
        for path in iterate_paths(tree)
    )
    assert apart == sum(count_tokens(tree, starcoder)[1] for tree in real.untrimmed[:20])


def test_no_user_system_or_header_token_is_learned(real: LoadedTrees, starcoder: Tokenizer) -> None:
    """Every message is found again in its row, and only the assistant's hold a label."""
    for tree in real.trees:
        row = encode_tree(tree, starcoder)
        learned = np.flatnonzero(row.labels != IGNORE_INDEX)
        spoken = [one for one in tree.messages if one.role == "assistant"]
        wanted = [[*starcoder.encode(one.text), starcoder.end_id] for one in spoken]
        assert row.ids[learned].tolist() == [token for ids in wanted for token in ids]
        controls = [starcoder.get_control_id(token) for token in CHAT_TOKENS[:3]]
        assert not set(row.ids[learned].tolist()) & set(controls)
        ends = int((row.ids[learned] == starcoder.end_id).sum())
        assert ends == len(spoken)


def test_the_share_that_is_learned_is_the_assistants(
    real: LoadedTrees, starcoder: Tokenizer
) -> None:
    encoded = [encode_tree(tree, starcoder) for tree in real.trees]
    given = sum(count_tokens(tree, starcoder)[1] for tree in real.untrimmed)
    assert sum(row.learned_count for row in encoded) == 136_712
    # The recipe of 2023 repeated each answer for every dialogue that contains it.
    assert sum(float(row.weights.sum()) for row in encoded) / given == pytest.approx(
        0.778, abs=5e-4
    )


@pytest.mark.parametrize("block", [1024, 2048, 4096])
def test_packed_real_trees_lose_only_what_is_longer_than_the_block(
    real: LoadedTrees, starcoder: Tokenizer, block: int
) -> None:
    parts = encode_all(real.trees, starcoder, block=block)
    rows = pack_rows(parts.encoded, block)
    assert sum(map(len, rows)) == sum(map(len, parts.encoded))
    assert max(map(len, rows)) <= block
    assert not parts.lost
    whole = sum(float(encode_tree(tree, starcoder).weights.sum()) for tree in real.trees)
    kept = sum(float(row.weights.sum()) for row in rows)
    if block == 4096:
        assert (parts.cut, kept) == (0, whole)
    else:
        assert 0 < parts.cut < 0.1 * 151_154
        assert 0.93 * whole < kept < whole


def test_no_real_test_text_shares_a_prefix_with_training(real: LoadedTrees) -> None:
    train, test = split_trees(real.trees, 42, 0.2)
    assert (len(train), len(test)) == (80, 20)
    begun = {one.messages[0].text for one in train}
    assert not begun & {one.messages[0].text for one in test}


def accumulate_gradient(model: torch.nn.Module, row: EncodedTree, total: float) -> float:
    """Return the loss of a row; its gradient is added to the model's."""
    given = row_tensors(row)
    logits = model(
        input_ids=given["ids"].long(),
        position_ids=given["positions"].long(),
        attention_mask=build_dense_mask(given["exits"]),
    ).logits
    loss = mean_cross_entropy(logits, given["labels"], given["weights"], total=total)
    loss.backward()  # type: ignore[no-untyped-call]
    return float(loss.detach())


@pytest.mark.slow
def test_the_real_trees_train_as_their_paths(real: LoadedTrees, starcoder: Tokenizer) -> None:
    """Loss and gradient of 100 trees, packed, against 626 dialogues, each by itself."""
    every = [encode_tree(tree, starcoder) for tree in real.trees]
    model = create_tiny_model(FOLDED, window=4096, dtype=torch.float32)

    def fold_ids(row: EncodedTree) -> EncodedTree:
        """The row with its ids folded, so that the head stays small."""
        ids = row.ids % FOLDED
        labels = np.where(row.labels == IGNORE_INDEX, IGNORE_INDEX, ids).astype(np.int32)
        return EncodedTree(ids, labels, row.positions, row.exits, row.weights)

    def gradient() -> torch.Tensor:
        found = torch.cat(
            [one.grad.flatten() for one in model.parameters() if one.grad is not None]
        )
        model.zero_grad()
        return found

    total = sum(float(row.weights.sum()) for row in every)
    rows = pack_rows(encode_all(real.trees, starcoder, block=4096).encoded, 4096)
    as_trees = sum(accumulate_gradient(model, fold_ids(row), total) for row in rows)
    from_trees = gradient()
    apart = (path for tree in real.trees for path in iterate_paths(tree))
    alone = [
        (encode_tree(one, starcoder, weights="once"), one.messages[-1].dialogue_count)
        for one in apart
    ]
    repeated = [row for row, times in alone for _ in range(times)]
    assert len(repeated) == 626
    as_paths = sum(accumulate_gradient(model, fold_ids(row), total) for row in repeated)
    from_paths = gradient()
    assert abs(as_trees - as_paths) <= 1e-6 * as_paths
    assert (from_trees - from_paths).norm() <= 1e-5 * from_paths.norm()
