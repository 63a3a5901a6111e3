"""`starchat run FILE`: reading the file."""

from __future__ import annotations

from pathlib import Path

import pytest

from starchat_tui.cli.run_command import read_code
from starchat_tui.errors import UsageError


def test_read_code(tmp_path: Path) -> None:
    path = tmp_path / "a.py"
    path.write_text("x = 'ü'")
    assert read_code(str(path)) == "x = 'ü'"
    path.write_bytes(b"\xff")
    for name in (str(path), str(tmp_path), str(tmp_path / "none")):
        with pytest.raises(UsageError, match="cannot be read"):
            read_code(name)
    with path.open("wb") as file:
        file.truncate(5 * 2**20)
    with pytest.raises(UsageError, match="too large"):
        read_code(str(path))
