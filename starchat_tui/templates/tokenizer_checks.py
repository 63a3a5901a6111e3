"""Checks of a downloaded tokenizer.json before it is used, and the errors of its library.

The file is a small program: its normalizer may replace text by longer text several times in a row,
and its regular expressions may make the library panic.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from starchat_tui.errors import ConfigError

if TYPE_CHECKING:
    from tokenizers import Tokenizer as HFTokenizer

MAX_GROWTH = 100.0
"""Characters that the normalizer may make of one; real tokenizers make one or two."""
_COPY_AGAIN = "copy or download the model's tokenizer.json again, from a source that you trust"


def secure_tokenizer(tokenizer: HFTokenizer) -> None:
    """Switch off what would change a prompt silently; refuse a normalizer that inflates text.

    Raises `ConfigError`.
    """
    # The file may say how batches for training are cut and padded. A prompt cut by it would be
    # answered as if it were whole, and one padded to 10^8 tokens would fill the memory.
    tokenizer.no_truncation()
    tokenizer.no_padding()
    state = tokenizer.normalizer.__getstate__() if tokenizer.normalizer is not None else b"null"
    growth = _estimate_growth(json.loads(state))
    if growth > MAX_GROWTH:
        raise ConfigError(
            f"The tokenizer makes {growth:,.0f} characters of one, which no real one does",
            _COPY_AGAIN,
        )


def _estimate_growth(normalizer: Any) -> float:
    """Return an upper bound of the characters that a normalizer makes of one.

    Its JSON is that of https://huggingface.co/docs/tokenizers/api/normalizers.
    """
    if not isinstance(normalizer, dict):
        return 1.0
    growth = 1.0
    for part in normalizer.get("normalizers", ()):
        growth *= _estimate_growth(part)
    content = normalizer.get("content")
    if isinstance(content, str):
        plain = normalizer.get("pattern", {}).get("String", "")
        # A regular expression may match the empty string before each character.
        growth *= max(1.0, len(content) / len(plain) if plain else 1.0 + len(content))
    # `Prepend` adds its text once; it counts in full, because the input may be one character.
    return growth + len(normalizer.get("prepend") or "")


@contextmanager
def translate_library_errors() -> Iterator[None]:
    """Raise `ConfigError` in place of what the `tokenizers` library raises or panics with."""
    try:
        yield
    # A panic of the library derives from `BaseException`, and its class cannot be imported.
    except BaseException as error:
        is_panic = type(error).__name__ == "PanicException"
        if not is_panic and not isinstance(error, ValueError | MemoryError | OverflowError):
            raise
        reason = " ".join(str(error).split())[:200]
        raise ConfigError(f"The model's tokenizer fails ({reason})", _COPY_AGAIN) from error
