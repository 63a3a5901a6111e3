"""Every attack of the table: it works without the wall, and it does not behind it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.sandbox.attacks import ATTACKS, TOOLS, Attack
from tests.sandbox.conftest import Host

pytestmark = pytest.mark.bwrap
CODE = {attack.name: TOOLS + attack.code for attack in ATTACKS}


def tried(host: Host, wall: str, attack: Attack) -> str:
    """What the attack said behind that wall, where all of them are tried one after another."""
    attacks = CODE
    if wall in ("none", "naive"):
        attacks = {one.name: CODE[one.name] for one in ATTACKS if one.control == wall}
    found: Any = host.tried(wall, attacks)
    assert attack.name in found["found"], found["said"][-2000:]
    said, status = found["found"][attack.name]
    return f"{said}(status {status})"


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.name)
def test_it_works_without_the_wall_and_not_behind_it(host: Host, attack: Attack) -> None:
    if host.who in attack.shown_by:
        shown = tried(host, attack.control, attack)
        assert "WON" in shown or "ABSENT" in shown, f"it does not work at all: {shown}"
        if "WON" not in shown:
            print(f"{attack.name}: not to be shown on this machine: {shown}")
    for wall in attack.walls:
        said = tried(host, wall, attack)
        assert "WON" not in said, f"{wall}: {said}"
        assert "TRIED" in said or "status 31" in said or "status 159" in said, f"{wall}: {said}"
