from __future__ import annotations

from collections import Counter
from random import Random

import pytest

from starchat_tui.dialogue import Dialogue
from tests.train.forest import forest
from train.data.trees import ROOT, Message, Tree, chain, grown, merged, paths, trimmed

Q, A = "user", "assistant"


def tree(*nodes: tuple[str, int], system: str = "") -> Tree:
    """A tree from names and parents; the user speaks at even depths."""
    messages: list[Message] = []
    for name, parent in nodes:
        asked = parent != ROOT and messages[parent].role == "user"
        messages.append(Message("assistant" if asked else "user", name, parent))
    return grown(messages, system=system)


def texts_of(found: Tree) -> list[str]:
    return [one.text for one in found.messages]


def spoken(found: Tree) -> Counter[tuple[str, ...]]:
    """Every dialogue of a tree with how often the data have it."""
    ways = Counter[tuple[str, ...]]()
    for at, one in enumerate(found.messages):
        ways[tuple(found.messages[index].text for index in found.path(at))] += one.ends
    return +ways


def is_depth_first(found: Tree) -> bool:
    return all(
        one.parent == ROOT if at == 0 else 0 <= one.parent < at and one.parent in found.path(at - 1)
        for at, one in enumerate(found.messages)
    )


def test_every_leaf_ends_one_dialogue() -> None:
    made = tree(("q", ROOT), ("a", 0), ("q2", 1), ("a2", 2), ("b", 0))
    assert [one.ends for one in made.messages] == [0, 0, 0, 1, 1]
    assert made.dialogue(3) == Dialogue().plus("user", "q").plus("assistant", "a").plus(
        "user", "q2"
    ).plus("assistant", "a2")


def test_a_useless_tail_is_cut_and_its_dialogue_ends_earlier() -> None:
    made = tree(("q", ROOT), ("a", 0), ("tail", 1), ("more", 1), ("a2", 3), ("b", 0), ("thanks", 5))
    cut = trimmed(made)
    assert cut is not None
    assert texts_of(cut) == ["q", "a", "more", "a2", "b"]
    assert spoken(cut) == {("q", "a"): 1, ("q", "a", "more", "a2"): 1, ("q", "b"): 1}


def test_an_answer_that_may_not_be_learned_is_a_useless_tail_too() -> None:
    kept = Message("assistant", "a", 0)
    cut = trimmed(grown([Message("user", "q"), kept, Message("user", "q2", 1)]))
    assert cut is not None
    assert texts_of(cut) == ["q", "a"]
    forbidden = Message("assistant", "a", 0, learned=False)
    assert trimmed(grown([Message("user", "q"), forbidden])) is None


def test_what_is_not_learned_stays_where_something_below_it_is() -> None:
    messages = [Message("user", "q"), Message("assistant", "a", 0, learned=False)]
    messages += [Message("user", "q2", 1), Message("assistant", "a2", 2)]
    made = grown(messages)
    assert trimmed(made) == made


def test_nothing_to_learn_is_no_tree() -> None:
    assert trimmed(tree(("q", ROOT))) is None


@pytest.mark.parametrize("seed", range(20))
def test_trimming_keeps_the_number_of_dialogues(seed: int) -> None:
    for made in forest(Random(seed), 20):
        cut = trimmed(made)
        if cut is not None:
            assert is_depth_first(cut)
            assert sum(spoken(cut).values()) == sum(
                one.ends
                for at, one in enumerate(made.messages)
                if any(made.messages[index].taught for index in made.path(at))
            )
            leaves = set(range(len(cut.messages))) - {one.parent for one in cut.messages}
            assert all(cut.messages[leaf].taught for leaf in leaves)


@pytest.mark.parametrize("seed", range(20))
def test_the_paths_of_a_tree_joined_again_are_the_tree(seed: int) -> None:
    for made in forest(Random(seed), 20):
        (again,) = merged(paths(made))
        assert spoken(again) == spoken(made)
        assert is_depth_first(again)


def test_dialogues_that_begin_alike_become_one_tree() -> None:
    def said(*texts: str, system: str = "") -> Tree:
        turns = [Message(Q if at % 2 == 0 else A, text) for at, text in enumerate(texts)]
        return chain(turns, system=system)

    rows = [said("q", "a"), said("p", "x"), said("q", "b", "q2", "c"), said("q", "a")]
    rows.append(said("q", "a", system="other"))
    found = merged(rows)
    assert [texts_of(one) for one in found] == [["q", "a", "b", "q2", "c"], ["p", "x"], ["q", "a"]]
    assert spoken(found[0]) == {("q", "a"): 2, ("q", "b", "q2", "c"): 1}
    assert found[2].system == "other"


def test_answers_that_may_and_may_not_be_learned_stay_two() -> None:
    rows = [
        chain([Message("user", "q"), Message("assistant", "a", learned=learned)])
        for learned in (True, False)
    ]
    (found,) = merged(rows)
    assert len(found.messages) == 3


def test_depth_has_no_limit() -> None:
    turns = [Message(Q if at % 2 == 0 else A, str(at)) for at in range(20_000)]
    (joined,) = merged([chain(turns), chain(turns[:-2])])
    cut = trimmed(joined)
    assert cut is not None
    assert len(cut.messages) == 20_000
    assert sorted(len(one.messages) for one in paths(cut)) == [19_998, 20_000]
