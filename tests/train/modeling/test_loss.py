from __future__ import annotations

from random import Random

import pytest
import torch

from starchat_tui.templates.template import IGNORE_INDEX
from starchat_tui.templates.tokenizer import Tokenizer
from tests.train.random_trees import create_tiny_model, generate_trees, row_tensors
from tests.train.reference_loss import mean_cross_entropy
from train.data.collator import Collator
from train.data.encode import EncodedTree, encode_tree
from train.data.packing import pack_rows
from train.data.trees import iterate_paths, trim_tree
from train.modeling.loss import sum_cross_entropy, total_weight
from train.modeling.masks import build_dense_mask


def test_weight_one_is_the_mean_cross_entropy() -> None:
    logits = torch.randn(2, 7, 11, dtype=torch.float64)
    labels = torch.randint(0, 11, (2, 7))
    labels[0, :3] = IGNORE_INDEX
    expected = torch.nn.functional.cross_entropy(
        logits[:, :-1].reshape(-1, 11), labels[:, 1:].reshape(-1), ignore_index=IGNORE_INDEX
    )
    assert mean_cross_entropy(logits, labels, torch.ones(2, 7)).item() == pytest.approx(
        expected.item()
    )


def test_a_token_of_weight_three_counts_as_three() -> None:
    logits, labels = torch.randn(1, 4, 5, dtype=torch.float64), torch.tensor([[0, 1, 2, 3]])
    each = torch.nn.functional.cross_entropy(logits[0, :-1], labels[0, 1:], reduction="none")
    found = mean_cross_entropy(logits, labels, torch.tensor([[9.0, 3.0, 1.0, 0.0]]))
    assert found.item() == pytest.approx(((3 * each[0] + each[1]) / 4).item())


def test_micro_batches_with_their_total_are_one_batch() -> None:
    logits = torch.randn(4, 6, 9, dtype=torch.float64)
    labels = torch.randint(0, 9, (4, 6))
    labels[1, 2:] = IGNORE_INDEX
    weights = torch.rand(4, 6) + 0.1
    total = total_weight(labels, weights)
    parts = [
        mean_cross_entropy(
            logits[at : at + 1], labels[at : at + 1], weights[at : at + 1], total=total
        )
        for at in range(4)
    ]
    assert sum(parts).item() == pytest.approx(mean_cross_entropy(logits, labels, weights).item())


def test_no_learned_tokens_mean_no_loss_and_no_gradient() -> None:
    logits = torch.randn(1, 3, 5, requires_grad=True)
    loss = mean_cross_entropy(logits, torch.full((1, 3), IGNORE_INDEX), torch.zeros(1, 3))
    loss.backward()  # type: ignore[no-untyped-call]
    assert loss.item() == 0
    assert logits.grad is not None
    assert logits.grad.abs().sum() == 0


def test_half_precision_is_scored_in_float32() -> None:
    logits = torch.randn(1, 5, 7)
    labels = torch.randint(0, 7, (1, 5))
    half = mean_cross_entropy(logits.bfloat16(), labels, torch.ones(1, 5))
    assert half.dtype == torch.float32
    assert half.item() == pytest.approx(
        mean_cross_entropy(logits, labels, torch.ones(1, 5)).item(), abs=0.05
    )


@pytest.mark.parametrize("half", [False, True])
def test_the_chunked_loss_equals_the_loss(half: bool) -> None:
    rng = torch.Generator().manual_seed(0)
    hidden = torch.randn(1300, 16, generator=rng)
    hidden = (hidden.bfloat16() if half else hidden).requires_grad_()
    head = torch.randn(50, 16, generator=rng).requires_grad_()
    targets = torch.randint(0, 50, (1300,), generator=rng)
    weights = torch.rand(1300, generator=rng)
    ours = sum_cross_entropy(hidden, head, targets, weights)
    scores = (hidden @ head.to(hidden.dtype).T).float()
    each = torch.nn.functional.cross_entropy(scores, targets, reduction="none")
    theirs = (each * weights).sum()
    assert ours.dtype == torch.float32
    assert torch.allclose(ours, theirs, rtol=1e-5)
    grads = [torch.autograd.grad(2 * loss, [hidden, head]) for loss in (ours, theirs)]
    for a, b in zip(*grads, strict=True):
        assert a.dtype == b.dtype
        assert (a - b).float().norm() <= (0.01 if half else 1e-5) * b.float().norm()


def test_the_chunked_loss_of_nothing_is_zero() -> None:
    hidden = torch.randn(0, 4).requires_grad_()
    head = torch.randn(7, 4).requires_grad_()
    loss = sum_cross_entropy(hidden, head, torch.zeros(0, dtype=torch.int64), torch.zeros(0))
    assert loss.item() == 0
    (take_gradient,) = torch.autograd.grad(loss, [head])
    assert take_gradient.abs().sum() == 0


def accumulate_gradient(model: torch.nn.Module, row: EncodedTree, total: float) -> float:
    """Return the loss of a row; its gradient is added to the model's."""
    given = row_tensors(row)
    logits = model(
        input_ids=given["ids"].long(),
        position_ids=given["positions"].long(),
        attention_mask=build_dense_mask(given["exits"]),
    ).logits
    loss = mean_cross_entropy(logits, given["labels"], given["weights"], total=total)
    loss.backward()  # type: ignore[no-untyped-call]
    return float(loss.detach())


def take_gradient(model: torch.nn.Module) -> torch.Tensor:
    found = [one.grad.flatten() for one in model.parameters() if one.grad is not None]
    model.zero_grad()
    return torch.cat(found)


@pytest.mark.parametrize("block", [10_000, 160])
def test_leaf_weights_train_like_separate_dialogues(small: Tokenizer, block: int) -> None:
    from train.data.encode import encode_all

    model = create_tiny_model(len(small), window=2048)
    trees = [cut for one in generate_trees(Random(2), 8) if (cut := trim_tree(one))]
    trees = [one for one in trees if encode_tree(one, small).positions.max() < 150]
    alone = [
        (encode_tree(path, small), path.messages[-1].dialogue_count)
        for one in trees
        for path in iterate_paths(one)
    ]
    total = sum(float(row.weights.sum()) for row, _ in alone)
    apart = sum(accumulate_gradient(model, row, total) for row, _ in alone)
    before = take_gradient(model)
    rows = pack_rows(encode_all(trees, small, block=block).encoded, block)
    together = sum(accumulate_gradient(model, row, total) for row in rows)
    after = take_gradient(model)
    assert len(trees) >= 3
    assert together == pytest.approx(apart, rel=1e-12)
    assert (after - before).norm() <= 1e-12 * before.norm()


def test_a_batch_equals_its_rows(small: Tokenizer) -> None:
    model = create_tiny_model(len(small), window=2048)
    encoded = [
        encode_tree(cut, small) for one in generate_trees(Random(4), 9) if (cut := trim_tree(one))
    ]
    rows = pack_rows(encoded, max(map(len, encoded)))
    total = sum(float(row.weights.sum()) for row in rows)
    apart = sum(accumulate_gradient(model, row, total) for row in rows)
    before = take_gradient(model)
    for fixed in (False, True):
        batch = Collator(max(map(len, encoded)), 7, fixed=fixed)(rows)
        labels, weights = batch.pop("labels"), batch.pop("weights")
        loss = mean_cross_entropy(model(**batch).logits, labels, weights)
        loss.backward()  # type: ignore[no-untyped-call]
        assert float(loss.detach()) == pytest.approx(apart, rel=1e-12)
        assert (take_gradient(model) - before).norm() <= 1e-12 * before.norm()
