"""Random shifts of positions."""

from __future__ import annotations

import torch

from starchat_tui.templates.template import IGNORE_INDEX
from train.data.position_shift import SHIFTED_SHARE, shift_positions


def batch(rows: int, length: int, seed: int = 0) -> dict[str, torch.Tensor]:
    ids = torch.randint(0, 99, (rows, length), generator=torch.Generator().manual_seed(seed))
    labels = ids.clone()
    labels[:, : length // 3] = IGNORE_INDEX
    positions = torch.arange(length).repeat(rows, 1)
    positions[:, length // 2 :] -= length // 2
    return {"input_ids": ids, "labels": labels, "position_ids": positions}


def test_half_of_the_rows_move_within_the_window() -> None:
    given = batch(2000, 24)
    found = shift_positions(given, window=64, seed=3)
    moves = found - given["position_ids"]
    assert (moves == moves[:, :1]).all(), "a row moves as a whole"
    assert found.min() == 0
    assert found.max() == 63
    still = float((moves[:, 0] == 0).float().mean())
    assert abs(still - (1 - SHIFTED_SHARE)) < 0.06


def test_the_shift_does_not_depend_on_the_batch() -> None:
    given = batch(8, 24)
    whole = shift_positions(given, window=64, seed=3)
    for at in range(8):
        alone = {name: column[at : at + 1] for name, column in given.items()}
        padded = {
            name: torch.cat(
                [column, column.new_full((1, 5), 0 if name != "labels" else IGNORE_INDEX)], 1
            )
            for name, column in alone.items()
        }
        assert torch.equal(shift_positions(alone, window=64, seed=3), whole[at : at + 1])
        assert torch.equal(shift_positions(padded, window=64, seed=3)[:, :24], whole[at : at + 1])
    assert not torch.equal(shift_positions(given, window=64, seed=4), whole)


def test_a_row_as_long_as_the_window_stays() -> None:
    given = batch(50, 24)
    given["position_ids"] = torch.arange(24).repeat(50, 1)
    assert torch.equal(shift_positions(given, window=24, seed=0), given["position_ids"])
