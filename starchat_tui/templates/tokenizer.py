"""tokenizer.json to ids and back, with text and control tokens kept apart.

Text is encoded with `encode_special_tokens`, so nothing a user, a file or a model writes becomes a
control token; control tokens are made by name alone.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property, lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from starchat_tui.errors import ConfigError
from starchat_tui.sanitize import whole

if TYPE_CHECKING:
    from tokenizers import Tokenizer

CHAT_TOKENS = ("<|system|>", "<|user|>", "<|assistant|>", "<|end|>")
"""StarChat's four control tokens, in the order they join StarCoder's vocabulary (49152-49155)."""
END = CHAT_TOKENS[3]
END_OF_TEXT = "<|endoftext|>"
_END_OF_TEXT = (END_OF_TEXT, "<|end_of_text|>", "</s>", "<eos>", "<｜end▁of▁sentence｜>")
"""What base models call the end of a document; the first that a vocabulary has is its own."""
_SPACE = "\u2581"
"""SentencePiece's visible space."""
_BYTE = re.compile(r"<0x([0-9A-F]{2})>")
_REMEMBERED = 512
"""Texts whose ids are kept: a prompt is rendered at every key, and few of its pieces change."""


def byte_alphabet() -> dict[str, int]:
    """GPT-2's printable character for each byte, reversed: character to byte.

    Source: `bytes_to_unicode` of the GPT-2 release; the printable bytes stand for themselves, the
    others follow from code point 256 on.
    """
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in printable]
    return {
        **{chr(byte): byte for byte in printable},
        **{chr(256 + index): byte for index, byte in enumerate(others)},
    }


class Vocabulary:
    """A BPE vocabulary whose tokens stand for bytes: StarCoder's scheme, or SentencePiece's."""

    def __init__(self, tokenizer: Tokenizer, fingerprint: str, *, grown: bool = False) -> None:
        self._tokenizer = tokenizer
        self._tokenizer.encode_special_tokens = True
        self.fingerprint = fingerprint
        """The first 16 hex digits of the file's SHA-256."""
        self.grown = grown
        """Whether StarChat's four tokens were added here: the file's model has no rows for them."""
        self.lead = _take_lead(tokenizer)
        """The space this vocabulary was trained to see before each run of text, or nothing."""
        self._silent = _guard_added(tokenizer)
        self._spelled = _spelling(tokenizer)
        self._bytes: dict[int, bytes] = {}
        self._encode = lru_cache(maxsize=_REMEMBERED)(self._encode_anew)

    @classmethod
    def load(cls, path: Path, *, grow: bool = True) -> Vocabulary:
        """Read `tokenizer.json`; with `grow`, StarChat's four tokens are added to a file without.

        A model with a chat template of its own is read with `grow=False`: an id beyond its
        embedding would crash it. Raises `ConfigError` where the file is absent or damaged, or where
        it has only some of the four and is to have all.
        """
        from tokenizers import Tokenizer

        try:
            raw = path.read_bytes()
            tokenizer = Tokenizer.from_buffer(raw)
        except OSError as error:
            raise ConfigError(
                f"No tokenizer at `{path}`", "name a tokenizer.json with `--tokenizer FILE`"
            ) from error
        except ValueError as error:
            raise ConfigError(
                f"`{path}` is not a tokenizer.json ({error})",
                "it must be a file in the format of the `tokenizers` library",
            ) from error
        grown = grow and _grow(tokenizer, path)
        return cls(tokenizer, hashlib.sha256(raw).hexdigest()[:16], grown=grown)

    def __len__(self) -> int:
        """The number of ids, control tokens included."""
        return self._tokenizer.get_vocab_size()

    def text_ids(self, text: str) -> list[int]:
        """The ids of `text`, in which no control token can occur."""
        return list(self._encode(text))

    def _encode_anew(self, text: str) -> tuple[int, ...]:
        return tuple(self._tokenizer.encode(whole(text), add_special_tokens=False).ids)

    def control_id(self, token: str) -> int:
        """The id of a control token such as `END`."""
        found = self._tokenizer.token_to_id(token)
        if found is None:
            raise ConfigError(
                f"The tokenizer has no token {token}",
                "use the tokenizer the model was trained with",
            )
        return int(found)

    @property
    def chats(self) -> bool:
        """Whether the file itself has StarChat's four tokens, so that its model may know them."""
        ids = map(self._tokenizer.token_to_id, CHAT_TOKENS)
        return not self.grown and None not in ids

    @property
    def end_id(self) -> int:
        """The id that ends an assistant's turn."""
        return self.control_id(END)

    @property
    def end_of_text_id(self) -> int:
        """The id that ends a document."""
        known = (token for token in _END_OF_TEXT if self._tokenizer.token_to_id(token) is not None)
        return self.control_id(next(known, END_OF_TEXT))

    @cached_property
    def begin(self) -> tuple[str, ...]:
        """The control tokens this vocabulary puts before any text; StarCoder's has none."""
        ids = self._tokenizer.encode("a", add_special_tokens=True).ids
        bare = self.text_ids("a")
        starts = (at for at in range(len(ids)) if ids[at : at + len(bare)] == bare)
        return tuple(self._added[token_id] for token_id in ids[: next(starts, 0)])

    @cached_property
    def _added(self) -> dict[int, str]:
        added = self._tokenizer.get_added_tokens_decoder().items()
        return {index: token.content for index, token in added if token.content.strip()}

    @cached_property
    def _names(self) -> re.Pattern[str]:
        longest = sorted(self._added.values(), key=len, reverse=True)
        return re.compile("|".join(map(re.escape, longest)) or r"(?!)")

    def split(self, text: str) -> Iterator[tuple[str, bool]]:
        """A layout's own words in order, each run of text or one control token (True).

        For what a template writes, never for what a person or a model does.
        """
        done = 0
        for found in self._names.finditer(text):
            if found.start() > done:
                yield text[done : found.start()], False
            yield found.group(), True
            done = found.end()
        if done < len(text):
            yield text[done:], False

    def is_control(self, token_id: int) -> bool:
        """Whether the id stands for a control token rather than for bytes of text."""
        return token_id in self._silent

    def bytes_of(self, token_id: int) -> bytes:
        """The bytes the id stands for; a control token or an unused id has none."""
        found = self._bytes.get(token_id)
        if found is None:
            found = self._bytes[token_id] = self._bytes_anew(token_id)
        return found

    def _bytes_anew(self, token_id: int) -> bytes:
        if self.is_control(token_id) or not 0 <= token_id < 2**32:
            return b""
        if token_id in self._added:
            return self._added[token_id].encode()
        token = self._tokenizer.id_to_token(token_id)
        return self._spelled(token) if token else b""

    def decode(self, ids: Iterable[int]) -> str:
        """The text of `ids`, control tokens left out, broken UTF-8 replaced."""
        return b"".join(map(self.bytes_of, ids)).decode(errors="replace")

    def visible(self, ids: Iterable[int]) -> str:
        """The text of `ids` with control tokens spelled out, for a reader."""
        runs: list[bytes] = []
        for token_id in ids:
            name = self._added.get(token_id)
            runs.append(name.encode() if name is not None else self.bytes_of(token_id))
        return b"".join(runs).decode(errors="replace")

    def aligned(self, ids: Sequence[int], text: str) -> list[int]:
        """Ids whose bytes are `text`: as many of `ids` as agree with it, then the rest encoded.

        An answer whose overrun was trimmed keeps the ids the engine has in its prefix cache.
        """
        wanted, kept, done = whole(text).encode(), 0, 0
        for token_id in ids:
            piece = self.bytes_of(token_id)
            if not piece or wanted[done : done + len(piece)] != piece:
                break
            done += len(piece)
            kept += 1
        while kept and not _at_character(wanted, done):
            kept -= 1
            done -= len(self.bytes_of(ids[kept]))
        return [*ids[:kept], *self.text_ids(wanted[done:].decode())]


def _at_character(data: bytes, index: int) -> bool:
    return index >= len(data) or data[index] & 0xC0 != 0x80


def _grow(tokenizer: Tokenizer, path: Path) -> bool:
    """Add StarChat's four tokens; False where they were there."""
    from tokenizers import AddedToken

    known = [token for token in CHAT_TOKENS if tokenizer.token_to_id(token) is not None]
    if known and len(known) < len(CHAT_TOKENS):
        missing = ", ".join(token for token in CHAT_TOKENS if token not in known)
        raise ConfigError(
            f"`{path}` has some of StarChat's control tokens but not {missing}",
            "use the tokenizer the model was trained with",
        )
    tokenizer.add_special_tokens([AddedToken(token, special=True) for token in CHAT_TOKENS])
    return not known


def _guard_added(tokenizer: Tokenizer) -> frozenset[int]:
    """Make every added token unwritable by text; the ids of those that stand for no text.

    Added tokens that are not marked special (`<think>`) are shown when a model writes them, and are
    plain text when a person does. Runs of white space are text like any other.
    """
    from tokenizers import AddedToken

    added = tokenizer.get_added_tokens_decoder()
    silent = frozenset(index for index, token in added.items() if token.special)
    forgeable = [token.content for token in added.values() if token.content.strip()]
    tokenizer.add_special_tokens([AddedToken(name, special=True) for name in forgeable])
    return silent


def _state(part: Any) -> bytes:
    """A part of a tokenizer as the library writes it down."""
    return part.__getstate__() if part is not None else b""


def _take_lead(tokenizer: Tokenizer) -> str:
    """Switch off the space that SentencePiece puts before text, which no one wrote; return it."""
    from tokenizers import normalizers, pre_tokenizers

    lead = ""
    if b'"Prepend"' in _state(tokenizer.normalizer):
        tokenizer.normalizer = normalizers.Replace(" ", _SPACE)
        lead = " "
    pre = tokenizer.pre_tokenizer
    if isinstance(pre, pre_tokenizers.Metaspace):
        lead = " " if pre.prepend_scheme == "always" else ""
        pre.prepend_scheme = "never"
    elif isinstance(pre, pre_tokenizers.ByteLevel):
        pre.add_prefix_space = False
    return lead


def _spelling(tokenizer: Tokenizer) -> Callable[[str], bytes]:
    """How this vocabulary's tokens spell bytes."""
    known = _state(tokenizer.decoder) + _state(tokenizer.pre_tokenizer)
    if b"ByteLevel" in known:
        return partial(_byte_level, alphabet=byte_alphabet())
    if _SPACE.encode() in known + _state(tokenizer.normalizer):
        return _sentencepiece
    raise ConfigError(
        "The tokenizer is neither byte-level nor SentencePiece's",
        "choose a model whose tokens stand for bytes, as StarCoder's do",
    )


def _byte_level(token: str, *, alphabet: Mapping[str, int]) -> bytes:
    known = alphabet.keys() >= set(token)
    return bytes(alphabet[character] for character in token) if known else token.encode()


def _sentencepiece(token: str) -> bytes:
    byte = _BYTE.fullmatch(token)
    return bytes([int(byte[1], 16)]) if byte else token.replace(_SPACE, " ").encode()
