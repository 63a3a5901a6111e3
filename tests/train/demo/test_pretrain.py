"""The pre-training loop learns, resumes and follows its schedule."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest
import torch
from transformers import GPTBigCodeForCausalLM

from train.demo import pretrain, sizes, small_model
from train.demo.pretrain import POSITION_RATE_DIVISOR
from train.demo.pretrain_data import Batch
from train.modeling.muon import create_muon_optimizers

SHAPE = sizes.ModelShape(n_embd=32, n_layer=2, n_head=2, n_positions=256)


def test_only_positions_learn_slowly() -> None:
    made = small_model.create_model(SHAPE, vocabulary=64, end_of_text=0, seed=1)
    muon, adamw = create_muon_optimizers(
        made, muon_rate=0.02, adam_rate=0.003, position_rate=0.003 / POSITION_RATE_DIVISOR
    )
    rates = {id(p): g["lr"] for o in (muon, adamw) for g in o.param_groups for p in g["params"]}
    assert len(rates) == len(list(made.parameters()))
    assert rates[id(made.transformer.wpe.weight)] == pytest.approx(0.003 / 100)
    assert rates[id(made.transformer.wte.weight)] == 0.003
    assert rates[id(made.get_parameter("transformer.h.0.mlp.c_fc.weight"))] == 0.02


def schedule(steps: int) -> sizes.Schedule:
    return replace(
        sizes.load_sizes("smoke").pretrain, steps=steps, tokens=512, phases=(sizes.Phase(0.0, 64),)
    )


class Cycle:
    """Rows that count round and round: what follows is always known."""

    def draw_batch(
        self, rng: Random, rows: int, length: int, *, window: int, transcript_share: float
    ) -> Batch:
        starts = torch.tensor([[rng.randrange(60)] for _ in range(rows)])
        ids = (starts + torch.arange(length)) % 60
        return Batch(ids, ids, torch.arange(length).expand(rows, length))


def test_training_lowers_the_loss(tmp_path: Path) -> None:
    made = small_model.create_model(SHAPE, vocabulary=64, end_of_text=0, seed=1)
    progress = pretrain.pretrain_model(
        made, Cycle(), schedule(150), seed=1, checkpoint=tmp_path / "c.pt"
    )
    assert (progress.steps, progress.tokens) == (150, 150 * 8 * 64)
    batch = Cycle().draw_batch(Random(9), 4, 64, window=256, transcript_share=0.0)
    with torch.no_grad():
        assert small_model.compute_loss(made, batch) < 1.0 < math.log(64)


class Unplugged(Cycle):
    """Rows that end the run after `left` batches, as a person would."""

    def __init__(self, left: int) -> None:
        self.left = left

    def draw_batch(
        self, rng: Random, rows: int, length: int, *, window: int, transcript_share: float
    ) -> Batch:
        if not self.left:
            raise KeyboardInterrupt
        self.left -= 1
        return super().draw_batch(
            rng, rows, length, window=window, transcript_share=transcript_share
        )


def test_a_run_that_was_interrupted_ends_like_one_that_was_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fresh() -> GPTBigCodeForCausalLM:
        return small_model.create_model(SHAPE, vocabulary=64, end_of_text=0, seed=1)

    whole, resumed, path = fresh(), fresh(), tmp_path / "checkpoint.pt"
    expected = pretrain.pretrain_model(
        whole, Cycle(), schedule(12), seed=1, checkpoint=tmp_path / "whole.pt"
    )
    monkeypatch.setattr(pretrain, "CHECKPOINT_SECONDS", 0.0)
    with pytest.raises(KeyboardInterrupt):
        pretrain.pretrain_model(fresh(), Unplugged(7), schedule(12), seed=1, checkpoint=path)
    progress = pretrain.pretrain_model(resumed, Cycle(), schedule(12), seed=1, checkpoint=path)
    assert (progress.steps, progress.tokens) == (expected.steps, expected.tokens)
    for ours, theirs in zip(resumed.parameters(), whole.parameters(), strict=True):
        assert torch.equal(ours, theirs)


def test_the_rate_rises_then_falls_to_its_floor() -> None:
    shares = [pretrain.compute_rate(share / 100, 0.1) for share in range(101)]
    assert max(shares) == shares[10] == pytest.approx(1.0)
    assert shares[100] == pytest.approx(pretrain.FINAL_RATE_SHARE)
