"""Programs that draw are judged in processes of their own, by the figures that they show."""

from __future__ import annotations

import json

import pytest

from tests.train.demo.evaluation.bar_chart import BARS, WANTED, check_programs
from train.demo.evaluation.check import check_answers
from train.demo.tasks.family import Check, fence_code

MAP = """import geopandas
import matplotlib.pyplot as plt

world = geopandas.read_file(geopandas.datasets.get_path("naturalearth_lowres"))
ax = world.plot(color="lightgray")
world[world["name"].isin(["Norway"])].plot(ax=ax, color="red")
plt.show()
"""


@pytest.mark.slow
def test_one_answers_damage_does_not_reach_its_neighbours() -> None:
    vandal = BARS.replace("plt.show()", "plt.show()\nplt.bar = None")
    check = Check(drawn=json.dumps(WANTED))
    answers = [vandal, BARS, BARS.replace("5", "6", 1), "import os\nos._exit(0)", BARS]
    verdicts = check_answers([(fence_code(code), check) for code in answers], trusted=True)
    assert [not v for v in verdicts] == [True, True, False, False, True]


def test_an_answer_reads_no_other_and_gives_no_verdict_of_its_own() -> None:
    forger = "import os\nos.write(1, b'[\"\"]\\n')\nprint('[\"\"]')\n" + BARS.replace("5", "6", 1)
    reader = "input()\n" + BARS
    found = check_programs(forger, reader, BARS)
    assert [verdict[:8] for verdict in found] == ["values: ", "EOFError", ""]


def test_styles_of_one_answer_do_not_reach_the_next() -> None:
    logged = 'import matplotlib as mpl\nmpl.rcParams["axes.prop_cycle"] = mpl.cycler(color=["k"])\n'
    blue = BARS.replace(', color="red"', "")
    wanted = [{**WANTED[0], "color": "#1f77b4"}]
    check = Check(drawn=json.dumps(wanted))
    assert (
        check_answers([(fence_code(c), check) for c in (logged + blue, blue)], trusted=True)[1]
        == ""
    )


def test_a_program_must_show_its_figure() -> None:
    saved = BARS.replace("plt.show()", 'plt.savefig("chart.png")')
    figure = BARS.replace("plt.show()", "plt.gcf().show()")
    unseen = BARS.replace("plt.show()\n", "")
    closed = BARS.replace("plt.show()", "plt.close()\nplt.show()")
    assert check_programs(saved, figure, unseen, closed) == [
        "",
        "",
        "does not show what it draws",
        "draws nothing",
    ]


def test_each_answer_begins_without_figures_and_files() -> None:
    left = BARS.replace("plt.show()", 'open("left.txt", "w").close()\nplt.show()')
    listing = "import os\nassert not os.listdir()\n" + BARS
    assert check_programs(left, listing) == ["", ""]


@pytest.mark.slow
def test_the_map_of_the_sandbox_is_the_only_data_set() -> None:
    wanted = [{"kind": "map", "title": "", "colors": {"#ff0000": ["Norway"]}}]
    other = MAP.replace("naturalearth_lowres", "naturalearth_cities")
    found = check_programs(MAP, MAP.replace("Norway", "Sweden"), other, wanted=wanted)
    assert found[0] == ""
    assert found[1].startswith("countries")
    assert found[2] == "ValueError: no data set called naturalearth_cities"


def test_probes_of_tables_are_evaluated_after_the_program() -> None:
    check = Check(probes=(("df.a.tolist()", "[1, 2]"),), packages=True)
    code = 'import pandas as pd\n\ndf = pd.DataFrame({"a": [1, 2]})'
    answers = [fence_code(code), fence_code(code.replace("2]", "3]"))]
    right, wrong = check_answers([(answer, check) for answer in answers])
    assert right == ""
    assert wrong.endswith("is [1, 3], not [1, 2]")
