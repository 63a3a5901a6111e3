from __future__ import annotations

from dataclasses import FrozenInstanceError

import pytest

from starchat_tui.dialogue import Dialogue, Turn


def test_a_dialogue_grows_by_making_a_new_one() -> None:
    empty = Dialogue("s")
    grown = empty.plus("user", "q").with_turn(Turn("assistant", "a", (1, 2), "v"))
    assert empty.turns == ()
    assert grown == Dialogue("s", (Turn("user", "q"), Turn("assistant", "a", (1, 2), "v")))


def test_the_oldest_turns_can_be_left_out() -> None:
    dialogue = Dialogue("s").plus("user", "1").plus("assistant", "2").plus("user", "3")
    assert dialogue.since(0) == dialogue
    assert [turn.text for turn in dialogue.since(2).turns] == ["3"]
    assert dialogue.since(2).system == "s"
    assert dialogue.since(9).turns == ()


def test_what_was_said_cannot_be_changed() -> None:
    turn = Turn("user", "q")
    with pytest.raises(FrozenInstanceError):
        turn.text = "other"  # type: ignore[misc]


def test_equal_dialogues_are_one_key() -> None:
    first, second = (Dialogue("s").plus("user", "q") for _ in range(2))
    assert {first: "found"}[second] == "found"
