"""A thousand drawn dialogues, and a small tokenizer that knows their words."""

from __future__ import annotations

import pytest

from starchat_tui.templates.tokenizer import Tokenizer
from train.demo import bpe_training
from train.demo.tasks.family import Sample
from train.demo.tasks.registry import draw_samples


@pytest.fixture(scope="module")
def samples() -> list[Sample]:
    return list(draw_samples(5, 1000, held_out_phrasing=False, held_out_families=False))


@pytest.fixture(scope="module")
def tokenizer(samples: list[Sample], tmp_path_factory: pytest.TempPathFactory) -> Tokenizer:
    folder = tmp_path_factory.mktemp("tokenizer")
    spoken = (f"{e.question}\n{e.answer}" for sample in samples[:200] for e in sample.exchanges)
    bpe_training.save_tokenizer(bpe_training.train_tokenizer(spoken, 640), folder, window=256)
    return Tokenizer.load(folder / "tokenizer.json", add_chat_tokens=False)
