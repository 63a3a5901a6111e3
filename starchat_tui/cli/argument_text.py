"""Check of the command line and the environment: only text, no bytes that have no meaning."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from starchat_tui.errors import ConfigError, UsageError

_PREFIX = "STARCHAT_"


def require_text(argv: Sequence[str], environ: Mapping[str, str]) -> None:
    """Raise an error for an argument, or a variable of ours, that is not text in UTF-8.

    Python passes such bytes on as lone surrogates, which neither the database nor a server takes.
    """
    for argument in argv:
        if not _is_text(argument):
            raise UsageError(
                f"The argument `{argument[:60]}` is not text in UTF-8",
                "correct it; a file with such a name can be piped in, or renamed",
            )
    for name, value in environ.items():
        if name.startswith(_PREFIX) and not _is_text(value):
            raise ConfigError(f"{name} is not text in UTF-8", "correct or unset it")


def _is_text(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True
