"""Maps, heat maps, images and areas of a plot in words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from starchat_tui.sandbox.guest.describe.phrases import number, place, quoted

MOST_CELLS = 400
"""Cells of a heat map that are told one by one."""
MOST_COLOURS = 8
FEW_SHAPES = 12
"""Shapes whose places are told."""
_POINTS = ("PathCollection", "Path3DCollection")


def told(axes: Any, used: set[int]) -> Iterator[str]:
    """What the areas of the axes say; `used` collects the ids of their texts."""
    for one in axes.collections:
        kind = type(one).__name__
        if kind in _POINTS or not one.get_visible():
            continue
        if kind == "QuadMesh":
            yield _grid(axes, one, "heat map", 0.5, used)
        elif "Line" in kind:
            yield f"{len(one.get_paths())} line segments{_reach(axes, one)}"
        elif words := _shapes(axes, one):
            yield words
    for image in axes.images:
        yield _grid(axes, image, "image", 0.0, used)
    yield from _areas(axes)


def _grid(axes: Any, mesh: Any, what: str, half: float, used: set[int]) -> str:
    """Values in rows and columns, with the names of both where the axes have them."""
    values = mesh.get_array()
    if values is None or values.ndim != 2:
        return (
            f"{what} of {' × '.join(map(str, values.shape[:2]))} pixels"
            if values is not None
            else what
        )
    rows, columns = values.shape
    low, high = number(values.min()), number(values.max())
    head = f"{what} of {rows} rows and {columns} columns, {low} to {high}"
    if rows * columns > MOST_CELLS:
        return head
    lines = [
        f"    {place(axes.yaxis, row + half)}: "
        + ", ".join(
            f"{place(axes.xaxis, column + half)} {number(values[row, column])}"
            for column in range(columns)
        )
        for row in range(rows)
    ]
    # A text in the middle of a cell repeats its value.
    middles = {(column + half, row + half) for row in range(rows) for column in range(columns)}
    used.update(id(text) for text in axes.texts if tuple(text.get_position()) in middles)
    return "\n".join([f"{head}:", *lines])


def _shapes(axes: Any, collection: Any) -> str:
    """Filled shapes: how many of which colour, and where the few are."""
    paths = collection.get_paths()
    if not paths:
        return ""
    label = str(collection.get_label() or "")
    name = f" {quoted(label)}" if label and not label.startswith("_") else ""
    values = collection.get_array()
    if values is not None and len(values):
        colours = f", values {number(values.min())} to {number(values.max())}"
    else:
        colours = _colours(collection, len(paths))
    return f"{len(paths)} shapes{name}{colours}{_reach(axes, collection)}"


def _colours(collection: Any, count: int) -> str:
    faces = [colour_name(face) for face in collection.get_facecolor()]
    if not faces:
        return ""
    # A collection with fewer colours than shapes begins again with the first.
    each = [faces[index % len(faces)] for index in range(count)]
    found = Counter(each).most_common()
    said = []
    for colour, times in found[:MOST_COLOURS]:
        few = [index for index, one in enumerate(each) if one == colour]
        where = f" at {_centres(collection, few)}" if times <= FEW_SHAPES else ""
        said.append(f"{times} {colour}{where}")
    more = f" and {len(found) - MOST_COLOURS} more colours" if len(found) > MOST_COLOURS else ""
    return f" ({'; '.join(said)}{more})"


def _centres(collection: Any, indices: list[int]) -> str:
    paths = collection.get_paths()
    boxes = [paths[index].get_extents() for index in indices]
    return ", ".join(
        f"({number(round((box.x0 + box.x1) / 2, 1))}, {number(round((box.y0 + box.y1) / 2, 1))})"
        for box in boxes
    )


def _reach(axes: Any, collection: Any) -> str:
    boxes = [path.get_extents() for path in collection.get_paths() if len(path.vertices)]
    if not boxes or collection.get_offset_transform() is None:
        return ""
    low_x, high_x = min(box.x0 for box in boxes), max(box.x1 for box in boxes)
    low_y, high_y = min(box.y0 for box in boxes), max(box.y1 for box in boxes)
    x = f"x {place(axes.xaxis, low_x)} to {place(axes.xaxis, high_x)}"
    return f", {x}, y {number(low_y)} to {number(high_y)}"


def _areas(axes: Any) -> Iterator[str]:
    """Patches that are neither bars nor slices: rectangles, circles, polygons, filled steps."""
    bars = {id(patch) for container in axes.containers for patch in container}
    rest = [
        one
        for one in axes.patches
        if id(one) not in bars and type(one).__name__ != "Wedge" and _is_seen(one)
    ]
    for kind, times in Counter(type(one).__name__ for one in rest).items():
        if kind != "PathPatch":
            yield f"{times} × {kind}"


def _is_seen(patch: Any) -> bool:
    """Whether a patch has any extent: those made for a legend alone have none."""
    box = patch.get_path().get_extents(patch.get_patch_transform())
    return bool(box.width and box.height)


def colour_name(rgba: Any) -> str:
    """A colour by its name on the web, where it has one."""
    from matplotlib.colors import CSS4_COLORS, TABLEAU_COLORS, to_hex

    if len(rgba) > 3 and rgba[3] == 0:
        return "clear"
    plain = to_hex(rgba[:3])
    for names in (TABLEAU_COLORS, CSS4_COLORS):
        for name, value in names.items():
            if to_hex(value) == plain:
                return str(name)
    return plain
