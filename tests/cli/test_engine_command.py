"""`starchat load`, `ps` and `stop` from outside."""

from __future__ import annotations

import json

from tests.cli.shell import Shell
from tests.waiting import block_until


def test_load_ps_and_stop(shell: Shell) -> None:
    loaded = shell.run("load", str(shell.model))
    assert b"window 512" in loaded.stdout
    output = json.loads(shell.run("ps", "--json").stdout)
    assert str(shell.model) in output["models"]
    assert shell.run("stop").returncode == 0
    block_until(lambda: b"no engine runs" in shell.run("ps").stdout)
