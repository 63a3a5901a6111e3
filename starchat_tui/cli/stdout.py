"""Printing of text and JSON: sanitized for a terminal, unchanged for a pipe."""

from __future__ import annotations

import json
import sys

from starchat_tui.sanitize import sanitize_text


def sanitize_for_stdout(text: str) -> str:
    """Return `text`, sanitized if stdout is a terminal."""
    return sanitize_text(text) if sys.stdout.isatty() else text


def print_text(text: str) -> None:
    """Print `text`, sanitized if stdout is a terminal."""
    print(sanitize_for_stdout(text))


def print_json(document: str) -> None:
    """Print a JSON document, in ASCII if stdout is a terminal."""
    print(escape_json_for_stdout(document))


def escape_json_for_stdout(document: str) -> str:
    """Return the same JSON value, in ASCII if stdout is a terminal.

    Escapes keep the value; sanitizing would change it.
    """
    return json.dumps(json.loads(document)) if sys.stdout.isatty() else document


def replace_lone_surrogates() -> None:
    """Make stdout and stderr print `?` for what has no UTF-8, instead of failing."""
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="replace")  # type: ignore[union-attr]
