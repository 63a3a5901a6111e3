"""Model card of a fine-tune."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

from train.config import Config
from train.publish import loss_curve, model_card


def build_facts(**changes: Any) -> model_card.RunFacts:
    log = [{"step": at, "loss": 3 - at / 10} for at in range(1, 11)]
    log += [{"step": 10, "eval_loss": 2.1, "eval_perplexity": 8.17}]
    config = Config(model="bigcode/starcoderbase", dataset=("a/b", "x.jsonl"), output="o")
    known: dict[str, Any] = {
        "config": config,
        "trees": 90,
        "held_out": 10,
        "rows": 8,
        "tokens": 1000,
        "learned": 700,
        "refused": Counter({"another language": 3}),
        "parameters": 10**7,
        "trained": 10**7,
        "processes": 8,
        "device": "H100",
        "steps": 10,
        "seconds": 90.0,
        "log": log,
    }
    return model_card.RunFacts(**{**known, **changes})


def test_the_card_has_data_parameters_curves_and_limitations(tmp_path: Path) -> None:
    model_card.write_card(tmp_path, build_facts(), "me/mine")
    text = (tmp_path / "README.md").read_text()
    for text_part in (
        "base_model: bigcode/starcoderbase",
        "- a/b",
        "| another language | 3 |",
        "70% of them learned",
        "| `learning_rate` | 2e-05 |",
        "| 10 | 2.1000 | 8.170 |",
        "8 × H100",
        "## Limitations",
        model_card.CURVE,
    ):
        assert text_part in text, text_part
    assert "x.jsonl" not in text.split("---")[1], "a file is no data set of the Hub"
    drawing = (tmp_path / model_card.CURVE).read_text()
    assert drawing.count("<polyline") == 2
    assert len(json.loads((tmp_path / "history.json").read_text())) == 11


def test_a_card_without_evaluation_says_so() -> None:
    assert "Nothing was held out" in model_card.render_card(build_facts(log=[]), "m")
    assert loss_curve.draw_loss_curve([]) == ""
