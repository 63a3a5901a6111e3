"""Fonts that are not there: a stand-in where there is one, and one note in any case."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Iterator
from typing import Any

import matplotlib
import pytest
from matplotlib import _text_helpers, font_manager, pyplot

from starchat_tui.sandbox.guest.fonts import FontSubstitution, find_stand_ins
from starchat_tui.sandbox.host.kernel import SandboxKernel
from tests.sandbox.kernels import open_kernel, run_code


@pytest.mark.parametrize(
    ("name", "stand_in"),
    [
        ("Arial", "Liberation Sans"),
        ("Helvetica", "Liberation Sans"),
        ("times new roman", "Liberation Serif"),
        ("Courier New", "Liberation Mono"),
        ("Comic Sans MS", "Comic Neue"),
        ("SimHei", "Noto Sans CJK SC"),
        ("MS Gothic", "Noto Sans CJK SC"),
        ("arialbd", "Liberation Sans"),
        ("msyh", "Noto Sans CJK SC"),
        ("myfont", ""),
        ("Simply Sans", ""),
    ],
)
def test_well_known_fonts_have_stand_ins(name: str, stand_in: str) -> None:
    assert next(iter(find_stand_ins(name)), "") == stand_in


class Watched:
    """Matplotlib of this process with a substitution, and the notes that it sends."""

    def __init__(self, *, strict: bool = False) -> None:
        self.notes: list[str] = []
        self.fonts = FontSubstitution(self.notes.append, strict=strict)
        self.fonts.watch_font_manager(font_manager)
        self.fonts.watch_glyphs(_text_helpers)

    def draw(self, text: str, *families: str) -> list[str]:
        """Draw a text; return the notes of the run."""
        self.notes.clear()
        figure = pyplot.figure()
        figure.text(0.5, 0.5, text, family=list(families))
        figure.canvas.draw()
        pyplot.close(figure)
        self.fonts.send_notes()
        return self.notes


@pytest.fixture
def watched(monkeypatch: pytest.MonkeyPatch) -> Iterator[Watched]:
    """Drawing in this process; every change of matplotlib is undone."""
    manager = font_manager.fontManager
    monkeypatch.setattr(font_manager.FontManager, "findfont", font_manager.FontManager.findfont)
    monkeypatch.setattr(_text_helpers, "warn_on_missing_glyph", None)
    monkeypatch.setattr(manager, "ttflist", list(manager.ttflist))
    logger = logging.getLogger("matplotlib.font_manager")
    filters = list(logger.filters)
    with matplotlib.rc_context({"backend": "agg"}):
        yield Watched()
    logger.filters[:] = filters
    font_manager.FontManager._findfont_cached.cache_clear()


def install_family(name: str) -> None:
    """Put a font under a name in matplotlib's list, as if it were installed."""
    manager: Any = font_manager.fontManager
    known = [font for font in manager.ttflist if font.name == "DejaVu Serif"]
    manager.ttflist += [dataclasses.replace(font, name=name) for font in known]


def test_an_installed_font_needs_no_note(watched: Watched) -> None:
    assert watched.draw("text", "DejaVu Sans") == []


def test_a_stand_in_is_used_and_named(watched: Watched) -> None:
    install_family("Liberation Sans")
    assert watched.draw("text", "Arial") == [
        "compat: font `Arial` → Liberation Sans (not installed)"
    ]
    found = font_manager.findfont(font_manager.FontProperties(family="Arial"))
    assert found.endswith("DejaVuSerif.ttf")
    # In a later run too, although the stand-in is in the list by then.
    assert watched.draw("text", "Arial") == [
        "compat: font `Arial` → Liberation Sans (not installed)"
    ]


def test_many_missing_fonts_are_one_note(
    watched: Watched, caplog: pytest.LogCaptureFixture
) -> None:
    notes = watched.draw("text", "Nonsense", "Times New Roman", "More Nonsense")
    assert notes == [
        "compat: fonts `Nonsense`, `Times New Roman`, `More Nonsense` → "
        "DejaVu Sans, DejaVu Serif (not installed)"
    ]
    assert not caplog.records


def test_missing_glyphs_are_one_note_with_what_helps(watched: Watched) -> None:
    notes = watched.draw("北京 北京", "SimHei")
    assert len(notes) == 1
    assert notes[0].startswith("The font has no 北京: boxes are drawn instead")
    if "fonts-noto-cjk" in notes[0]:
        install_family("Noto Sans CJK JP")
        assert watched.draw("上", "DejaVu Sans")[0].endswith(
            '`plt.rcParams["font.family"] = "Noto Sans CJK JP"` draws them'
        )
    assert watched.draw("\U0001f34e", "DejaVu Sans") == [
        "The font has no \U0001f34e: boxes are drawn instead"
    ]


@pytest.mark.bwrap
async def test_no_warning_reaches_the_output(kernel: SandboxKernel) -> None:
    code = """
import matplotlib.pyplot as plt
plt.rcParams["font.sans-serif"] = ["SimHei"]
plt.bar(["北京", "上海"], [1, 2])
plt.title("Fruit", family="Nonsense")
plt.show()
"""
    run = await run_code(kernel, code)
    assert (run.err, len(run.figures), len(run.notes)) == ("", 1, 1)
    assert "北京上海" in run.notes[0] or "SimHei" in run.notes[0]
    assert (await run_code(kernel, "plt.plot([1, 2]); plt.show()")).notes != []
    assert (await run_code(kernel, "plt.rcdefaults(); plt.plot([1]); plt.show()")).notes == []


@pytest.mark.bwrap
async def test_pillow_opens_fonts_of_other_systems(kernel: SandboxKernel) -> None:
    code = """
from PIL import ImageFont
print([ImageFont.truetype(name, 20).getname()[1] for name in (
    "arial.ttf", "C:/Windows/Fonts/arialbd.ttf", "ariali.ttf", "courbi.ttf")])
"""
    run = await run_code(kernel, code)
    assert [name.replace("Oblique", "Italic") for name in run.out.split("'")[1::2]] == [
        run.out.split("'")[1],
        "Bold",
        "Italic",
        "Bold Italic",
    ]
    assert [note.split()[2] for note in run.notes] == [
        "arial.ttf",
        "arialbd.ttf",
        "ariali.ttf",
        "courbi.ttf",
    ]
    run = await run_code(kernel, "ImageFont.truetype('mine.ttf', 20)")
    assert run.failure.message == "cannot open resource"
    assert not any(note.startswith("compat:") for note in run.notes)


@pytest.mark.bwrap
async def test_strict_replaces_no_font() -> None:
    async with open_kernel(strict=True) as kernel:
        code = "from PIL import ImageFont\nImageFont.truetype('arial.ttf', 20)"
        assert (await run_code(kernel, code)).failure.name == "OSError"
        code = "import matplotlib.pyplot as plt\nplt.title('x', family='Arial'); plt.show()"
        run = await run_code(kernel, code)
        assert (run.err, len(run.notes)) == ("", 1)
