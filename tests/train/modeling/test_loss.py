from __future__ import annotations

from random import Random

import pytest
import torch

from starchat_tui.templates.template import IGNORED
from starchat_tui.templates.tokenizer import Vocabulary
from tests.train.forest import forest, tensors, tiny_model
from train.data.collator import Collator
from train.data.encode import Encoded, encode
from train.data.packing import pack
from train.data.trees import paths, trimmed
from train.modeling.loss import summed, weight_of, weighted
from train.modeling.masks import attention_4d


def test_weight_one_is_the_mean_cross_entropy() -> None:
    logits = torch.randn(2, 7, 11, dtype=torch.float64)
    labels = torch.randint(0, 11, (2, 7))
    labels[0, :3] = IGNORED
    expected = torch.nn.functional.cross_entropy(
        logits[:, :-1].reshape(-1, 11), labels[:, 1:].reshape(-1), ignore_index=IGNORED
    )
    assert weighted(logits, labels, torch.ones(2, 7)).item() == pytest.approx(expected.item())


def test_a_token_of_weight_three_counts_as_three() -> None:
    logits, labels = torch.randn(1, 4, 5, dtype=torch.float64), torch.tensor([[0, 1, 2, 3]])
    each = torch.nn.functional.cross_entropy(logits[0, :-1], labels[0, 1:], reduction="none")
    found = weighted(logits, labels, torch.tensor([[9.0, 3.0, 1.0, 0.0]]))
    assert found.item() == pytest.approx(((3 * each[0] + each[1]) / 4).item())


def test_micro_batches_with_their_total_are_one_batch() -> None:
    logits = torch.randn(4, 6, 9, dtype=torch.float64)
    labels = torch.randint(0, 9, (4, 6))
    labels[1, 2:] = IGNORED
    weights = torch.rand(4, 6) + 0.1
    total = weight_of(labels, weights)
    parts = [
        weighted(logits[at : at + 1], labels[at : at + 1], weights[at : at + 1], total=total)
        for at in range(4)
    ]
    assert sum(parts).item() == pytest.approx(weighted(logits, labels, weights).item())


def test_nothing_to_learn_is_no_loss_and_no_gradient() -> None:
    logits = torch.randn(1, 3, 5, requires_grad=True)
    loss = weighted(logits, torch.full((1, 3), IGNORED), torch.zeros(1, 3))
    loss.backward()  # type: ignore[no-untyped-call]
    assert loss.item() == 0
    assert logits.grad is not None
    assert logits.grad.abs().sum() == 0


def test_half_precision_is_scored_in_full() -> None:
    logits = torch.randn(1, 5, 7)
    labels = torch.randint(0, 7, (1, 5))
    half = weighted(logits.bfloat16(), labels, torch.ones(1, 5))
    assert half.dtype == torch.float32
    assert half.item() == pytest.approx(weighted(logits, labels, torch.ones(1, 5)).item(), abs=0.05)


@pytest.mark.parametrize("half", [False, True])
def test_the_loss_in_pieces_is_the_loss(half: bool) -> None:
    dice = torch.Generator().manual_seed(0)
    hidden = torch.randn(1300, 16, generator=dice)
    hidden = (hidden.bfloat16() if half else hidden).requires_grad_()
    head = torch.randn(50, 16, generator=dice).requires_grad_()
    targets = torch.randint(0, 50, (1300,), generator=dice)
    weights = torch.rand(1300, generator=dice)
    ours = summed(hidden, head, targets, weights)
    scores = (hidden @ head.to(hidden.dtype).T).float()
    each = torch.nn.functional.cross_entropy(scores, targets, reduction="none")
    theirs = (each * weights).sum()
    assert ours.dtype == torch.float32
    assert torch.allclose(ours, theirs, rtol=1e-5)
    grads = [torch.autograd.grad(2 * loss, [hidden, head]) for loss in (ours, theirs)]
    for a, b in zip(*grads, strict=True):
        assert a.dtype == b.dtype
        assert (a - b).float().norm() <= (0.01 if half else 1e-5) * b.float().norm()


def test_nothing_learned_is_no_loss_in_pieces() -> None:
    hidden = torch.randn(0, 4).requires_grad_()
    head = torch.randn(7, 4).requires_grad_()
    loss = summed(hidden, head, torch.zeros(0, dtype=torch.int64), torch.zeros(0))
    assert loss.item() == 0
    (gradient,) = torch.autograd.grad(loss, [head])
    assert gradient.abs().sum() == 0


def graded(model: torch.nn.Module, row: Encoded, total: float) -> float:
    """The loss of a row, its gradient added to the model's."""
    given = tensors(row)
    logits = model(
        input_ids=given["ids"].long(),
        position_ids=given["positions"].long(),
        attention_mask=attention_4d(given["exits"]),
    ).logits
    loss = weighted(logits, given["labels"], given["weights"], total=total)
    loss.backward()  # type: ignore[no-untyped-call]
    return float(loss.detach())


def gradient(model: torch.nn.Module) -> torch.Tensor:
    found = [one.grad.flatten() for one in model.parameters() if one.grad is not None]
    model.zero_grad()
    return torch.cat(found)


@pytest.mark.parametrize("block", [10_000, 160])
def test_leaf_weights_train_as_every_dialogue_alone(small: Vocabulary, block: int) -> None:
    from train.data.encode import encode_all

    model = tiny_model(len(small), window=2048)
    trees = [cut for one in forest(Random(2), 8) if (cut := trimmed(one))]
    trees = [one for one in trees if encode(one, small).positions.max() < 150]
    alone = [(encode(path, small), path.messages[-1].ends) for one in trees for path in paths(one)]
    total = sum(float(row.weights.sum()) for row, _ in alone)
    apart = sum(graded(model, row, total) for row, _ in alone)
    before = gradient(model)
    rows = pack(encode_all(trees, small, block=block).encoded, block)
    together = sum(graded(model, row, total) for row in rows)
    after = gradient(model)
    assert len(trees) >= 3
    assert together == pytest.approx(apart, rel=1e-12)
    assert (after - before).norm() <= 1e-12 * before.norm()


def test_a_batch_is_the_rows_it_is_made_of(small: Vocabulary) -> None:
    model = tiny_model(len(small), window=2048)
    encoded = [encode(cut, small) for one in forest(Random(4), 9) if (cut := trimmed(one))]
    rows = pack(encoded, max(map(len, encoded)))
    total = sum(float(row.weights.sum()) for row in rows)
    apart = sum(graded(model, row, total) for row in rows)
    before = gradient(model)
    for fixed in (False, True):
        batch = Collator(max(map(len, encoded)), 7, fixed=fixed)(rows)
        labels, weights = batch.pop("labels"), batch.pop("weights")
        loss = weighted(model(**batch).logits, labels, weights)
        loss.backward()  # type: ignore[no-untyped-call]
        assert float(loss.detach()) == pytest.approx(apart, rel=1e-12)
        assert (gradient(model) - before).norm() <= 1e-12 * before.norm()
