"""The plot worker judges answers in children: trusted ones share one, and none harms another."""

from __future__ import annotations

import json

from train.demo.evaluation.check import check_answers
from train.demo.tasks.family import Check, fence_code

DRAW = """import matplotlib.pyplot as plt

plt.bar(["a", "b"], [1, 2])
plt.show()
"""
BARS = Check(drawn=json.dumps([{"kind": "bar", "labels": ["a", "b"], "series": [[1, 2]]}]))
SUM = Check(probes=(("total", "3"),), packages=True)


def test_a_child_that_dies_takes_no_other_answer_with_it() -> None:
    answers = [(DRAW, BARS), ("import os\nos._exit(1)", BARS), (DRAW, BARS), ("total = 3", SUM)]
    verdicts = check_answers([(fence_code(code), check) for code, check in answers], trusted=True)
    assert verdicts == ["", "took too long or died", "", ""]


def test_figures_and_settings_of_one_answer_do_not_reach_the_next() -> None:
    leaving = "import matplotlib.pyplot as plt\nplt.rcParams['axes.grid'] = True\nplt.plot([1])"
    answers = [(leaving, Check(packages=True, probes=(("1", "1"),))), (DRAW, BARS)]
    verdicts = check_answers([(fence_code(code), check) for code, check in answers], trusted=True)
    assert verdicts == ["", ""]


def test_a_figure_must_be_shown() -> None:
    hidden = DRAW.replace("plt.show()\n", "")
    assert check_answers([(fence_code(hidden), BARS)]) == ["does not show what it draws"]


def test_the_bundled_map_is_found_by_its_name_alone() -> None:
    code = (
        "import geopandas\n"
        "world = geopandas.read_file(geopandas.datasets.get_path('naturalearth_lowres'))\n"
        "total = 3 if len(world) > 100 else 0"
    )
    other = code.replace("naturalearth_lowres", "cities")
    right, wrong = check_answers([(fence_code(each), SUM) for each in (code, other)])
    assert right == ""
    assert wrong.startswith("ValueError: no data set called cities")
