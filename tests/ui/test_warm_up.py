from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import sys
import starchat_tui.ui.app
from starchat_tui.ui.warm_up import import_lazy_modules

LAZY = ("markdown_it", "pygments.lexers.python", "starchat_tui.ui.screens.consent_dialog")
before = [name for name in LAZY if name in sys.modules]
import_lazy_modules()
print(before, [name for name in LAZY if name not in sys.modules])
"""


def test_the_first_frame_does_without_the_modules_of_an_answer() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("[] []\n", "")
