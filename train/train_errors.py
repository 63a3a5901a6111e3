"""Errors of training; branches of `starchat_tui.errors`.

StarChatError
├── DataError ............... 65   the training data are malformed or empty
├── SaveError ............... 73   no space or no permission to write a checkpoint or the model
├── OutputInUse ............. 75   another run writes to this folder
└── IncompleteCheckpoint .... 65   a checkpoint that is damaged or was not finished
"""

from __future__ import annotations

from starchat_tui.errors import StarChatError


class DataError(StarChatError):
    """The training data cannot be read, or contain nothing to learn (EX_DATAERR)."""

    exit_code = 65
    code = "data"
    status = 400


class SaveError(StarChatError):
    """The disk is full or not writable (EX_CANTCREAT)."""

    exit_code = 73
    code = "cannot_save"


class OutputInUse(StarChatError):
    """Another process is training into the same folder (EX_TEMPFAIL)."""

    exit_code = 75
    code = "in_use"


class IncompleteCheckpoint(StarChatError):
    """A file of a checkpoint is missing or truncated (EX_DATAERR)."""

    exit_code = 65
    code = "torn"
