"""Program that draws a bar chart, and the figure that it must draw."""

from __future__ import annotations

import json

from train.demo.evaluation.check import check_answers
from train.demo.tasks.family import Check, fence_code

BARS = """import matplotlib.pyplot as plt

data = {"Tom": 5, "Brad": 7, "Kim": 3}
names = list(data)
values = list(data.values())

plt.bar(names, values, color="red")
plt.title("T")
plt.xlabel("x")
plt.show()
"""
WANTED = [
    {
        "kind": "bar",
        "labels": ["Tom", "Brad", "Kim"],
        "series": [[5, 7, 3]],
        "title": "T",
        "xlabel": "x",
        "color": "#ff0000",
    }
]


def check_programs(*programs: str, wanted: object = WANTED) -> list[str]:
    """Return the verdict of each program, run by itself."""
    check = Check(drawn=json.dumps(wanted))
    return check_answers([(fence_code(program), check) for program in programs])
