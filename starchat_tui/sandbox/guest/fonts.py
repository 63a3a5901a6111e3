"""Fonts that code names and this machine lacks: stand-ins for them, and one note for each run.

Matplotlib would log a line for each text in such a font, and warn of each glyph that no font has.
"""

from __future__ import annotations

import dataclasses
import logging
import os
import re
from collections.abc import Callable, Iterable, Sequence
from functools import wraps
from types import ModuleType
from typing import Any

_SANS = ("Liberation Sans", "Arimo", "Nimbus Sans", "FreeSans", "DejaVu Sans")
_SERIF = ("Liberation Serif", "Tinos", "Nimbus Roman", "FreeSerif", "DejaVu Serif")
_MONO = ("Liberation Mono", "Cousine", "Nimbus Mono PS", "FreeMono", "DejaVu Sans Mono")
_COMIC = ("Comic Neue", "Humor Sans", "xkcd Script", "Comic Relief", "DejaVu Sans")
_CJK = (
    *("Noto Sans CJK SC", "Noto Sans CJK JP", "Noto Sans CJK KR", "Noto Sans CJK TC"),
    *("Noto Sans SC", "Source Han Sans SC", "Source Han Sans CN", "WenQuanYi Micro Hei"),
    *("WenQuanYi Zen Hei", "Droid Sans Fallback", "AR PL UMing CN", "IPAexGothic", "NanumGothic"),
)
STAND_INS: tuple[tuple[str, Sequence[str]], ...] = (
    (r"simhei|simsun|sim(kai|fang)?\w*|nsimsun|fangsong|kaiti|microsoft ?yahei|msyh\w*|(st)?heiti.*"
     r"|st(song|kaiti|xihei)|pingfang.*|songti.*|arial ?unicode.*|wenquanyi.*|wqy.*"
     r"|noto ?s(ans|erif) ?cjk.*|source ?han.*|msgothic|ms p?gothic|yu ?gothic.*|meiryo.*"
     r"|hiragino.*|ipa\w*gothic|takao\w*|malgun.*|nanum.*|applegothic|gulim|batang", _CJK),
    (r"comic.*|humor ?sans|xkcd.*", _COMIC),
    (r"times.*|georgia.*|cambria.*|garamond.*|palatino.*|book ?antiqua|liberation ?serif.*",
     _SERIF),
    (r"cour.*|consola.*|menlo.*|monaco.*|lucon|andale ?mono|source ?code ?pro.*|liberation ?mono.*"
     r"|ubuntu ?mono.*", _MONO),
    (r"arial.*|helvetica.*|calibri.*|verdana.*|tahoma.*|segoe ?ui.*|trebuc.*|roboto.*|open ?sans.*"
     r"|lato.*|franklin.*|gill ?sans.*|futura.*|century ?gothic|impact|ubuntu.*|sf ?pro.*"
     r"|liberation ?sans.*|myriad.*|montserrat.*|lucida.*", _SANS),
)  # fmt: skip
"""Patterns of the names of families and font files, and the families that stand in for them."""
_GENERIC = ("serif", "sans-serif", "sans serif", "monospace", "cursive", "fantasy", "sans")
_MAX_CHARACTERS = 20
"""Characters without a glyph that the note lists."""


class FontSubstitution:
    """Fonts of the runs of one kernel: provides stand-ins, and collects what was missing."""

    def __init__(self, note: Callable[[str], None], *, strict: bool) -> None:
        """Take the function that sends a note; with `strict`, nothing stands in for a font."""
        self._note, self._strict = note, strict
        self._missing_families: dict[str, str] = {}
        """Family that stands in for a missing one; empty for matplotlib's own choice."""
        self._missing_glyphs: dict[str, None] = {}
        self._stand_ins: dict[str, str | None] = {}
        """The same for every family that was ever looked for; None for one that is installed."""
        self._list_families: Callable[[], Iterable[str]] = lambda: ()

    def begin_run(self) -> None:
        """Forget what an earlier run lacked."""
        self._missing_families.clear()
        self._missing_glyphs.clear()

    def send_notes(self) -> None:
        """Report the missing fonts in one sentence, and the missing glyphs in another."""
        if self._missing_glyphs:
            self._note(_describe_glyphs(self._missing_glyphs, set(self._list_families())))
        elif self._missing_families:
            missing = ", ".join(f"`{name}`" for name in self._missing_families)
            stand_ins = {one or "DejaVu Sans" for one in self._missing_families.values()}
            fonts = "font" if len(self._missing_families) == 1 else "fonts"
            self._note(
                f"compat: {fonts} {missing} → {', '.join(sorted(stand_ins))} (not installed)"
            )
        self.begin_run()

    def watch_font_manager(self, font_manager: ModuleType) -> None:
        """Let `matplotlib.font_manager` find stand-ins, and collect what it would log."""
        manager: Any = font_manager.FontManager
        original: Callable[..., Any] = manager.findfont
        self._list_families = lambda: {font.name for font in font_manager.fontManager.ttflist}

        @wraps(original)
        def findfont(self_: Any, prop: Any, fontext: str = "ttf", *args: Any, **how: Any) -> Any:
            if fontext == "ttf":
                properties = font_manager.FontProperties._from_any(prop)
                for family in _expand_families(properties, font_manager.mpl.rcParams):
                    self._request_family(family, self_)
            return original(self_, prop, fontext, *args, **how)

        manager.findfont = findfont
        logging.getLogger("matplotlib.font_manager").addFilter(_is_worth_logging)

    def watch_glyphs(self, text_helpers: ModuleType) -> None:
        """Collect the glyphs that `matplotlib._text_helpers` would warn of, one by one."""

        def warn_on_missing_glyph(codepoint: int, *_: Any) -> None:
            self._missing_glyphs[chr(codepoint)] = None

        text_helpers.warn_on_missing_glyph = warn_on_missing_glyph  # type: ignore[attr-defined]

    def watch_pillow(self, image_font: ModuleType) -> None:
        """Let `PIL.ImageFont.truetype` open a stand-in for a well-known font of other systems."""
        original: Callable[..., Any] = image_font.truetype

        @wraps(original)
        def truetype(font: Any = None, *args: Any, **how: Any) -> Any:
            try:
                return original(font, *args, **how)
            except OSError:
                path = _find_stand_in_file(font)
                if not path:
                    raise
                self._note(f"compat: font {os.path.basename(font)} → {os.path.basename(path)}")
                return original(path, *args, **how)

        image_font.truetype = truetype  # type: ignore[attr-defined]

    def _request_family(self, name: str, manager: Any) -> None:
        """Note that a text is to be drawn in a family; add a stand-in if it is not installed."""
        if name not in self._stand_ins:
            self._stand_ins[name] = self._provide_family(name, manager)
        if (stand_in := self._stand_ins[name]) is not None:
            self._missing_families[name] = stand_in

    def _provide_family(self, name: str, manager: Any) -> str | None:
        """Return the stand-in for a family, in the list from now on; None if it is installed."""
        installed = {font.name for font in manager.ttflist} - {
            added for added, used in self._stand_ins.items() if used
        }
        if name.lower() in map(str.lower, installed):
            return None
        stand_in = next((one for one in find_stand_ins(name) if one in installed), "")
        if self._strict or not stand_in:
            return ""
        manager.ttflist += [
            dataclasses.replace(font, name=name)
            for font in manager.ttflist
            if font.name == stand_in
        ]
        return stand_in


def _is_worth_logging(record: logging.LogRecord) -> bool:
    """Return False for a record on a font that was not found, which a note reports."""
    return not str(record.msg).startswith("findfont:")


def find_stand_ins(name: str) -> Sequence[str]:
    """Return the families that may stand in for a family or the stem of a font file."""
    return next((found for pattern, found in STAND_INS if re.fullmatch(pattern, name.lower())), ())


def _expand_families(properties: Any, settings: Any) -> list[str]:
    """Return the names of the families that code asks for, without the generic ones."""
    if properties.get_file() is not None:
        return []
    found: list[str] = []
    for family in properties.get_family():
        if family.lower() in _GENERIC:
            # The first name is the wanted one; matplotlib's own list has twenty for other systems.
            found += settings.get(f"font.{family.lower().replace(' ', '-')}", [])[:1]
        else:
            found.append(family)
    return found


def _find_stand_in_file(font: Any) -> str:
    """Return the file of a stand-in for a font file; empty if there is none."""
    if not isinstance(font, str | os.PathLike):
        return ""
    stem = os.path.splitext(os.path.basename(font))[0].lower()
    stand_ins = find_stand_ins(stem)
    if not stand_ins:
        return ""
    try:
        from matplotlib.font_manager import FontProperties, findfont
    except ImportError:
        return ""
    # As Windows abbreviates them: arialbd, ariali, arialbi, timesbd.
    properties = FontProperties(
        family=list(stand_ins),
        weight="bold" if re.search(r"(bd|bold|bi|z)$|bold", stem) else "normal",
        style="italic" if re.search(r"(italic|oblique|[^u]bi|[^r-w]i)$", stem) else "normal",
    )
    try:
        return str(findfont(properties, fallback_to_default=False))
    except ValueError:
        return ""


def _describe_glyphs(characters: Iterable[str], families: set[str]) -> str:
    """Return the note on characters that were drawn as boxes."""
    missing = list(characters)
    listed = "".join(missing[:_MAX_CHARACTERS]) + "…" * (len(missing) > _MAX_CHARACTERS)
    text = f"The font has no {listed}: boxes are drawn instead"
    if not any(map(_is_cjk, missing)):
        return text
    if family := next((one for one in _CJK if one in families), ""):
        return f'{text}; `plt.rcParams["font.family"] = "{family}"` draws them'
    return f"{text}; a font that has them can be installed: `sudo apt install fonts-noto-cjk`"


def _is_cjk(character: str) -> bool:
    return "\u3000" <= character <= "\u9fff" or "\uac00" <= character <= "\ud7af"
