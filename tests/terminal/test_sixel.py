from __future__ import annotations

import io

import pytest
from PIL import Image

from starchat_tui.terminal.sixel import encode_sixels
from tests.scripted import make_png
from tests.sixel_reader import decode_sixels


@pytest.mark.parametrize("size", [(1, 1), (12, 8), (40, 6), (7, 13)])
def test_a_terminal_draws_the_same_picture(size: tuple[int, int]) -> None:
    image = Image.open(io.BytesIO(make_png(*size))).convert("RGB")
    drawn = decode_sixels(encode_sixels(image))
    assert drawn.size == image.size
    for x in range(size[0]):
        for y in range(size[1]):
            one, other = drawn.getpixel((x, y)), image.getpixel((x, y))
            assert isinstance(one, tuple)
            assert isinstance(other, tuple)
            assert all(abs(a - b) <= 3 for a, b in zip(one, other, strict=True))


def test_equal_columns_are_encoded_once() -> None:
    assert len(encode_sixels(Image.new("RGB", (1000, 6), "red"))) < 1500
