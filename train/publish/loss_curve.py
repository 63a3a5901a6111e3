"""Loss curve of a run as an SVG drawing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

_WIDTH, _HEIGHT, _MARGIN = 640, 240, 40


def extract_series(log: Sequence[Mapping[str, Any]], name: str) -> list[tuple[int, float]]:
    """Return the steps at which `name` was logged, and its values."""
    return [(int(entry["step"]), float(entry[name])) for entry in log if name in entry]


def draw_loss_curve(log: Sequence[Mapping[str, Any]]) -> str:
    """Return the training and held-out loss as SVG; empty if nothing was logged."""
    drawn = {
        "#4c78a8": extract_series(log, "loss"),
        "#f58518": extract_series(log, "eval_loss"),
    }
    # Both curves share one scale, so that overfitting shows as a widening gap.
    points = [point for line in drawn.values() for point in line]
    if not points:
        return ""
    steps, losses = zip(*points, strict=True)
    low, high, last = min(losses), max(losses), max(steps)

    def place(step: int, loss: float) -> str:
        across = _MARGIN + step / max(last, 1) * (_WIDTH - 2 * _MARGIN)
        down = _MARGIN + (high - loss) / max(high - low, 1e-9) * (_HEIGHT - 2 * _MARGIN)
        return f"{across:.1f},{down:.1f}"

    lines = [
        f'<polyline fill="none" stroke="{color}" stroke-width="2" '
        f'points="{" ".join(place(*point) for point in line)}"/>'
        for color, line in drawn.items()
        if line
    ]
    captions = [
        (_MARGIN, _MARGIN - 8, f"loss {high:.3f}", "#555"),
        (_MARGIN, _HEIGHT - _MARGIN + 16, f"{low:.3f}", "#555"),
        (_WIDTH - 2 * _MARGIN - 30, _HEIGHT - _MARGIN + 16, f"step {last}", "#555"),
        (_WIDTH - 190, _MARGIN - 8, "training", "#4c78a8"),
        (_WIDTH - 110, _MARGIN - 8, "held out", "#f58518"),
    ]
    labels = [
        f'<text x="{x}" y="{y}" style="font:12px sans-serif" fill="{color}">{text}</text>'
        for x, y, text, color in captions
    ]
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}">'
    return "\n".join([head, '<rect width="100%" height="100%" fill="#fff"/>', *lines, *labels]) + (
        "\n</svg>\n"
    )
