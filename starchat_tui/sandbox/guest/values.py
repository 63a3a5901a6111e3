"""Values that the code displays: computes their formats, and shows the best a terminal can show."""

# Only a part of IPython's functions is annotated.
# mypy: allow-untyped-calls

from __future__ import annotations

import base64
import importlib
from collections.abc import Mapping
from typing import Any

from IPython.core.formatters import DisplayFormatter

from starchat_tui.sandbox.guest import plotly_figures, vega_charts
from starchat_tui.sandbox.guest.display import RunDisplay
from starchat_tui.sandbox.guest.figures import FigurePublisher
from starchat_tui.sandbox.guest.html_text import convert_html, describe_svg, is_opaque

TEXT_FORMATS = ("text/plain", "text/markdown", "text/latex")
"""MIME types that are shown as text; a later one is preferred."""
IMAGE_FORMATS = ("image/png", "image/jpeg", "image/gif")
"""MIME types that are shown as a picture; an earlier one is preferred."""
MARKUP_FORMATS = ("text/html", "image/svg+xml")
"""MIME types that are shown as text where the others say nothing."""
FIGURE_FORMAT = "application/x-figure"
"""Our own type for a figure, whose content is the figure itself."""
MAX_RESULT_CHARS = 100_000
SVG_NOTE = "SVG is not drawn: `cairosvg`, which would draw it, is not installed in this environment"
_FIGURE_CLASSES = {"matplotlib.figure.Figure", plotly_figures.PLOTLY_CLASS}


class ValueFormatter(DisplayFormatter):
    """Computes the formats that are shown; computing a format runs code of the value."""

    figures: FigurePublisher

    def format(self, obj: Any, include: Any = None, exclude: Any = None) -> Any:
        """Return the formats of a value by MIME type, and their metadata."""
        if get_class_names(obj) & _FIGURE_CLASSES:
            # As they are: they are rendered in the state in which they are shown.
            return {FIGURE_FORMAT: obj}, {}
        self.figures.is_formatting, self.figures.formatted_description = True, ""
        try:
            formats, metadata = super().format(obj, include=include, exclude=exclude)
        finally:
            self.figures.is_formatting = False
        is_named_only = is_opaque(str(formats.get("text/plain", "")))
        if is_named_only and not any(kind in formats for kind in IMAGE_FORMATS):
            for kind in MARKUP_FORMATS:
                if data := self._compute(kind, obj):
                    formats.setdefault(kind, data)
        return formats, metadata

    def _compute(self, kind: str, value: Any) -> Any:
        formatter = self.formatters[kind]
        formatter.enabled = True
        try:
            data = formatter(value)
        finally:
            formatter.enabled = False
        # With metadata, a format is a tuple.
        return data[0] if isinstance(data, tuple) else data


class ValueDisplay:
    """Shows values in a run."""

    def __init__(self, run_display: RunDisplay) -> None:
        self._display = run_display

    def show(self, data: Mapping[str, Any], key: int = 0) -> None:
        """Show a value given in IPython's formats (MIME type: content).

        A figure or a picture is shown as such, the rest as text. With a key, it replaces the output
        of that key.
        """
        plain = str(data.get("text/plain") or "")
        text = next((str(data[kind]) for kind in TEXT_FORMATS[::-1] if data.get(kind)), "")
        image = next((data[kind] for kind in IMAGE_FORMATS if data.get(kind)), None)
        chart = next((data[kind] for kind in data if "vegalite" in kind), None)
        if FIGURE_FORMAT in data:
            self.show_figure(data[FIGURE_FORMAT], key)
        elif image is not None:
            encoded = image if isinstance(image, bytes) else base64.b64decode(image)
            # The name of the class says nothing of the picture.
            name = "" if is_opaque(plain) else plain
            description = self._display.figures.take_formatted_description() or name
            self._display.images.publish_image(encoded, description, key)
        elif chart is not None:
            description = vega_charts.describe_chart(chart)
            self._display.send_description(description, vega_charts.NOTE, key)
        elif (is_opaque(text) or not text) and (html := data.get("text/html")):
            self._send_text(convert_html(str(html)) or text, key)
        elif (is_opaque(text) or not text) and (svg := data.get("image/svg+xml")):
            self._show_svg(str(svg), key)
        else:
            self._send_text(text, key)

    def show_figure(self, figure: Any, key: int = 0) -> None:
        """Show the present state of a figure of matplotlib or plotly."""
        if plotly_figures.PLOTLY_CLASS not in get_class_names(figure):
            self._display.figures.publish_figure(figure, key)
        elif drawn := plotly_figures.draw_figure(figure):
            self._display.figures.publish_figure(drawn, key)
            self._display.send_note(plotly_figures.DRAWN_NOTE)
        else:
            description = plotly_figures.describe_data(figure)
            self._display.send_description(description, plotly_figures.DESCRIBED_NOTE, key)

    def _show_svg(self, svg: str, key: int) -> None:
        description = describe_svg(svg)
        try:
            renderer = importlib.import_module("cairosvg")
            png = renderer.svg2png(bytestring=svg.encode())
        except (ImportError, OSError):
            # An `OSError`: it is installed without the library that it needs.
            self._display.send_description(description, SVG_NOTE, key)
        else:
            self._display.images.publish_image(png, description, key)

    def _send_text(self, text: str, key: int) -> None:
        # With a key also an empty text: the code means to fill it later.
        if text or key:
            if len(text) > MAX_RESULT_CHARS:
                more = len(text) - MAX_RESULT_CHARS
                text = f"{text[:MAX_RESULT_CHARS]}\n… {more:,} more characters"
            self._display.send_result(text, key)


def get_class_names(value: Any) -> set[str]:
    """Return the names of the classes of a value, with their modules."""
    # Names, because an `isinstance` would import a library for every value.
    return {f"{kind.__module__}.{kind.__qualname__}" for kind in type(value).__mro__}
