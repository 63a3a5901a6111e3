"""What libraries write to descriptor 2 while the screen is shown."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from starchat_tui.terminal.stderr_log import _MAX_BYTES

PROGRAM = """
import os, sys
from pathlib import Path
from starchat_tui.terminal.stderr_log import divert_stderr
os.write(2, b"before\\n")
with divert_stderr(Path(sys.argv[1])):
    os.write(2, b"libpng warning\\n")
    os.system("echo child >&2")
    sys.__stderr__.write("frame\\n")
os.write(2, b"after\\n")
print("python", file=sys.stderr)
"""


def run(log: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(log)], capture_output=True, text=True, check=True
    )
    return done.stderr


def test_native_output_goes_to_the_log_and_frames_to_the_terminal(tmp_path: Path) -> None:
    log = tmp_path / "chat.log"
    assert run(log) == "before\nframe\nafter\npython\n"
    assert log.read_text() == "libpng warning\nchild\n"
    assert log.stat().st_mode & 0o777 == 0o600


def test_a_long_log_is_begun_anew(tmp_path: Path) -> None:
    log = tmp_path / "chat.log"
    log.write_bytes(b"x" * (_MAX_BYTES + 1))
    run(log)
    assert log.read_text() == "libpng warning\nchild\n"


def test_without_a_place_for_the_log_the_screen_stays_clean(tmp_path: Path) -> None:
    assert run(tmp_path / "missing" / "chat.log") == "before\nframe\nafter\npython\n"
    assert not os.listdir(tmp_path)
