"""Progress bars of the libraries, turned into callbacks."""

from __future__ import annotations

import pytest

from starchat_tui.engine.models.load_progress import create_download_bar, report_loading


def test_downloaded_bytes_are_reported() -> None:
    reports: list[tuple[str, int, int]] = []
    bar_class = create_download_bar(lambda *report: reports.append(report))
    bar = bar_class(total=10, unit="B", name="a bar", desc="bytes")
    bar.update(4)
    bar.update(6)
    files = bar_class(range(3), total=3, unit="it")
    files.update(1)
    assert reports == [("downloading", 4, 10), ("downloading", 10, 10)]


def test_loaded_tensors_are_reported_and_nothing_is_drawn(
    capsys: pytest.CaptureFixture[str],
) -> None:
    from transformers.utils import logging

    reports: list[tuple[str, int, int]] = []
    with report_loading(lambda *report: reports.append(report)):
        assert list(logging.tqdm("abc", desc="Loading weights")) == ["a", "b", "c"]
    assert reports == [("loading", done, 3) for done in (1, 2, 3)]
    assert list(logging.tqdm("ab", disable=True)) == ["a", "b"]
    assert len(reports) == 3, "the hook is gone afterwards"
    assert capsys.readouterr().err == ""
