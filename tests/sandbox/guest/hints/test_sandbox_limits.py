"""Hints on the walls, by errors that the walls really cause, and by look-alikes."""

from __future__ import annotations

from pathlib import Path

import pytest

from starchat_tui.sandbox.guest.hints.finder import find_hint
from tests.sandbox.guest.hints.cells import run_failing_cell
from tests.sandbox.kernels import open_kernel, run_code

NETWORK = "The sandbox has no network"
WALLS = {
    "import urllib.request\nurllib.request.urlopen('https://example.org/a.csv')": "its download",
    "import socket\nsocket.create_connection(('example.org', 80))": NETWORK,
    "import socket\nsocket.socket()": NETWORK,
    "import pandas as pd\npd.read_csv('https://example.org/' + 'a.csv')": "its download",
    "import tkinter\ntkinter.Tk()": "no windows",
    "import turtle\nturtle.Turtle()": "use matplotlib",
    "input('Name? ')": "no keyboard",
    "open('a.csv')": "attach `a.csv`",
    "open('data/train.csv')": "`-f train.csv`",
    "open(r'C:\\Users\\x\\b.csv')": "`-f b.csv`",
    "open('/usr/x', 'w')": "can write only",
    "import subprocess\nsubprocess.run(['no-such-program'])": "no program `no-such-program`",
    "import subprocess, sys\n"
    "subprocess.run([sys.executable, '-m', 'pip', 'install', 'x-y'], check=True)": "x-y",
    "open('big', 'wb').truncate(1 << 40)": "size of a file",
    "import xgboost": "-m pip install xgboost",
    "import skimage": "install scikit-image",
    "import cv2": "opencv-python-headless",
    "from helper import f": "`-f helper.py`",
}
LOOK_ALIKES = [
    "raise OSError(97, 'Address family not supported by protocol')",
    "raise OSError(28, 'No space left on device')",
    'raise RuntimeError("can\'t start new thread")',
    "class TclError(Exception): pass\nraise TclError('no display name')",
    "class StdinNotImplementedError(Exception): pass\nraise StdinNotImplementedError",
    "import subprocess\nsubprocess.run('exit 3', shell=True, check=True)",
    "import json\njson.loads('')",
]


@pytest.mark.bwrap
@pytest.mark.slow
async def test_walls_have_their_hints() -> None:
    found = {}
    async with open_kernel() as kernel:
        for code, expected in WALLS.items():
            ran = await run_code(kernel, code)
            assert ran.end.status == "error", code
            if not any(expected in one for one in ran.notes):
                found[code] = (expected, ran.notes, ran.failure)
    assert found == {}


@pytest.mark.parametrize("code", LOOK_ALIKES)
def test_look_alikes_have_none(code: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert find_hint(run_failing_cell(code)) == ""


@pytest.mark.bwrap
@pytest.mark.slow
async def test_address_that_a_library_makes_up_cannot_be_allowed() -> None:
    async with open_kernel(strict=True) as kernel:
        ran = await run_code(kernel, "import seaborn as sns\nsns.load_dataset('attention')")
    assert ran.notes == [
        "`sns.load_dataset` downloads this table, and the sandbox has no network: attach the data "
        "as a file (`-f`)"
    ]
