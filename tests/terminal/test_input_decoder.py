"""Terminal input, whatever arrives and however it is cut."""

from __future__ import annotations

import random

import pytest

from starchat_tui.terminal.input_decoder import (
    InputDecoder,
    Keys,
    Paste,
    decode_typed_ahead,
    is_burst,
)
from tests.fuzz_size import choose_size

PASTE = b"\x1b[200~def f():\r    return 1\rwhy?\x1b[201~"
SENT = b"a\x1b[A" + PASTE + b"\x1b\r\x1b[<0;10;20M" + "é漢👍".encode() + b"\x1bOP\x1b[M \xa0\x30z"
EXPECTED = "a|\x1b[A|<def f():\n    return 1\nwhy?>|\x1b\r|\x1b[<0;10;20M|é漢👍|\x1bOP|z"


def describe(parts: list[Keys | Paste]) -> str:
    return "|".join(f"<{part.text}>" if isinstance(part, Paste) else part.text for part in parts)


def decode(*pieces: bytes) -> str:
    decoder = InputDecoder()
    return describe([part for piece in pieces for part in decoder.feed(piece)] + decoder.flush())


def test_input_is_divided_into_keys_and_pastes() -> None:
    assert decode(SENT) == EXPECTED


@pytest.mark.parametrize("cut", range(1, len(SENT)))
def test_input_is_the_same_however_it_is_cut(cut: int) -> None:
    assert decode(SENT[:cut], SENT[cut:]).replace("|", "") == EXPECTED.replace("|", "")


@pytest.mark.parametrize("byte", range(256))
def test_every_byte_alone_is_harmless(byte: int) -> None:
    decoder = InputDecoder()
    before = decoder.feed(bytes([byte])) + decoder.flush()
    after = decoder.feed(b"x")
    assert "".join(part.text for part in before + after).endswith("x")


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        (b"caf\xe9 au", "caf� au"),
        (b"\x9bA", "�A"),
        (b"\xf2x", "�x"),
        (b"\x80", ""),
        (b"\x1b[M \xff\xffok", "ok"),
        (b"\x1b[M \xa0", ""),
        (b"\x1b]11;rgb:0/0/0\x07ok", "ok"),
        (b"\x1bP1$r0m\x1b\\ok", "ok"),
        (b"\x1b[" + b"1" * 200 + b"mok", None),
        (b"\x1b[1;2", ""),
        (b"\x1b", "\x1b"),
        (b"\x1b\x1b", "\x1b|\x1b"),
        (b"\x1bO", "\x1bO"),
        (b"\x1b]", "\x1b]"),
        ("\x1bé".encode(), "\x1bé"),
    ],
)
def test_odd_input(sent: bytes, expected: str | None) -> None:
    decoder = InputDecoder()
    found = describe(decoder.feed(sent) + decoder.flush())
    assert expected is None or found.rstrip("�") == expected.rstrip("�")
    assert describe(decoder.feed(b"\x1b[Ax")).endswith("\x1b[A|x")


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        (b"line one\nline two\nline three", "<line one\nline two\nline three>"),
        (b"line one\rline two\r", "<line one\nline two\n>"),
        (b"x = 1\r\n\r\ny = 2", "<x = 1\n\ny = 2>"),
        (b"q" * 8000, f"<{'q' * 8000}>"),
        (b"a question that a script typed, then Enter\r", None),
        (b"hi\r", "hi\r"),
        (b"\r\r\r", "\r\r\r"),
        (b"\n", "\n"),
        ("你好世界".encode(), "你好世界"),
        (b"\x7f" * 100, "\x7f" * 100),
        (b"\x03" * 40, "\x03" * 40),
    ],
)
def test_what_nobody_can_have_typed_is_a_paste(sent: bytes, expected: str | None) -> None:
    assert decode(sent) == (expected or "<a question that a script typed, then Enter>|\r")


@pytest.mark.parametrize(
    "pasted", [b"a\x1bb", b"\x1b[A x \x1b[B", b"\x1b", b"\x1b[M", b"x\x1b[200~y", b"\r\n" * 50]
)
def test_a_paste_keeps_its_order_whatever_it_holds(pasted: bytes) -> None:
    decoder = InputDecoder()
    parts = [
        part
        for byte in b"\x1b[200~" + pasted + b"\x1b[201~z"
        for part in decoder.feed(bytes([byte]))
    ]
    text = pasted.decode().replace("\r\n", "\n")
    assert parts == [Paste(text), Keys("z")]


def test_a_paste_whose_end_never_comes_is_not_lost() -> None:
    decoder = InputDecoder()
    assert decoder.feed(b"\x1b[200~abc") == []
    assert decoder.is_pasting
    assert decoder.flush() == [Paste("abc")]
    assert decoder.feed(b"d") == [Keys("d")]


def test_text_before_the_screen_keeps_its_lines_and_no_markers() -> None:
    assert decode_typed_ahead(PASTE) == "def f():\n    return 1\nwhy?"
    assert decode_typed_ahead(b"\x1b[Ahi\xe9\x03 you\n") == "hi� you"


def test_a_read_that_ends_in_a_line_break_may_be_continued() -> None:
    assert is_burst(b"line one\r")
    assert is_burst(b"x" * 40)
    assert not is_burst(b"\r")
    assert not is_burst(b"ab")


@pytest.mark.fuzz
def test_random_bytes_lose_no_letter_that_follows() -> None:
    random.seed(1)
    for _ in range(choose_size(2_000, 100_000)):
        decoder = InputDecoder()
        noise = random.randbytes(random.randrange(40))
        decoder.feed(noise)
        decoder.flush()
        decoder.flush()
        assert not decoder.has_pending
        assert "Q" in "".join(part.text for part in decoder.feed(b"Q"))
