"""Every way to show a figure: code, and the states that are left to see when it has run.

A state is a bar whose height and color both name it, so that card and picture can be compared.
"""

from __future__ import annotations

COLORS = {1: (0, 0, 255), 2: (0, 255, 0), 3: (255, 0, 0)}
"""Color of each state as red, green and blue."""
PRELUDE = """
import io, threading
import matplotlib.pyplot as plt
from IPython.display import HTML, Image, clear_output, display, update_display
from matplotlib.animation import ArtistAnimation, FuncAnimation
from matplotlib.backends.backend_pdf import PdfPages
from matplotlib.figure import Figure
plt.ioff(); plt.close("all")

def draw(state, axes=None):
    axes = axes or plt.gca()
    axes.clear()
    axes.bar(["a"], [state], color={1: "blue", 2: "lime", 3: "red"}[state])
    axes.set_ylim(0, 4)
    return axes.figure
"""
"""Code before each case."""
LOOP = "for state in (1, 2, 3):\n    "
SHOWN: dict[str, tuple[str, list[int]]] = {
    # Blocking: the state is shown for good.
    "show": ("draw(3); plt.show()", [3]),
    "show in a loop": (LOOP + "plt.figure(); draw(state); plt.show()", [1, 2, 3]),
    "show in a loop without plt.figure": (LOOP + "draw(state); plt.show()", [1, 2, 3]),
    "show(block=True) in interactive mode": ("plt.ion(); draw(3); plt.show(block=True)", [3]),
    "show twice": ("draw(3); plt.show(); plt.show()", [3]),
    "shown, changed, never shown again": ("f = draw(3); plt.show(); _ = draw(1, f.axes[0])", [3]),
    "left open": ("draw(3)", [3]),
    "left open, changed": (LOOP + "draw(state)", [3]),
    "joined thread": (
        "def work(): draw(3); plt.show()\nt = threading.Thread(target=work); t.start(); t.join()",
        [3],
    ),
    # Windows: the last state replaces those before.
    "show(block=False), changed, show": (
        "f = draw(1); plt.show(block=False); draw(3); plt.show()",
        [3],
    ),
    "show(block=False), changed": ("draw(1); plt.show(block=False); draw(3)", [3]),
    "show(False), changed": ("draw(1); plt.show(False); draw(3)", [3]),
    "show(block=False), changed, closed": (
        "draw(1); plt.show(block=False); draw(3); plt.close()",
        [3],
    ),
    "show(block=False) and close in a loop": (
        LOOP + "plt.figure(); draw(state); plt.show(block=False); plt.close()",
        [1, 2, 3],
    ),
    "show(block=False), cleared": ("draw(3); plt.show(block=False); plt.clf()", [3]),
    "pause": (LOOP + "draw(state); plt.pause(0.01)", [3]),
    "pause, then cleared": (LOOP + "draw(state); plt.pause(0.01); plt.clf()", [3]),
    "cleared, then pause": (LOOP + "plt.clf(); draw(state); plt.pause(0.01)", [3]),
    "pause, then cleared and closed": (
        LOOP + "draw(state); plt.pause(0.01); plt.cla()\nplt.close()",
        [3],
    ),
    "pause, then show": (LOOP + "draw(state); plt.pause(0.01)\nplt.show()", [3]),
    "ion, draw and flush_events": (
        "plt.ion()\n" + LOOP + "f = draw(state); f.canvas.draw(); f.canvas.flush_events()",
        [3],
    ),
    "ion, pause, ioff, show": (
        "plt.ion()\n" + LOOP + "draw(state); plt.pause(0.01)\nplt.ioff(); plt.show()",
        [3],
    ),
    "ion and show": ("plt.ion()\n" + LOOP + "draw(state); plt.show()", [3]),
    "ion, closed": ("plt.ion(); draw(3); plt.close()", [3]),
    "plt.draw": (LOOP + "draw(state); plt.draw()", [3]),
    "fig.show": (LOOP + "draw(state).show()", [3]),
    "fig.show, changed after close": ("f = draw(1); f.show(); draw(3); plt.close(f)", [3]),
    # Displayed, and as a value.
    "display": ("f = draw(3); display(f)", [3]),
    "display in a loop": (LOOP + "display(draw(state))", [1, 2, 3]),
    "display twice": ("f = draw(3); display(f); display(f)", [3]),
    "display, changed, left open": ("display(draw(1)); draw(3)", [1, 3]),
    "display after close": ("f = draw(3); plt.close(); display(f)", [3]),
    "display(gcf()), then close": ("draw(3); display(plt.gcf()); plt.close()", [3]),
    "last expression": ("f = draw(3)\nf", [3]),
    "last expression after close": ("f = draw(3); plt.close()\nf", [3]),
    "last expression after show": ("f = draw(3); plt.show()\nf", [3]),
    "last expression, changed after show": (
        "f = draw(1); plt.show(); draw(3, f.axes[0])\nf",
        [1, 3],
    ),
    "without pyplot": ("f = Figure(); draw(3, f.add_subplot())\nf", [3]),
    "display handle": (
        "f = draw(1); h = display(f, display_id=True)\n"
        + LOOP
        + "draw(state); h.update(f)\nplt.close()",
        [3],
    ),
    "update_display": (
        "display(draw(1), display_id='x'); update_display(draw(3), display_id='x'); plt.close()",
        [3],
    ),
    # Cleared output.
    "clear_output(wait=True), show": (
        LOOP + "clear_output(wait=True); plt.figure(); draw(state); plt.show()",
        [3],
    ),
    "show, clear_output(wait=True)": (
        LOOP + "draw(state); plt.show(); clear_output(wait=True)",
        [3],
    ),
    "clear_output(), show": (LOOP + "clear_output(); draw(state); plt.show()", [3]),
    "clear_output(wait=True), display": (
        LOOP + "f = draw(state); clear_output(wait=True); display(f)",
        [3],
    ),
    "clear_output(wait=True), display(gcf())": (
        LOOP + "clear_output(wait=True); draw(state); display(plt.gcf())\nplt.close()",
        [3],
    ),
    "clear_output, more than there may be": (
        "for i in range(30):\n    clear_output(wait=True); draw(1 if i < 29 else 3); plt.show()",
        [3],
    ),
    # Saved.
    "savefig, closed": ("draw(3); plt.savefig('a.png'); plt.close()", [3]),
    "savefig, open": ("draw(3); plt.savefig('a.png')", [3]),
    "savefig, show": ("draw(3); plt.savefig('a.png'); plt.show()", [3]),
    "show, savefig": ("f = draw(3); plt.show(); f.savefig('a.png')", [3]),
    "savefig, changed, show": ("draw(1); plt.savefig('a.png'); draw(3); plt.show()", [3]),
    "savefig twice, closed": (
        "draw(1); plt.savefig('b.png'); draw(3); plt.savefig('a.png'); plt.close()",
        [3],
    ),
    "savefig and clf in a loop": (
        LOOP + "draw(state); plt.savefig(f'{state}.png'); plt.clf()",
        [1, 2, 3],
    ),
    "savefig and close in a loop": (
        LOOP + "plt.figure(); draw(state); plt.savefig(f'{state}.png'); plt.close()",
        [1, 2, 3],
    ),
    "savefig of a PDF, closed": ("draw(3); plt.savefig('a.pdf'); plt.close()", [3]),
    "savefig of an SVG, closed": ("draw(3); plt.savefig('a.svg'); plt.close()", [3]),
    "savefig of a PDF, cleared": ("draw(3); plt.savefig('a.pdf'); plt.clf()", [3]),
    "savefig of a PDF without pyplot": (
        "f = Figure(); draw(3, f.add_subplot()); f.savefig('a.pdf')",
        [3],
    ),
    "savefig to both, closed": (
        "draw(3); plt.savefig('a.png'); plt.savefig('a.pdf'); plt.close()",
        [3],
    ),
    "savefig to a buffer, closed": ("draw(3); plt.savefig(io.BytesIO()); plt.close()", [3]),
    "savefig elsewhere, closed": ("draw(3); plt.savefig('/tmp/a.png'); plt.close()", [3]),
    "pages of a PDF": (
        "with PdfPages('a.pdf') as pages:\n    "
        "for state in (1, 2, 3):\n        plt.figure(); draw(state); pages.savefig(); plt.close()",
        [1, 2, 3],
    ),
    "savefig, displayed as a file": (
        "draw(3); plt.savefig('a.png'); plt.close(); display(Image('a.png'))",
        [3],
    ),
    "savefig to a buffer, displayed": (
        "b = io.BytesIO(); draw(3); plt.savefig(b); plt.close(); display(Image(b.getvalue()))",
        [3],
    ),
    "savefig to a buffer, displayed, changed": (
        "b = io.BytesIO(); draw(1); plt.savefig(b); display(Image(b.getvalue())); draw(3)",
        [1, 3],
    ),
    "value that draws itself": (
        "class Value:\n    def _repr_png_(self):\n        b = io.BytesIO(); f = Figure()\n"
        "        draw(3, f.add_subplot()); f.savefig(b); return b.getvalue()\nValue()",
        [3],
    ),
    # Animations: the first and the last frame.
    "animation, show": (
        "f, x = plt.subplots(); a = FuncAnimation(f, lambda i: draw(i, x), frames=[1, 2, 3])\n"
        "plt.show()",
        [1, 3],
    ),
    "animation, left open": (
        "f, x = plt.subplots(); a = FuncAnimation(f, lambda i: draw(i, x), frames=[1, 2, 3])",
        [1, 3],
    ),
    "animation as a GIF, closed": (
        "f, x = plt.subplots(); a = FuncAnimation(f, lambda i: draw(i, x), frames=[1, 2, 3])\n"
        "a.save('a.gif', writer='pillow'); plt.close()",
        [1, 3],
    ),
    "animation as a GIF, show": (
        "f, x = plt.subplots(); a = FuncAnimation(f, lambda i: draw(i, x), frames=[1, 2, 3])\n"
        "a.save('a.gif', writer='pillow'); plt.show()",
        [1, 3],
    ),
    "animation as HTML, closed": (
        "f, x = plt.subplots(); a = FuncAnimation(f, lambda i: draw(i, x), frames=[1, 2, 3])\n"
        "plt.close(); HTML(a.to_jshtml())",
        [1, 3],
    ),
    "animation of artists": (
        "f, x = plt.subplots(); bars = [x.bar(['a'], [s], color=c) for s, c in "
        "((1, 'blue'), (3, 'red'))]\na = ArtistAnimation(f, bars); plt.show()",
        [1, 3],
    ),
    # Other libraries.
    "pandas": (
        "import pandas as pd\n"
        "pd.DataFrame({'v': [3]}, index=['a']).plot.bar(color='red', legend=False)",
        [3],
    ),
    "seaborn, figure-level": (
        "import pandas as pd, seaborn as sns\ndata = pd.DataFrame({'x': ['a'], 'y': [3]})\n"
        "sns.catplot(data=data, x='x', y='y', kind='bar', color='red', saturation=1)",
        [3],
    ),
}
"""Ways to show a figure: code, and the states that are left to see."""
UNSEEN: dict[str, tuple[str, str]] = {
    "no axes": ("plt.figure(); plt.show()", "The figure is empty"),
    "closed": ("plt.plot([3]); plt.close()", "A figure was closed before it was shown"),
    "not called": (
        "def draw_it():\n    plt.plot([1]); plt.show()",
        "Nothing was drawn: `draw_it` is defined and not called",
    ),
    "no figure": ("plt.show()", "Nothing was drawn: the code has `plt.show`"),
    "another process": (
        "import subprocess, sys\nsubprocess.run([sys.executable, '-c', 'pass']); plt.show()",
        "A plot of another process is not shown",
    ),
    "a thread": (
        "import threading, time\n"
        "thread = threading.Thread(target=lambda: (time.sleep(1), plt.show())); thread.start()",
        "A thread still runs",
    ),
    "cleared, as the code wants": (
        "thread.join()\nfrom IPython.display import clear_output\n"
        "plt.plot([3]); plt.show(); clear_output()",
        "",
    ),
    "no plot": ("plt.style.use('default'); print('plt')", ""),
}
"""Code that draws and shows nothing, and the beginning of the sentence that says why."""
