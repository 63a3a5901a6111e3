"""Conversations about plots: turns build on each other, and the article's prompts stay unseen."""

from __future__ import annotations

from random import Random

from train.demo.evaluation.check import extract_code
from train.demo.tasks.family import Exchange, Family, TaskSampler
from train.demo.tasks.frames import data_frames
from train.demo.tasks.plots import maps
from train.demo.tasks.plots import plot_families as plots
from train.demo.tasks.plots.plot_kinds import PAIRED_KINDS
from train.demo.tasks.programs import drills
from train.demo.tasks.registry import HELD_OUT_FAMILIES

FAMILIES = (*plots.families(), *data_frames.families(), *maps.families(), *drills.families())


def conversations(family: Family, many: int) -> list[tuple[Exchange, ...]]:
    return [family.sample(TaskSampler(Random(f"{family.name} {n}"))).exchanges for n in range(many)]


def test_each_group_has_families_that_are_never_trained() -> None:
    held = {family.group for family in FAMILIES if family.name in HELD_OUT_FAMILIES}
    assert held >= {"plots", "data", "drills"}


def test_conversations_have_one_to_five_turns_and_many_have_several() -> None:
    turns = [len(found) for f in plots.families() for found in conversations(f, 20)]
    assert set(turns) == {1, 2, 3, 4, 5}
    assert sum(count > 1 for count in turns) > 0.2 * len(turns)


def test_every_number_of_an_answer_stands_in_its_conversation() -> None:
    for kind in PAIRED_KINDS:
        family = next(f for f in FAMILIES if f.name == f"plot_{kind}")
        for found in conversations(family, 10):
            asked = " ".join(exchange.question for exchange in found)
            line = extract_code(found[-1].answer).split("\n")[2] if found[-1].check.drawn else ""
            for value in line.replace("}", "").split(": ")[1:]:
                assert value.split(",")[0] in asked


def test_answers_have_a_sentence_a_block_and_a_sentence() -> None:
    for family in plots.families():
        for found in conversations(family, 3):
            before, _, after = found[0].answer.partition("```python\n")
            assert before.endswith(":\n\n")
            assert after.split("```")[1].strip().endswith(".")


def test_the_countries_of_the_article_are_never_drawn_together() -> None:
    for family in maps.families():
        for found in conversations(family, 300):
            for exchange in found:
                line = next(s for s in exchange.answer.split("\n") if " = [" in s)
                assert not ('"Germany"' in line and '"Spain"' in line)
