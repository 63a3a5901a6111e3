"""Values of the protocol."""

from __future__ import annotations

from starchat_tui.client.protocol import Delta, Usage, merge_deltas


def test_merge_deltas_builds_the_whole_answer() -> None:
    deltas = [
        Delta("a", (1,)),
        Delta("b", (2, 3)),
        Delta("", (), "length"),
        Delta(usage=Usage(1, 3)),
    ]
    assert merge_deltas(deltas) == Delta("ab", (1, 2, 3), "length", Usage(1, 3))
    assert merge_deltas([]) == Delta()
