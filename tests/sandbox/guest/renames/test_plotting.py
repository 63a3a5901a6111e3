"""Renames of matplotlib and seaborn, in the libraries that removed the old form."""

from __future__ import annotations

import pytest

from starchat_tui.sandbox.host.kernel import SandboxKernel
from tests.sandbox.guest.renames.cases import Case, check_cases

MATPLOTLIB: list[Case] = [
    (
        "import matplotlib.cm as cm\nprint(cm.get_cmap('viridis', 5).N)",
        "5",
        "matplotlib.cm.get_cmap → plt.get_cmap (changed in Matplotlib 3.9)",
    ),
    (
        "fig = plt.figure()\nax = fig.gca(projection='3d')\n"
        "print(ax.name, fig.gca(projection='3d') is ax, len(fig.axes)); plt.close(fig)",
        "3d True 1",
        "gca(projection=) → fig.add_subplot(projection=…)",
    ),
    ("print(plt.gca(projection='polar').name); plt.close()", "polar", "gca(projection=) → "),
    (
        "fig, ax = plt.subplots()\nfig.canvas.set_window_title('w')\nprint(ax.is_first_col())",
        "True",
        "FigureCanvasBase.set_window_title → ",
    ),
    (
        "ax.plot([1], label='a')\nprint(len(ax.legend().legendHandles))",
        "1",
        "Legend.legendHandles → Legend.legend_handles",
    ),
    (
        "print(ax.xaxis.get_major_ticks()[0].label is ax.xaxis.get_major_ticks()[0].label1)",
        "True",
        "Tick.label → Tick.label1",
    ),
    ("plt.grid(b=True); ax.grid(b=False); print('ok')", "ok", "grid(b=) → grid(visible=)"),
    ("plt.boxplot([[1, 2]], labels=['a']); print('ok')", "ok", "boxplot(labels=) → boxplot(tick_"),
    ("ax.stem([1], use_line_collection=True); print('ok')", "ok", "stem(use_line_collection=True)"),
    ("print(ax.hist([1, 3], 2, normed=1)[0].tolist())", "[0.5, 0.5]", "hist(normed=) → hist(dens"),
    ("print(fig.add_subplot(projection='3d').w_xaxis.axis_name)", "x", "Axes3D.w_xaxis → "),
    ("print(ax.annotate(s='top', xy=(0, 0)).get_text())", "top", "annotate(s=) → annotate(text=)"),
    ("print(len(plt.plot_date([1, 2], [3, 4])))", "1", "plt.plot_date → plt.plot"),
    (
        "fig.canvas.draw()\nw, h = fig.canvas.get_width_height()\n"
        "print(len(fig.canvas.tostring_rgb()) == 3 * w * h)",
        "True",
        "FigureCanvasAgg.tostring_rgb → canvas.buffer_rgba",
    ),
    (
        "from matplotlib.mlab import normpdf\nprint(round(float(normpdf(1, 1, 2)), 4))",
        "0.1995",
        "matplotlib.mlab.normpdf → scipy.stats.norm.pdf",
    ),
    ("import matplotlib\nmatplotlib.use('TkAgg', warn=False); print('ok')", "ok", "no windows"),
    ("plt.close('all'); print(plt.get_fignums())", "[]", ""),
]
SEABORN: list[Case] = [
    (
        "print(sns.scatterplot([1, 2], [3, 4]).name)",
        "rectilinear",
        "scatterplot(…) → scatterplot(x",
    ),
    (
        "df = pd.DataFrame({'a': list('xxy'), 'b': [1, 2, 3]})\n"
        "print(sns.countplot('a', data=df).get_xlabel())",
        "a",
        "countplot(…) → countplot(x=)",
    ),
    ("print(sns.barplot('a', 'b', data=df).get_ylabel())", "b", "barplot(…) → barplot(x=, y=)"),
    (
        "print(type(sns.factorplot(x='a', y='b', data=df, size=2)).__name__)",
        "FacetGrid",
        "sns.factorplot → sns.catplot",
    ),
    ("print(type(sns.FacetGrid(df, size=2)).__name__)", "FacetGrid", "FacetGrid(size=) → Facet"),
    ("plt.close('all'); print(plt.get_fignums())", "[]", ""),
]


@pytest.mark.bwrap
async def test_matplotlib_runs_as_in_2023(kernel: SandboxKernel) -> None:
    await check_cases(kernel, "matplotlib", MATPLOTLIB)


@pytest.mark.bwrap
async def test_seaborn_runs_as_in_2023(kernel: SandboxKernel) -> None:
    await check_cases(kernel, "seaborn", SEABORN)
