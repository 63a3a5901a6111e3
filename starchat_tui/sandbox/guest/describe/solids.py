"""Lines and surfaces of 3D plots as text.

Once such an artist is drawn, its usual methods return the projection on the picture.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from starchat_tui.sandbox.guest.describe.phrases import format_number

MAX_POINTS = 40
"""Points that are all listed; of more, only the first ones and the extent."""
FIRST_POINTS = 8


def is_line(artist: Any) -> bool:
    """Return whether an artist is a line in space."""
    return hasattr(artist, "get_data_3d")


def describe_line(line: Any, name: str) -> str:
    """Describe a line in space; `name` is its label after a space, or empty."""
    points = [tuple(map(float, point)) for point in zip(*line.get_data_3d(), strict=False)]
    listed = [f"({', '.join(map(format_number, point))})" for point in points]
    if len(points) <= MAX_POINTS:
        return f"line{name}: {', '.join(listed)}"
    first = ", ".join(listed[:FIRST_POINTS])
    return f"line{name}: {first}, … ({len(points)} points{_format_extent(points)})"


def describe_surface(collection: Any) -> str:
    """Describe the faces or lines of a surface in space; empty for other collections."""
    faces = getattr(collection, "_vec", None)
    if faces is not None:
        # Before matplotlib 3.11: [4, corners], of which the last row is constant.
        count, points = len(collection.get_paths()), [tuple(one) for one in faces[:3].T]
    elif getattr(collection, "_faces", None) is not None:
        count = len(collection._faces)
        points = [tuple(corner) for face in collection._faces for corner in face]
    elif segments := getattr(collection, "_segments3d", ()):
        count = len(segments)
        points = [tuple(point) for segment in segments for point in segment]
    else:
        return ""
    what = "lines" if hasattr(collection, "_segments3d") else "faces"
    return f"surface of {count} {what}{_format_extent(points)}"


def _format_extent(points: Sequence[Sequence[float]]) -> str:
    parts = []
    for name, values in zip("xyz", zip(*points, strict=False), strict=False):
        # A NaN is a corner that is not drawn; it differs from itself.
        numbers = [float(value) for value in values if value == value]
        if numbers:
            parts.append(f"{name} {format_number(min(numbers))} to {format_number(max(numbers))}")
    return f", {', '.join(parts)}" if parts else ""
