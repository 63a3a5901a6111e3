"""Sentences for runs that show nothing: said where the code meant to draw, and only there."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from starchat_tui.sandbox.guest.missing_pictures import explain_missing_pictures


def explain(code: str, *, empty: int = 0, closed: int = 0) -> str:
    return explain_missing_pictures(code, empty_figures=empty, closed_figures=closed)


SAID = {
    "plt.show()": "Nothing was drawn: the code has `plt.show`, but no figure was open at its end",
    "if False:\n    plt.plot([1])": (
        "Nothing was drawn: the code has `plt.plot`, but no figure was open at its end"
    ),
    "def draw():\n    plt.bar([1], [2])": "Nothing was drawn: `draw` is defined and not called",
    "def draw():\n    plt.bar([1], [2])\ndraw()": (
        "Nothing was drawn: the code has `plt.bar`, but no figure was open at its end"
    ),
    "import subprocess\nplt.plot([1])": (
        "A plot of another process is not shown: draw it in this one, or save it to a file"
    ),
    "import cv2\ncv2.imshow('a', b)": (
        "`cv2.imshow` draws in a window of its own: save the picture with `cv2.imwrite`"
    ),
    "import tkinter as tk\ntk.Tk()": (
        "`tkinter` draws in a window of its own, and the sandbox shows no windows"
    ),
}
SILENT = (
    "print('plt.show()')",
    "import matplotlib.pyplot as plt\nplt.style.use('ggplot')",
    "spark_table.show()",
    "import turtle_graphics\nimport subprocess",
    "story.plot = 'twist'",
    "%matplotlib inline\nplt.plot([1])",
    "def f(:",
)


@pytest.mark.parametrize("code", SAID)
def test_code_that_meant_to_draw_gets_a_sentence(code: str) -> None:
    if "tkinter" in code:
        pytest.importorskip("tkinter")
    assert explain(code) == SAID[code]


@pytest.mark.parametrize("code", SILENT)
def test_code_that_did_not_gets_none(code: str) -> None:
    assert explain(code) == ""


def test_what_became_of_the_figures_comes_first() -> None:
    assert explain("plt.show()", empty=1).startswith("The figure is empty")
    assert explain("plt.show()", closed=1).startswith("A figure was closed")


@contextmanager
def running_thread(*, daemon: bool) -> Iterator[None]:
    end = threading.Event()
    thread = threading.Thread(target=end.wait, daemon=daemon)
    thread.start()
    try:
        yield
    finally:
        end.set()
        thread.join()


def test_a_thread_that_still_runs_is_named() -> None:
    with running_thread(daemon=False):
        assert explain("plt.plot([1])").startswith("A thread still runs")
        assert explain("print(1)") == ""
    with running_thread(daemon=True):
        assert explain("plt.plot([1])").startswith("Nothing was drawn")
