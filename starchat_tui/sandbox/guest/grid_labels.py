"""Labels of a figure in a grid of terminal cells: short, in plain characters, none over another."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import pairwise

MAX_LABELS = 1000
_SYMBOLS = {
    "times": "×", "cdot": "·", "pm": "±", "circ": "°", "degree": "°", "leq": "≤", "geq": "≥",
    "le": "≤", "ge": "≥", "neq": "≠", "approx": "≈", "infty": "∞", "sum": "∑", "int": "∫",
    "sqrt": "√", "partial": "∂", "nabla": "∇", "rightarrow": "→", "to": "→", "leftarrow": "←",
    "alpha": "α", "beta": "β", "gamma": "γ", "delta": "δ", "epsilon": "ε", "zeta": "ζ", "eta": "η",
    "theta": "θ", "lambda": "λ", "mu": "μ", "nu": "ν", "xi": "ξ", "pi": "π", "rho": "ρ",
    "sigma": "σ", "tau": "τ", "phi": "φ", "chi": "χ", "psi": "ψ", "omega": "ω", "Gamma": "Γ",
    "Delta": "Δ", "Theta": "Θ", "Lambda": "Λ", "Pi": "Π", "Sigma": "Σ", "Phi": "Φ", "Psi": "Ψ",
    "Omega": "Ω",
}  # fmt: skip
"""Characters of the commands that mathematical text uses most."""
_RAISED = str.maketrans("0123456789+-−()n", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁻⁽⁾ⁿ")
_LOWERED = str.maketrans("0123456789+-−()", "₀₁₂₃₄₅₆₇₈₉₊₋₋₍₎")
_RAISABLE, _LOWERABLE = re.compile(r"[0-9+\-−()n]+"), re.compile(r"[0-9+\-−()]+")


@dataclass(frozen=True, slots=True)
class Label:
    """A line of text at a cell."""

    row: int
    column: int
    color: str
    """Six hexadecimal digits."""
    text: str

    @property
    def end(self) -> int:
        """Column after the last one."""
        return self.column + measure_text(self.text)


@lru_cache(maxsize=4096)
def measure_text(text: str) -> int:
    """Return the number of cells that a text takes."""
    return sum(map(_measure_character, text))


def _measure_character(character: str) -> int:
    if unicodedata.combining(character) or unicodedata.category(character) in ("Cf", "Me", "Mn"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


@lru_cache(maxsize=4096)
def simplify_text(text: str) -> str:
    """Return a text of matplotlib's in plain characters: `$10^{3}$` as `10³`."""
    parts = re.split(r"(?<!\\)\$", text)
    if len(parts) % 2:
        # Every second part is mathematical; a dollar that none closes is a dollar.
        parts[1::2] = map(_simplify_math, parts[1::2])
        text = "".join(parts)
    return re.sub(r"\s+", " ", text.replace("\\$", "$")).strip()


def _simplify_math(text: str) -> str:
    text = re.sub(r"\\(?:math\w+|text\w*|rm|it|bf|left|right|operatorname)\b\s*", "", text)
    text = re.sub(r"\\frac\s*\{([^{}]*)\}\s*\{([^{}]*)\}", r"\1/\2", text)
    text = re.sub(r"\\([A-Za-z]+)\s*", lambda found: _SYMBOLS.get(found[1], found[1]), text)
    for _ in range(3):  # braces in braces
        text = re.sub(r"(?<![\^_])\{([^{}]*)\}", r"\1", text)
    text = re.sub(r"([\^_])(?:\{([^{}]*)\}|(.))", _shift_script, text)
    return re.sub(r"\\[,;:! ]|[{}]", "", text)


def _shift_script(found: re.Match[str]) -> str:
    script = found[2] if found[2] is not None else found[3]
    allowed, table = (_RAISABLE, _RAISED) if found[1] == "^" else (_LOWERABLE, _LOWERED)
    return script.translate(table) if allowed.fullmatch(script) else found[1] + script


def shorten_text(text: str, width: int) -> str:
    """Return a text of at most `width` cells, with an ellipsis if it was longer."""
    if measure_text(text) <= width:
        return text
    kept = ""
    for character in text:
        if measure_text(kept + character) > width - 1:
            break
        kept += character
    return f"{kept.rstrip()}…" if width > 0 else ""


class LabelGrid:
    """Labels that were placed, and the cells that they leave free."""

    def __init__(self, columns: int, rows: int) -> None:
        self._columns, self._rows = columns, rows
        self._taken: list[list[bool]] = [[False] * columns for _ in range(rows)]
        self.labels: list[Label] = []

    def place(self, label: Label, *, moves: Sequence[int] = (0,), gap: int = 0) -> bool:
        """Place a label, moved by the first number of rows that is free; return whether one was.

        Args:
            label: What to place; it is cut to the width of the grid, and moved into it.
            moves: Numbers of rows to try, 0 for its own.
            gap: Free cells to leave before and after it.
        """
        text = shorten_text(label.text, self._columns)
        column = max(0, min(label.column, self._columns - measure_text(text)))
        label = replace(label, text=text, column=column)
        if not text or len(self.labels) >= MAX_LABELS:
            return False
        for move in moves:
            row = label.row + move
            if 0 <= row < self._rows and self._is_free(row, label.column - gap, label.end + gap):
                self._taken[row][label.column : label.end] = [True] * (label.end - label.column)
                self.labels.append(replace(label, row=row))
                return True
        return False

    def _is_free(self, row: int, start: int, end: int) -> bool:
        return not any(self._taken[row][max(0, start) : end])

    def place_ticks(self, labels: Sequence[Label], *, cut: bool) -> None:
        """Place the labels of an axis: every one, or every second, third, … if they do not fit.

        Args:
            labels: In the order of their positions.
            cut: True to shorten labels rather than leave one out: they are names.
        """
        if cut and len(labels) > 1 and len({label.row for label in labels}) == 1:
            labels = _cut_to_pitch(labels)
        step = next(step for step in range(1, len(labels) + 2) if _fits(labels[::step]))
        for label in labels[::step]:
            self.place(label)


def _cut_to_pitch(labels: Sequence[Label]) -> Sequence[Label]:
    """Return labels cut to the distance of their centers, if that leaves enough of them."""
    centers = [(label.column + label.end) / 2 for label in labels]
    pitch = int(min(after - before for before, after in pairwise(centers)))
    if pitch < 5:
        return labels
    cut = []
    for label, center in zip(labels, centers, strict=True):
        text = shorten_text(label.text, pitch - 1)
        cut.append(replace(label, text=text, column=round(center - measure_text(text) / 2)))
    return cut


def _fits(labels: Sequence[Label]) -> bool:
    """Return whether there is a free cell between all labels that share a row."""
    return all(
        before.row != after.row or before.end < after.column or after.end < before.column
        for before, after in pairwise(labels)
    )
