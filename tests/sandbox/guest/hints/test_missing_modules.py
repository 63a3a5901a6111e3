"""Modules that are missing: the command that installs them, their new name, or the file."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from starchat_tui.sandbox.guest.hints.finder import find_hint
from starchat_tui.sandbox.guest.installs import MARKER
from tests.sandbox.guest.hints.cells import run_failing_cell


@pytest.fixture(autouse=True)
def leave_checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def explain(code: str) -> str:
    return find_hint(run_failing_cell(code))


def test_command_names_this_environment_and_the_distribution() -> None:
    hint = explain("import cv2")
    assert hint.startswith("`cv2` is not installed.")
    assert f"{sys.executable} -m pip install opencv-python-headless" in hint
    assert "install pywavelets" in explain("import pywt.data")
    assert "install xgboost" in explain("from xgboost import XGBClassifier")


def test_environment_that_starchat_created_is_fixed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "2023"
    folder.mkdir()
    monkeypatch.setattr(sys, "prefix", str(folder))
    assert sys.executable in explain("import xgboost")
    (folder / MARKER).write_text("{}")
    hint = explain("import xgboost")
    assert "environment `2023` is fixed" in hint
    assert "pip install xgboost" in hint
    assert sys.executable not in hint


def test_file_beside_the_code_is_to_be_attached() -> None:
    assert "attach it (`-f my_tools.py`)" in explain("import my_tools.sub")


def test_installed_package_without_that_module_is_not_missing() -> None:
    assert explain("import json.nothing") == ""
    assert "`pandas.testing`" in explain("import pandas.util.testing")
    assert "mplfinance" in explain("from matplotlib.finance import candlestick_ohlc")


def test_library_that_needs_another_names_it() -> None:
    code = "import pandas as pd\npd.read_html('<table><tr><td>1</td></tr></table>', flavor='lxml')"
    assert "`lxml` is not installed" in explain(code)


def test_libraries_that_could_not_work_here() -> None:
    assert "no windows" in explain("import pygame")
    assert "needs a network" in explain("import yfinance as yf")
    assert "no widgets" in explain("from ipywidgets import interact")
