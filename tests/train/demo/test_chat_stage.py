"""The fine-tune learns all fine-tune dialogues, mixed with others by their share."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from train.demo import chat_stage
from train.demo.tasks.family import Sample
from train.demo.tasks.registry import draw_samples
from train.runtime import resume


@pytest.fixture(scope="module")
def dialogues() -> dict[str, list[Sample]]:
    first = draw_samples(3, 1000, held_out_phrasing=False, held_out_families=False)
    second = draw_samples(
        3, 400, held_out_phrasing=False, held_out_families=False, stage="finetune"
    )
    return {"pretrain": list(first), "finetune": list(second)}


def test_every_finetune_dialogue_is_mixed_with_as_many_others_as_the_share_says(
    dialogues: dict[str, list[Sample]],
) -> None:
    mixed = chat_stage.mix_dialogues(dialogues, 0.5, seed=1)
    assert len(mixed) == 800
    assert mixed[:400] == dialogues["finetune"]


def test_the_mix_depends_on_the_seed_alone(dialogues: dict[str, list[Sample]]) -> None:
    first, again, other = (
        chat_stage.mix_dialogues(dialogues, 0.5, seed=seed) for seed in (1, 1, 2)
    )
    assert first == again != other


def test_no_share_means_pre_training_dialogues_alone(dialogues: dict[str, list[Sample]]) -> None:
    assert chat_stage.mix_dialogues(dialogues, 0.0, seed=1) == dialogues["pretrain"]


def test_a_share_that_needs_more_dialogues_than_there_are_takes_all(
    dialogues: dict[str, list[Sample]],
) -> None:
    assert len(chat_stage.mix_dialogues(dialogues, 0.1, seed=1)) == 1400


def test_the_costs_of_a_run_are_those_of_its_log(tmp_path: Path) -> None:
    folder = tmp_path / resume.MODEL
    folder.mkdir(parents=True)
    log = [{"step": 10, "tokens": 600, "seconds": 2.5}, {"step": 12, "eval_loss": 1.0}]
    (folder / "history.json").write_text(json.dumps(log))
    costs = chat_stage._read_costs(tmp_path)
    assert (costs["steps"], costs["tokens"], costs["seconds"]) == (12, 600, 2.5)


def test_the_code_that_determines_a_run_exists() -> None:
    here = Path(chat_stage.__file__).parent
    assert all(list(here.glob(pattern)) for pattern in chat_stage.CODE_FILES)
