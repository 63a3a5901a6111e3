"""Text of files and pipes: declared encodings are read, everything else is a clear error."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from starchat_tui.config.text_file import decode_text, read_text
from starchat_tui.errors import UsageError

CODE = "# -*- coding: {} -*-\nprint('caf\xe9')\n"


@pytest.mark.parametrize("encoding", ["latin-1", "cp1252", "utf-8", "iso-8859-15"])
def test_a_declared_encoding_is_read(encoding: str) -> None:
    code = CODE.format(encoding)
    assert decode_text(code.encode(encoding), "x") == code


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32"])
def test_a_byte_order_mark_decides_and_is_dropped(encoding: str) -> None:
    assert decode_text("é = 1\n".encode(encoding), "x") == "é = 1\n"


def test_only_one_mark_at_the_beginning_is_dropped() -> None:
    assert decode_text("\ufeff\ufeffx\ufeff".encode(), "x") == "\ufeffx\ufeff"


@pytest.mark.parametrize(
    "data",
    [b"\xff", b"\x80abc", b"\xff\xfe\x00", "# coding: nonsense\né".encode("latin-1"), b"a\xe9\n"],
)
def test_other_bytes_are_no_text(data: bytes) -> None:
    with pytest.raises(UsageError, match="Standard input is not text") as caught:
        decode_text(data, "Standard input")
    assert "iconv" in caught.value.hint


def test_an_endless_source_is_read_to_its_bound() -> None:
    with Path("/dev/zero").open("rb") as zero, pytest.raises(UsageError, match="larger than 1 MiB"):
        read_text(zero, "It", limit=2**20)
    assert read_text(io.BytesIO(b"x" * 2**20), "It", limit=2**20) == "x" * 2**20


@pytest.mark.parametrize("name", ["missing", "a\0b", "."])
def test_what_cannot_be_read_is_named(name: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        read_text(tmp_path / name, f"`{name}`")
