"""Phrasings are held out by their hash and drawn on their side only."""

from __future__ import annotations

from random import Random

from train.demo.tasks.family import (
    TaskSampler,
    is_held_out,
    select_held_out,
)
from train.demo.tasks.load_yaml import load_phrases


def test_of_any_four_phrasings_one_is_never_trained() -> None:
    few, many = ("a", "b", "c"), ("a", "b", "c", "d")
    assert select_held_out(few) == {text for text in few if is_held_out(text)}
    assert len(select_held_out(many)) >= 1
    for name in ("hints", "given_test", "tiny", "wrap"):
        assert select_held_out(load_phrases(name)) < set(load_phrases(name))
        assert select_held_out(load_phrases(name))


def test_held_out_phrasings_are_only_drawn_on_their_side() -> None:
    both = tuple(load_phrases("plain"))
    assert 0 < sum(map(is_held_out, both)) < len(both) / 3
    for side in (False, True):
        found = {TaskSampler(Random(n), side).choose_phrasing(both) for n in range(200)}
        assert {is_held_out(text) for text in found} == {side}
