"""Training rows of the base model: transcripts, positions, copying drills."""

from __future__ import annotations

from pathlib import Path
from random import Random

import numpy as np

from starchat_tui.templates.template import IGNORE_INDEX
from starchat_tui.templates.tokenizer import Tokenizer
from train.demo import pretrain_data
from train.demo.tasks.family import Sample


def test_a_transcript_has_the_layout_of_the_prompt(
    samples: list[Sample], tokenizer: Tokenizer
) -> None:
    ids = tokenizer.decode(pretrain_data.encode_transcript(samples[0], tokenizer))
    exchange = samples[0].exchanges[0]
    wanted = f"\n\n-----\n\nHuman: {exchange.question}\n\nAssistant: {exchange.answer}"
    assert ids.startswith(wanted)


def test_rows_reach_every_position() -> None:
    row = list(range(64))
    batch = pretrain_data.build_batch(Random(0), [row] * 1500, [row] * 1500, 64, 256)
    assert batch.ids.shape == batch.labels.shape == batch.positions.shape == (1500, 64)
    assert batch.positions.min() == 0
    assert batch.positions.max() == 255
    assert (batch.positions[:, 1:] - batch.positions[:, :-1] == 1).all()
    whole = pretrain_data.build_batch(Random(0), [row] * 2, [row] * 2, 64, 64)
    assert (whole.positions[:, 0] == 0).all()


def rows() -> pretrain_data.BaseRows:
    return pretrain_data.BaseRows(
        python=np.arange(1000, 3000, dtype=np.uint16),
        transcripts=((1, 2, 3), (4, 5)),
        prompt=tuple(range(100, 120)),
        preambles=((7, 8, 9),),
    )


def test_a_copying_drill_learns_only_the_repetitions() -> None:
    ids, labels = rows()._draw_copy_drill(Random(3), 60)
    period = labels.count(IGNORE_INDEX)
    assert labels == [IGNORE_INDEX] * period + ids[period:]
    assert ids[period:] == ids[: len(ids) - period]
    assert 4 <= period <= 20


def test_rows_are_python_or_transcripts_as_their_share_says() -> None:
    data = rows()
    for share, allowed in ((0.0, range(1000, 3000)), (1.0, range(3000))):
        batch = data.draw_batch(Random(1), 40, 32, window=64, transcript_share=share)
        assert batch.ids.shape == (40, 32)
        assert {int(token) for token in batch.ids.flatten()} <= set(allowed)
    transcripts = data.draw_batch(Random(1), 40, 32, window=64, transcript_share=1.0)
    assert int((transcripts.ids < 10).sum()) > 40


def test_ragged_rows_survive_the_file(tmp_path: Path) -> None:
    written = [(1, 2, 3), (), (4,)]
    pretrain_data.save_ragged(tmp_path / "rows.npz", written)
    assert pretrain_data.load_ragged(tmp_path / "rows.npz") == tuple(written)
