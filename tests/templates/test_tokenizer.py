from __future__ import annotations

import json
from functools import cache
from itertools import islice
from pathlib import Path
from random import Random

import pytest
from tokenizers import AddedToken, Tokenizer, models

from starchat_tui.errors import ConfigError
from starchat_tui.templates.tokenizer import (
    CHAT_TOKENS,
    END,
    END_OF_TEXT,
    Vocabulary,
    byte_alphabet,
)
from tests.vocabularies import FRAGMENTS, STARCODERS, byte_level, sentencepiece, texts, write

GOLDEN = "Sure, what can I do for you?"


def test_starcoders_ids(starcoder: Vocabulary) -> None:
    assert [starcoder.control_id(token) for token in CHAT_TOKENS] == [49152, 49153, 49154, 49155]
    assert starcoder.text_ids(GOLDEN) == [69, 513, 30, 2769, 883, 439, 745, 436, 844, 49]
    assert (len(starcoder), starcoder.end_id, starcoder.end_of_text_id) == (49156, 49155, 0)
    assert starcoder.text_ids("\n") == [203]
    assert starcoder.grown
    assert not starcoder.chats


def test_the_four_tokens_follow_the_files_own(small: Vocabulary) -> None:
    assert [small.control_id(token) for token in CHAT_TOKENS] == [1024, 1025, 1026, 1027]
    assert (len(small), small.grown, small.chats) == (1028, True, False)


def test_a_model_that_chats_keeps_its_ids(tmp_path: Path) -> None:
    tokenizer = byte_level()
    tokenizer.add_special_tokens(list(reversed(CHAT_TOKENS)))
    found = Vocabulary.load(write(tokenizer, tmp_path / "tokenizer.json"))
    assert [found.control_id(token) for token in CHAT_TOKENS] == [1027, 1026, 1025, 1024]
    assert (found.grown, found.chats) == (False, True)


def test_a_foreign_models_vocabulary_is_not_grown(tmp_path: Path) -> None:
    found = Vocabulary.load(write(byte_level(), tmp_path / "tokenizer.json"), grow=False)
    assert (len(found), found.grown, found.chats) == (1024, False, False)
    with pytest.raises(ConfigError, match="no token"):
        _ = found.end_id


def test_half_of_the_four_tokens_is_an_error(tmp_path: Path) -> None:
    tokenizer = byte_level()
    tokenizer.add_special_tokens(list(CHAT_TOKENS[:2]))
    path = write(tokenizer, tmp_path / "tokenizer.json")
    with pytest.raises(ConfigError, match=r"not <\|assistant\|>, <\|end\|>") as raised:
        Vocabulary.load(path)
    assert raised.value.hint
    assert len(Vocabulary.load(path, grow=False)) == 1026


@pytest.mark.parametrize("content", ["", "{}", "nonsense", "[]", '{"model": {"type": "BPE"}}'])
def test_a_damaged_file_is_an_error_with_a_hint(tmp_path: Path, content: str) -> None:
    path = tmp_path / "tokenizer.json"
    path.write_text(content)
    with pytest.raises(ConfigError, match=r"tokenizer\.json") as raised:
        Vocabulary.load(path)
    assert raised.value.hint


def test_an_absent_file_is_an_error_with_a_hint(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="No tokenizer") as raised:
        Vocabulary.load(tmp_path / "nothing.json")
    assert "--tokenizer" in raised.value.hint


def test_a_vocabulary_of_words_is_refused(tmp_path: Path) -> None:
    words = Tokenizer(models.WordLevel({"a": 0, "?": 1}, unk_token="?"))
    with pytest.raises(ConfigError, match="byte-level"):
        Vocabulary.load(write(words, tmp_path / "tokenizer.json"))


def test_the_fingerprint_is_of_the_file(tmp_path: Path) -> None:
    first = Vocabulary.load(write(byte_level(), tmp_path / "1.json"))
    same = Vocabulary.load(write(byte_level(), tmp_path / "2.json"), grow=False)
    other = Vocabulary.load(write(byte_level(AddedToken("<x>")), tmp_path / "3.json"))
    assert first.fingerprint == same.fingerprint != other.fingerprint
    assert len(first.fingerprint) == 16


def test_the_alphabet_names_every_byte_once() -> None:
    assert sorted(byte_alphabet().values()) == list(range(256))
    assert (byte_alphabet()["A"], byte_alphabet()["Ġ"], byte_alphabet()["Ċ"]) == (65, 32, 10)


def test_any_text_comes_back_and_makes_no_control_token(vocabulary: Vocabulary) -> None:
    for text in (*FRAGMENTS, *islice(texts(Random(1)), 2000)):
        ids = vocabulary.text_ids(text)
        assert vocabulary.decode(ids) == text
        assert not any(map(vocabulary.is_control, ids))


def test_a_lone_surrogate_is_replaced(small: Vocabulary) -> None:
    assert small.decode(small.text_ids("a\ud800b")) == "a?b"
    assert small.decode(small.aligned([], "a\udfffb")) == "a?b"


def test_ids_of_a_text_are_the_callers_own(small: Vocabulary) -> None:
    small.text_ids("def").append(-1)
    assert small.decode(small.text_ids("def")) == "def"


def test_control_tokens_have_no_bytes_but_a_name(small: Vocabulary) -> None:
    ids = [small.control_id("<|user|>"), *small.text_ids("hi"), small.end_id]
    assert small.decode(ids) == "hi"
    assert small.visible(ids) == "<|user|>hi<|end|>"
    assert small.bytes_of(small.end_id) == b""
    assert small.is_control(small.control_id(END_OF_TEXT))


@pytest.mark.parametrize("token_id", [-1, 10**6, 2**40])
def test_an_unused_id_stands_for_nothing(small: Vocabulary, token_id: int) -> None:
    assert small.bytes_of(token_id) == b""
    assert small.decode([token_id]) == ""


def test_half_a_character_is_shown_as_replaced(small: Vocabulary) -> None:
    ids = small.text_ids("😀")
    assert len(ids) > 1
    assert small.decode(ids[:-1]) == "\N{REPLACEMENT CHARACTER}"


def test_a_layouts_words_are_told_from_its_control_tokens(small: Vocabulary) -> None:
    assert [*small.split("<|user|>\nHi<|end|>")] == [
        ("<|user|>", True),
        ("\nHi", False),
        ("<|end|>", True),
    ]
    assert [*small.split("no token")] == [("no token", False)]
    assert [*small.split("")] == []


def test_of_two_names_the_longer_is_meant() -> None:
    found = Vocabulary(byte_level(*map(AddedToken, ("<a", "<a>", "<a>>"))), "x")
    assert [*found.split("<a>>x<a>")] == [("<a>>", True), ("x", False), ("<a>", True)]


class TestAdded:
    """Added tokens, as other models' files have them."""

    def test_a_token_that_is_not_marked_special_cannot_be_typed_either(self) -> None:
        found = Vocabulary(byte_level(AddedToken("<think>", special=False)), "x")
        ids = found.text_ids("<think>")
        assert found.control_id("<think>") not in ids
        assert found.decode(ids) == "<think>"

    def test_it_is_shown_when_a_model_writes_it(self) -> None:
        found = Vocabulary(byte_level(AddedToken("<think>", special=False)), "x")
        assert found.decode([found.control_id("<think>")]) == "<think>"
        assert not found.is_control(found.control_id("<think>"))

    def test_chat_tokens_not_marked_special_are_guarded(self, tmp_path: Path) -> None:
        tokenizer = byte_level(*(AddedToken(token, special=False) for token in CHAT_TOKENS))
        found = Vocabulary.load(write(tokenizer, tmp_path / "tokenizer.json"))
        assert found.end_id not in found.text_ids(f"a{END}b")
        assert found.is_control(found.end_id)
        assert found.chats

    def test_runs_of_spaces_stay_tokens_of_text(self) -> None:
        found = Vocabulary(byte_level(AddedToken("        ", special=False)), "x")
        ids = found.text_ids("a        b")
        assert found.control_id("        ") in ids
        assert found.decode(ids) == "a        b"


class TestSentencePiece:
    """Llama's scheme: it is read exactly, without the space it puts before text."""

    def test_text_comes_back(self) -> None:
        found = Vocabulary(sentencepiece(), "x")
        for text in ("Hi a", " a", "Hi", "\n", "😀 é", "", "</s>", "<0x0A>"):
            ids = found.text_ids(text)
            assert found.decode(ids) == text
            assert not any(map(found.is_control, ids))
        assert found.lead == " "

    def test_what_stands_before_every_text(self, small: Vocabulary) -> None:
        found = Vocabulary(sentencepiece(), "x")
        assert found.begin == ("<s>",)
        assert found.end_of_text_id == found.control_id("</s>")
        assert (small.begin, small.lead) == ((), "")


class TestAligned:
    """An answer keeps the ids it was generated as, as far as its text was kept."""

    def test_a_trimmed_answer_keeps_its_ids(self, small: Vocabulary) -> None:
        spelled = [small.text_ids(letter)[0] for letter in "return x"]
        assert spelled != small.text_ids("return x")
        assert small.aligned([*spelled, *small.text_ids("\nHuman:")], "return x") == spelled

    def test_a_token_that_reaches_over_the_end_is_encoded_anew(self, small: Vocabulary) -> None:
        ids = small.text_ids("print return")
        kept = small.aligned(ids, "print ret")
        assert small.decode(kept) == "print ret"
        assert kept[0] == ids[0]

    def test_the_end_token_ends_the_agreement(self, small: Vocabulary) -> None:
        assert small.aligned([*small.text_ids("a"), small.end_id], "a") == small.text_ids("a")

    def test_other_text_is_encoded(self, small: Vocabulary) -> None:
        assert small.aligned(small.text_ids("one"), "two") == small.text_ids("two")
        assert small.aligned([], "two") == small.text_ids("two")
        assert small.aligned(small.text_ids("one"), "") == []

    def test_inside_a_character_it_goes_back_to_the_characters_start(
        self, small: Vocabulary
    ) -> None:
        smile, frown = small.text_ids("😀"), small.text_ids("😁")
        assert smile[:-1] == frown[:-1]
        assert small.aligned([*small.text_ids("a"), *smile], "a😁") == small.text_ids("a") + frown

    def test_any_ids_and_any_text(self, vocabulary: Vocabulary) -> None:
        random = Random(2)
        text = texts(random)
        for _ in range(1000):
            said, other = next(text) + next(text), next(text)
            ids = _resplit(vocabulary, said, random)
            wanted = said[: random.randrange(len(said) + 1)] + random.choice(["", "", other])
            found = vocabulary.aligned(ids, wanted)
            assert vocabulary.decode(found) == wanted
            assert not any(map(vocabulary.is_control, found))
            kept = _agreeing(vocabulary, ids, wanted)
            assert found[:kept] == ids[:kept]

    def test_ids_of_noise(self, small: Vocabulary) -> None:
        random = Random(3)
        for _ in range(2000):
            ids = random.choices(range(len(small) + 5), k=random.randrange(12))
            wanted = small.decode(ids)[: random.randrange(12)]
            assert small.decode(small.aligned(ids, wanted)) == wanted


def _resplit(vocabulary: Vocabulary, text: str, random: Random) -> list[int]:
    """Ids of `text` that no encoder would make: cut anywhere, also inside characters."""
    ids: list[int] = []
    for token in vocabulary.text_ids(text):
        whole = random.random() < 0.5
        singles = (_byte_ids(vocabulary)[byte] for byte in vocabulary.bytes_of(token))
        ids += [token] if whole else singles
    return ids


@cache
def _byte_ids(vocabulary: Vocabulary) -> dict[int, int]:
    spelled = ((vocabulary.bytes_of(index), index) for index in range(len(vocabulary)))
    return {data[0]: index for data, index in spelled if len(data) == 1}


def _agreeing(vocabulary: Vocabulary, ids: list[int], text: str) -> int:
    """The longest run of `ids` that spells whole characters at the start of `text`, by trial."""
    data = text.encode()
    good = [0]
    for count in range(1, len(ids) + 1):
        spelled = b"".join(map(vocabulary.bytes_of, ids[:count]))
        if not data.startswith(spelled):
            break
        if _decodes(data[len(spelled) :]):
            good.append(count)
    return good[-1]


def _decodes(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def test_the_file_made_here_is_a_real_one(tmp_path: Path) -> None:
    written = json.loads(write(byte_level(), tmp_path / "tokenizer.json").read_text())
    assert written["model"]["type"] == "BPE"
    assert len(written["model"]["merges"]) > 500
    assert [token["content"] for token in written["added_tokens"]] == list(STARCODERS)
