"""Every template has the slots that its question needs."""

from __future__ import annotations

from train.demo.tasks.load_yaml import load_table
from train.demo.tasks.plots.plot_questions import load_chart_phrasings


def test_every_template_has_its_slots() -> None:
    slots = {"titled": "{t}", "colored": "{c}", "bins": "{n}", "draw": "{name}", "add": "{v}"}
    for name, slot in slots.items():
        assert all(slot in template for template in load_chart_phrasings(name))
    data = {name for name in load_table("charts") if name.startswith(("to_", "frame_", "two"))}
    assert {"to_dict", "frame_sort", "two"} <= data
    assert all("{data}" in template for name in data for template in load_chart_phrasings(name))
    assert all(
        len(set(load_chart_phrasings(name))) == len(load_chart_phrasings(name)) >= 6
        for name in load_table("charts")
    )
