"""Text from tokens: exact wherever they are cut, and without a part of a stop text."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest
from tokenizers import Tokenizer as HFTokenizer

from starchat_tui.engine.detokenize import StopFilter, TokenDecoder
from starchat_tui.templates.tokenizer import Tokenizer
from tests.fakes import CHAT_IDS, byte_tokenizer

TEXT = "def größe(): return '🙂 ﬁn' # 日本語\r\n\té"


def decode_all(decoder: TokenDecoder, ids: list[int]) -> str:
    return "".join([*map(decoder.feed, ids), decoder.finish()])


def test_bytes_are_exact_for_every_cut() -> None:
    data = TEXT.encode()
    for cut in range(len(data) + 1):
        parts = [data[:cut], data[cut:]]
        assert decode_all(TokenDecoder(parts.__getitem__), [0, 1]) == TEXT


def test_random_bytes_decode_as_if_they_came_at_once() -> None:
    rng = random.Random(0)
    for _ in range(2_000):
        tokens = [rng.randbytes(rng.randrange(4)) for _ in range(rng.randrange(12))]
        whole = b"".join(tokens).decode(errors="replace")
        assert decode_all(TokenDecoder(tokens.__getitem__), list(range(len(tokens)))) == whole


def test_a_character_waits_for_its_last_byte() -> None:
    shown = [*map(TokenDecoder(lambda token: bytes([token])).feed, "é".encode())]
    assert shown == ["", "é"]


@pytest.fixture
def tokenizer(tmp_path: Path) -> Tokenizer:
    (tmp_path / "tokenizer.json").write_text(json.dumps(byte_tokenizer()))
    return Tokenizer.load(tmp_path / "tokenizer.json")


def test_text_survives_encoding_and_decoding(tokenizer: Tokenizer) -> None:
    assert decode_all(TokenDecoder(tokenizer.decode_token), tokenizer.encode(TEXT)) == TEXT


def test_random_tokens_of_starcoder_decode_as_in_tokenizers(shared_data: Path) -> None:
    path = shared_data / "starcoder-vocabulary" / "tokenizer.json"
    ours, theirs, rng = Tokenizer.load(path), HFTokenizer.from_file(str(path)), random.Random(0)
    for _ in range(300):
        ids = rng.choices(range(49_152), k=30)
        assert decode_all(TokenDecoder(ours.decode_token), ids) == theirs.decode(
            ids, skip_special_tokens=True
        )


def test_control_tokens_have_no_text(tokenizer: Tokenizer) -> None:
    assert decode_all(TokenDecoder(tokenizer.decode_token), [104, CHAT_IDS[3], 105]) == "hi"


def cut_at_stop(text: str, stops: list[str]) -> str:
    """Return the text before the stop that is complete first, found character by character."""
    for end in range(len(text) + 1):
        starts = [end - len(stop) for stop in stops if text[:end].endswith(stop)]
        if starts:
            return text[: min(starts)]
    return text


def test_stopping_equals_cutting_afterwards_for_every_cut() -> None:
    rng = random.Random(0)
    for _ in range(20_000):
        text = "".join(rng.choices("ab-\n", k=rng.randrange(14)))
        stops = ["".join(rng.choices("ab-\n", k=rng.randrange(1, 5))) for _ in range(3)]
        stops = stops[: rng.randrange(4)]
        stopper, shown, rest = StopFilter(stops), "", text
        while rest and not stopper.is_complete:
            size = rng.randrange(1, 5)
            piece, rest = rest[:size], rest[size:]
            shown += stopper.feed(piece)
            expected = cut_at_stop(text, stops)
            assert expected.startswith(shown), "a part of a stop text leaked"
            held = len(text) - len(rest) - len(shown)
            if not stopper.is_complete:
                assert held <= max(map(len, stops), default=1) - 1
        assert shown + stopper.finish() == cut_at_stop(text, stops)


def test_text_that_only_begins_like_a_stop_is_released() -> None:
    stopper = StopFilter(["\nHuman:"])
    assert [stopper.feed(piece) for piece in ("a\nHum", "ble")] == ["a", "\nHumble"]
