"""What goes wrong in training; branches of `starchat_tui.errors`.

StarChatError
├── DataError ............... 65   the training data are not what they should be
├── CannotSave .............. 73   no space, or no right, to write a checkpoint or the model
├── InUse ................... 75   another run writes to this folder
└── Torn .................... 65   a checkpoint that was not written to its end
"""

from __future__ import annotations

from starchat_tui.errors import StarChatError


class DataError(StarChatError):
    """The training data cannot be read, or hold nothing to learn (EX_DATAERR)."""

    exit_code = 65
    code = "data"
    status = 400


class CannotSave(StarChatError):
    """The disk is full, or may not be written to (EX_CANTCREAT)."""

    exit_code = 73
    code = "cannot_save"


class InUse(StarChatError):
    """Another process trains into the same folder (EX_TEMPFAIL)."""

    exit_code = 75
    code = "in_use"


class Torn(StarChatError):
    """A checkpoint lacks a file, or has a part of one (EX_DATAERR)."""

    exit_code = 65
    code = "torn"
