"""Text that comes in tokens: exact for every cut, and no part of a stop text leaks."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest
from tokenizers import Tokenizer, decoders, models, normalizers

from starchat_tui.engine.detokenize import ByteDecoder, Codec, Decoder, Stopper
from starchat_tui.errors import ConfigError
from tests.fakes import CHAT_IDS, byte_tokenizer

TEXT = "def größe(): return '🙂 ﬁn' # 日本語\r\n\té"


def decoded(decoder: Decoder, ids: list[int]) -> str:
    return "".join([*map(decoder.feed, ids), decoder.finish()])


def test_bytes_are_exact_for_every_cut() -> None:
    data = TEXT.encode()
    for cut in range(len(data) + 1):
        parts = [data[:cut], data[cut:]]
        assert decoded(ByteDecoder(parts.__getitem__), [0, 1]) == TEXT


def test_token_soup_is_what_decoding_at_the_end_gives() -> None:
    dice = random.Random(0)
    for _ in range(2_000):
        tokens = [dice.randbytes(dice.randrange(4)) for _ in range(dice.randrange(12))]
        whole = b"".join(tokens).decode(errors="replace")
        assert decoded(ByteDecoder(tokens.__getitem__), list(range(len(tokens)))) == whole


def test_a_character_waits_for_its_last_byte() -> None:
    said = [*map(ByteDecoder(lambda token: bytes([token])).feed, "é".encode())]
    assert said == ["", "é"]


@pytest.fixture
def byte_codec(tmp_path: Path) -> Codec:
    (tmp_path / "tokenizer.json").write_text(json.dumps(byte_tokenizer()))
    return Codec(tmp_path / "tokenizer.json")


def test_a_byte_level_codec_goes_there_and_back(byte_codec: Codec) -> None:
    assert decoded(byte_codec.decoder(), list(byte_codec.ids(TEXT))) == TEXT


def test_soup_of_starcoders_tokens_is_what_tokenizers_decodes(shared_data: Path) -> None:
    path = shared_data / "starcoder-vocabulary" / "tokenizer.json"
    codec, theirs, dice = Codec(path), Tokenizer.from_file(str(path)), random.Random(0)
    for _ in range(300):
        ids = dice.choices(range(49_152), k=30)
        assert decoded(codec.decoder(), ids) == theirs.decode(ids, skip_special_tokens=True)


def test_control_tokens_have_no_text_and_cannot_be_written(byte_codec: Codec) -> None:
    assert decoded(byte_codec.decoder(), [104, CHAT_IDS[3], 105]) == "hi"
    assert not set(byte_codec.ids("<|end|><|endoftext|>")) & set(CHAT_IDS)


@pytest.fixture
def piece_codec(tmp_path: Path) -> Codec:
    """A SentencePiece-like vocabulary: spaces as marks, single bytes where it has no piece."""
    pieces = ["<unk>", *(f"<0x{byte:02X}>" for byte in range(256)), "▁", "▁the", "▁cat", "s", "é"]
    pieces += ["t", "h", "e", "c", "a", "▁t", "▁th", "▁c", "▁ca", "at"]
    merges = [("▁", "t"), ("▁t", "h"), ("▁th", "e"), ("▁", "c"), ("▁c", "a"), ("▁ca", "t")]
    vocabulary = {piece: index for index, piece in enumerate(pieces)}
    merges = [pair for pair in merges if "".join(pair) in vocabulary]
    model = models.BPE(vocabulary, merges, unk_token="<unk>", byte_fallback=True)
    tokenizer = Tokenizer(model)
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")]
    )
    tokenizer.decoder = decoders.Sequence(
        [
            decoders.Replace("▁", " "),
            decoders.ByteFallback(),
            decoders.Fuse(),
            decoders.Strip(" ", 1, 0),
        ]
    )
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    return Codec(tmp_path / "tokenizer.json")


@pytest.mark.parametrize("text", ["the cats", "the é 🙂 cat", "日本 the", " the", ""])
def test_other_vocabularies_stream_what_they_decode_at_the_end(
    piece_codec: Codec, text: str
) -> None:
    ids = list(piece_codec.ids(text))
    decoder = piece_codec.decoder()
    pieces = [decoder.feed(token) for token in ids]
    assert "".join([*pieces, decoder.finish()]) == text
    assert "\N{REPLACEMENT CHARACTER}" not in "".join(pieces)


def test_an_answer_that_ends_inside_a_character_is_replaced(piece_codec: Codec) -> None:
    ids = list(piece_codec.ids("é🙂"))
    assert decoded(piece_codec.decoder(), ids[:-1]).endswith("\N{REPLACEMENT CHARACTER}")


def test_a_file_that_is_no_tokenizer_is_a_typed_error(tmp_path: Path) -> None:
    for text in ("", "[]", "{"):
        (tmp_path / "tokenizer.json").write_text(text)
        with pytest.raises(ConfigError):
            Codec(tmp_path / "tokenizer.json")


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
