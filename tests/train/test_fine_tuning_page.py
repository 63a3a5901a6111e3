from __future__ import annotations

from tests.benchmarks.train_2023 import PAGE, last, with_table
from tests.sample_tokenizers import ROOT


def test_the_table_shows_the_newest_run() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert with_table(text, last()) == text


def test_the_page_names_existing_files() -> None:
    text = PAGE.read_text(encoding="utf-8")
    for name in ("tests/train/data/test_oasst.py", "tests/benchmarks/history"):
        assert name in text
        assert (ROOT / name).exists()
