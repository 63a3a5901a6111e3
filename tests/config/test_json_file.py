"""JSON files that hold one object."""

from __future__ import annotations

from pathlib import Path

import pytest

from starchat_tui.config.json_file import read_json_object


def test_an_object_is_read(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_text('{"a": "é"}', encoding="utf-8")
    assert read_json_object(path) == {"a": "é"}


@pytest.mark.parametrize("content", [b"[]", b"1", b"{", b"", b"\xff"])
def test_anything_else_is_an_error(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "config.json"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"object|Expecting|decode"):
        read_json_object(path)


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_json_object(tmp_path / "none.json")
