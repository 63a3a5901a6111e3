"""Every size is complete, and small enough where it has to be."""

from __future__ import annotations

import pytest
import yaml

from train.demo import sizes

NAMES = tuple(yaml.safe_load(sizes.SIZES_FILE.read_text()))


@pytest.mark.parametrize("name", NAMES)
def test_a_size_has_schedules_that_cover_a_run(name: str) -> None:
    loaded = sizes.load_sizes(name)
    for schedule in (loaded.pretrain, loaded.anneal):
        starts = [phase.start for phase in schedule.phases]
        assert starts[0] == 0.0
        assert starts == sorted(starts)
        assert all(phase.length <= loaded.model.n_positions for phase in schedule.phases)
    assert all(run.block <= loaded.model.n_positions for run in loaded.finetune)
    assert loaded.model.n_embd % loaded.model.n_head == 0
    assert loaded.model.n_layer >= 2, "the copying heads need two layers"


def test_the_last_run_learns_the_finetune_dialogues() -> None:
    *first, last = sizes.load_sizes("cpu").finetune
    assert last.finetune_share > 0
    assert not any(run.finetune_share for run in first)


def test_a_phase_reads_no_transcripts_unless_it_says_so() -> None:
    assert sizes.Phase(0.5, 64).transcripts == 0.0


def test_an_unknown_size_is_a_key_error() -> None:
    with pytest.raises(KeyError):
        sizes.load_sizes("huge")
