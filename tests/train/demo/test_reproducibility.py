"""Two builds are compared by hash and by interval."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from tests.train.demo.card_samples import facts, scores
from train.demo import demo_card, reproducibility
from train.demo.evaluation import scoring


def write_build(folder: Path, chat: dict[str, Any], hashes: dict[str, str]) -> Path:
    for mode, name in scoring.MODEL_NAMES.items():
        (folder / name).mkdir(parents=True)
        table = chat if mode == "chat" else scores(right=False)
        (folder / name / "scores.json").write_text(json.dumps(table))
        (folder / name / "README.md").write_text(
            demo_card.render_card(mode, replace(facts(), hashes=hashes))
        )
    return folder


def test_two_builds_are_compared_by_hash_and_by_interval(tmp_path: Path) -> None:
    """The 95 % interval of 2 of 2 reaches down to 34 %, so 0 of 2 lies outside it."""
    data = {"dialogues": "c0" * 32, "tokenizer": "de" * 32}
    ours = write_build(tmp_path / "ours", scores(right=True), data)
    again = write_build(tmp_path / "again", scores(right=True), data)
    worse = write_build(tmp_path / "worse", scores(right=False), data | {"tokenizer": "ad" * 32})
    assert reproducibility.find_differences(ours, again) == []
    assert all(pair.is_within_intervals for pair in reproducibility.pair_scores(ours, again))
    assert reproducibility.find_differences(ours, worse) == ["tokenizer"]
    found = {
        pair.title: pair.is_within_intervals for pair in reproducibility.pair_scores(ours, worse)
    }
    assert found["nano-base: new kinds of task"]
    assert not found["nano-chat: new kinds of task"]
