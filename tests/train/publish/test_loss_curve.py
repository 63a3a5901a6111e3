"""Loss curve of a run."""

from __future__ import annotations

from xml.etree import ElementTree

from train.publish.loss_curve import draw_loss_curve, extract_series

LOG = [
    {"step": 1, "loss": 3.0},
    {"step": 2, "loss": 2.0},
    {"step": 2, "eval_loss": 2.5},
    {"step": 3, "grad_norm": 1.0},
]


def test_a_series_has_the_steps_at_which_it_was_logged() -> None:
    assert extract_series(LOG, "loss") == [(1, 3.0), (2, 2.0)]
    assert extract_series(LOG, "eval_loss") == [(2, 2.5)]


def test_the_curve_is_well_formed_and_inside_its_frame() -> None:
    root = ElementTree.fromstring(draw_loss_curve(LOG))
    _, _, width, height = map(float, root.attrib["viewBox"].split())
    lines = [element.attrib["points"] for element in root if element.tag.endswith("polyline")]
    assert len(lines) == 2
    for point in " ".join(lines).split():
        across, down = map(float, point.split(","))
        assert 0 <= across <= width
        assert 0 <= down <= height


def test_an_empty_log_has_no_curve() -> None:
    assert draw_loss_curve([]) == ""
