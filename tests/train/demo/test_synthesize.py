"""The corpus: nothing scored was trained, and samples survive their file."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest

from train.demo import sample_files, synthesize
from train.demo.evaluation import check as checking
from train.demo.near_duplicates import SIMILARITY_THRESHOLD, extract_shingles
from train.demo.tasks.family import (
    Check,
    Exchange,
    Sample,
    TaskSampler,
    fence_code,
)
from train.demo.tasks.registry import (
    HELD_OUT_FAMILIES,
    list_families,
    select_families,
)


def draw_all(*, each: int = 2, seed: int = 11) -> list[Sample]:
    return [
        family.sample(TaskSampler(Random(f"{seed} {family.name} {turn}"), held_out_phrasing))
        for family in list_families()
        for held_out_phrasing in (False, True)
        for turn in range(each)
    ]


@pytest.mark.slow
def test_no_scored_sample_is_a_near_duplicate_of_a_trained_one() -> None:
    made = synthesize.make_dialogues(seed=3, pretrain=400, finetune=100, scored=30)
    taught = [*made.sides["pretrain"], *made.sides["finetune"]]
    trained = {synthesize.make_question_key(sample) for sample in taught}
    known = [extract_shingles(sample.exchanges[0].question) for sample in taught]
    for side in sample_files.SCORED_SIDES:
        assert made.sides[side]
        assert not trained & {synthesize.make_question_key(sample) for sample in made.sides[side]}
        for sample in made.sides[side]:
            mine = extract_shingles(sample.exchanges[0].question)
            assert max(len(mine & one) / len(mine | one) for one in known) < SIMILARITY_THRESHOLD
    assert not HELD_OUT_FAMILIES & {sample.family for sample in taught}
    assert {sample.family for sample in made.sides["family"]} <= HELD_OUT_FAMILIES
    finetune = {family.name for family in select_families("finetune")}
    assert not finetune & {sample.family for sample in made.sides["pretrain"]}
    assert {sample.family for sample in made.sides["finetune"]} <= finetune
    assert all(finetune & {s.family for s in made.sides[side]} for side in ("values", "phrasing"))


def test_samples_survive_the_file(tmp_path: Path) -> None:
    samples = draw_all(each=1)
    path = tmp_path / "samples.jsonl"
    sample_files.save_samples(samples, path)
    assert sample_files.load_samples(path) == samples


def test_what_the_machine_cannot_check_is_left_out_and_counted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(checking, "_has_program", lambda tool: tool != "node")
    script = Check(language="javascript", stdout="1")
    samples = [
        Sample(
            "a", (Exchange("q", fence_code("console.log(1)", "javascript"), script, "javascript"),)
        ),
        Sample("b", (Exchange("q", fence_code("print(1)"), Check(stdout="1"), "scripts"),)),
    ]
    monkeypatch.setattr(
        synthesize,
        "draw_samples",
        lambda *_, stage="pretrain", **__: iter(samples if stage == "pretrain" else ()),
    )
    made = synthesize.make_dialogues(seed=1, pretrain=2, finetune=0, scored=0)
    assert [sample.family for sample in made.sides["pretrain"]] == ["b"]
    assert synthesize.summarize_corpus(made)["unchecked"] == {"node": 1}
