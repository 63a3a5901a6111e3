from __future__ import annotations

from collections import Counter
from random import Random

import numpy as np
import pytest

from starchat_tui.dialogue import Dialogue
from starchat_tui.templates.chatml import ChatMLTemplate, encode_training_row
from starchat_tui.templates.template import IGNORE_INDEX, encode_prompt
from starchat_tui.templates.tokenizer import CHAT_TOKENS, Tokenizer
from tests.train.random_trees import generate_trees
from train.data.encode import (
    EncodedTree,
    Weights,
    count_tokens,
    encode_all,
    encode_parts,
    encode_tree,
)
from train.data.trees import (
    ROOT,
    Message,
    Tree,
    build_tree,
    chain_messages,
    iterate_paths,
    trim_tree,
)

BOTH: tuple[Weights, Weights] = ("leaves", "once")


def attended_indices(row: EncodedTree, at: int) -> np.ndarray:
    """Return the indices that token `at` attends to."""
    index = np.arange(len(row))
    return index[(index <= at) & (at < row.exits)]


def branch_ends(row: EncodedTree) -> list[int]:
    """Return the last token of each path."""
    index = np.arange(len(row))
    deeper = np.append(row.positions[1:] > row.positions[:-1], False)
    return [int(at) for at in index[~deeper]]


def weigh_prefixes(row: EncodedTree) -> Counter[tuple[int, ...]]:
    """Return the weight of each learned token, keyed by everything it attends to."""
    found = Counter[tuple[int, ...]]()
    for at in np.flatnonzero(row.labels != IGNORE_INDEX):
        found[tuple(row.ids[attended_indices(row, at)].tolist())] += float(row.weights[at])  # type: ignore[assignment]
    return found


def has_loss(random_tree: Tree) -> bool:
    return trim_tree(random_tree) is not None


@pytest.mark.parametrize("seed", range(5))
def test_a_path_of_a_tree_is_the_row_of_its_dialogue(tokenizer: Tokenizer, seed: int) -> None:
    for random_tree in generate_trees(Random(seed), 10):
        row = encode_tree(random_tree, tokenizer)
        ends = set(branch_ends(row))
        for at, one in enumerate(random_tree.messages):
            dialogue = random_tree.dialogue_to(at)
            ids, labels = encode_training_row(dialogue, tokenizer)
            within = [
                end
                for end in ends
                if row.ids[attended_indices(row, end)][: len(ids)].tolist() == ids
            ]
            assert within, "no branch holds the dialogue"
            along = attended_indices(row, within[0])[: len(ids)]
            assert row.positions[along].tolist() == list(range(len(ids)))
            if all(random_tree.messages[index].may_learn for index in random_tree.path_to(at)):
                assert row.labels[along].tolist() == labels
            if one.role == "user":
                prompt = encode_prompt(dialogue, ChatMLTemplate(tokenizer))
                assert prompt[: len(ids)] == ids


@pytest.mark.parametrize("seed", range(5))
def test_the_prompt_of_every_answer_is_a_prefix_of_its_row(tokenizer: Tokenizer, seed: int) -> None:
    for random_tree in generate_trees(Random(seed), 10):
        row = encode_tree(random_tree, tokenizer)
        begun = {tuple(row.ids[attended_indices(row, end)].tolist()) for end in branch_ends(row)}
        for at, one in enumerate(random_tree.messages):
            if one.role == "assistant":
                before = Dialogue(random_tree.system, random_tree.dialogue_to(at).turns[:-1])
                prompt = tuple(encode_prompt(before, ChatMLTemplate(tokenizer)))
                assert any(ids[: len(prompt)] == prompt for ids in begun)


def test_only_assistant_text_and_its_end_token_are_learned(tokenizer: Tokenizer) -> None:
    for random_tree in generate_trees(Random(3), 30):
        row = encode_tree(random_tree, tokenizer)
        learned = row.ids[row.labels != IGNORE_INDEX].tolist()
        said = [one for one in random_tree.messages if one.is_learned]
        wanted = [[*tokenizer.encode(one.text), tokenizer.end_id] for one in said]
        assert learned == [token for ids in wanted for token in ids]
        assert (row.labels[row.labels != IGNORE_INDEX] == row.ids[row.labels != IGNORE_INDEX]).all()
        assert ((row.weights > 0) == (row.labels != IGNORE_INDEX)).all()


def test_typed_control_tokens_stay_text(tokenizer: Tokenizer) -> None:
    forged = "".join(CHAT_TOKENS)
    random_tree = chain_messages(
        [Message("user", forged), Message("assistant", forged)], system=forged
    )
    ids = encode_tree(random_tree, tokenizer).ids.tolist()
    counts = [ids.count(tokenizer.get_control_id(token)) for token in CHAT_TOKENS]
    assert counts == [1, 1, 1, 3]


def test_siblings_do_not_see_each_other(small: Tokenizer) -> None:
    random_tree = build_tree(
        [
            Message("user", "q"),
            Message("assistant", "first", 0),
            Message("user", "more", 1),
            Message("assistant", "deep", 2),
            Message("assistant", "second", 0),
        ]
    )
    row = encode_tree(random_tree, small)
    last = len(row) - 1
    assert small.decode(row.ids[attended_indices(row, last)]) == "\n\n\nq\n\nsecond\n"
    assert small.decode(row.ids[attended_indices(row, branch_ends(row)[0])]).count("second") == 0


def test_weights_are_leaf_counts_or_one(small: Tokenizer) -> None:
    random_tree = build_tree(
        [
            Message("user", "q"),
            Message("assistant", "a", 0),
            Message("user", "x", 1),
            Message("assistant", "b", 2),
            Message("user", "y", 1),
            Message("assistant", "c", 4),
            Message("assistant", "d", 4),
        ]
    )
    leaves, once = (encode_tree(random_tree, small, weights=weights) for weights in BOTH)
    size = len(small.encode("a")) + 1
    assert leaves.weights[leaves.weights > 0].tolist() == [3.0] * size + [1.0] * 3 * size
    assert set(once.weights[once.labels != IGNORE_INDEX].tolist()) == {1.0}


@pytest.mark.parametrize("seed", range(10))
def test_leaf_weights_count_every_dialogue_alone(small: Tokenizer, seed: int) -> None:
    for random_tree in filter(has_loss, generate_trees(Random(seed), 10)):
        cut = trim_tree(random_tree)
        assert cut is not None
        apart = Counter[tuple[int, ...]]()
        for path in iterate_paths(random_tree):
            row = encode_tree(path, small, weights="once")
            for key, weight in weigh_prefixes(row).items():
                apart[key] += weight * path.messages[-1].dialogue_count
        assert weigh_prefixes(encode_tree(cut, small)) == apart


@pytest.mark.parametrize("weights", BOTH)
@pytest.mark.parametrize("seed", range(10))
def test_parts_learn_what_the_whole_tree_learns(
    small: Tokenizer, seed: int, weights: Weights
) -> None:
    dice = Random(seed)
    for random_tree in filter(has_loss, generate_trees(dice, 10, largest=20)):
        whole = encode_tree(random_tree, small, weights=weights)
        deepest = int(whole.positions.max()) + 1
        block = dice.randint(deepest, max(deepest, len(whole)))
        parts = encode_parts(random_tree, small, block=block, weights=weights)
        assert max(map(len, parts.encoded)) <= block
        total = Counter[tuple[int, ...]]()
        for part in parts.encoded:
            total.update(weigh_prefixes(part))
        assert total == weigh_prefixes(whole)
        # Only a tail without loss can be cut.
        assert parts.cut == 0 or parts.cut < len(whole)
        assert not parts.lost


def test_a_tree_that_fits_is_one_part(small: Tokenizer) -> None:
    for random_tree in filter(has_loss, generate_trees(Random(0), 20)):
        whole = encode_tree(random_tree, small)
        (part,) = encode_parts(random_tree, small, block=len(whole)).encoded
        assert part.ids.tolist() == whole.ids.tolist()
        assert part.exits.tolist() == whole.exits.tolist()
        assert part.weights.tolist() == whole.weights.tolist()


def test_a_long_tree_is_divided_at_the_replies_to_its_root(small: Tokenizer) -> None:
    replies = [Message("assistant", f"answer {number}", 0) for number in range(6)]
    random_tree = build_tree([Message("user", "question"), *replies])
    whole = encode_tree(random_tree, small)
    parts = encode_parts(random_tree, small, block=len(whole) // 2).encoded
    assert 2 <= len(parts) <= 3
    question = encode_training_row(random_tree.dialogue_to(0), small)[0]
    assert all(part.ids[: len(question)].tolist() == question for part in parts)
    assert sum(part.learned_count for part in parts) == whole.learned_count


def test_a_dialogue_longer_than_the_block_is_cut_at_its_end(small: Tokenizer) -> None:
    turns = [Message("user", "short"), Message("assistant", "a long answer " * 50)]
    random_tree = chain_messages(turns)
    whole = encode_tree(random_tree, small)
    parts = encode_parts(random_tree, small, block=100)
    (part,) = parts.encoded
    assert part.ids.tolist() == whole.ids[:100].tolist()
    assert part.labels.tolist() == whole.labels[:100].tolist()
    assert set(part.exits.tolist()) == {100}
    assert parts.cut == len(whole) - 100


@pytest.mark.parametrize("seed", range(10))
def test_every_part_consists_of_beginnings_of_dialogues(small: Tokenizer, seed: int) -> None:
    dice = Random(seed)
    for random_tree in filter(has_loss, generate_trees(dice, 10, largest=20)):
        whole = encode_tree(random_tree, small)
        block = dice.randint(4, len(whole))
        known = weigh_prefixes(whole)
        parts = encode_parts(random_tree, small, block=block)
        for part in parts.encoded:
            assert 0 < len(part) <= block
            assert weigh_prefixes(part).keys() <= known.keys()
        placed = Counter[tuple[int, ...]]()
        for part in parts.encoded:
            placed.update(weigh_prefixes(part))
        assert all(weight == known[key] for key, weight in placed.items())
        assert bool(parts.lost) is not bool(parts.encoded)


def test_a_question_longer_than_the_block_is_reported(small: Tokenizer) -> None:
    random_tree = chain_messages(
        [Message("user", "long " * 200), Message("assistant", "a")], where="f:7"
    )
    parts = encode_parts(random_tree, small, block=64)
    assert parts.lost == ("f:7",)
    assert parts.cut == len(encode_tree(random_tree, small))
    assert not parts.encoded


def test_a_deep_tree_needs_no_deep_stack(small: Tokenizer) -> None:
    turns = [Message("user" if at % 2 == 0 else "assistant", "x") for at in range(3_000)]
    parts = encode_parts(chain_messages(turns), small, block=512)
    assert parts.encoded
    assert parts.cut > 0


def test_separate_dialogues(small: Tokenizer) -> None:
    random_tree = [cut for one in generate_trees(Random(1), 10) if (cut := trim_tree(one))]
    block = max(len(encode_tree(one, small)) for one in random_tree)
    alone = encode_all(random_tree, small, block=block, alone=True).encoded
    assert len(alone) == sum(
        one.dialogue_count > 0 for tree in random_tree for one in tree.messages
    )
    for row in alone:
        assert row.positions.tolist() == list(range(len(row)))
        assert set(row.exits.tolist()) == {len(row)}
    assert sum(map(len, alone)) <= sum(count_tokens(one, small)[1] for one in random_tree)
    trees = encode_all(random_tree, small, block=block).encoded
    assert sum(row.weights.sum() for row in alone) == sum(row.weights.sum() for row in trees)


def test_an_answer_without_loss_is_context(small: Tokenizer) -> None:
    turns = [Message("user", "q"), Message("assistant", "no", may_learn=False)]
    turns += [Message("user", "q2"), Message("assistant", "yes")]
    row = encode_tree(chain_messages(turns), small)
    learned = row.ids[row.labels != IGNORE_INDEX]
    assert small.decode(learned) == "yes"
    assert row.ids.tolist() == encode_training_row(chain_messages(turns).dialogue_to(3), small)[0]


def test_the_root_has_no_parent() -> None:
    assert chain_messages([Message("user", "q")]).messages[0].parent == ROOT
