"""Trainer: evaluation batches, and the number format of saved weights."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch

from train.data.collator import Collator
from train.data.packing import PackedRow
from train.runtime.trainer import FineTuner, convert_dtype


def test_shared_tensors_stay_shared_in_another_format() -> None:
    tied, other = torch.randn(4, 4), torch.randn(2)
    ids = torch.arange(3)
    state = {"embedding": tied, "head": tied, "norm": other, "ids": ids}
    found = convert_dtype(state, torch.bfloat16)
    assert found["embedding"] is found["head"]
    assert found["norm"].dtype == torch.bfloat16
    assert found["ids"] is ids, "integers are not converted"
    assert torch.allclose(found["embedding"].float(), tied, atol=0.05)


@pytest.mark.parametrize("world", [1, 2, 3])
def test_evaluation_reads_every_row_once_in_equally_many_batches(
    packed_rows: list[PackedRow], world: int
) -> None:
    """Sharded weights make a forward pass a collective: an extra batch would never end."""
    rows = packed_rows[:5]
    counts, weight = set(), 0.0
    for index in range(world):
        args = SimpleNamespace(per_device_train_batch_size=2, world_size=world, process_index=index)
        trainer: Any = SimpleNamespace(args=args, _held_out=rows, _collator=Collator(600, 0))
        batches = list(FineTuner._eval_batches(trainer))
        counts.add(len(batches))
        weight += sum(float(batch["weights"].sum()) for batch in batches)
    assert len(counts) == 1
    assert weight == sum(float(row.weights.sum()) for row in rows)
