"""Answers to the same question: retrying adds one, and each keeps what followed it."""

from __future__ import annotations

from collections.abc import Sequence

from starchat_tui.chat.store import ConversationStore, StoredTurn
from starchat_tui.errors import UsageError


class SiblingFinder:
    """Finds the other answers to a question in the tree of a conversation."""

    def __init__(self, store: ConversationStore) -> None:
        self._store = store

    def locate(self, turn: int) -> tuple[int, int]:
        """Return the position of an answer among those to its question, and their number."""
        siblings = self._store.list_siblings(turn)
        return (siblings.index(turn) + 1 if turn in siblings else 1), max(1, len(siblings))

    def locate_last(self, branch: Sequence[StoredTurn]) -> tuple[int, int]:
        """Return what `locate` does for the last answer of a branch that has siblings."""
        several = self._list_answers_with_siblings(branch)
        return self.locate(several[-1]) if several else (1, 1)

    def find_head(self, branch: Sequence[StoredTurn], turn: int | None, step: int) -> int:
        """Return the newest turn behind another answer to the same question.

        Args:
            branch: The current branch.
            turn: Answer on it; None for the last one that has siblings.
            step: Positions to move among the answers, from the oldest to the newest.

        Raises `UsageError` if there is no such answer.
        """
        several = self._list_answers_with_siblings(branch)
        if turn is None:
            turn = several[-1] if several else None
        if turn is None or turn not in several:
            raise UsageError("There is no other answer", "Ctrl+R or `/retry` makes one")
        siblings = self._store.list_siblings(turn)
        position = siblings.index(turn) + step
        if not 0 <= position < len(siblings):
            count = len(siblings)
            raise UsageError(f"There are {count} answers", f"name one from 1 to {count}")
        return self._store.find_newest_leaf(siblings[position])

    def _list_answers_with_siblings(self, branch: Sequence[StoredTurn]) -> list[int]:
        answers = [one.id for one in branch if one.turn.role == "assistant"]
        return [one for one in answers if self.locate(one)[1] > 1]
