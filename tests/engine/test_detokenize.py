"""Text that comes in tokens: exact for every cut, and no part of a stop text leaks."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest
from tokenizers import Tokenizer

from starchat_tui.engine.detokenize import Decoder, Stopper
from starchat_tui.templates.tokenizer import Vocabulary
from tests.fakes import CHAT_IDS, byte_tokenizer

TEXT = "def größe(): return '🙂 ﬁn' # 日本語\r\n\té"


def decoded(decoder: Decoder, ids: list[int]) -> str:
    return "".join([*map(decoder.feed, ids), decoder.finish()])


def test_bytes_are_exact_for_every_cut() -> None:
    data = TEXT.encode()
    for cut in range(len(data) + 1):
        parts = [data[:cut], data[cut:]]
        assert decoded(Decoder(parts.__getitem__), [0, 1]) == TEXT


def test_token_soup_is_what_decoding_at_the_end_gives() -> None:
    dice = random.Random(0)
    for _ in range(2_000):
        tokens = [dice.randbytes(dice.randrange(4)) for _ in range(dice.randrange(12))]
        whole = b"".join(tokens).decode(errors="replace")
        assert decoded(Decoder(tokens.__getitem__), list(range(len(tokens)))) == whole


def test_a_character_waits_for_its_last_byte() -> None:
    said = [*map(Decoder(lambda token: bytes([token])).feed, "é".encode())]
    assert said == ["", "é"]


@pytest.fixture
def vocabulary(tmp_path: Path) -> Vocabulary:
    (tmp_path / "tokenizer.json").write_text(json.dumps(byte_tokenizer()))
    return Vocabulary.load(tmp_path / "tokenizer.json")


def test_text_goes_there_and_back(vocabulary: Vocabulary) -> None:
    assert decoded(Decoder(vocabulary.bytes_of), vocabulary.text_ids(TEXT)) == TEXT


def test_soup_of_starcoders_tokens_is_what_tokenizers_decodes(shared_data: Path) -> None:
    path = shared_data / "starcoder-vocabulary" / "tokenizer.json"
    ours, theirs, dice = Vocabulary.load(path), Tokenizer.from_file(str(path)), random.Random(0)
    for _ in range(300):
        ids = dice.choices(range(49_152), k=30)
        assert decoded(Decoder(ours.bytes_of), ids) == theirs.decode(ids, skip_special_tokens=True)


def test_control_tokens_have_no_text(vocabulary: Vocabulary) -> None:
    assert decoded(Decoder(vocabulary.bytes_of), [104, CHAT_IDS[3], 105]) == "hi"


def cut_at_stop(text: str, stops: list[str]) -> str:
    """The text up to the stop that is complete first, found afterwards, character by character."""
    for end in range(len(text) + 1):
        starts = [end - len(stop) for stop in stops if text[:end].endswith(stop)]
        if starts:
            return text[: min(starts)]
    return text


def test_stopping_equals_cutting_afterwards_for_every_cut() -> None:
    dice = random.Random(0)
    for _ in range(20_000):
        text = "".join(dice.choices("ab-\n", k=dice.randrange(14)))
        stops = ["".join(dice.choices("ab-\n", k=dice.randrange(1, 5))) for _ in range(3)]
        stops = stops[: dice.randrange(4)]
        stopper, said, rest = Stopper(stops), "", text
        while rest and not stopper.stopped:
            size = dice.randrange(1, 5)
            piece, rest = rest[:size], rest[size:]
            said += stopper.feed(piece)
            wanted = cut_at_stop(text, stops)
            assert wanted.startswith(said), "a part of a stop text leaked"
            held = len(text) - len(rest) - len(said)
            if not stopper.stopped:
                assert held <= max(map(len, stops), default=1) - 1
        assert said + stopper.finish() == cut_at_stop(text, stops)


def test_what_only_looks_like_a_stop_is_released() -> None:
    stopper = Stopper(["\nHuman:"])
    assert [stopper.feed(piece) for piece in ("a\nHum", "ble")] == ["a", "\nHumble"]
