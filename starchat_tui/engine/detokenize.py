"""Ids that arrive one by one, as text: whole characters only, and never a part of a stop text."""

from __future__ import annotations

import codecs
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from starchat_tui.errors import ConfigError
from starchat_tui.vocabulary import Vocabulary

if TYPE_CHECKING:
    from tokenizers import Tokenizer


class Decoder(Protocol):
    """Turns the ids of one answer into text."""

    def feed(self, token: int) -> str:
        """The text that became certain with `token`."""

    def finish(self) -> str:
        """What is left at the end, broken UTF-8 replaced."""


class ByteDecoder:
    """For byte-level vocabularies: the tokens' bytes through an incremental UTF-8 decoder."""

    def __init__(self, bytes_of: Callable[[int], bytes]) -> None:
        self._bytes_of = bytes_of
        self._utf8 = codecs.getincrementaldecoder("utf-8")(errors="replace")

    def feed(self, token: int) -> str:
        """The characters completed by `token`."""
        return self._utf8.decode(self._bytes_of(token))

    def finish(self) -> str:
        """A replacement character where the answer ends inside a character."""
        return self._utf8.decode(b"", final=True)


class PieceDecoder:
    """For other vocabularies (SentencePiece): decode anew from the last certain boundary.

    What a token looks like may depend on the one before it (a leading space), so the text of a
    token is the difference between two decodings that share their beginning.
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self._ids: list[int] = []
        self._begin = 0
        self._told = 0

    def feed(self, token: int) -> str:
        """The text that `token` adds, once it no longer ends inside a character."""
        self._ids.append(token)
        text = self._new_text()
        if text.endswith("\N{REPLACEMENT CHARACTER}"):
            return ""
        self._begin, self._told = self._told, len(self._ids)
        return text

    def finish(self) -> str:
        """Text that ended inside a character."""
        return self._new_text()

    def _new_text(self) -> str:
        before = self._tokenizer.decode(self._ids[self._begin : self._told])
        return self._tokenizer.decode(self._ids[self._begin :])[len(before) :]


class Codec:
    """A model's tokenizer as the engine needs it: text prompts to ids, answers to text."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._vocabulary = Vocabulary.load(path) if _is_byte_level(path) else None
        self._tokenizer = None if self._vocabulary else _tokenizer(path)

    def ids(self, text: str) -> tuple[int, ...]:
        """The ids of a text prompt; nothing in it becomes a control token."""
        if self._vocabulary:
            return tuple(self._vocabulary.text_ids(text))
        assert self._tokenizer is not None
        return tuple(self._tokenizer.encode(text).ids)

    def decoder(self) -> Decoder:
        """A decoder for one answer."""
        if self._vocabulary:
            return ByteDecoder(self._vocabulary.bytes_of)
        assert self._tokenizer is not None
        return PieceDecoder(self._tokenizer)


def _is_byte_level(path: Path) -> bool:
    try:
        decoder = json.loads(path.read_text(encoding="utf-8")).get("decoder") or {}
    except (OSError, ValueError, AttributeError) as error:
        raise ConfigError(f"`{path}` is not a tokenizer.json", "copy the model anew") from error
    steps = [decoder, *decoder.get("decoders", ())]
    return any(step.get("type") == "ByteLevel" for step in steps)


def _tokenizer(path: Path) -> Tokenizer:
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(path))
    tokenizer.encode_special_tokens = True
    return tokenizer


class Stopper:
    """Ends an answer at the first stop text that is complete, and lets no part of one through."""

    def __init__(self, stops: Sequence[str]) -> None:
        self._stops = tuple(stops)
        self._held = ""
        self.stopped = False

    def feed(self, text: str) -> str:
        """The text that can be shown now; at most the longest stop less one is held back."""
        self._held += text
        found = [
            (start + len(stop), start)
            for stop in self._stops
            if (start := self._held.find(stop)) >= 0
        ]
        if found:
            self.stopped = True
            return self._release(min(found)[1], forget=True)
        return self._release(len(self._held) - self._possible())

    def finish(self) -> str:
        """What was held back in case a stop text would follow."""
        return "" if self.stopped else self._release(len(self._held))

    def _release(self, length: int, *, forget: bool = False) -> str:
        text, self._held = self._held[:length], "" if forget else self._held[length:]
        return text

    def _possible(self) -> int:
        """The length of the longest end of the held text that a stop text begins with."""
        longest = max(map(len, self._stops), default=1) - 1
        for length in range(min(longest, len(self._held)), 0, -1):
            if any(stop.startswith(self._held[-length:]) for stop in self._stops):
                return length
        return 0
