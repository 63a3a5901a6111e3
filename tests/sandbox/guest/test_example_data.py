"""Example tables of seaborn without a network: their shapes, their categories, and other names."""

from __future__ import annotations

import csv
import lzma
from pathlib import Path

import pytest

from starchat_tui.sandbox.guest import example_data
from starchat_tui.sandbox.host.kernel import SandboxKernel
from tests.sandbox.kernels import open_kernel, run_code

SHAPES = {
    "anscombe": (44, 3),
    "car_crashes": (51, 8),
    "diamonds": (53940, 10),
    "flights": (144, 3),
    "geyser": (272, 3),
    "iris": (150, 5),
    "mpg": (398, 9),
    "penguins": (344, 7),
    "tips": (244, 7),
    "titanic": (891, 15),
}
FACTS = """
import seaborn as sns
tips, titanic = sns.load_dataset("tips"), sns.load_dataset("titanic")
flights, penguins = sns.load_dataset("flights"), sns.load_dataset("penguins")
iris, mpg = sns.load_dataset("iris"), sns.load_dataset("mpg")
print([list(tips[name].cat.categories) for name in ("sex", "smoker", "day", "time")])
print(list(titanic["class"].cat.categories), "".join(titanic.deck.cat.categories))
print(list(flights.month.cat.categories[:3]), flights.passengers.iloc[-1])
print(penguins.species.unique().tolist(), penguins.sex.value_counts().to_dict())
print(round(titanic.age.mean(), 6), round(titanic.fare.mean(), 6), titanic.who.iloc[7])
print(iris.describe().loc["mean"].round(6).tolist(), mpg.model_year.mean().round(6))
"""
EXPECTED = """\
[['Male', 'Female'], ['Yes', 'No'], ['Thur', 'Fri', 'Sat', 'Sun'], ['Lunch', 'Dinner']]
['First', 'Second', 'Third'] ABCDEFG
['Jan', 'Feb', 'Mar'] 432
['Adelie', 'Chinstrap', 'Gentoo'] {'Male': 168, 'Female': 165}
29.699118 32.204208 child
[5.843333, 3.057333, 3.758, 1.199333] 76.01005
"""
"""The figures that seaborn's documentation and its users' notebooks show."""


def _read_shape(path: Path) -> tuple[int, int]:
    data = path.read_bytes()
    text = (lzma.decompress(data) if path.suffix == ".xz" else data).decode()
    rows = list(csv.reader(text.splitlines()))
    assert {len(row) for row in rows} == {len(rows[0])}
    return len(rows) - 1, len(rows[0])


def test_every_table_has_its_rows_and_columns() -> None:
    found = {
        path.name.partition(".")[0]: _read_shape(path)
        for path in Path(example_data.DATA_FOLDER).glob("*.csv*")
    }
    assert found == SHAPES
    assert example_data.list_tables() == list(SHAPES)


def test_the_source_of_every_table_is_stated() -> None:
    documentation = Path(__file__).parents[3] / "docs" / "running-code.md"
    for text in (example_data.__doc__ or "", documentation.read_text(encoding="utf-8")):
        for name, (rows, _) in SHAPES.items():
            assert name in text
            assert f"{rows:,}" in text


@pytest.mark.bwrap
async def test_tables_are_read_as_seaborn_gives_them(kernel: SandboxKernel) -> None:
    run = await run_code(kernel, FACTS)
    assert run.out == EXPECTED
    assert run.notes[0] == "compat: sns.load_dataset('tips') → a copy that ships with StarChat"
    run = await run_code(
        kernel, "print(len(sns.load_dataset('diamonds')), sns.get_dataset_names())"
    )
    assert run.out == f"53940 {list(SHAPES)}\n"


@pytest.mark.bwrap
async def test_another_name_is_one_sentence(kernel: SandboxKernel) -> None:
    run = await run_code(kernel, "import seaborn\nseaborn.load_dataset('fmri')")
    assert run.failure.message.startswith("seaborn would download 'fmri'")
    assert run.failure.message.endswith(", ".join(SHAPES))
    assert len(run.failure.traceback.splitlines()) <= 4


@pytest.mark.bwrap
async def test_a_table_of_the_user_comes_first(kernel: SandboxKernel) -> None:
    await run_code(kernel, "open('iris.csv', 'w').write('a\\n7\\n')")
    run = await run_code(kernel, "print(sns.load_dataset('iris', data_home='.').a[0])")
    assert (run.out, run.notes) == ("7\n", ["compat: sns → import seaborn as sns"])


@pytest.mark.bwrap
async def test_strict_leaves_seaborn_alone() -> None:
    async with open_kernel(strict=True) as kernel:
        run = await run_code(kernel, "import seaborn\nseaborn.load_dataset('tips')")
        assert (run.failure.name, run.figures) == ("URLError", [])
