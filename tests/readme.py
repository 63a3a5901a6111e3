"""`python -m tests.readme`: today's help text into the README."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

README = Path(__file__).parent.parent / "README.md"


def todays_help() -> str:
    """What `starchat --help` prints, 100 columns wide."""
    return subprocess.run(
        [sys.executable, "-m", "starchat_tui", "--help"],
        env={**os.environ, "COLUMNS": "100"},
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()


if __name__ == "__main__":
    fenced = f"```\n{todays_help()}\n```"
    text = README.read_text(encoding="utf-8")
    README.write_text(re.sub(r"```\nusage: starchat .*?\n```", lambda _: fenced, text, flags=re.S))
