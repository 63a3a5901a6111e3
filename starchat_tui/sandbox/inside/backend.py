"""A matplotlib backend without windows: what would open one is published instead."""

from __future__ import annotations

from typing import Any

from IPython import get_ipython
from matplotlib._pylab_helpers import Gcf
from matplotlib.backend_bases import FigureManagerBase
from matplotlib.backends.backend_agg import FigureCanvasAgg


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
    """Draws with Agg, and remembers which figure went to which file."""

    manager_class = FigureManager

    def print_figure(self, filename: Any, *args: Any, **kwargs: Any) -> Any:
        """Save the figure."""
        answer = super().print_figure(filename, *args, **kwargs)
        if isinstance(filename, str) or hasattr(filename, "__fspath__"):
            get_ipython().screen.saved(self.figure, str(filename))
        return answer
