"""Sentences for a run that meant to draw and has shown nothing."""

from __future__ import annotations

import ast
import sys
import threading
from collections.abc import Iterator

WINDOW_LIBRARIES = ("turtle", "tkinter", "pygame", "pyglet", "PyQt5", "PyQt6", "PySide6", "wx")
"""Libraries that draw in windows of their own."""
DRAWING_METHODS = frozenset(
    "plot scatter bar barh hist imshow matshow pie boxplot violinplot fill_between errorbar stem "
    "step contour contourf quiver plot_surface plot_wireframe scatter3D plot3D pcolormesh hexbin "
    "barplot lineplot scatterplot histplot heatmap countplot kdeplot relplot catplot pairplot "
    "jointplot displot regplot lmplot".split()
)
"""Methods that draw, of matplotlib, pandas and seaborn."""
_PYPLOT_NAMES = ("plt", "pyplot", "pylab", "fig", "figure")
_PROCESS_NAMES = ("subprocess", "multiprocessing", "ProcessPoolExecutor", "system", "Popen")


def explain_missing_pictures(code: str, *, empty_figures: int, closed_figures: int) -> str:
    """Return why a run that has shown no picture has not; empty if it did not mean to.

    Args:
        code: Python code that ran to its end.
        empty_figures: Number of figures that were to be shown and had no content.
        closed_figures: Number of figures that were closed before they were shown.
    """
    if empty_figures:
        return "The figure is empty: it has no axes, so there is nothing to show"
    if closed_figures:
        return "A figure was closed before it was shown: call `plt.show()` before `plt.close()`"
    try:
        tree = ast.parse(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        # Such as a cell of IPython with magics.
        return ""
    names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    names |= {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    names |= set(_list_imports(tree))
    for library in WINDOW_LIBRARIES:
        if library in names and library in sys.modules:
            return f"`{library}` draws in a window of its own, and the sandbox shows no windows"
    if "cv2" in names and "imshow" in names:
        return "`cv2.imshow` draws in a window of its own: save the picture with `cv2.imwrite`"
    calls = list(_list_drawing_calls(tree))
    if not calls:
        return ""
    if names & set(_PROCESS_NAMES):
        return "A plot of another process is not shown: draw it in this one, or save it to a file"
    if any(thread.name != "MainThread" and not thread.daemon for thread in threading.enumerate()):
        return "A thread still runs, and its plots are not shown: wait for it with `join()`"
    if function := _find_uncalled_function(tree, names):
        return f"Nothing was drawn: `{function}` is defined and not called"
    return f"Nothing was drawn: the code has `{calls[0]}`, but no figure was open at its end"


def _list_imports(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield (node.module or "").split(".")[0]
            yield from (alias.name for alias in node.names)


def _list_drawing_calls(tree: ast.AST) -> Iterator[str]:
    """Yield the calls that draw or show a figure, as they are written in the code."""
    for node in ast.walk(tree):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
            continue
        owner, method = node.func.value, node.func.attr
        name = owner.id if isinstance(owner, ast.Name) else ""
        # `show` of other libraries prints, as that of a Spark table does.
        is_show = method in ("show", "savefig", "pause") and name in _PYPLOT_NAMES
        if method in DRAWING_METHODS or is_show:
            yield f"{name}.{method}" if name else method


def _find_uncalled_function(tree: ast.Module, names: set[str]) -> str:
    """Return a function that holds all drawing calls of the code and that nothing mentions."""
    functions = [node for node in tree.body if isinstance(node, ast.FunctionDef)]
    others = ast.Module([node for node in tree.body if node not in functions], [])
    if any(_list_drawing_calls(others)):
        return ""
    drawing = [one.name for one in functions if any(_list_drawing_calls(one))]
    return next((name for name in drawing if name not in names), "")
