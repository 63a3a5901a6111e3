"""Trainer: number formats of saved weights."""

from __future__ import annotations

import torch

from train.runtime.trainer import convert_dtype


def test_shared_tensors_stay_shared_in_another_format() -> None:
    tied, other = torch.randn(4, 4), torch.randn(2)
    ids = torch.arange(3)
    state = {"embedding": tied, "head": tied, "norm": other, "ids": ids}
    found = convert_dtype(state, torch.bfloat16)
    assert found["embedding"] is found["head"]
    assert found["norm"].dtype == torch.bfloat16
    assert found["ids"] is ids, "integers are not converted"
    assert torch.allclose(found["embedding"].float(), tied, atol=0.05)
