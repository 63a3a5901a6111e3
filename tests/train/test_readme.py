from __future__ import annotations

from tests.benchmarks.train_2023 import README, last, with_table
from tests.vocabularies import ROOT


def test_the_table_is_the_newest_run() -> None:
    text = README.read_text(encoding="utf-8")
    assert with_table(text, last()) == text


def test_the_readme_names_files_that_are_there() -> None:
    text = README.read_text(encoding="utf-8")
    for name in ("tests/train/data/test_oasst.py", "tests/benchmarks/history"):
        assert name in text
        assert (ROOT / name).exists()
