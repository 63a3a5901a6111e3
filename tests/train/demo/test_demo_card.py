"""Model cards show the numbers of the build; the shipped cards are up to date."""

from __future__ import annotations

import json
from pathlib import Path
from typing import get_args

import pytest

from starchat_tui.dialogue import Mode
from tests.train.demo.card_samples import facts, scores
from train.demo import demo_card
from train.demo.evaluation.scoring import MODEL_NAMES

WEIGHTS = Path(__file__).parents[3] / "starchat_tui" / "weights"


def test_a_card_reports_the_scores_and_what_was_left_out() -> None:
    card = demo_card.render_card("chat", facts())
    assert "| new kinds of task | 2 | 2 | 100.0 % | 34.2 % to 100.0 % |" in card
    assert "| short programs | 4 | 4 | 100.0 %" in card
    assert "8 of them only one model got right: nano-chat 8 of these, 100.0 %" in card
    assert "2 for lack of node" in card
    assert "3 (values)" in card
    assert "- dialogues: `c0ffee`" in card


@pytest.mark.parametrize("mode", get_args(Mode))
def test_a_card_discloses_the_hand_written_weights(mode: Mode) -> None:
    assert demo_card.COPY_HEADS in demo_card.render_card(mode, facts())
    assert "Olsson et al." in demo_card.COPY_HEADS


@pytest.mark.parametrize("mode", get_args(Mode))
def test_the_shipped_cards_are_rendered_from_the_recorded_facts(mode: Mode) -> None:
    recorded = json.loads((WEIGHTS / "facts.json").read_text())
    tables = {
        each: json.loads((WEIGHTS / name / "scores.json").read_text())
        for each, name in MODEL_NAMES.items()
    }
    shipped = (WEIGHTS / MODEL_NAMES[mode] / "README.md").read_text()
    assert shipped == demo_card.render_card(mode, demo_card.CardFacts(scores=tables, **recorded))


def test_scores_without_single_marks_cannot_be_compared() -> None:
    chat, base = scores(right=True), scores(right=False)
    del base["marks"]
    assert demo_card.compare_models(chat, base) is None


def test_the_table_of_the_documentation_has_both_models_and_the_comparison() -> None:
    table = demo_card.render_readme_table(scores(right=True), scores(right=False))
    assert "| known kinds of task, new names and numbers | 2 of 2 | 0 of 2 |" in table
    assert "| known kinds, follow-up turns 2–5 (after its own answers) | 2 of 2 | 0 of 2 |" in table
    assert "| questions that only one model got right | 8 of 8 | 0 of 8 |" in table
