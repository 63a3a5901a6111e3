"""Imports that the first answer and its run need, made while the user reads the first frame."""

from __future__ import annotations


def import_lazy_modules() -> None:
    """Import modules that the first frame does without; slow, so it belongs in a thread."""
    from starchat_tui.terminal.highlight import find_lexer
    from starchat_tui.terminal.prose_markdown import create_prose_parser
    from starchat_tui.ui.screens import consent_dialog  # noqa: F401
    from starchat_tui.ui.widgets import output, prose  # noqa: F401

    create_prose_parser()
    find_lexer("python")
