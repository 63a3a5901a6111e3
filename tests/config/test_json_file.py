"""JSON files that hold one object."""

from __future__ import annotations

from pathlib import Path

import pytest

from starchat_tui.config.json_file import MAX_BYTES, parse_json, read_json_object


def test_an_object_is_read(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_text('{"a": "é"}', encoding="utf-8")
    assert read_json_object(path) == {"a": "é"}


DEEP = [b"[" * 200_000, b'{"a":' * 200_000, b"9" * 5_000]


@pytest.mark.parametrize("content", [b"[]", b"1", b"{", b"", b"\xff", *DEEP])
def test_anything_else_is_an_error(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "config.json"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"object|Expecting|decode|deeply|digits"):
        read_json_object(path)


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_json_object(tmp_path / "none.json")


def test_a_huge_file_is_refused_without_reading_all_of_it(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    with path.open("wb") as file:
        file.truncate(100 * MAX_BYTES)
    with pytest.raises(ValueError, match="larger than 64 MiB"):
        read_json_object(path)


@pytest.mark.parametrize("text", ["[" * 200_000, '{"a":' * 200_000])
def test_deep_nesting_is_malformed_json(text: str) -> None:
    with pytest.raises(ValueError, match="deeply"):
        parse_json(text)
