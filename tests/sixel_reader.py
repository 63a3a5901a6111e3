"""A reader of DEC sixels, written from the description of the format."""

from __future__ import annotations

import re

from PIL import Image


def decode_sixels(text: str) -> Image.Image:
    """Draw the sequence as a terminal would, by an independent reading of the format."""
    found = re.fullmatch(r'\x1bP0;1q"1;1;(\d+);(\d+)(.*)\x1b\\', text, re.DOTALL)
    assert found is not None
    image = Image.new("RGB", (int(found[1]), int(found[2])))
    colors: dict[int, tuple[int, ...]] = {}
    x = top = color = 0
    token = r"#(\d+);2;(\d+);(\d+);(\d+)|#(\d+)|!(\d+)([?-~])|([?-~])|(\$)|(-)"
    for part in re.finditer(token, found[3]):
        if part[1]:
            colors[int(part[1])] = tuple(round(int(part[n]) * 255 / 100) for n in (2, 3, 4))
        elif part[5]:
            color = int(part[5])
        elif part[9]:
            x = 0
        elif part[10]:
            x, top = 0, top + 6
        else:
            count, bits = int(part[6] or 1), ord(part[7] or part[8]) - 63
            for column in range(x, x + count):
                for row in range(6):
                    if bits >> row & 1:
                        image.putpixel((column, top + row), colors[color])
            x += count
    return image
