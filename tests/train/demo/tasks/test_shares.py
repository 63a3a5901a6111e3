"""Every group belongs to a kind with a share."""

from __future__ import annotations

from train.demo.tasks.registry import list_families
from train.demo.tasks.shares import KIND_SHARES, find_kind


def test_every_family_has_a_share() -> None:
    kinds = {find_kind(family.group) for family in list_families()}
    assert kinds <= set(KIND_SHARES)
    assert set(KIND_SHARES) <= kinds, "a share without a family would be lost"


def test_follow_up_groups_have_the_kind_of_their_change() -> None:
    assert find_kind("follow-up") == "changes"
    assert find_kind("follow-up plots") == "plots"
    assert find_kind("maps") == "plots"
    assert find_kind("scripts") == "scripts"
