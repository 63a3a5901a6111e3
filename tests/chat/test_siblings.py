"""Answers to the same question, in the tree of a conversation."""

from __future__ import annotations

import pytest

from starchat_tui.chat.siblings import SiblingFinder
from starchat_tui.chat.store import ConversationStore
from starchat_tui.dialogue import Turn
from starchat_tui.errors import UsageError


@pytest.fixture
def store() -> ConversationStore:
    return ConversationStore.in_memory()


@pytest.fixture
def name(store: ConversationStore) -> str:
    return store.create_conversation("t", mode="chat", model="m", system="")


def add(store: ConversationStore, name: str, role: str, text: str, parent: int | None) -> int:
    turn = Turn(role, text)  # type: ignore[arg-type]
    return store.add_turn(name, turn, parent=parent, state="done", model="m")


def test_each_answer_leads_to_the_newest_turn_behind_it(
    store: ConversationStore, name: str
) -> None:
    question = add(store, name, "user", "q", None)
    first = add(store, name, "assistant", "one", question)
    follow = add(store, name, "user", "and?", first)
    second = add(store, name, "assistant", "two", question)
    leaf = add(store, name, "assistant", "more", follow)
    add(store, name, "assistant", "", question)
    finder = SiblingFinder(store)
    assert [finder.locate(turn) for turn in (first, second, leaf)] == [(1, 2), (2, 2), (1, 1)]
    branch = store.load_path(name, second)
    assert finder.locate_last(branch) == (2, 2)
    assert finder.find_head(branch, None, -1) == leaf
    back = store.load_path(name, leaf)
    assert finder.find_head(back, first, 1) == second
    for step in (-1, 2):
        with pytest.raises(UsageError, match="2 answers"):
            finder.find_head(back, first, step)
    for turn in (leaf, question, 99):
        with pytest.raises(UsageError, match="no other answer"):
            finder.find_head(back, turn, 1)


def test_a_conversation_without_siblings(store: ConversationStore, name: str) -> None:
    finder = SiblingFinder(store)
    answer = add(store, name, "assistant", "a", add(store, name, "user", "q", None))
    branch = store.load_path(name, answer)
    assert finder.locate_last(branch) == (1, 1)
    with pytest.raises(UsageError, match="no other answer"):
        finder.find_head(branch, None, 1)
