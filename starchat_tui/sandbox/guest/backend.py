"""Matplotlib backend without windows: figures are published instead.

The names `FigureCanvas` and `FigureManager` are those that matplotlib looks for in a backend module
(`matplotlib.backends.backend_template`); `plt.show()` calls `pyplot_show` of the manager.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import wraps
from os import PathLike
from typing import Any

from IPython import get_ipython
from matplotlib._pylab_helpers import Gcf
from matplotlib.backend_bases import FigureManagerBase
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure


class FigureManager(FigureManagerBase):
    """Publishes a figure where other backends open a window."""

    def show(self) -> None:
        """Publish this figure."""
        get_ipython().run_display.publish_figure(self.canvas.figure)

    @classmethod
    def pyplot_show(cls, *, block: bool | None = None) -> None:
        """Publish all figures and close them, as `plt.show()` does in a notebook."""
        try:
            for manager in Gcf.get_all_fig_managers():
                manager.show()
        finally:
            # Otherwise they would be drawn on, and published again, by the next plot.
            Gcf.destroy_all()


class FigureCanvas(FigureCanvasAgg):
    """Renders with Agg."""

    manager_class = FigureManager


def _wrap_savefig(savefig: Callable[..., Any]) -> Callable[..., Any]:
    """Return `Figure.savefig` that also records which figure went to which file."""

    @wraps(savefig)
    def savefig_and_record(figure: Figure, filename: Any, *args: Any, **kwargs: Any) -> Any:
        result = savefig(figure, filename, *args, **kwargs)
        if isinstance(filename, str | PathLike):
            get_ipython().run_display.record_saved_figure(figure, os.fspath(filename))
        return result

    return savefig_and_record


# Recorded at once: after `savefig` and `close` in one cell, the figure that could describe the
# file is gone.
setattr(Figure, "savefig", _wrap_savefig(Figure.savefig))  # noqa: B010 - mypy: a method
