"""Dialogues as immutable values."""

from __future__ import annotations

from dataclasses import FrozenInstanceError

import pytest

from starchat_tui.dialogue import Dialogue, Turn


def test_adding_a_turn_returns_a_new_dialogue() -> None:
    empty = Dialogue("s")
    grown = empty.with_message("user", "q").with_turn(Turn("assistant", "a", (1, 2), "v"))
    assert empty.turns == ()
    assert grown == Dialogue("s", (Turn("user", "q"), Turn("assistant", "a", (1, 2), "v")))


def test_the_oldest_turns_can_be_dropped() -> None:
    dialogue = (
        Dialogue("s")
        .with_message("user", "1")
        .with_message("assistant", "2")
        .with_message("user", "3")
    )
    assert dialogue.drop_oldest(0) == dialogue
    assert [turn.text for turn in dialogue.drop_oldest(2).turns] == ["3"]
    assert dialogue.drop_oldest(2).system == "s"
    assert dialogue.drop_oldest(9).turns == ()


def test_a_turn_cannot_be_changed() -> None:
    turn = Turn("user", "q")
    with pytest.raises(FrozenInstanceError):
        turn.text = "other"  # type: ignore[misc]


def test_equal_dialogues_are_the_same_key() -> None:
    first, second = (Dialogue("s").with_message("user", "q") for _ in range(2))
    assert {first: "found"}[second] == "found"
