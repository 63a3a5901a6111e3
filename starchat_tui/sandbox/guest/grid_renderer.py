"""Renderer that measures the texts of a figure in terminal cells, and records them."""

# Only a part of matplotlib's functions is annotated.
# mypy: allow-untyped-calls

from __future__ import annotations

import math
from typing import Any

from matplotlib.backends.backend_agg import FigureCanvasAgg, RendererAgg

from starchat_tui.sandbox.guest.grid_labels import Label, measure_text, simplify_text

CELL_WIDTH, CELL_HEIGHT = 8, 16
"""Pixels of a cell in which a figure is drawn, at one pixel a point."""
_DESCENT = 4
"""Pixels of a row below the baseline of its text."""


class GridRenderer(RendererAgg):
    """Measures text in cells, and records it instead of drawing it."""

    def __init__(self, columns: int, rows: int) -> None:
        super().__init__(columns * CELL_WIDTH, rows * CELL_HEIGHT, 72)
        self.texts: list[tuple[Any, Label]] = []
        """Texts that were drawn: the artist, and the line at its cell."""

    def get_text_width_height_descent(self, s: str, prop: Any, ismath: Any) -> Any:
        """Return the size of a line of text."""
        return measure_text(simplify_text(s)) * CELL_WIDTH, CELL_HEIGHT, _DESCENT

    def _get_font_height_metrics(self, prop: Any) -> tuple[float, float, float]:
        """Return ascent, descent and gap of a row; matplotlib from 3.11 on asks for them."""
        return CELL_HEIGHT - _DESCENT, _DESCENT, 0

    def draw_text(
        self,
        gc: Any,
        x: float,
        y: float,
        s: str,
        prop: Any,
        angle: float,
        ismath: Any = False,
        mtext: Any = None,
    ) -> None:
        """Record a line of text; `x` and `y` are the left end of its baseline."""
        text = simplify_text(s)
        width = measure_text(text) * CELL_WIDTH
        # A text that is turned is put across its center.
        turn = math.radians(angle)
        left = x + width / 2 * (math.cos(turn) - 1)
        # Half of the height of a digit above the baseline: the height of the tick at its side.
        row = (y - width / 2 * math.sin(turn) - (CELL_HEIGHT - _DESCENT) / 2) // CELL_HEIGHT
        red, green, blue = (round(255 * float(one)) for one in gc.get_rgb()[:3])
        color = f"{red:02x}{green:02x}{blue:02x}"
        label = Label(int(row), round_half_up(left / CELL_WIDTH), color, text)
        self.texts.append((mtext, label))

    draw_tex = draw_text


class GridCanvas(FigureCanvasAgg):
    """Lends its renderer to the layout, which measures text with it."""

    grid_renderer: GridRenderer

    def get_renderer(self, *_: Any, **__: Any) -> Any:
        """Return the renderer."""
        return self.grid_renderer


def round_half_up(value: float) -> int:
    """Return the nearest integer, the larger one of two; `round` would prefer an even one."""
    return math.floor(value + 0.5 + 1e-6)
