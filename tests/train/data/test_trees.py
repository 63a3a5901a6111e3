from __future__ import annotations

from collections import Counter
from random import Random

import pytest

from starchat_tui.dialogue import Dialogue
from tests.train.random_trees import generate_trees
from train.data.trees import (
    ROOT,
    Message,
    Tree,
    build_tree,
    chain_messages,
    iterate_paths,
    merge_trees,
    trim_tree,
)

Q, A = "user", "assistant"


def tree(*nodes: tuple[str, int], system: str = "") -> Tree:
    """Build a tree from names and parents; messages at even depths are the user's."""
    messages: list[Message] = []
    for name, parent in nodes:
        asked = parent != ROOT and messages[parent].role == "user"
        messages.append(Message("assistant" if asked else "user", name, parent))
    return build_tree(messages, system=system)


def texts_of(found: Tree) -> list[str]:
    return [one.text for one in found.messages]


def list_texts(found: Tree) -> Counter[tuple[str, ...]]:
    """Return every dialogue of a tree with its number of occurrences in the data."""
    ways = Counter[tuple[str, ...]]()
    for at, one in enumerate(found.messages):
        ways[tuple(found.messages[index].text for index in found.path_to(at))] += one.dialogue_count
    return +ways


def is_depth_first(found: Tree) -> bool:
    return all(
        one.parent == ROOT
        if at == 0
        else 0 <= one.parent < at and one.parent in found.path_to(at - 1)
        for at, one in enumerate(found.messages)
    )


def test_every_leaf_ends_one_dialogue() -> None:
    made = tree(("q", ROOT), ("a", 0), ("q2", 1), ("a2", 2), ("b", 0))
    assert [one.dialogue_count for one in made.messages] == [0, 0, 0, 1, 1]
    assert made.dialogue_to(3) == Dialogue().with_message("user", "q").with_message(
        "assistant", "a"
    ).with_message("user", "q2").with_message("assistant", "a2")


def test_turns_without_loss_are_trimmed() -> None:
    made = tree(("q", ROOT), ("a", 0), ("tail", 1), ("more", 1), ("a2", 3), ("b", 0), ("thanks", 5))
    cut = trim_tree(made)
    assert cut is not None
    assert texts_of(cut) == ["q", "a", "more", "a2", "b"]
    assert list_texts(cut) == {("q", "a"): 1, ("q", "a", "more", "a2"): 1, ("q", "b"): 1}


def test_a_final_answer_without_loss_is_trimmed() -> None:
    kept = Message("assistant", "a", 0)
    cut = trim_tree(build_tree([Message("user", "q"), kept, Message("user", "q2", 1)]))
    assert cut is not None
    assert texts_of(cut) == ["q", "a"]
    forbidden = Message("assistant", "a", 0, may_learn=False)
    assert trim_tree(build_tree([Message("user", "q"), forbidden])) is None


def test_context_above_a_learned_answer_stays() -> None:
    messages = [Message("user", "q"), Message("assistant", "a", 0, may_learn=False)]
    messages += [Message("user", "q2", 1), Message("assistant", "a2", 2)]
    made = build_tree(messages)
    assert trim_tree(made) == made


def test_nothing_to_learn_is_no_tree() -> None:
    assert trim_tree(tree(("q", ROOT))) is None


@pytest.mark.parametrize("seed", range(20))
def test_trimming_keeps_the_number_of_dialogues(seed: int) -> None:
    for made in generate_trees(Random(seed), 20):
        cut = trim_tree(made)
        if cut is not None:
            assert is_depth_first(cut)
            assert sum(list_texts(cut).values()) == sum(
                one.dialogue_count
                for at, one in enumerate(made.messages)
                if any(made.messages[index].is_learned for index in made.path_to(at))
            )
            leaves = set(range(len(cut.messages))) - {one.parent for one in cut.messages}
            assert all(cut.messages[leaf].is_learned for leaf in leaves)


@pytest.mark.parametrize("seed", range(20))
def test_merging_the_paths_of_a_tree_restores_it(seed: int) -> None:
    for made in generate_trees(Random(seed), 20):
        (again,) = merge_trees(iterate_paths(made))
        assert list_texts(again) == list_texts(made)
        assert is_depth_first(again)


def test_dialogues_that_begin_alike_become_one_tree() -> None:
    def build_messages(*texts: str, system: str = "") -> Tree:
        turns = [Message(Q if at % 2 == 0 else A, text) for at, text in enumerate(texts)]
        return chain_messages(turns, system=system)

    rows = [
        build_messages("q", "a"),
        build_messages("p", "x"),
        build_messages("q", "b", "q2", "c"),
        build_messages("q", "a"),
    ]
    rows.append(build_messages("q", "a", system="other"))
    found = merge_trees(rows)
    assert [texts_of(one) for one in found] == [["q", "a", "b", "q2", "c"], ["p", "x"], ["q", "a"]]
    assert list_texts(found[0]) == {("q", "a"): 2, ("q", "b", "q2", "c"): 1}
    assert found[2].system == "other"


def test_answers_with_and_without_loss_are_not_merged() -> None:
    rows = [
        chain_messages([Message("user", "q"), Message("assistant", "a", may_learn=learned)])
        for learned in (True, False)
    ]
    (found,) = merge_trees(rows)
    assert len(found.messages) == 3


def test_depth_has_no_limit() -> None:
    turns = [Message(Q if at % 2 == 0 else A, str(at)) for at in range(20_000)]
    (joined,) = merge_trees([chain_messages(turns), chain_messages(turns[:-2])])
    cut = trim_tree(joined)
    assert cut is not None
    assert len(cut.messages) == 20_000
    assert sorted(len(one.messages) for one in iterate_paths(cut)) == [19_998, 20_000]
