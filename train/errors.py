"""What goes wrong with training data; a branch of `starchat_tui.errors`.

StarChatError
└── DataError ............... 65   the training data are not what they should be
"""

from __future__ import annotations

from starchat_tui.errors import StarChatError


class DataError(StarChatError):
    """The training data cannot be read, or hold nothing to learn (EX_DATAERR)."""

    exit_code = 65
    code = "data"
    status = 400
