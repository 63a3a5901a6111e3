"""Entry point of `starchat`."""

from __future__ import annotations

import sys
from collections.abc import Sequence


def main(argv: Sequence[str] | None = None) -> int:
    """Run `starchat` and return its exit code."""
    given = list(sys.argv[1:] if argv is None else argv)
    if given in (["--version"], ["-V"]) and sys.stdout is not None:
        # Scripts ask for the version often: it costs no import of anything else.
        from starchat_tui import __version__

        try:
            print(f"starchat {__version__}", flush=True)
        except OSError:
            # It fails once more below, where errors are reported.
            pass
        else:
            return 0
    from starchat_tui.cli.main import run

    return run(given)


if __name__ == "__main__":
    sys.exit(main())
