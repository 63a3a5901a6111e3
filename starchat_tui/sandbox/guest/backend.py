"""Matplotlib backend without windows: figures are published instead.

The names `FigureCanvas`, `FigureManager` and `show` are those that matplotlib looks for in a
backend module (`matplotlib.backends.backend_template`).
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from contextlib import suppress
from functools import wraps
from typing import Any

import matplotlib
from IPython import get_ipython
from matplotlib._pylab_helpers import Gcf
from matplotlib.backend_bases import FigureManagerBase
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from starchat_tui.sandbox.guest.figures import FigurePublisher


class FigureManager(FigureManagerBase):
    """Publishes a figure where other backends open a window."""

    def show(self) -> None:
        """Publish the present state of the figure, until there is a later one."""
        _get_publisher().update_figure(self.canvas.figure)

    def destroy(self) -> None:
        """Publish the last state of a figure that would have been in a window."""
        was_visible = matplotlib.is_interactive()
        _get_publisher().close_figure(self.canvas.figure, was_visible=was_visible)


class FigureCanvas(FigureCanvasAgg):
    """Renders with Agg."""

    manager_class = FigureManager


def show(block: bool | None = None) -> None:
    """Publish all figures, and close them unless the windows would stay open meanwhile."""
    managers = Gcf.get_all_fig_managers()
    if not (block or (block is None and not matplotlib.is_interactive())):
        for manager in managers:
            manager.show()
        return
    try:
        for manager in managers:
            _get_publisher().publish_figure(manager.canvas.figure)
    finally:
        # Otherwise they would be drawn on, and published again, by the next plot.
        Gcf.destroy_all()


def _get_publisher() -> FigurePublisher:
    publisher: FigurePublisher = get_ipython().run_display.figures
    return publisher


def _wrap_savefig(savefig: Callable[..., Any]) -> Callable[..., Any]:
    """Return `Figure.savefig` that also records which figure went to which file."""

    @wraps(savefig)
    def savefig_and_record(figure: Figure, filename: Any, *args: Any, **kwargs: Any) -> Any:
        result = savefig(figure, filename, *args, **kwargs)
        if sys._getframe(1).f_globals.get("__name__") == "matplotlib.animation":
            _get_publisher().record_frame(figure)
        else:
            _get_publisher().record_saved_figure(figure, filename)
        return result

    return savefig_and_record


def _wrap_clear(clear: Callable[..., Any]) -> Callable[..., Any]:
    """Return `Figure.clear` that also reports that what was drawn so far is over."""

    @wraps(clear)
    def report_and_clear(figure: Figure, *args: Any, **kwargs: Any) -> Any:
        _get_publisher().begin_drawing(figure)
        return clear(figure, *args, **kwargs)

    return report_and_clear


def _wrap_axes3d(create: Callable[..., None]) -> Callable[..., None]:
    """Return `Axes3D.__init__` that adds itself to the figure, as it did up to matplotlib 3.6."""

    @wraps(create)
    def create_and_add(axes: Any, figure: Any, *args: Any, **kwargs: Any) -> None:
        is_added_later = kwargs.pop("auto_add_to_figure", True) is False
        create(axes, figure, *args, **kwargs)
        caller = sys._getframe(1).f_globals.get("__name__", "")
        # `add_subplot` and `add_axes` of matplotlib create the axes and then add them.
        if not (is_added_later or caller.startswith(("matplotlib.", "mpl_toolkits."))):
            _get_publisher().add_axes(figure, axes)

    return create_and_add


# Recorded at once: after `savefig` and `close` in one cell, the figure that could describe the
# file is gone.
setattr(Figure, "savefig", _wrap_savefig(Figure.savefig))  # noqa: B010 - mypy: a method
setattr(Figure, "clear", _wrap_clear(Figure.clear))  # noqa: B010
with suppress(ImportError):
    axes3d = importlib.import_module("mpl_toolkits.mplot3d.axes3d")
    axes3d.Axes3D.__init__ = _wrap_axes3d(axes3d.Axes3D.__init__)
