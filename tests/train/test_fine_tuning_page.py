from __future__ import annotations

from tests.benchmarks.train_2023 import PAGE, load_newest_run, replace_table
from tests.sample_tokenizers import ROOT
from train.data.schemas import SCHEMAS


def test_the_table_shows_the_newest_run() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert replace_table(text, load_newest_run()) == text


def test_the_page_lists_every_schema() -> None:
    text = PAGE.read_text(encoding="utf-8")
    table = text.split("| schema | row |", 1)[1].split("\n\n", 1)[0]
    assert len(table.splitlines()[2:]) == len(SCHEMAS)


def test_the_page_names_existing_files() -> None:
    text = PAGE.read_text(encoding="utf-8")
    for name in ("tests/train/data/test_oasst.py", "tests/benchmarks/history"):
        assert name in text
        assert (ROOT / name).exists()
