"""The engine's log, also where it cannot be written."""

from __future__ import annotations

from pathlib import Path

import pytest

from starchat_tui.client.engine_log import open_log, read_log_tail
from starchat_tui.errors import ConfigError


def test_the_end_of_the_log_is_named(tmp_path: Path) -> None:
    log = tmp_path / "logs" / "engine.log"
    assert read_log_tail(log).endswith("(empty)")
    with open_log(log) as file:
        file.write(b"1\n\n2\n3\n4\n5\n\xff6\n")
    assert read_log_tail(log).splitlines()[1:] == [*(f"  {at}" for at in range(2, 6)), "  \ufffd6"]


@pytest.mark.parametrize("obstacle", ["a folder", "a file above"])
def test_a_log_that_cannot_be_written_is_reported(tmp_path: Path, obstacle: str) -> None:
    log = tmp_path / "logs" / "engine.log"
    if obstacle == "a folder":
        log.mkdir(parents=True)
    else:
        log.parent.touch()
    with pytest.raises(ConfigError, match="cannot be written") as caught:
        open_log(log)
    assert "STARCHAT_HOME" in caught.value.hint
