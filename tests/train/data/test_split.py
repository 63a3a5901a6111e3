from __future__ import annotations

from random import Random

import pytest

from tests.train.random_trees import generate_trees
from train.data.split import exclude_overlap, prefix_key, split_trees
from train.data.trees import Message, Tree, chain_messages, iterate_paths


def build_tree(question: str, answer: str = "a", system: str = "") -> Tree:
    return chain_messages([Message("user", question), Message("assistant", answer)], system=system)


@pytest.mark.parametrize("share", [0.0, 0.05, 0.5, 0.95])
def test_every_tree_is_on_one_side(share: float) -> None:
    trees = [build_tree(f"question {number}") for number in range(200)]
    train, test = split_trees(trees, 1, share)
    assert len(test) == round(200 * share)
    assert sorted(map(prefix_key, [*train, *test])) == sorted(map(prefix_key, trees))


@pytest.mark.parametrize("seed", range(10))
def test_no_test_text_shares_a_beginning_with_training(seed: int) -> None:
    rng = Random(seed)
    alone = [path for tree in generate_trees(rng, 30) for path in iterate_paths(tree)]
    alone += [build_tree(rng.choice(["Same?", "same ?", " SAME?\n"]), str(at)) for at in range(9)]
    rng.shuffle(alone)
    train, test = split_trees(alone, seed, 0.3)
    assert test
    assert not {prefix_key(one) for one in train} & {prefix_key(one) for one in test}
    beginnings = {one.messages[0].text for one in train}
    assert not beginnings & {one.messages[0].text for one in test}


def test_the_system_prompt_does_not_separate_a_question() -> None:
    trees = [build_tree("q", system=f"{number}") for number in range(9)] + [build_tree("p")]
    for side in split_trees(trees, 0, 0.5):
        assert len({prefix_key(one) for one in side}) == 1


def test_the_draw_depends_on_the_seed_and_not_on_the_order() -> None:
    trees = [build_tree(f"question {number}") for number in range(100)]
    _, first = split_trees(trees, 1, 0.2)
    _, again = split_trees(trees[::-1], 1, 0.2)
    _, other = split_trees(trees, 2, 0.2)
    assert {prefix_key(one) for one in first} == {prefix_key(one) for one in again}
    assert {prefix_key(one) for one in first} != {prefix_key(one) for one in other}


def test_neither_side_is_empty_if_possible() -> None:
    pair = [build_tree("p"), build_tree("q")]
    for share in (0.01, 0.99):
        assert all(split_trees(pair, 0, share))
    assert split_trees([build_tree("p")], 0, 0.5)[0] or split_trees([build_tree("p")], 0, 0.5)[1]
    assert split_trees([], 0, 0.5) == ([], [])
    assert split_trees(pair, 0, 0.0)[1] == []


def test_test_trees_that_begin_like_training_are_excluded() -> None:
    train = [build_tree("Same?"), build_tree("p")]
    assert exclude_overlap(
        [build_tree("same ?", "x"), build_tree("r"), build_tree("p", system="s")], train
    ) == [build_tree("r")]
