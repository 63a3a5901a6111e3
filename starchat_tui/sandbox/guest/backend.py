"""A matplotlib backend without windows: what would open one is published instead."""

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
    """Publishes a figure where others open a window."""

    def show(self) -> None:
        """Publish this figure."""
        get_ipython().screen.figure(self.canvas.figure)

    @classmethod
    def pyplot_show(cls, *, block: bool | None = None) -> None:
        """`plt.show()`: publish all figures and close them."""
        try:
            for manager in Gcf.get_all_fig_managers():
                manager.show()
        finally:
            Gcf.destroy_all()


class FigureCanvas(FigureCanvasAgg):
    """Draws with Agg."""

    manager_class = FigureManager


def _remembering(savefig: Callable[..., Any]) -> Callable[..., Any]:
    """`Figure.savefig` that also says which figure went to which file; it does nothing else."""

    @wraps(savefig)
    def saved(figure: Figure, filename: Any, *args: Any, **kwargs: Any) -> Any:
        answer = savefig(figure, filename, *args, **kwargs)
        if isinstance(filename, str | PathLike):
            get_ipython().screen.saved(figure, os.fspath(filename))
        return answer

    return saved


setattr(Figure, "savefig", _remembering(Figure.savefig))  # noqa: B010 - mypy: a method
