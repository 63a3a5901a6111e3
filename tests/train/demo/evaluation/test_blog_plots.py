"""The article's prompts: right code saves figures and passes, other code fails."""

from __future__ import annotations

from pathlib import Path

import pytest

from train.demo.evaluation.blog_plots import BLOG_PROMPTS, run_answers
from train.demo.evaluation.generate import Answer
from train.demo.tasks.family import Stage, fence_code
from train.demo.tasks.registry import draw_samples

BARS = """import matplotlib.pyplot as plt
import seaborn as sns

names = ["Tom", "Brad", "Kyle", "Jerry"]
sns.set_context("talk")
fig, axes = plt.subplots(1, 2)
sns.barplot(x=names, y=[6.1, 5.9, 6.0, 6.1], ax=axes[0])
sns.barplot(x=names, y=[20, 21, 19, 18], ax=axes[1])
plt.show()"""
MAP = """import geopandas
import matplotlib.pyplot as plt

world = geopandas.read_file(geopandas.datasets.get_path("naturalearth_lowres"))
ax = world.plot(color="lightgray")
world[world["name"].isin(["Germany", "Spain"])].plot(ax=ax, color="red")
plt.show()"""
BASKETBALL = """import matplotlib.pyplot as plt

for name, points, rebounds in [("J. Harden", 42, 8), ("J. Embiid", 34, 13)]:
    plt.scatter(rebounds, points, marker="o")
    plt.annotate(name, (rebounds, points))
plt.title("Sixers Players")
plt.show()"""


@pytest.mark.slow
def test_what_code_shows_is_kept_and_judged(tmp_path: Path) -> None:
    answers = [Answer(fence_code(code), cut=False) for code in (BARS, MAP, BASKETBALL)]
    bars, world, basketball = run_answers(answers, tmp_path)
    assert (bars.runs, bars.draws) == (world.runs, world.draws) == ("", "")
    assert basketball.runs == ""
    assert basketball.draws.startswith("points: ")  # three players are missing
    for one in (bars, world, basketball):
        (picture,) = one.pictures
        assert picture.read_bytes().startswith(b"\x89PNG")


def test_code_that_fails_says_what_stopped_it(tmp_path: Path) -> None:
    found = run_answers([Answer(fence_code("print(x)"), cut=False)] * len(BLOG_PROMPTS), tmp_path)
    assert {one.runs for one in found} == {"NameError: name 'x' is not defined"}
    assert not any(one.pictures for one in found)


@pytest.mark.parametrize("stage", ["pretrain", "finetune"])
def test_the_prompts_are_never_drawn(stage: Stage) -> None:
    samples = list(
        draw_samples(1, 4000, held_out_phrasing=False, held_out_families=False, stage=stage)
    )
    asked = "\n".join(exchange.question for sample in samples for exchange in sample.exchanges)
    assert not [name for name in ("Kyle", "Sixers", "Embiid") if name in asked]
    maps = ["".join(e.answer for e in s.exchanges) for s in samples if "map" in s.family]
    assert any("Germany" in said for said in maps)
    assert not [said for said in maps if "Germany" in said and "Spain" in said]
