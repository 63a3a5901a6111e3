"""Filters of the training data, the same for every schema."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Filters:
    """Filters of the training data; a row without the field in question passes."""

    languages: tuple[str, ...] = ("en",)
    """Language codes such as `en`, which includes `en-US`; empty for every language."""
    deleted: bool = False
    """Keep messages that their authors or moderators deleted."""
    rejected: bool = False
    """Keep messages that reviewers rejected."""
    synthetic: bool = True
    """Keep messages written by a model."""
    max_rank: int | None = None
    """Worst rank of a reply among its siblings that is kept, 0 the best; None for all."""
    states: tuple[str, ...] = ("ready_for_export",)
    """States of OpenAssistant trees that are kept; empty for all."""

    def accepts_language(self, language: object) -> bool:
        """Return whether `language` passes; a missing one does."""
        if not self.languages or not isinstance(language, str):
            return True
        code = language.lower()
        wanted = [one.lower() for one in self.languages]
        return code in wanted or code.partition("-")[0] in wanted
