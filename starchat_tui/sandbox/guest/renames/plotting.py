"""Renames of matplotlib and seaborn."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

from starchat_tui.sandbox.guest.renames.declarations import (
    Adaptation,
    ChangedCall,
    RemovedMember,
    RemovedModule,
    RemovedName,
    Rename,
    drop_argument,
    list_names,
    name_arguments,
    rename_argument,
)


def register_colormap(name: Any = None, cmap: Any = None) -> None:
    """Register a color map, as `cm.register_cmap` did; the name defaults to its own."""
    import matplotlib

    if cmap is None:
        name, cmap = None, name
    matplotlib.colormaps.register(cmap, name=name)


def compute_normal_density(x: Any, *args: Any) -> Any:
    """Return the density of a normal distribution, as `mlab.normpdf(x, mu, sigma)` did."""
    import numpy

    mean, deviation = args
    distance = (numpy.asarray(x) - mean) / deviation
    return numpy.exp(-(distance**2) / 2) / (deviation * numpy.sqrt(2 * numpy.pi))


def plot_dates(x: Any, y: Any, fmt: str = "o", tz: Any = None, **options: Any) -> Any:
    """Plot against dates, as `plt.plot_date` did."""
    from matplotlib import pyplot

    return _plot_dates(pyplot.gca(), x, y, fmt, tz, **options)


def _plot_dates(
    axes: Any,
    x: Any,
    y: Any,
    fmt: str = "o",
    tz: Any = None,
    xdate: bool = True,
    ydate: bool = False,
    **options: Any,
) -> Any:
    if xdate:
        axes.xaxis_date(tz)
    if ydate:
        axes.yaxis_date(tz)
    return axes.plot(x, y, fmt, **options)


def read_rgb_bytes(canvas: Any) -> bytes:
    """Return the pixels of a canvas as RGB, as `tostring_rgb` did."""
    import numpy

    return numpy.asarray(canvas.buffer_rgba())[..., :3].tobytes()


def draw_factors(*args: Any, **named: Any) -> Any:
    """Draw a grid of categorical plots, as `sns.factorplot` did: points unless told otherwise."""
    named.setdefault("kind", "point")
    if "size" in named:
        named["height"] = named.pop("size")
    named.update(zip(("x", "y", "hue", "data"), args, strict=False))
    return import_module("seaborn").catplot(**named)


def _choose_projection(
    original: Callable[..., Any], args: list[Any], named: dict[str, Any]
) -> Adaptation:
    """Adapt `gca(projection=…)` of a figure: its axes if they have it, else new ones."""
    if not named:
        return None

    def get_axes(figure: Any, **options: Any) -> Any:
        axes = figure.axes and original(figure)
        is_fitting = axes and axes.name == options.get("projection", axes.name)
        return axes if is_fitting else figure.add_subplot(**options)

    return f"{next(iter(named))}= → fig.add_subplot({next(iter(named))}=…)", get_axes


def _choose_current_projection(
    original: Callable[..., Any], args: list[Any], named: dict[str, Any]
) -> Adaptation:
    """Adapt `plt.gca(projection=…)`."""
    if not named:
        return None
    from matplotlib import pyplot

    # The figure's own function reports it.
    return "", pyplot.gcf().gca


_HIST = rename_argument("normed", "density", bool)
_STEM = drop_argument("use_line_collection", True)
_BOXPLOT = rename_argument("labels", "tick_labels")
_GRID = rename_argument("b", "visible")
_AXES = ("matplotlib.axes", "Axes")
_CALLS = (
    ("hist", "Matplotlib 3.1", _HIST),
    ("stem", "Matplotlib 3.8", _STEM),
    ("boxplot", "Matplotlib 3.11", _BOXPLOT),
    ("grid", "Matplotlib 3.7", _GRID),
    ("annotate", "Matplotlib 3.5", rename_argument("s", "text")),
)
MATPLOTLIB: tuple[Rename, ...] = (
    *list_names("matplotlib.cm", "Matplotlib 3.9", {"get_cmap": "matplotlib.pyplot.get_cmap"}),
    *(
        RemovedName(
            module,
            "register_cmap",
            "Matplotlib 3.9",
            register_colormap,
            "matplotlib.colormaps.register",
        )
        for module in ("matplotlib.cm", "matplotlib.pyplot")
    ),
    RemovedName(
        "matplotlib.mlab",
        "normpdf",
        "Matplotlib 3.1",
        compute_normal_density,
        "scipy.stats.norm.pdf",
    ),
    RemovedName("matplotlib.pyplot", "hold", "Matplotlib 3.0", lambda b=None: None, "nothing"),
    RemovedName("matplotlib.pyplot", "plot_date", "Matplotlib 3.11", plot_dates, "plt.plot"),
    RemovedMember(*_AXES, "plot_date", "Matplotlib 3.11", "Axes.plot", _plot_dates),
    RemovedMember(
        "matplotlib.backends.backend_agg",
        "FigureCanvasAgg",
        "tostring_rgb",
        "Matplotlib 3.10",
        "canvas.buffer_rgba",
        read_rgb_bytes,
    ),
    *list_names("matplotlib.cm", "Matplotlib 3.6", {"cmap_d": "matplotlib.colormaps"}),
    *(ChangedCall(*_AXES, (name,), since, adapt) for name, since, adapt in _CALLS),
    # The functions of pyplot refuse what the methods behind them would take.
    *(ChangedCall("matplotlib.pyplot", "", (name,), since, adapt) for name, since, adapt in _CALLS),
    ChangedCall("matplotlib.axis", "Axis", ("grid",), "Matplotlib 3.7", _GRID),
    ChangedCall("matplotlib.figure", "Figure", ("gca",), "Matplotlib 3.6", _choose_projection),
    ChangedCall("matplotlib.pyplot", "", ("gca",), "Matplotlib 3.6", _choose_current_projection),
    RemovedMember(
        "matplotlib.backend_bases",
        "FigureCanvasBase",
        "set_window_title",
        "Matplotlib 3.6",
        "fig.canvas.manager.set_window_title",
        lambda self, title: self.manager and self.manager.set_window_title(title),
    ),
    RemovedMember(
        "matplotlib.legend",
        "Legend",
        "legendHandles",
        "Matplotlib 3.9",
        "Legend.legend_handles",
        lambda self: self.legend_handles,
        is_property=True,
    ),
    RemovedMember(
        "matplotlib.axis",
        "Tick",
        "label",
        "Matplotlib 3.8",
        "Tick.label1",
        lambda self: self.label1,
        is_property=True,
    ),
    *(
        RemovedMember(
            "mpl_toolkits.mplot3d.axes3d",
            "Axes3D",
            f"w_{name}",
            "Matplotlib 3.8",
            f"Axes3D.{name}",
            lambda self, name=name: getattr(self, name),
            is_property=True,
        )
        for name in ("xaxis", "yaxis", "zaxis")
    ),
    RemovedMember(
        *_AXES,
        "set_axis_bgcolor",
        "Matplotlib 2.2",
        "Axes.set_facecolor",
        lambda self, color: self.set_facecolor(color),
    ),
    *(
        RemovedMember(
            *_AXES,
            name,
            "Matplotlib 3.6",
            f"ax.get_subplotspec().{name}",
            lambda self, name=name: getattr(self.get_subplotspec(), name)(),
        )
        for name in ("is_first_col", "is_first_row", "is_last_col", "is_last_row")
    ),
)
_CATEGORICAL = (
    *("boxplot", "violinplot", "stripplot", "swarmplot", "pointplot", "barplot", "countplot"),
    *("boxenplot", "catplot"),
)
_OLD_ORDER = {
    _CATEGORICAL: ("x", "y", "hue", "data"),
    ("scatterplot",): ("x", "y", "hue", "style", "size", "data"),
    ("lineplot",): ("x", "y", "hue", "size", "style", "data"),
    ("regplot", "residplot", "lmplot", "jointplot"): ("x", "y", "data"),
    ("kdeplot",): ("x", "y"),
}
"""Arguments of seaborn's functions before `data` became the first one."""
SEABORN: tuple[Rename, ...] = (
    RemovedName("seaborn", "factorplot", "seaborn 0.12", draw_factors, "sns.catplot"),
    *(
        ChangedCall(
            "seaborn", "", names, "seaborn 0.12", name_arguments(*order, least=2, first="data")
        )
        for names, order in _OLD_ORDER.items()
    ),
    ChangedCall(
        "seaborn",
        "",
        ("lmplot", "catplot", "jointplot"),
        "seaborn 0.12",
        rename_argument("size", "height"),
    ),
    RemovedModule("seaborn.apionly", "seaborn 0.13", "seaborn"),
    *(
        ChangedCall(
            "seaborn", owner, ("__init__",), "seaborn 0.12", rename_argument("size", "height")
        )
        for owner in ("FacetGrid", "PairGrid", "JointGrid")
    ),
)
