"""Every table can be read."""

from __future__ import annotations

from train.demo.tasks.load_yaml import DATA, load_table


def test_every_table_can_be_read() -> None:
    for path in DATA.glob("*.yaml"):
        assert load_table(path.stem)
