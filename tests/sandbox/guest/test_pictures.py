"""Figures and images as PNG: within limits of size, and described."""

from __future__ import annotations

import io

import pytest
from matplotlib.figure import Figure
from PIL import Image

from starchat_tui.sandbox.guest import pictures
from starchat_tui.sandbox.guest.pictures import copy_canvas, create_picture, encode_png


def create_figure(**options: object) -> Figure:
    figure = Figure(**options)  # type: ignore[arg-type]
    figure.add_subplot().plot([1, 2])
    return figure


def measure(png: bytes) -> tuple[int, int]:
    return Image.open(io.BytesIO(png), formats=["PNG"]).size


def test_a_figure_is_rendered_and_described() -> None:
    picture = create_picture(create_figure(), "heading")
    assert measure(picture.png) == (picture.width, picture.height)
    assert picture.description == "heading\naxes:\n  line: (0, 1), (1, 2)"


def test_a_figure_that_is_too_large_is_scaled() -> None:
    picture = create_picture(create_figure(figsize=(200, 100), dpi=300))
    assert max(measure(picture.png)) <= pictures.MAX_SIDE + 100


def test_a_picture_of_too_many_bytes_is_scaled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pictures, "MAX_PNG_BYTES", 8000)
    assert len(create_picture(create_figure()).png) <= 8000
    noise = Image.effect_noise((300, 300), 100)
    assert len(encode_png(noise)[0]) <= 8000


def test_a_text_far_outside_does_not_stretch_the_picture() -> None:
    figure = create_figure()
    figure.axes[0].text(500, 500, "far away")
    assert max(measure(create_picture(figure).png)) < 1000


def test_a_copied_canvas_keeps_its_state() -> None:
    figure = create_figure()
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    FigureCanvasAgg(figure)
    encode = copy_canvas(figure)
    figure.clear()
    copied = encode()
    assert (copied.width, copied.height) == measure(copied.png) == (640, 480)
    assert copied.description == "axes:\n  line: (0, 1), (1, 2)"
    colors = Image.open(io.BytesIO(copied.png)).convert("RGB").getcolors(10**6)
    assert colors is not None
    assert len(colors) > 2, "there is a line"


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "P", "CMYK", "1"])
def test_every_mode_becomes_a_png(mode: str) -> None:
    png, width, height = encode_png(Image.new(mode, (6, 4)))
    assert measure(png) == (width, height) == (6, 4)
