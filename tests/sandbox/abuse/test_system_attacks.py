"""Attacks of `attacks.py`: each works without the sandbox and fails in it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.sandbox.attacks import ATTACKS, TOOLS, Attack
from tests.sandbox.conftest import Host
from tests.sandbox.kernels import ENVIRONMENTS

pytestmark = pytest.mark.bwrap
CODE = {attack.name: TOOLS + attack.code for attack in ATTACKS}


def run_attack(host: Host, level: str, attack: Attack, environment: Path | None = None) -> str:
    """Return the output and exit status of an attack at a level, in an environment."""
    attacks = CODE
    if level in ("none", "naive"):
        attacks = {one.name: CODE[one.name] for one in ATTACKS if one.control == level}
    found: Any = host.run_attacks(level, attacks, environment)
    assert attack.name in found["found"], found["stderr"][-2000:]
    output, status = found["found"][attack.name]
    return f"{output}(status {status})"


@pytest.mark.parametrize("environment", ENVIRONMENTS, ids=str)
@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.name)
def test_attack_works_without_the_sandbox_and_fails_in_it(
    host: Host, attack: Attack, environment: Path | None
) -> None:
    if host.account in attack.shown_by:
        output = run_attack(host, attack.control, attack)
        assert "WON" in output or "ABSENT" in output, (
            f"it does not work without the sandbox either: {output}"
        )
        if "WON" not in output:
            print(f"{attack.name}: cannot be shown to work on this machine: {output}")
    for level in attack.levels:
        output = run_attack(host, level, attack, environment)
        assert "WON" not in output, f"{level}: {output}"
        assert "TRIED" in output or "status 31" in output or "status 159" in output, (
            f"{level}: {output}"
        )
