"""Encoding and decoding with real and damaged tokenizer files."""

from __future__ import annotations

import json
from functools import cache
from itertools import islice
from pathlib import Path
from random import Random

import pytest
from tokenizers import AddedToken, models
from tokenizers import Tokenizer as HFTokenizer

from starchat_tui.errors import ConfigError
from starchat_tui.templates.tokenizer import (
    CHAT_TOKENS,
    END,
    END_OF_TEXT,
    Tokenizer,
    build_byte_alphabet,
    find_tokenizer_file,
)
from tests.sample_dialogues import FRAGMENTS, generate_texts
from tests.sample_tokenizers import (
    STARCODER_TOKENS,
    build_byte_level,
    build_sentencepiece,
    save_tokenizer,
)

GOLDEN = "Sure, what can I do for you?"


def test_the_ids_of_starcoder(starcoder: Tokenizer) -> None:
    assert [starcoder.get_control_id(token) for token in CHAT_TOKENS] == [
        49152,
        49153,
        49154,
        49155,
    ]
    assert starcoder.encode(GOLDEN) == [69, 513, 30, 2769, 883, 439, 745, 436, 844, 49]
    assert (len(starcoder), starcoder.end_id, starcoder.end_of_text_id) == (49156, 49155, 0)
    assert starcoder.encode("\n") == [203]
    assert starcoder.is_extended
    assert not starcoder.has_chat_tokens


def test_chat_tokens_follow_those_of_the_file(small: Tokenizer) -> None:
    assert [small.get_control_id(token) for token in CHAT_TOKENS] == [1024, 1025, 1026, 1027]
    assert (len(small), small.is_extended, small.has_chat_tokens) == (1028, True, False)


def test_chat_tokens_of_the_file_keep_their_ids(tmp_path: Path) -> None:
    tokenizer = build_byte_level()
    tokenizer.add_special_tokens(list(reversed(CHAT_TOKENS)))
    found = Tokenizer.load(save_tokenizer(tokenizer, tmp_path / "tokenizer.json"))
    assert [found.get_control_id(token) for token in CHAT_TOKENS] == [1027, 1026, 1025, 1024]
    assert (found.is_extended, found.has_chat_tokens) == (False, True)


def test_chat_tokens_are_not_added_for_a_model_without_them(tmp_path: Path) -> None:
    found = Tokenizer.load(
        save_tokenizer(build_byte_level(), tmp_path / "tokenizer.json"), add_chat_tokens=False
    )
    assert (len(found), found.is_extended, found.has_chat_tokens) == (1024, False, False)
    with pytest.raises(ConfigError, match="no token"):
        _ = found.end_id


def test_some_of_the_chat_tokens_are_an_error(tmp_path: Path) -> None:
    tokenizer = build_byte_level()
    tokenizer.add_special_tokens(list(CHAT_TOKENS[:2]))
    path = save_tokenizer(tokenizer, tmp_path / "tokenizer.json")
    with pytest.raises(ConfigError, match=r"not <\|assistant\|>, <\|end\|>") as raised:
        Tokenizer.load(path)
    assert raised.value.hint
    assert len(Tokenizer.load(path, add_chat_tokens=False)) == 1026


@pytest.mark.parametrize("content", ["", "{}", "nonsense", "[]", '{"model": {"type": "BPE"}}'])
def test_a_damaged_file_is_an_error_with_a_hint(tmp_path: Path, content: str) -> None:
    path = tmp_path / "tokenizer.json"
    path.write_text(content)
    with pytest.raises(ConfigError, match=r"tokenizer\.json") as raised:
        Tokenizer.load(path)
    assert raised.value.hint


def test_a_missing_file_is_an_error_with_a_hint(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="No tokenizer") as raised:
        Tokenizer.load(tmp_path / "nothing.json")
    assert "--tokenizer" in raised.value.hint


def test_a_word_level_tokenizer_is_refused(tmp_path: Path) -> None:
    words = HFTokenizer(models.WordLevel({"a": 0, "?": 1}, unk_token="?"))
    with pytest.raises(ConfigError, match="byte-level"):
        Tokenizer.load(save_tokenizer(words, tmp_path / "tokenizer.json"))


def test_the_fingerprint_is_of_the_file(tmp_path: Path) -> None:
    first = Tokenizer.load(save_tokenizer(build_byte_level(), tmp_path / "1.json"))
    same = Tokenizer.load(
        save_tokenizer(build_byte_level(), tmp_path / "2.json"), add_chat_tokens=False
    )
    other = Tokenizer.load(save_tokenizer(build_byte_level(AddedToken("<x>")), tmp_path / "3.json"))
    assert first.fingerprint == same.fingerprint != other.fingerprint
    assert len(first.fingerprint) == 16


def test_the_alphabet_has_every_byte_once() -> None:
    assert sorted(build_byte_alphabet().values()) == list(range(256))
    assert (build_byte_alphabet()["A"], build_byte_alphabet()["Ġ"], build_byte_alphabet()["Ċ"]) == (
        65,
        32,
        10,
    )


def test_any_text_survives_encoding_and_makes_no_control_token(tokenizer: Tokenizer) -> None:
    for text in (*FRAGMENTS, *islice(generate_texts(Random(1)), 2000)):
        ids = tokenizer.encode(text)
        assert tokenizer.decode(ids) == text
        assert not any(map(tokenizer.is_control, ids))


def test_a_lone_surrogate_is_replaced(small: Tokenizer) -> None:
    assert small.decode(small.encode("a\ud800b")) == "a?b"
    assert small.decode(small.align_ids([], "a\udfffb")) == "a?b"


def test_changing_returned_ids_does_not_change_the_cache(small: Tokenizer) -> None:
    small.encode("def").append(-1)
    assert small.decode(small.encode("def")) == "def"


def test_control_tokens_have_a_name_but_no_bytes(small: Tokenizer) -> None:
    ids = [small.get_control_id("<|user|>"), *small.encode("hi"), small.end_id]
    assert small.decode(ids) == "hi"
    assert small.decode_with_controls(ids) == "<|user|>hi<|end|>"
    assert small.decode_token(small.end_id) == b""
    assert small.is_control(small.get_control_id(END_OF_TEXT))


@pytest.mark.parametrize("token_id", [-1, 10**6, 2**40])
def test_an_unused_id_stands_for_nothing(small: Tokenizer, token_id: int) -> None:
    assert small.decode_token(token_id) == b""
    assert small.decode([token_id]) == ""


def test_half_a_character_is_shown_as_replaced(small: Tokenizer) -> None:
    ids = small.encode("😀")
    assert len(ids) > 1
    assert small.decode(ids[:-1]) == "\N{REPLACEMENT CHARACTER}"


def test_control_tokens_are_split_from_the_text_of_a_template(small: Tokenizer) -> None:
    assert [*small.split_control_tokens("<|user|>\nHi<|end|>")] == [
        ("<|user|>", True),
        ("\nHi", False),
        ("<|end|>", True),
    ]
    assert [*small.split_control_tokens("no token")] == [("no token", False)]
    assert [*small.split_control_tokens("")] == []


def test_the_longest_name_matches() -> None:
    found = Tokenizer(build_byte_level(*map(AddedToken, ("<a", "<a>", "<a>>"))), "x")
    assert [*found.split_control_tokens("<a>>x<a>")] == [
        ("<a>>", True),
        ("x", False),
        ("<a>", True),
    ]


class TestAdded:
    """Added tokens, as other models' files have them."""

    def test_a_token_that_is_not_marked_special_cannot_be_typed_either(self) -> None:
        found = Tokenizer(build_byte_level(AddedToken("<think>", special=False)), "x")
        ids = found.encode("<think>")
        assert found.get_control_id("<think>") not in ids
        assert found.decode(ids) == "<think>"

    def test_it_is_shown_when_a_model_generates_it(self) -> None:
        found = Tokenizer(build_byte_level(AddedToken("<think>", special=False)), "x")
        assert found.decode([found.get_control_id("<think>")]) == "<think>"
        assert not found.is_control(found.get_control_id("<think>"))

    def test_chat_tokens_that_are_not_marked_special_are_protected(self, tmp_path: Path) -> None:
        tokenizer = build_byte_level(*(AddedToken(token, special=False) for token in CHAT_TOKENS))
        found = Tokenizer.load(save_tokenizer(tokenizer, tmp_path / "tokenizer.json"))
        assert found.end_id not in found.encode(f"a{END}b")
        assert found.is_control(found.end_id)
        assert found.has_chat_tokens

    def test_runs_of_spaces_remain_tokens_of_text(self) -> None:
        found = Tokenizer(build_byte_level(AddedToken("        ", special=False)), "x")
        ids = found.encode("a        b")
        assert found.get_control_id("        ") in ids
        assert found.decode(ids) == "a        b"


class TestSentencePiece:
    """Text is encoded exactly, without the space that Llama's tokenizer puts before it."""

    def test_text_survives_encoding(self) -> None:
        found = Tokenizer(build_sentencepiece(), "x")
        for text in ("Hi a", " a", "Hi", "\n", "😀 é", "", "</s>", "<0x0A>"):
            ids = found.encode(text)
            assert found.decode(ids) == text
            assert not any(map(found.is_control, ids))
        assert found.leading_space == " "

    def test_the_tokens_before_every_text(self, small: Tokenizer) -> None:
        found = Tokenizer(build_sentencepiece(), "x")
        assert found.begin_tokens == ("<s>",)
        assert found.end_of_text_id == found.get_control_id("</s>")
        assert (small.begin_tokens, small.leading_space) == ((), "")


class TestAlignIds:
    """An answer keeps the ids it was generated as, as far as they decode to its text."""

    def test_a_trimmed_answer_keeps_its_ids(self, small: Tokenizer) -> None:
        spelled = [small.encode(letter)[0] for letter in "return x"]
        assert spelled != small.encode("return x")
        assert small.align_ids([*spelled, *small.encode("\nHuman:")], "return x") == spelled

    def test_a_token_that_crosses_the_end_is_encoded_again(self, small: Tokenizer) -> None:
        ids = small.encode("print return")
        kept = small.align_ids(ids, "print ret")
        assert small.decode(kept) == "print ret"
        assert kept[0] == ids[0]

    def test_ids_after_the_end_token_are_left_out(self, small: Tokenizer) -> None:
        assert small.align_ids([*small.encode("a"), small.end_id], "a") == small.encode("a")

    def test_other_text_is_encoded(self, small: Tokenizer) -> None:
        assert small.align_ids(small.encode("one"), "two") == small.encode("two")
        assert small.align_ids([], "two") == small.encode("two")
        assert small.align_ids(small.encode("one"), "") == []

    def test_ids_that_end_inside_a_character_are_left_out(self, small: Tokenizer) -> None:
        smile, frown = small.encode("😀"), small.encode("😁")
        assert smile[:-1] == frown[:-1]
        assert small.align_ids([*small.encode("a"), *smile], "a😁") == small.encode("a") + frown

    def test_any_ids_and_any_text(self, tokenizer: Tokenizer) -> None:
        random = Random(2)
        text = generate_texts(random)
        for _ in range(1000):
            source, other = next(text) + next(text), next(text)
            ids = _encode_oddly(tokenizer, source, random)
            wanted = source[: random.randrange(len(source) + 1)] + random.choice(["", "", other])
            found = tokenizer.align_ids(ids, wanted)
            assert tokenizer.decode(found) == wanted
            assert not any(map(tokenizer.is_control, found))
            kept = _count_agreeing(tokenizer, ids, wanted)
            assert found[:kept] == ids[:kept]

    def test_ids_of_noise(self, small: Tokenizer) -> None:
        random = Random(3)
        for _ in range(2000):
            ids = random.choices(range(len(small) + 5), k=random.randrange(12))
            wanted = small.decode(ids)[: random.randrange(12)]
            assert small.decode(small.align_ids(ids, wanted)) == wanted


def _encode_oddly(tokenizer: Tokenizer, text: str, random: Random) -> list[int]:
    """Return ids of `text` that no encoder would give: cut anywhere, even inside a character."""
    ids: list[int] = []
    for token in tokenizer.encode(text):
        whole = random.random() < 0.5
        singles = (_find_byte_ids(tokenizer)[byte] for byte in tokenizer.decode_token(token))
        ids += [token] if whole else singles
    return ids


@cache
def _find_byte_ids(tokenizer: Tokenizer) -> dict[int, int]:
    spelled = ((tokenizer.decode_token(index), index) for index in range(len(tokenizer)))
    return {data[0]: index for data, index in spelled if len(data) == 1}


def _count_agreeing(tokenizer: Tokenizer, ids: list[int], text: str) -> int:
    """Count by trial the ids that decode to whole characters at the start of `text`."""
    data = text.encode()
    good = [0]
    for count in range(1, len(ids) + 1):
        spelled = b"".join(map(tokenizer.decode_token, ids[:count]))
        if not data.startswith(spelled):
            break
        if _is_utf8(data[len(spelled) :]):
            good.append(count)
    return good[-1]


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def test_the_sample_tokenizer_is_a_real_one(tmp_path: Path) -> None:
    written = json.loads(
        save_tokenizer(build_byte_level(), tmp_path / "tokenizer.json").read_text()
    )
    assert written["model"]["type"] == "BPE"
    assert len(written["model"]["merges"]) > 500
    assert [token["content"] for token in written["added_tokens"]] == list(STARCODER_TOKENS)


def test_a_model_folder_uses_its_own_tokenizer_before_a_shared_one(tmp_path: Path) -> None:
    model = tmp_path / "model"
    model.mkdir()
    config = model / "tokenizer_config.json"
    (tmp_path / "tokenizer.json").write_text("{}")
    assert find_tokenizer_file(model) is None, "not declared"
    for declared in ("../../tokenizer.json", "/etc/tokenizer.json", True):
        config.write_text(json.dumps({"shared_tokenizer": declared}))
        assert find_tokenizer_file(model) is None
    config.write_text(json.dumps({"shared_tokenizer": "../tokenizer.json"}))
    assert find_tokenizer_file(model) == tmp_path / "tokenizer.json"
    (model / "tokenizer.json").write_text("{}")
    assert find_tokenizer_file(model) == model / "tokenizer.json"


@pytest.mark.parametrize("content", ["", "[]", "{"])
def test_a_damaged_tokenizer_config_declares_nothing(tmp_path: Path, content: str) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "tokenizer.json").write_text("{}")
    (tmp_path / "model" / "tokenizer_config.json").write_text(content)
    assert find_tokenizer_file(tmp_path / "model") is None
