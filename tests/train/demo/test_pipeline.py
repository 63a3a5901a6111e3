"""Tokenizer, rows, optimizer, loop and stages of the demo models."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest
import torch
from transformers import GPTBigCodeForCausalLM

from starchat_tui.templates.template import IGNORED
from starchat_tui.templates.tokenizer import CHAT_TOKENS, Vocabulary
from train.demo import bpe_training, copy_heads, pretrain, pretrain_data, sizes, small_model
from train.demo.evaluation import __main__
from train.demo.pretrain_data import Batch
from train.demo.tasks.family import Sample
from train.modeling import compute
from train.modeling.muon import optimizers, orthogonal

ROOT = Path(__file__).parents[3]
SHAPE = sizes.Shape(n_embd=32, n_layer=2, n_head=2, n_positions=256)


def test_special_tokens_come_first_and_dialogue_tokens_last(vocabulary: Vocabulary) -> None:
    assert len(vocabulary) == 640
    assert [vocabulary.control_id(token) for token in bpe_training.SPECIAL] == list(range(19))
    assert [vocabulary.control_id(token) for token in CHAT_TOKENS] == [636, 637, 638, 639]


@pytest.mark.parametrize("word", ["Tom", "Zelenka", "apples", "2024", "57.91", "total_price"])
def test_a_word_is_the_same_tokens_wherever_it_stands(vocabulary: Vocabulary, word: str) -> None:
    alone = vocabulary.text_ids(word)
    for text in (f"it is {word}, and", f'{{"{word}": ', f"{word}\n", f"\n    {word}(", f"x|{word}"):
        ids = vocabulary.text_ids(text)
        assert any(ids[at : at + len(alone)] == alone for at in range(len(ids))), text


def test_a_transcript_row_begins_as_the_prompt_does(
    samples: list[Sample], vocabulary: Vocabulary
) -> None:
    ids = vocabulary.decode(pretrain_data.transcript(samples[0], vocabulary))
    exchange = samples[0].exchanges[0]
    wanted = f"\n\n-----\n\nHuman: {exchange.question}\n\nAssistant: {exchange.answer}"
    assert ids.startswith(wanted)


def test_rows_reach_every_position() -> None:
    row = list(range(64))
    batch = pretrain_data.batched(Random(0), [row] * 1500, [row] * 1500, 64, 256)
    assert batch.ids.shape == batch.labels.shape == batch.positions.shape == (1500, 64)
    assert batch.positions.min() == 0
    assert batch.positions.max() == 255
    assert (batch.positions[:, 1:] - batch.positions[:, :-1] == 1).all()
    whole = pretrain_data.batched(Random(0), [row] * 2, [row] * 2, 64, 64)
    assert (whole.positions[:, 0] == 0).all()


def test_the_loss_is_that_of_transformers_on_learned_labels() -> None:
    made = small_model.new(SHAPE, vocabulary=64, end_of_text=0, seed=1)
    ids = torch.randint(0, 64, (2, 40), generator=torch.Generator().manual_seed(0))
    labels = ids.clone()
    labels[:, 5:20] = IGNORED
    positions = torch.arange(40)[None].expand(2, 40)
    with torch.no_grad():
        ours = small_model.loss_of(made, pretrain_data.Batch(ids, labels, positions))
        theirs = made(input_ids=ids, labels=labels, position_ids=positions, use_cache=False).loss
    assert torch.allclose(ours, theirs, atol=1e-5 if compute.precision() is torch.float32 else 0.02)


def test_an_update_of_muon_is_nearly_orthogonal() -> None:
    matrix = torch.randn(24, 60, generator=torch.Generator().manual_seed(0))
    for turned in (matrix, matrix.T):
        values = torch.linalg.svdvals(orthogonal(turned))
        assert orthogonal(turned).shape == turned.shape
        assert values.min() > 0.5
        assert values.max() < 1.4


@pytest.mark.parametrize("tokens", [1, 2, 3])
def test_the_turn_of_a_place_is_the_place_so_many_before(tokens: int) -> None:
    waves = copy_heads.waves(200, 16)
    assert torch.allclose(waves[tokens:] @ copy_heads.back(16, tokens), waves[:-tokens], atol=1e-5)


@pytest.mark.parametrize("distinct", [512, 12])
@pytest.mark.parametrize("start", [0, 1800])
def test_a_new_model_copies_what_followed_the_same_words(distinct: int, start: int) -> None:
    shape = sizes.Shape(n_embd=192, n_layer=2, n_head=4, n_positions=2048)
    made = small_model.new(shape, vocabulary=512, end_of_text=0, seed=3)
    period = 60
    dice = torch.Generator().manual_seed(0)
    ids = torch.randint(0, distinct, (period,), generator=dice).repeat(3)[None]
    positions = torch.arange(start, start + ids.size(1))[None]
    with torch.no_grad():
        said = made(input_ids=ids, position_ids=positions, use_cache=False).logits[0].argmax(-1)
    right = (said[:-1] == ids[0, 1:])[period + 3 :].float().mean()
    assert right > 0.95


def test_only_positions_learn_slowly() -> None:
    made = small_model.new(SHAPE, vocabulary=64, end_of_text=0, seed=1)
    muon, adamw = optimizers(made, muon=0.02, adam=0.003)
    rates = {id(p): g["lr"] for o in (muon, adamw) for g in o.param_groups for p in g["params"]}
    assert len(rates) == len(list(made.parameters()))
    assert rates[id(made.transformer.wpe.weight)] == pytest.approx(0.003 / 100)
    assert rates[id(made.transformer.wte.weight)] == 0.003
    assert rates[id(made.get_parameter("transformer.h.0.mlp.c_fc.weight"))] == 0.02


def schedule(steps: int) -> sizes.Schedule:
    return replace(
        sizes.load("smoke").pretrain, steps=steps, tokens=512, phases=(sizes.Phase(0.0, 64),)
    )


class Cycle:
    """Rows that count round and round: what follows is always known."""

    def batch(
        self, rng: Random, rows: int, length: int, *, window: int, transcript_share: float
    ) -> Batch:
        starts = torch.tensor([[rng.randrange(60)] for _ in range(rows)])
        ids = (starts + torch.arange(length)) % 60
        return Batch(ids, ids, torch.arange(length).expand(rows, length))


def test_training_lowers_the_loss(tmp_path: Path) -> None:
    made = small_model.new(SHAPE, vocabulary=64, end_of_text=0, seed=1)
    progress = pretrain.train(made, Cycle(), schedule(150), seed=1, checkpoint=tmp_path / "c.pt")
    assert (progress.steps, progress.tokens) == (150, 150 * 8 * 64)
    batch = Cycle().batch(Random(9), 4, 64, window=256, transcript_share=0.0)
    with torch.no_grad():
        assert small_model.loss_of(made, batch) < 1.0 < math.log(64)


class Unplugged(Cycle):
    """Rows that end the run after `left` batches, as a person would."""

    def __init__(self, left: int) -> None:
        self.left = left

    def batch(
        self, rng: Random, rows: int, length: int, *, window: int, transcript_share: float
    ) -> Batch:
        if not self.left:
            raise KeyboardInterrupt
        self.left -= 1
        return super().batch(rng, rows, length, window=window, transcript_share=transcript_share)


def test_a_run_that_was_interrupted_ends_like_one_that_was_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fresh() -> GPTBigCodeForCausalLM:
        return small_model.new(SHAPE, vocabulary=64, end_of_text=0, seed=1)

    whole, resumed, path = fresh(), fresh(), tmp_path / "checkpoint.pt"
    expected = pretrain.train(
        whole, Cycle(), schedule(12), seed=1, checkpoint=tmp_path / "whole.pt"
    )
    monkeypatch.setattr(pretrain, "CHECKPOINT_SECONDS", 0.0)
    with pytest.raises(KeyboardInterrupt):
        pretrain.train(fresh(), Unplugged(7), schedule(12), seed=1, checkpoint=path)
    progress = pretrain.train(resumed, Cycle(), schedule(12), seed=1, checkpoint=path)
    assert (progress.steps, progress.tokens) == (expected.steps, expected.tokens)
    for ours, theirs in zip(resumed.parameters(), whole.parameters(), strict=True):
        assert torch.equal(ours, theirs)


def test_an_export_is_half_precision_tied_and_reads_back(tmp_path: Path) -> None:
    made = small_model.new(SHAPE, vocabulary=64, end_of_text=0, seed=1)
    small_model.export(made, tmp_path, ends=[63, 0])
    back = small_model.read(tmp_path)
    assert back.lm_head.weight.data_ptr() == back.transformer.wte.weight.data_ptr()
    assert small_model.end_ids(tmp_path) == [63, 0]
    stored = json.loads((tmp_path / "config.json").read_text())
    assert stored["multi_query"] is True
    size = (tmp_path / "model.safetensors").stat().st_size
    assert (
        2 * small_model.parameters(tmp_path) <= size < 2 * small_model.parameters(tmp_path) + 10_000
    )
    for (name, ours), theirs in zip(
        made.state_dict().items(), back.state_dict().values(), strict=True
    ):
        assert torch.allclose(ours, theirs, atol=1e-3, rtol=1e-3), name


def test_the_rate_rises_then_falls_to_its_floor() -> None:
    shares = [pretrain.rate(share / 100, 0.1) for share in range(101)]
    assert max(shares) == shares[10] == pytest.approx(1.0)
    assert shares[100] == pytest.approx(pretrain.FLOOR)


def test_the_twenty_questions_can_be_answered_rightly() -> None:
    asked = __main__.twenty()
    assert len(asked) == 20
    assert all(each.sample.exchanges[0].check.runs for each in asked)


@pytest.mark.slow
def test_every_stage_runs_in_ci(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "train.demo", "--smoke", "--build", str(tmp_path)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    first = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True, timeout=300
    )
    again = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True, timeout=300
    )
    assert again.stdout == first.stdout
    assert "making" not in again.stderr
    folder = Path(first.stdout.strip()) / "nano-chat"
    assert {file.name for file in folder.iterdir()} >= {
        "config.json",
        "generation_config.json",
        "model.safetensors",
        "tokenizer.json",
        "tokenizer_config.json",
        "README.md",
        "scores.json",
    }
