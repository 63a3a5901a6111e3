"""What every training command ends with: an exit code, and a user's mistake in two lines."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable

from starchat_tui.clean import clean
from starchat_tui.errors import StarChatError


def told(run: Callable[[], int]) -> int:
    """What `run` returns; an error is said on stderr and becomes its exit code."""
    try:
        code = run()
        sys.stdout.flush()
    except StarChatError as error:
        print(f"error: {clean(error.message)}", file=sys.stderr)
        if error.hint:
            print(f"  {clean(error.hint)}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # The reader of the pipe left; what is still buffered has nowhere to go.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 141
    return code
