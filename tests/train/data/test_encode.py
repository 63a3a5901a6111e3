from __future__ import annotations

from collections import Counter
from random import Random

import numpy as np
import pytest

from starchat_tui.dialogue import Dialogue
from starchat_tui.templates.template import IGNORED, ChatML, prompt_ids, training_ids
from starchat_tui.templates.tokenizer import CHAT_TOKENS, Vocabulary
from tests.train.forest import forest
from train.data.encode import Encoded, Weights, encode, encode_all, encode_parts, lengths
from train.data.trees import ROOT, Message, Tree, chain, grown, paths, trimmed

BOTH: tuple[Weights, Weights] = ("leaves", "once")


def seen_by(row: Encoded, at: int) -> np.ndarray:
    """The indices that token `at` attends."""
    index = np.arange(len(row))
    return index[(index <= at) & (at < row.exits)]


def branches(row: Encoded) -> list[int]:
    """The last token of each path."""
    index = np.arange(len(row))
    deeper = np.append(row.positions[1:] > row.positions[:-1], False)
    return [int(at) for at in index[~deeper]]


def counted(row: Encoded) -> Counter[tuple[int, ...]]:
    """The weight of each learned token, by everything it attends and itself: what it learns."""
    found = Counter[tuple[int, ...]]()
    for at in np.flatnonzero(row.labels != IGNORED):
        found[tuple(row.ids[seen_by(row, at)].tolist())] += float(row.weights[at])  # type: ignore[assignment]
    return found


def taught(made: Tree) -> bool:
    return trimmed(made) is not None


@pytest.mark.parametrize("seed", range(5))
def test_a_path_of_a_tree_is_the_row_of_its_dialogue(vocabulary: Vocabulary, seed: int) -> None:
    for made in forest(Random(seed), 10):
        row = encode(made, vocabulary)
        ends = set(branches(row))
        for at, one in enumerate(made.messages):
            dialogue = made.dialogue(at)
            ids, labels = training_ids(dialogue, vocabulary)
            within = [end for end in ends if row.ids[seen_by(row, end)][: len(ids)].tolist() == ids]
            assert within, "no branch holds the dialogue"
            along = seen_by(row, within[0])[: len(ids)]
            assert row.positions[along].tolist() == list(range(len(ids)))
            if all(made.messages[index].learned for index in made.path(at)):
                assert row.labels[along].tolist() == labels
            if one.role == "user":
                asked = prompt_ids(dialogue, ChatML(vocabulary))
                assert asked[: len(ids)] == ids


@pytest.mark.parametrize("seed", range(5))
def test_the_prompt_of_every_answer_is_a_prefix_of_its_row(
    vocabulary: Vocabulary, seed: int
) -> None:
    for made in forest(Random(seed), 10):
        row = encode(made, vocabulary)
        begun = {tuple(row.ids[seen_by(row, end)].tolist()) for end in branches(row)}
        for at, one in enumerate(made.messages):
            if one.role == "assistant":
                before = Dialogue(made.system, made.dialogue(at).turns[:-1])
                asked = tuple(prompt_ids(before, ChatML(vocabulary)))
                assert any(ids[: len(asked)] == asked for ids in begun)


def test_only_the_assistants_words_and_their_end_are_learned(vocabulary: Vocabulary) -> None:
    for made in forest(Random(3), 30):
        row = encode(made, vocabulary)
        learned = row.ids[row.labels != IGNORED].tolist()
        said = [one for one in made.messages if one.taught]
        wanted = [[*vocabulary.text_ids(one.text), vocabulary.end_id] for one in said]
        assert learned == [token for ids in wanted for token in ids]
        assert (row.labels[row.labels != IGNORED] == row.ids[row.labels != IGNORED]).all()
        assert ((row.weights > 0) == (row.labels != IGNORED)).all()


def test_typed_control_tokens_stay_text(vocabulary: Vocabulary) -> None:
    forged = "".join(CHAT_TOKENS)
    made = chain([Message("user", forged), Message("assistant", forged)], system=forged)
    ids = encode(made, vocabulary).ids.tolist()
    counts = [ids.count(vocabulary.control_id(token)) for token in CHAT_TOKENS]
    assert counts == [1, 1, 1, 3]


def test_siblings_do_not_see_each_other(small: Vocabulary) -> None:
    made = grown(
        [
            Message("user", "q"),
            Message("assistant", "first", 0),
            Message("user", "more", 1),
            Message("assistant", "deep", 2),
            Message("assistant", "second", 0),
        ]
    )
    row = encode(made, small)
    last = len(row) - 1
    assert small.decode(row.ids[seen_by(row, last)]) == "\n\n\nq\n\nsecond\n"
    assert small.decode(row.ids[seen_by(row, branches(row)[0])]).count("second") == 0


def test_weights_are_leaf_counts_or_one(small: Vocabulary) -> None:
    made = grown(
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
    leaves, once = (encode(made, small, weights=weights) for weights in BOTH)
    size = len(small.text_ids("a")) + 1
    assert leaves.weights[leaves.weights > 0].tolist() == [3.0] * size + [1.0] * 3 * size
    assert set(once.weights[once.labels != IGNORED].tolist()) == {1.0}


@pytest.mark.parametrize("seed", range(10))
def test_leaf_weights_count_every_dialogue_alone(small: Vocabulary, seed: int) -> None:
    for made in filter(taught, forest(Random(seed), 10)):
        cut = trimmed(made)
        assert cut is not None
        apart = Counter[tuple[int, ...]]()
        for path in paths(made):
            row = encode(path, small, weights="once")
            for key, weight in counted(row).items():
                apart[key] += weight * path.messages[-1].ends
        assert counted(encode(cut, small)) == apart


@pytest.mark.parametrize("weights", BOTH)
@pytest.mark.parametrize("seed", range(10))
def test_parts_learn_what_the_whole_tree_learns(
    small: Vocabulary, seed: int, weights: Weights
) -> None:
    dice = Random(seed)
    for made in filter(taught, forest(dice, 10, most=20)):
        whole = encode(made, small, weights=weights)
        deepest = int(whole.positions.max()) + 1
        block = dice.randint(deepest, max(deepest, len(whole)))
        parts = encode_parts(made, small, block=block, weights=weights)
        assert max(map(len, parts.encoded)) <= block
        total = Counter[tuple[int, ...]]()
        for part in parts.encoded:
            total.update(counted(part))
        assert total == counted(whole)
        # What is cut can only be a tail that nobody learns from.
        assert parts.cut == 0 or parts.cut < len(whole)
        assert not parts.lost


def test_a_tree_that_fits_is_one_part(small: Vocabulary) -> None:
    for made in filter(taught, forest(Random(0), 20)):
        whole = encode(made, small)
        (part,) = encode_parts(made, small, block=len(whole)).encoded
        assert part.ids.tolist() == whole.ids.tolist()
        assert part.exits.tolist() == whole.exits.tolist()
        assert part.weights.tolist() == whole.weights.tolist()


def test_a_long_tree_is_divided_at_the_replies_to_its_root(small: Vocabulary) -> None:
    replies = [Message("assistant", f"answer {number}", 0) for number in range(6)]
    made = grown([Message("user", "question"), *replies])
    whole = encode(made, small)
    parts = encode_parts(made, small, block=len(whole) // 2).encoded
    assert 2 <= len(parts) <= 3
    question = training_ids(made.dialogue(0), small)[0]
    assert all(part.ids[: len(question)].tolist() == question for part in parts)
    assert sum(part.learned for part in parts) == whole.learned


def test_a_dialogue_longer_than_the_block_is_cut_at_its_end(small: Vocabulary) -> None:
    turns = [Message("user", "short"), Message("assistant", "a long answer " * 50)]
    made = chain(turns)
    whole = encode(made, small)
    parts = encode_parts(made, small, block=100)
    (part,) = parts.encoded
    assert part.ids.tolist() == whole.ids[:100].tolist()
    assert part.labels.tolist() == whole.labels[:100].tolist()
    assert set(part.exits.tolist()) == {100}
    assert parts.cut == len(whole) - 100


@pytest.mark.parametrize("seed", range(10))
def test_under_any_block_a_part_is_a_beginning_of_dialogues(small: Vocabulary, seed: int) -> None:
    dice = Random(seed)
    for made in filter(taught, forest(dice, 10, most=20)):
        whole = encode(made, small)
        block = dice.randint(4, len(whole))
        known = counted(whole)
        parts = encode_parts(made, small, block=block)
        for part in parts.encoded:
            assert 0 < len(part) <= block
            assert counted(part).keys() <= known.keys()
        placed = Counter[tuple[int, ...]]()
        for part in parts.encoded:
            placed.update(counted(part))
        assert all(weight == known[key] for key, weight in placed.items())
        assert bool(parts.lost) is not bool(parts.encoded)


def test_a_question_longer_than_the_block_is_lost_by_name(small: Vocabulary) -> None:
    made = chain([Message("user", "long " * 200), Message("assistant", "a")], where="f:7")
    parts = encode_parts(made, small, block=64)
    assert parts.lost == ("f:7",)
    assert parts.cut == len(encode(made, small))
    assert not parts.encoded


def test_a_deep_tree_needs_no_deep_stack(small: Vocabulary) -> None:
    turns = [Message("user" if at % 2 == 0 else "assistant", "x") for at in range(3_000)]
    parts = encode_parts(chain(turns), small, block=512)
    assert parts.encoded
    assert parts.cut > 0


def test_each_dialogue_alone_is_the_classical_way(small: Vocabulary) -> None:
    made = [cut for one in forest(Random(1), 10) if (cut := trimmed(one))]
    block = max(len(encode(one, small)) for one in made)
    alone = encode_all(made, small, block=block, alone=True).encoded
    assert len(alone) == sum(one.ends > 0 for tree in made for one in tree.messages)
    for row in alone:
        assert row.positions.tolist() == list(range(len(row)))
        assert set(row.exits.tolist()) == {len(row)}
    assert sum(map(len, alone)) <= sum(lengths(one, small)[1] for one in made)
    trees = encode_all(made, small, block=block).encoded
    assert sum(row.weights.sum() for row in alone) == sum(row.weights.sum() for row in trees)


def test_an_answer_that_may_not_be_learned_is_only_read(small: Vocabulary) -> None:
    turns = [Message("user", "q"), Message("assistant", "no", learned=False)]
    turns += [Message("user", "q2"), Message("assistant", "yes")]
    row = encode(chain(turns), small)
    learned = row.ids[row.labels != IGNORED]
    assert small.decode(learned) == "yes"
    assert row.ids.tolist() == training_ids(chain(turns).dialogue(3), small)[0]


def test_the_root_has_no_parent() -> None:
    assert chain([Message("user", "q")]).messages[0].parent == ROOT
