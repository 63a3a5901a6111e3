"""Renames of the standard library, Pillow, IPython and openpyxl."""

from __future__ import annotations

from typing import Any

from starchat_tui.sandbox.guest.renames.declarations import (
    RemovedMember,
    RemovedName,
    Rename,
    list_names,
)

_ABSTRACT_CLASSES = (
    *("Awaitable", "ByteString", "Callable", "Collection", "Container", "Coroutine", "Generator"),
    *("Hashable", "ItemsView", "Iterable", "Iterator", "KeysView", "Mapping", "MappingView"),
    *("MutableMapping", "MutableSequence", "MutableSet", "Reversible", "Sequence", "Set", "Sized"),
    "ValuesView",
)


def measure_text(self: Any, text: Any, font: Any = None, *args: Any, **named: Any) -> Any:
    """Return width and height of a text from the origin, as `ImageDraw.textsize` did."""
    _, _, right, bottom = self.textbbox((0, 0), text, font, None, *args, **named)
    return round(right), round(bottom)


def measure_line(self: Any, text: Any, *args: Any, **named: Any) -> Any:
    """Return width and height of a line from the origin, as `ImageFont.getsize` did."""
    left, _, right, bottom = self.getbbox(text, *args, **named)
    return round(right - left), round(bottom)


STANDARD_LIBRARY: tuple[Rename, ...] = (
    *list_names(
        "collections",
        "Python 3.10",
        {name: f"collections.abc.{name}" for name in _ABSTRACT_CLASSES},
    ),
    *list_names("fractions", "Python 3.9", {"gcd": "math.gcd"}),
    *list_names("cgi", "Python 3.8", {"escape": "html.escape"}),
    *list_names(
        "base64",
        "Python 3.9",
        {"encodestring": "base64.encodebytes", "decodestring": "base64.decodebytes"},
    ),
    *list_names("os", "Python 3.7", {"errno": "errno"}),
    RemovedMember(
        "threading",
        "Thread",
        "isAlive",
        "Python 3.9",
        "Thread.is_alive",
        lambda self: self.is_alive(),
    ),
)
PILLOW: tuple[Rename, ...] = (
    *list_names(
        "PIL.Image",
        "Pillow 10",
        {
            "ANTIALIAS": "PIL.Image.LANCZOS",
            "LINEAR": "PIL.Image.BILINEAR",
            "CUBIC": "PIL.Image.BICUBIC",
        },
    ),
    *(
        RemovedMember(
            "PIL.ImageDraw", "ImageDraw", name, "Pillow 10", "ImageDraw.textbbox", measure_text
        )
        for name in ("textsize", "multiline_textsize")
    ),
    *(
        RemovedMember(
            "PIL.ImageFont", owner, "getsize", "Pillow 10", f"{owner}.getbbox", measure_line
        )
        for owner in ("FreeTypeFont", "ImageFont")
    ),
)
IPYTHON: tuple[Rename, ...] = (
    RemovedName(
        "IPython.display",
        "set_matplotlib_formats",
        "IPython 8",
        lambda *formats, **options: None,
        "nothing: plots are shown as PNG",
    ),
    *list_names(
        "IPython.core.display",
        "IPython 9",
        {
            "display": "IPython.display.display",
            "clear_output": "IPython.display.clear_output",
        },
    ),
)
OPENPYXL: tuple[Rename, ...] = (
    *list_names(
        "openpyxl.cell",
        "openpyxl 3",
        {
            name: f"openpyxl.utils.{name}"
            for name in ("get_column_letter", "column_index_from_string")
        },
    ),
    RemovedName(
        "openpyxl.utils",
        "coordinate_from_string",
        "openpyxl 3",
        "openpyxl.utils.cell.coordinate_from_string",
    ),
)
