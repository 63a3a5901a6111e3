"""ChatML, the format that StarChat was fine-tuned on.

It must match to the byte the dialogue template of the StarChat fine-tune (`chat/dialogues.py` in
https://github.com/bigcode-project/starcoder):

    <|system|>\\n{system}<|end|>\\n
    <|user|>\\n{text}<|end|>\\n<|assistant|>\\n{text}<|end|>\\n …
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

from starchat_tui.dialogue import Dialogue, Turn
from starchat_tui.templates.template import IGNORE_INDEX, Piece, Stops, encode_piece
from starchat_tui.templates.tokenizer import CHAT_TOKENS, Tokenizer

_SYSTEM, _USER, _ASSISTANT, _END = CHAT_TOKENS
_CLOSING = (Piece(_END, control=True), Piece("\n"))


class ChatMLTemplate:
    """StarChat's format, for a model that was fine-tuned on it."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self.tokenizer = tokenizer

    def render(self, dialogue: Dialogue, *, add_generation_prompt: bool = False) -> Iterator[Piece]:
        """Yield the system turn, which is there even if it is empty, and the turns."""
        yield from self.render_opening(dialogue.system)
        yield from chain.from_iterable(map(self.render_turn, dialogue.turns))
        if add_generation_prompt:
            yield from self.render_generation_prompt()

    def render_opening(self, system: str) -> Iterator[Piece]:
        """Yield the system turn."""
        yield from (Piece(_SYSTEM, control=True), Piece("\n"), Piece(system), *_CLOSING)

    def render_turn(self, turn: Turn) -> Iterator[Piece]:
        """Yield one turn; training learns the assistant's text and the end token after it."""
        if turn.role == "user":
            yield from (Piece(_USER, control=True), Piece("\n"), Piece(turn.text), *_CLOSING)
            return
        yield from self.render_generation_prompt()
        yield Piece(turn.text, learned=True, turn=turn)
        # Generation stops at the end token, so the newline behind it is not learned.
        yield from (Piece(_END, control=True, learned=True), Piece("\n"))

    def render_generation_prompt(self) -> Iterator[Piece]:
        """Yield `<|assistant|>` and its newline."""
        yield from (Piece(_ASSISTANT, control=True), Piece("\n"))

    def get_stops(self) -> Stops:
        """Return the end token and the end of text."""
        return Stops((self.tokenizer.end_id, self.tokenizer.end_of_text_id))

    def clean_answer(self, text: str) -> str:
        """Return the generated text unchanged."""
        return text

    def count_quoted_lines(self, dialogue: Dialogue) -> int:
        """Return 0: text cannot spell control tokens, so nothing has to be quoted."""
        return 0

    def count_shared_tokens(self, system: str) -> int:
        """Return 0: a conversation begins with the user's own text."""
        return 0


def encode_training_row(dialogue: Dialogue, tokenizer: Tokenizer) -> tuple[list[int], list[int]]:
    """Encode a dialogue as ids [T] and labels [T], which are `IGNORE_INDEX` where not learned."""
    ids: list[int] = []
    labels: list[int] = []
    for piece in ChatMLTemplate(tokenizer).render(dialogue):
        encoded = encode_piece(piece, tokenizer)
        ids += encoded
        labels += encoded if piece.learned else [IGNORE_INDEX] * len(encoded)
    return ids, labels
