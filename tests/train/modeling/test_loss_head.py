"""The output head that returns the loss of learned tokens."""

from __future__ import annotations

import pytest
import torch

from starchat_tui.templates.tokenizer import Tokenizer
from tests.train.random_trees import create_tiny_model
from tests.train.reference_loss import mean_cross_entropy
from train.data.collator import Collator
from train.data.packing import PackedRow
from train.modeling.loss import total_weight
from train.modeling.loss_head import LossHead, learned_positions, select_targets


def batch_of(rows: list[PackedRow]) -> dict[str, torch.Tensor]:
    return Collator(600, 0)(rows[:3])


@pytest.mark.parametrize("sharded", [False, True])
def test_the_loss_equals_the_reference(
    packed_rows: list[PackedRow], small: Tokenizer, sharded: bool
) -> None:
    """A sharded head returns the scores of learned tokens, a plain one their loss."""
    model = create_tiny_model(len(small), dtype=torch.float32)
    batch = batch_of(packed_rows)
    names = ("input_ids", "position_ids", "attention_mask")
    logits = model(**{name: batch[name] for name in names}).logits
    expected = mean_cross_entropy(logits, batch["labels"], batch["weights"])
    theirs = torch.autograd.grad(expected, list(model.parameters()))
    head = LossHead(model, sharded=sharded)
    loss = head.sum_losses(model, batch) / total_weight(batch["labels"], batch["weights"])
    ours = torch.autograd.grad(loss, list(model.parameters()))
    assert loss.item() == pytest.approx(expected.item(), rel=1e-5)
    for one, other in zip(ours, theirs, strict=True):
        assert torch.allclose(one, other, atol=1e-5)


@pytest.mark.parametrize("sharded", [False, True])
def test_without_a_batch_the_head_returns_scores(
    packed_rows: list[PackedRow], small: Tokenizer, sharded: bool
) -> None:
    model = create_tiny_model(len(small), dtype=torch.float32)
    ids = torch.tensor([[1, 2, 3]])
    before = model(input_ids=ids).logits
    head = LossHead(model, sharded=sharded)
    head.sum_losses(model, batch_of(packed_rows))
    assert torch.equal(model(input_ids=ids).logits, before)


def test_targets_are_the_next_tokens_that_are_learned() -> None:
    batch = {
        "labels": torch.tensor([[5, -100, 7, 8], [-100, -100, -100, 9]]),
        "weights": torch.tensor([[1.0, 0.0, 2.0, 3.0], [0.0, 0.0, 0.0, 4.0]]),
    }
    labels, weights = select_targets(batch)
    # Nothing predicts the first token of a row, so its label never counts.
    assert labels.tolist() == [7, 8, 9]
    assert weights.tolist() == [2.0, 3.0, 4.0]
    assert learned_positions(batch).tolist() == [[False, True, True], [False, False, True]]
