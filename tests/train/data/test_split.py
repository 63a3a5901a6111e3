from __future__ import annotations

from random import Random

import pytest

from tests.train.forest import forest
from train.data.split import key, split, unseen
from train.data.trees import Message, Tree, chain, paths


def asked(question: str, answer: str = "a", system: str = "") -> Tree:
    return chain([Message("user", question), Message("assistant", answer)], system=system)


@pytest.mark.parametrize("share", [0.0, 0.05, 0.5, 0.95])
def test_every_tree_is_on_one_side(share: float) -> None:
    trees = [asked(f"question {number}") for number in range(200)]
    train, test = split(trees, 1, share)
    assert len(test) == round(200 * share)
    assert sorted(map(key, [*train, *test])) == sorted(map(key, trees))


@pytest.mark.parametrize("seed", range(10))
def test_no_test_text_shares_a_beginning_with_training(seed: int) -> None:
    dice = Random(seed)
    alone = [path for tree in forest(dice, 30) for path in paths(tree)]
    alone += [asked(dice.choice(["Same?", "same ?", " SAME?\n"]), str(at)) for at in range(9)]
    dice.shuffle(alone)
    train, test = split(alone, seed, 0.3)
    assert test
    assert not {key(one) for one in train} & {key(one) for one in test}
    begun = {one.messages[0].text for one in train}
    assert not begun & {one.messages[0].text for one in test}


def test_another_system_text_does_not_part_a_question() -> None:
    trees = [asked("q", system=f"{number}") for number in range(9)] + [asked("p")]
    for side in split(trees, 0, 0.5):
        assert len({key(one) for one in side}) == 1


def test_the_draw_depends_on_the_seed_and_not_on_the_order() -> None:
    trees = [asked(f"question {number}") for number in range(100)]
    _, first = split(trees, 1, 0.2)
    _, again = split(trees[::-1], 1, 0.2)
    _, other = split(trees, 2, 0.2)
    assert {key(one) for one in first} == {key(one) for one in again}
    assert {key(one) for one in first} != {key(one) for one in other}


def test_both_sides_have_something_where_they_can() -> None:
    pair = [asked("p"), asked("q")]
    for share in (0.01, 0.99):
        assert all(split(pair, 0, share))
    assert split([asked("p")], 0, 0.5)[0] or split([asked("p")], 0, 0.5)[1]
    assert split([], 0, 0.5) == ([], [])
    assert split(pair, 0, 0.0)[1] == []


def test_trees_to_measure_on_that_begin_as_training_does_are_left_out() -> None:
    train = [asked("Same?"), asked("p")]
    assert unseen([asked("same ?", "x"), asked("r"), asked("p", system="s")], train) == [asked("r")]
