from __future__ import annotations

import re
import unicodedata

import pytest
from PIL import Image

from starchat_tui.config.settings import ImageProtocol
from starchat_tui.terminal.cell_images import MOSAICS, RESET, Mosaic, encode_row, render_cells
from starchat_tui.terminal.images import decode_png
from tests.scripted import make_png

BLUE, RED, WHITE, BLACK = (40, 60, 220), (220, 40, 40), (255, 255, 255), (0, 0, 0)
SEXTANT, OCTANT = MOSAICS["sextant"], MOSAICS["octant"]


def draw_blocks(bits: int, mosaic: Mosaic, front: tuple[int, int, int] = WHITE) -> Image.Image:
    """A cell whose blocks are filled where `bits` are set."""
    image = Image.new("RGB", (mosaic.columns, mosaic.rows), BLACK)
    for at in range(mosaic.columns * mosaic.rows):
        if bits >> at & 1:
            image.putpixel((at % mosaic.columns, at // mosaic.columns), front)
    return image


def test_two_pixels_share_a_half_block() -> None:
    image = decode_png(make_png(4, 2))
    image.putpixel((3, 1), BLUE)
    (row,) = render_cells(image, 4, 1, MOSAICS["half"])
    assert row == [(" ", BLUE, BLUE)] * 2 + [(" ", RED, RED), ("▀", RED, BLUE)]


@pytest.mark.parametrize("mosaic", [SEXTANT, OCTANT])
def test_every_pattern_has_a_character_of_its_own(mosaic: Mosaic) -> None:
    assert len(set(mosaic.characters)) == 2 ** (mosaic.columns * mosaic.rows)
    for bits, character in enumerate(mosaic.characters[1:-1], 1):
        (cell,) = render_cells(draw_blocks(bits, mosaic), 1, 1, mosaic)[0]
        assert cell == (character, WHITE, BLACK)


def test_sextants_are_those_of_unicode() -> None:
    for bits, character in enumerate(SEXTANT.characters):
        name = unicodedata.name(character)
        if found := re.fullmatch(r"BLOCK SEXTANT-(\d+)", name):
            assert bits == sum(1 << int(digit) - 1 for digit in found[1])
        else:
            assert character in " ▌▐█"


def test_octants_are_those_of_unicode() -> None:
    for code, blocks in ((0x1CD00, "3"), (0x1CD03, "4"), (0x1CD0D, "135"), (0x1CDE5, "2345678")):
        bits = sum(1 << int(digit) - 1 for digit in blocks)
        assert OCTANT.characters[bits] == chr(code)
    for character, blocks in {"▘": "13", "▗": "68", "▀": "1234", "▐": "2468", "▂": "78"}.items():
        assert OCTANT.characters[sum(1 << int(digit) - 1 for digit in blocks)] == character


@pytest.mark.parametrize("protocol", list(MOSAICS))
def test_an_even_cell_is_blank(protocol: ImageProtocol) -> None:
    (row,) = render_cells(Image.new("RGB", (8, 8), (9, 8, 7)), 2, 1, MOSAICS[protocol])
    assert row == [(" ", (9, 8, 7), (9, 8, 7))] * 2


def test_two_colors_of_the_same_brightness_are_told_apart() -> None:
    red, green = (200, 0, 0), (0, 102, 0)
    image = Image.new("RGB", (2, 4), green)
    image.paste(red, (0, 0, 1, 4))
    assert render_cells(image, 1, 1, OCTANT) == [[("▌", red, green)]]


def test_a_line_between_two_surfaces_is_kept() -> None:
    image = draw_blocks(0b00001100, OCTANT, (250, 250, 250))
    image.putpixel((0, 3), (20, 20, 20))
    ((cell,),) = render_cells(image, 1, 1, OCTANT)
    assert cell == (OCTANT.characters[0b00001100], (250, 250, 250), (3, 3, 3))


@pytest.mark.parametrize("mosaic", MOSAICS.values())
@pytest.mark.parametrize("size", [(1, 1), (3, 1), (1, 500), (640, 480)])
def test_no_size_is_too_small(mosaic: Mosaic, size: tuple[int, int]) -> None:
    for columns, rows in ((1, 1), (7, 3)):
        drawn = render_cells(Image.new("RGB", size, RED), columns, rows, mosaic)
        assert [len(row) for row in drawn] == [columns] * rows


def test_a_color_is_said_where_it_changes() -> None:
    text = encode_row([("▀", RED, BLUE), ("▄", RED, BLUE), ("▀", BLUE, RED)])
    assert text.count("\x1b[38") == 2
    assert text.endswith(RESET)
    assert re.sub(r"\x1b\[[\d;]*m", "", text) == "▀▄▀"
