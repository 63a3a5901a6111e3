"""Program that encodes animations: the one that a package of the environment ships."""

from __future__ import annotations

import glob
import importlib.util
import os
import shutil
from types import ModuleType
from typing import Any

MAX_THREADS = 4
"""Threads of the encoder; one for each core would use up the processes that the code may have."""


def provide_encoder(animation: ModuleType) -> None:
    """Let `matplotlib.animation` find an ffmpeg, if the system has none."""
    settings: Any = animation.mpl.rcParams
    if shutil.which(settings["animation.ffmpeg_path"]) is None and (path := find_encoder()):
        settings["animation.ffmpeg_path"] = path
    if not settings["animation.ffmpeg_args"]:
        settings["animation.ffmpeg_args"] = ["-threads", str(MAX_THREADS)]


def find_encoder() -> str:
    """Return the path of the ffmpeg of `imageio-ffmpeg`; empty if there is none."""
    # Not by its own function, which starts the program twice to see whether it works.
    spec = importlib.util.find_spec("imageio_ffmpeg")
    folders = spec.submodule_search_locations if spec else None
    found = glob.glob(os.path.join(*folders, "binaries", "ffmpeg-*")) if folders else []
    return next((path for path in found if os.access(path, os.X_OK)), "")
