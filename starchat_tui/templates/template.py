"""Rendering of a dialogue as pieces of text and control tokens, and their token ids.

Inference and training render with the same code, each piece is encoded alone, and an answer begins
a piece of its own. A prompt is therefore, id for id, a prefix of the row that training sees.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

from starchat_tui.dialogue import Dialogue, Turn
from starchat_tui.templates.tokenizer import Tokenizer

IGNORE_INDEX = -100
"""Label of a token that is not trained on: the default `ignore_index` of PyTorch's losses."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A run of text, or one control token."""

    text: str
    control: bool = False
    learned: bool = False
    """True if training learns it."""
    turn: Turn | None = None
    """Turn whose generated ids may stand for this text."""


@dataclass(frozen=True, slots=True)
class Stops:
    """Token ids and texts that end an answer; neither is part of it."""

    ids: tuple[int, ...]
    texts: tuple[str, ...] = ()


class Template(Protocol):
    """A format in which dialogues are rendered."""

    tokenizer: Tokenizer

    def render(self, dialogue: Dialogue, *, add_generation_prompt: bool = False) -> Iterator[Piece]:
        """Yield the dialogue in order, on request with the beginning of the next answer."""

    def get_stops(self) -> Stops:
        """Return the stops of an answer."""

    def clean_answer(self, text: str) -> str:
        """Return the generated text as it is stored and shown."""

    def count_quoted_lines(self, dialogue: Dialogue) -> int:
        """Count the lines that are quoted because they look like part of the format."""

    def count_shared_tokens(self, system: str) -> int:
        """Count the leading tokens that all conversations with this system prompt share.

        They come from a prompt file, so that their KV cache is worth keeping on disk.
        """


def encode_piece(piece: Piece, tokenizer: Tokenizer) -> list[int]:
    """Encode one piece alone; an answer keeps the ids it was generated as."""
    if piece.control:
        return [tokenizer.get_control_id(piece.text)]
    # A model may generate ids that encoding its text would not give: the prefix cache has those.
    if piece.turn is not None and piece.turn.tokenizer_fingerprint == tokenizer.fingerprint:
        return tokenizer.align_ids(piece.turn.ids, piece.text)
    return tokenizer.encode(piece.text)


def encode_pieces(pieces: Iterable[Piece], tokenizer: Tokenizer) -> list[int]:
    """Encode pieces in order."""
    return [token for piece in pieces for token in encode_piece(piece, tokenizer)]


def encode_prompt(dialogue: Dialogue, template: Template) -> list[int]:
    """Encode a dialogue up to the beginning of the next answer."""
    return encode_pieces(template.render(dialogue, add_generation_prompt=True), template.tokenizer)
