"""Maps, heat maps, images and filled shapes of a plot as text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from starchat_tui.sandbox.guest.describe import solids
from starchat_tui.sandbox.guest.describe.marks import POINT_COLLECTIONS
from starchat_tui.sandbox.guest.describe.phrases import format_number, format_position, quote_text

MAX_CELLS = 400
"""Cells of a heat map that are all listed; of a larger one, only the range."""
MAX_COLORS = 8
MAX_LOCATED_SHAPES = 12
"""Shapes of one color whose positions are listed."""


def describe_areas(axes: Any, used_texts: set[int]) -> Iterator[str]:
    """Describe the areas of the axes.

    The ids of the texts that belong to them are added to `used_texts`.
    """
    for collection in axes.collections:
        kind = type(collection).__name__
        if kind in POINT_COLLECTIONS or not collection.get_visible():
            continue
        if words := solids.describe_surface(collection):
            yield words
        elif kind == "QuadMesh":
            # A mesh has its cells between whole numbers, an image has its pixels at them.
            yield _describe_grid(axes, collection, "heat map", 0.5, used_texts)
        elif "Line" in kind:
            count = len(collection.get_paths())
            yield f"{count} line segments{_describe_extent(axes, collection)}"
        elif words := _describe_shapes(axes, collection):
            yield words
    for image in filter(lambda one: one.get_visible(), axes.images):
        yield _describe_grid(axes, image, "image", 0.0, used_texts)
    yield from _describe_patches(axes)


def _describe_grid(axes: Any, mesh: Any, what: str, offset: float, used_texts: set[int]) -> str:
    """Describe values in rows and columns, with the names that the axes give both.

    Args:
        axes: Axes of the grid.
        mesh: Artist whose `get_array` is [rows, columns], or an image of colors.
        what: Kind of the grid, the first word of the description.
        offset: Position of the middle of the first cell on both axes.
        used_texts: Ids of texts that need no description; those in the cells are added.
    """
    values = mesh.get_array()
    if values is None:
        return what
    if values.ndim != 2:
        return f"{what} of {' × '.join(map(str, values.shape[:2]))} pixels"
    rows, columns = values.shape
    low, high = format_number(values.min()), format_number(values.max())
    head = f"{what} of {rows} rows and {columns} columns, {low} to {high}"
    if rows * columns > MAX_CELLS:
        return head
    lines = [
        f"    {format_position(axes.yaxis, row + offset)}: "
        + ", ".join(
            f"{format_position(axes.xaxis, column + offset)} {format_number(values[row, column])}"
            for column in range(columns)
        )
        for row in range(rows)
    ]
    # A text in the middle of a cell repeats its value.
    middles = {(column + offset, row + offset) for row in range(rows) for column in range(columns)}
    used_texts.update(id(text) for text in axes.texts if tuple(text.get_position()) in middles)
    return "\n".join([f"{head}:", *lines])


def _describe_shapes(axes: Any, collection: Any) -> str:
    """Describe filled shapes: how many of which color, and where a few of them are."""
    paths = collection.get_paths()
    if not paths:
        return ""
    label = str(collection.get_label() or "")
    name = f" {quote_text(label)}" if label and not label.startswith("_") else ""
    values = collection.get_array()
    if values is not None and len(values):
        colors = f", values {format_number(values.min())} to {format_number(values.max())}"
    else:
        colors = _describe_colors(collection, len(paths))
    noun = "shape" if len(paths) == 1 else "shapes"
    return f"{len(paths)} {noun}{name}{colors}{_describe_extent(axes, collection)}"


def _describe_colors(collection: Any, count: int) -> str:
    faces = [find_color_name(face) for face in collection.get_facecolor()]
    if not faces:
        return ""
    # matplotlib reuses the colors from the first on if there are fewer of them than shapes.
    colors = [faces[index % len(faces)] for index in range(count)]
    ranking = Counter(colors).most_common()
    parts = []
    for color, times in ranking[:MAX_COLORS]:
        indices = [index for index, one in enumerate(colors) if one == color]
        is_located = times <= MAX_LOCATED_SHAPES
        where = f" at {_format_centres(collection, indices)}" if is_located else ""
        parts.append(f"{times} {color}{where}")
    hidden = len(ranking) - MAX_COLORS
    more = f" and {hidden} more colors" if hidden > 0 else ""
    return f" ({'; '.join(parts)}{more})"


def _format_centres(collection: Any, indices: list[int]) -> str:
    paths = collection.get_paths()
    boxes = [paths[index].get_extents() for index in indices]
    centres = [((box.x0 + box.x1) / 2, (box.y0 + box.y1) / 2) for box in boxes]
    return ", ".join(
        f"({format_number(round(x, 1))}, {format_number(round(y, 1))})" for x, y in centres
    )


def _describe_extent(axes: Any, collection: Any) -> str:
    boxes = [path.get_extents() for path in collection.get_paths() if len(path.vertices)]
    if not boxes or collection.get_offset_transform() is None:
        return ""
    low_x, high_x = min(box.x0 for box in boxes), max(box.x1 for box in boxes)
    low_y, high_y = min(box.y0 for box in boxes), max(box.y1 for box in boxes)
    x = f"x {format_position(axes.xaxis, low_x)} to {format_position(axes.xaxis, high_x)}"
    return f", {x}, y {format_number(low_y)} to {format_number(high_y)}"


def _describe_patches(axes: Any) -> Iterator[str]:
    """Count the patches that are neither bars nor wedges, such as rectangles and circles."""
    bars = {id(patch) for container in axes.containers for patch in container}
    patches = [
        patch
        for patch in axes.patches
        if id(patch) not in bars and type(patch).__name__ != "Wedge" and _is_seen(patch)
    ]
    for kind, times in Counter(type(patch).__name__ for patch in patches).items():
        # The boxes of box plots are such paths.
        if kind != "PathPatch":
            yield f"{times} × {kind}"


def _is_seen(patch: Any) -> bool:
    """Return whether a patch can be seen: one made for a legend has no size."""
    if not patch.get_visible():
        return False
    box = patch.get_path().get_extents(patch.get_patch_transform())
    return bool(box.width and box.height)


def find_color_name(rgba: Any) -> str:
    """Return the Tableau or CSS name of a color, else its hexadecimal code."""
    from matplotlib.colors import CSS4_COLORS, TABLEAU_COLORS, to_hex

    if len(rgba) > 3 and rgba[3] == 0:
        return "clear"
    code = to_hex(rgba[:3])
    for names in (TABLEAU_COLORS, CSS4_COLORS):
        for name, value in names.items():
            if to_hex(value) == code:
                return str(name)
    return code
