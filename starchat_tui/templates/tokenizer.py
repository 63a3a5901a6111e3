"""Encoding and decoding with a tokenizer.json of Hugging Face's `tokenizers` library.

Text is encoded with `encode_special_tokens`, so that nothing a user, a file or a model writes can
become a control token; control tokens are made by name only. The format of the file is that of
https://huggingface.co/docs/tokenizers.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property, lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from starchat_tui.config.json_file import read_json_object
from starchat_tui.errors import ConfigError
from starchat_tui.sanitize import replace_surrogates
from starchat_tui.templates.tokenizer_checks import secure_tokenizer, translate_library_errors

if TYPE_CHECKING:
    from tokenizers import Tokenizer as HFTokenizer

CHAT_TOKENS = ("<|system|>", "<|user|>", "<|assistant|>", "<|end|>")
"""StarChat's control tokens, in the order of their ids (49152 to 49155, behind StarCoder's own)."""
END = CHAT_TOKENS[3]
END_OF_TEXT = "<|endoftext|>"
_END_OF_TEXT = (END_OF_TEXT, "<|end_of_text|>", "</s>", "<eos>", "<｜end▁of▁sentence｜>")
"""Names of the end-of-text token in base models; the first that a tokenizer has is its own."""
SHARED_TOKENIZER = "../tokenizer.json"
"""Value of `shared_tokenizer` in the tokenizer_config.json of a model without a file of its own."""
_SPACE = "\u2581"
"""SentencePiece's visible space, U+2581."""
_BYTE = re.compile(r"<0x([0-9A-F]{2})>")
_ENCODE_CACHE_SIZE = 512
"""Texts whose ids are cached: the prompt is encoded at every key press, and few pieces change."""


def build_byte_alphabet() -> dict[str, int]:
    """Return the byte that each character of a byte-level token stands for.

    It is the inverse of `bytes_to_unicode` in GPT-2's encoder.py: printable bytes stand for
    themselves, the others for the code points from 256 on.
    """
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in printable]
    return {
        **{chr(byte): byte for byte in printable},
        **{chr(256 + index): byte for index, byte in enumerate(others)},
    }


def find_tokenizer_file(folder: Path) -> Path | None:
    """Return the tokenizer.json of a model's folder, None if it has none.

    The two demo models share one, which lies in the folder above theirs: their
    tokenizer_config.json says so. No other place is read, whatever a downloaded model declares.
    """
    own = folder / "tokenizer.json"
    if os.path.isfile(own):
        return own
    try:
        config = read_json_object(folder / "tokenizer_config.json")
    except (OSError, ValueError):
        return None
    declared = config.get("shared_tokenizer") == SHARED_TOKENIZER
    shared = folder.absolute().parent / "tokenizer.json"
    return shared if declared and os.path.isfile(shared) else None


class Tokenizer:
    """A tokenizer whose tokens stand for bytes, as byte-level BPE and SentencePiece have it."""

    def __init__(
        self, tokenizer: HFTokenizer, fingerprint: str, *, is_extended: bool = False
    ) -> None:
        self._tokenizer = tokenizer
        self._tokenizer.encode_special_tokens = True
        self.fingerprint = fingerprint
        """First 16 hexadecimal digits of the file's SHA-256."""
        self.is_extended = is_extended
        """True if the chat tokens were added here, so that the model has no embeddings for them."""
        self.leading_space = _disable_leading_space(tokenizer)
        """Space that the model was trained to see before each run of text; empty if none."""
        self._control_ids = _protect_added_tokens(tokenizer)
        self._decode_bytes = _choose_byte_decoder(tokenizer)
        self._bytes: dict[int, bytes] = {}
        self._encode = lru_cache(maxsize=_ENCODE_CACHE_SIZE)(self._encode_uncached)

    @classmethod
    def load(cls, path: Path, *, add_chat_tokens: bool = True) -> Tokenizer:
        """Read a tokenizer.json, and add the chat tokens that it lacks.

        For a model that is used as it is, `add_chat_tokens` must be False: an id that has no row in
        the embedding makes it fail. Raises `ConfigError` if the file is missing or damaged, or if
        chat tokens are to be added and it has some of them already.
        """
        from tokenizers import Tokenizer as HFTokenizer

        try:
            raw = path.read_bytes()
            tokenizer = HFTokenizer.from_buffer(raw)
        except OSError as error:
            raise ConfigError(
                f"No tokenizer at `{path}`", "name a tokenizer.json with `--tokenizer FILE`"
            ) from error
        except ValueError as error:
            raise ConfigError(
                f"`{path}` is not a tokenizer.json ({error})",
                "it must be a file in the format of the `tokenizers` library",
            ) from error
        secure_tokenizer(tokenizer)
        is_extended = add_chat_tokens and _add_chat_tokens(tokenizer, path)
        return cls(tokenizer, hashlib.sha256(raw).hexdigest()[:16], is_extended=is_extended)

    def __len__(self) -> int:
        """Return the number of ids, control tokens included."""
        return self._tokenizer.get_vocab_size()

    def encode(self, text: str) -> list[int]:
        """Return the ids of `text`, none of which is a control token."""
        return list(self._encode(text))

    def _encode_uncached(self, text: str) -> tuple[int, ...]:
        with translate_library_errors():
            found = self._tokenizer.encode(replace_surrogates(text), add_special_tokens=False)
        return tuple(found.ids)

    def get_control_id(self, token: str) -> int:
        """Return the id of a control token such as `END`; raise `ConfigError` if it has none."""
        found = self._tokenizer.token_to_id(token)
        if found is None:
            raise ConfigError(
                f"The tokenizer has no token {token}",
                "use the tokenizer the model was trained with",
            )
        return int(found)

    @property
    def has_chat_tokens(self) -> bool:
        """True if the file itself has the chat tokens, so that its model may know them."""
        ids = map(self._tokenizer.token_to_id, CHAT_TOKENS)
        return not self.is_extended and None not in ids

    @property
    def end_id(self) -> int:
        """Id of the token that ends an assistant's turn."""
        return self.get_control_id(END)

    @property
    def end_of_text_id(self) -> int:
        """Id of the token that ends a document."""
        known = (token for token in _END_OF_TEXT if self._tokenizer.token_to_id(token) is not None)
        return self.get_control_id(next(known, END_OF_TEXT))

    @cached_property
    def begin_tokens(self) -> tuple[str, ...]:
        """Control tokens that the tokenizer puts before any text; StarCoder's has none."""
        # The library does not name them: compare an encoding with them to one without.
        ids = self._tokenizer.encode("a", add_special_tokens=True).ids
        bare = self.encode("a")
        starts = (at for at in range(len(ids)) if ids[at : at + len(bare)] == bare)
        return tuple(self._added_tokens[token_id] for token_id in ids[: next(starts, 0)])

    @cached_property
    def _added_tokens(self) -> dict[int, str]:
        added = self._tokenizer.get_added_tokens_decoder().items()
        return {index: token.content for index, token in added if token.content.strip()}

    @cached_property
    def _name_pattern(self) -> re.Pattern[str]:
        # The longest first: a name may begin with another.
        longest = sorted(self._added_tokens.values(), key=len, reverse=True)
        return re.compile("|".join(map(re.escape, longest)) or r"(?!)")

    def split_control_tokens(self, text: str) -> Iterator[tuple[str, bool]]:
        """Yield the parts of `text`, each with whether it is a control token.

        This is for the output of a template only: in text of a user or a model, a token's name must
        stay text.
        """
        done = 0
        for found in self._name_pattern.finditer(text):
            if found.start() > done:
                yield text[done : found.start()], False
            yield found.group(), True
            done = found.end()
        if done < len(text):
            yield text[done:], False

    def is_control(self, token_id: int) -> bool:
        """Return whether the id is that of a control token, which stands for no text."""
        return token_id in self._control_ids

    def decode_token(self, token_id: int) -> bytes:
        """Return the bytes of an id; empty for a control token and for an unused id."""
        found = self._bytes.get(token_id)
        if found is None:
            found = self._bytes[token_id] = self._decode_uncached(token_id)
        return found

    def _decode_uncached(self, token_id: int) -> bytes:
        # The library raises for an id that is no unsigned 32-bit integer.
        if self.is_control(token_id) or not 0 <= token_id < 2**32:
            return b""
        if token_id in self._added_tokens:
            return self._added_tokens[token_id].encode()
        token = self._tokenizer.id_to_token(token_id)
        return self._decode_bytes(token) if token else b""

    def decode(self, ids: Iterable[int]) -> str:
        """Decode ids; control tokens are left out, invalid UTF-8 is replaced."""
        return b"".join(map(self.decode_token, ids)).decode(errors="replace")

    def decode_with_controls(self, ids: Iterable[int]) -> str:
        """Decode ids with the names of control tokens, for display."""
        runs: list[bytes] = []
        for token_id in ids:
            name = self._added_tokens.get(token_id)
            runs.append(name.encode() if name is not None else self.decode_token(token_id))
        return b"".join(runs).decode(errors="replace")

    def align_ids(self, ids: Sequence[int], text: str) -> list[int]:
        """Return ids that decode to `text`: the longest prefix of `ids` that does, then new ones.

        An answer that was trimmed so keeps the ids that the engine has in its prefix cache.
        """
        wanted, kept, done = replace_surrogates(text).encode(), 0, 0
        for token_id in ids:
            piece = self.decode_token(token_id)
            if not piece or wanted[done : done + len(piece)] != piece:
                break
            done += len(piece)
            kept += 1
        # A token may end inside a character, and the rest must be valid UTF-8 to be encoded.
        while kept and not _is_character_start(wanted, done):
            kept -= 1
            done -= len(self.decode_token(ids[kept]))
        return [*ids[:kept], *self.encode(wanted[done:].decode())]


def _is_character_start(data: bytes, index: int) -> bool:
    # Continuation bytes of UTF-8 are 10xxxxxx.
    return index >= len(data) or data[index] & 0xC0 != 0x80


def _add_chat_tokens(tokenizer: HFTokenizer, path: Path) -> bool:
    """Add the chat tokens; return False if all were there already."""
    from tokenizers import AddedToken

    known = [token for token in CHAT_TOKENS if tokenizer.token_to_id(token) is not None]
    if known and len(known) < len(CHAT_TOKENS):
        missing = ", ".join(token for token in CHAT_TOKENS if token not in known)
        raise ConfigError(
            f"`{path}` has some of StarChat's chat tokens but not {missing}",
            "use the tokenizer the model was trained with",
        )
    tokenizer.add_special_tokens([AddedToken(token, special=True) for token in CHAT_TOKENS])
    return not known


def _protect_added_tokens(tokenizer: HFTokenizer) -> frozenset[int]:
    """Prevent text from becoming any added token; return the ids of the control tokens.

    `encode_special_tokens` covers only tokens that are marked special, so the others are marked
    too. One of those (such as `<think>`) is still shown when the model generates it. Added tokens
    of white space are left alone: GPT-NeoX's, for one, stand for indentation.
    """
    from tokenizers import AddedToken

    added = tokenizer.get_added_tokens_decoder()
    control_ids = frozenset(index for index, token in added.items() if token.special)
    writable = [token.content for token in added.values() if token.content.strip()]
    tokenizer.add_special_tokens([AddedToken(name, special=True) for name in writable])
    return control_ids


def _serialize_component(part: Any) -> bytes:
    """Return the JSON of a tokenizer's component; empty for None."""
    return part.__getstate__() if part is not None else b""


def _disable_leading_space(tokenizer: HFTokenizer) -> str:
    """Return the space that SentencePiece puts before text, and stop the tokenizer adding it.

    Pieces are encoded one by one, and only one that follows a control token begins a text.
    """
    from tokenizers import normalizers, pre_tokenizers

    space = ""
    if b'"Prepend"' in _serialize_component(tokenizer.normalizer):
        tokenizer.normalizer = normalizers.Replace(" ", _SPACE)
        space = " "
    pre = tokenizer.pre_tokenizer
    if isinstance(pre, pre_tokenizers.Metaspace):
        space = " " if pre.prepend_scheme == "always" else ""
        pre.prepend_scheme = "never"
    elif isinstance(pre, pre_tokenizers.ByteLevel):
        pre.add_prefix_space = False
    return space


def _choose_byte_decoder(tokenizer: HFTokenizer) -> Callable[[str], bytes]:
    """Return the function that gives the bytes of one of the tokenizer's tokens."""
    # Components may be nested in sequences; their JSON shows all of them.
    known = _serialize_component(tokenizer.decoder) + _serialize_component(tokenizer.pre_tokenizer)
    if b"ByteLevel" in known:
        return partial(_decode_byte_level, alphabet=build_byte_alphabet())
    if _SPACE.encode() in known + _serialize_component(tokenizer.normalizer):
        return _decode_sentencepiece
    raise ConfigError(
        "The tokenizer is neither byte-level BPE nor SentencePiece",
        "choose a model with one of these, such as StarCoder",
    )


def _decode_byte_level(token: str, *, alphabet: Mapping[str, int]) -> bytes:
    known = alphabet.keys() >= set(token)
    return bytes(alphabet[character] for character in token) if known else token.encode()


def _decode_sentencepiece(token: str) -> bytes:
    byte = _BYTE.fullmatch(token)
    return bytes([int(byte[1], 16)]) if byte else token.replace(_SPACE, " ").encode()
