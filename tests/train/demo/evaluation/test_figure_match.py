"""Figures are compared with the expected ones: the same passes, any difference fails."""

from __future__ import annotations

import json
import re
from random import Random

import pytest

from tests.train.demo.evaluation.bar_chart import BARS, check_programs
from train.demo.evaluation.check import check_answers, extract_code
from train.demo.evaluation.figure_match import (
    compare_figures,
    compute_bins,
    compute_quantile,
    is_same,
)
from train.demo.tasks.family import Exchange, Family, TaskSampler, fence_code
from train.demo.tasks.registry import list_families

DRAWING = [f for f in list_families() if f.group in ("plots", "maps", "data", "drills")]


def draw_exchanges(family: Family, seed: int) -> list[Exchange]:
    found = family.sample(TaskSampler(Random(f"{seed} {family.name}"))).exchanges
    return [exchange for exchange in found if exchange.check.needs_execution]


def test_there_are_at_least_25_families_of_plots_and_tables() -> None:
    assert len([f for f in DRAWING if f.group != "drills"]) >= 25


@pytest.mark.slow
def test_reference_answers_draw_what_was_asked_together_and_alone() -> None:
    found = [exchange for family in DRAWING for exchange in draw_exchanges(family, 1)]
    pairs = [(exchange.answer, exchange.check) for exchange in found]
    for trusted in (True, False):
        verdicts = check_answers(pairs, trusted=trusted)
        wrong = {e.question: v for e, v in zip(found, verdicts, strict=True) if v}
        assert wrong == {}


def test_other_code_that_draws_the_same_is_right() -> None:
    axes = (
        'import matplotlib.pyplot as p\nfig, ax = p.subplots()\nx = ("Tom", "Brad", "Kim")\n'
        'ax.bar(x, height=[5.0, 7, 3], color="#f00")\nax.set(title="T", xlabel="x")\np.show()'
    )
    series = (
        "import pandas as pd\nimport matplotlib.pyplot as plt\n"
        's = pd.Series([5, 7, 3], index=["Tom", "Brad", "Kim"])\n'
        's.plot.bar(color="red", title="T", xlabel="x")\nplt.show()'
    )
    one_by_one = (
        "import matplotlib.pyplot as plt\n"
        'for n, v in [("Tom", 5), ("Brad", 7), ("Kim", 3)]:\n    plt.bar(n, v, color="r")\n'
        'plt.title("T")\nplt.xlabel("x")\nplt.show()'
    )
    assert check_programs(BARS, axes, series, one_by_one) == [""] * 4


FAULTS = (
    ('"Tom": 5', '"Tim": 5', "labels"),
    ('"Tom": 5, "Brad": 7', '"Tom": 7, "Brad": 5', "values"),
    ('"Tom": 5, "Brad": 7', '"Brad": 7, "Tom": 5', "values"),
    (', "Kim": 3', "", "values"),
    (', "Kim": 3', ', "Kim": 3, "Zoe": 1', "values"),
    ("5", "5.01", "values"),
    ('"T"', '"t"', "title"),
    ('plt.title("T")\n', "", "title"),
    ('plt.xlabel("x")', 'plt.ylabel("x")', "xlabel"),
    ('"red"', '"blue"', "colors"),
    ("plt.bar(", "plt.barh(", "the bars are flat"),
    ("plt.bar(", "plt.plot(", "values"),
    ("plt.show()", 'plt.yscale("log")\nplt.show()', "scales"),
    ("plt.show()", "plt.plot(names, values)\nplt.show()", "draws lines too"),
    ("plt.show()", "plt.scatter(names, values)\nplt.show()", "draws points too"),
    ("values, color", "values, bottom=1, color", "the bars do not stand"),
    ("plt.show()", "", "does not show"),
    ("plt.show()", "plt.close()", "draws nothing"),
    ("plt.show()", "plt.figure()\nplt.bar([1], [2])\nplt.show()", "draws 2 axes"),
    ("import matplotlib.pyplot as plt", "", "NameError"),
    ("plt.show()", "raise SystemExit", "SystemExit"),
    ("plt.show()", "while True: pass", "took too long or died"),
    ("plt.show()", "x = 'x' * 10**11", "MemoryError"),
    ('plt.title("T")', 'plt.bar(["Tom"], [9])\nplt.title("T")', "values"),
)
"""Change of the program, and the beginning of its verdict."""


def test_what_differs_is_wrong() -> None:
    assert all(old in BARS for old, _, _ in FAULTS)
    found = check_programs(*(BARS.replace(old, new, 1) for old, new, _ in FAULTS))
    begins = [verdict[: len(fault)] for verdict, (_, _, fault) in zip(found, FAULTS, strict=True)]
    assert begins == [fault for _, _, fault in FAULTS]


def swap_values(code: str, wanted: str) -> list[tuple[str, str]]:
    """Return mutants of an answer: each expected label, number and title changed in the code."""
    found = []
    texts: set[str] = set()
    for axes in json.loads(wanted):
        for key in ("labels", "names", "legend", "xticks", "yticks"):
            texts |= {str(text) for text in axes.get(key, ()) if isinstance(text, str)}
        for names in axes.get("colors", {}).values() if axes["kind"] == "map" else ():
            texts |= set(names)
        texts |= {axes[key] for key in ("title", "xlabel", "ylabel") if axes.get(key)}
    for text in sorted(texts):
        if f'"{text}"' in code and text not in ("name", "value"):
            other = "Fiji" if '"map"' in wanted else f"{text}q"
            found.append((text, code.replace(f'"{text}"', f'"{other}"')))
    return found


@pytest.mark.slow
def test_a_changed_label_or_title_fails_in_every_family() -> None:
    pairs, changed = [], []
    for family in DRAWING:
        for exchange in draw_exchanges(family, 2)[:1]:
            if exchange.check.drawn:
                for text, code in swap_values(extract_code(exchange.answer), exchange.check.drawn):
                    pairs.append((fence_code(code), exchange.check))
                    changed.append((family.name, text))
    verdicts = check_answers(pairs, trusted=True)
    assert len(pairs) > 100
    assert [what for what, v in zip(changed, verdicts, strict=True) if not v] == []


@pytest.mark.slow
def test_a_changed_number_fails_in_every_family() -> None:
    pairs, changed = [], []
    for family in DRAWING:
        for exchange in draw_exchanges(family, 3)[:1]:
            lines = extract_code(exchange.answer).split("\n")
            at = next((i for i, line in enumerate(lines) if re.search(r" = [\[{]", line)), None)
            mutant = _other_number(lines[at]) if at is not None else None
            if at is not None and mutant:
                lines[at] = mutant
                pairs.append((fence_code("\n".join(lines)), exchange.check))
                changed.append((family.name, mutant))
    verdicts = check_answers(pairs, trusted=True)
    assert len(pairs) > 30
    assert [what for what, v in zip(changed, verdicts, strict=True) if not v] == []


def _other_number(line: str) -> str | None:
    """Return the line with one digit more behind its last number outside of quotes."""
    parts = line.split('"')
    for at in range(len(parts) - 1, -1, -2):
        digits = [i for i, c in enumerate(parts[at]) if c.isdigit()]
        if digits:
            end = digits[-1]
            parts[at] = parts[at][: end + 1] + "7" + parts[at][end + 1 :]
            return '"'.join(parts)
    return None


def test_labels_and_numbers_are_compared_as_they_are_read() -> None:
    assert is_same([2019.0, "2020"], ["2019", 2020])
    assert is_same(0.1 + 0.2, 0.3)
    assert not is_same("Tom", "tom")
    assert not is_same([1, 2], [1, 2, 3])


def test_nothing_drawn_is_an_error_of_its_own() -> None:
    assert compare_figures([{"kind": "bar"}], []) == "draws nothing"


def test_bins_and_quartiles_are_those_of_numpy() -> None:
    numpy = pytest.importorskip("numpy")
    for seed in range(50):
        rng = Random(seed)
        values = [round(rng.uniform(-5, 50), rng.randint(0, 2)) for _ in range(rng.randint(3, 12))]
        bins = rng.randint(3, 12)
        counts, edges = numpy.histogram(values, bins)
        ours, marks = compute_bins(values, bins)
        assert ours == counts.tolist()
        assert [low for low, _ in marks] == pytest.approx(edges[:-1].tolist())
        assert compute_quantile(values, 0.25) == pytest.approx(numpy.quantile(values, 0.25))
