"""Encoding of pieces: an answer stays in the prompt as the ids it was generated as."""

from __future__ import annotations

from starchat_tui.dialogue import Dialogue, Turn
from starchat_tui.templates.chatml import ChatMLTemplate
from starchat_tui.templates.few_shot import FewShotTemplate
from starchat_tui.templates.template import Piece, encode_piece, encode_pieces, encode_prompt
from starchat_tui.templates.tokenizer import Tokenizer
from tests.sample_dialogues import SHORT_PROMPT

"""An answer stays in the prompt as the ids it was generated as."""


def test_an_answer_keeps_its_ids_in_chatml(small: Tokenizer) -> None:
    spelled = tuple(small.encode(letter)[0] for letter in "return")
    turn = Turn("assistant", "return", spelled, small.fingerprint)
    ids = encode_prompt(Dialogue().with_message("user", "q").with_turn(turn), ChatMLTemplate(small))
    assert _contains(ids, spelled)


def test_an_answer_keeps_its_ids_in_a_few_shot_prompt_although_trimmed(small: Tokenizer) -> None:
    template = FewShotTemplate(small, SHORT_PROMPT, window=8192)
    spelled = tuple(small.encode(letter)[0] for letter in " return\n\nHuman: and")
    text = template.clean_answer(small.decode(spelled).split("\nHuman:")[0])
    turn = Turn("assistant", text, spelled, small.fingerprint)
    asked = Dialogue().with_message("user", "q")
    ids = encode_pieces(template.render(asked.with_turn(turn)), small)
    assert ids == [*encode_prompt(asked, template), *spelled[: len(" return")]]


def test_ids_of_another_tokenizer_are_not_used(small: Tokenizer) -> None:
    spelled = tuple(small.encode(letter)[0] for letter in "return")
    turn = Turn("assistant", "return", spelled, "another")
    ids = encode_prompt(Dialogue().with_turn(turn), ChatMLTemplate(small))
    assert _contains(ids, small.encode("return"))


def _contains(ids: list[int], run: list[int] | tuple[int, ...]) -> bool:
    return any(ids[at : at + len(run)] == list(run) for at in range(len(ids)))


def test_a_control_piece_is_one_id_and_the_same_text_is_not(small: Tokenizer) -> None:
    assert encode_piece(Piece("<|end|>", control=True), small) == [small.end_id]
    assert small.end_id not in encode_piece(Piece("<|end|>"), small)


def test_pieces_are_encoded_one_by_one(small: Tokenizer) -> None:
    whole = small.encode("return")
    split = encode_pieces([Piece("retur"), Piece("n")], small)
    assert split == [*small.encode("retur"), *small.encode("n")] != whole
