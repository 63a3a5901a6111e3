"""Animations as video: encoded in the sandbox by the ffmpeg that a package ships."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from starchat_tui.sandbox.guest import video
from starchat_tui.sandbox.host.kernel import SandboxKernel
from tests.sandbox.kernels import run_code

ANIMATION = """
import matplotlib.pyplot as plt
from matplotlib.animation import FuncAnimation
fig, ax = plt.subplots(figsize=(2, 2))
line, = ax.plot([0, 1], [0, 1])
ani = FuncAnimation(fig, lambda i: line.set_ydata([0, i]), frames=5)
ani.save("rising.mp4", fps=5)
print(open("rising.mp4", "rb").read(12)[4:8])
"""


@pytest.fixture
def settings() -> dict[str, Any]:
    return {"animation.ffmpeg_path": "no-such-ffmpeg", "animation.ffmpeg_args": []}


def provide(settings: dict[str, Any]) -> dict[str, Any]:
    module: Any = SimpleNamespace(mpl=SimpleNamespace(rcParams=settings))
    video.provide_encoder(module)
    return settings


@pytest.fixture
def encoder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Package that ships an ffmpeg, found before one that is installed."""
    path = tmp_path / "imageio_ffmpeg" / "binaries" / "ffmpeg-linux64-v4.2.2"
    path.parent.mkdir(parents=True)
    (tmp_path / "imageio_ffmpeg" / "__init__.py").touch()
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "imageio_ffmpeg", raising=False)
    return path


def test_the_program_of_the_package_is_used(encoder: Path, settings: dict[str, Any]) -> None:
    assert provide(settings) == {
        "animation.ffmpeg_path": str(encoder),
        "animation.ffmpeg_args": ["-threads", "4"],
    }


def test_a_program_that_cannot_run_is_not_used(encoder: Path, settings: dict[str, Any]) -> None:
    encoder.chmod(0o644)
    assert provide(settings)["animation.ffmpeg_path"] == "no-such-ffmpeg"


def test_the_program_of_the_system_comes_first(encoder: Path, settings: dict[str, Any]) -> None:
    settings["animation.ffmpeg_path"] = sys.executable
    settings["animation.ffmpeg_args"] = ["-threads", "1"]
    assert provide(dict(settings)) == settings


@pytest.mark.bwrap
async def test_a_video_is_written_in_the_sandbox(kernel: SandboxKernel) -> None:
    if not video.find_encoder() and not shutil.which("ffmpeg"):
        pytest.skip("neither imageio-ffmpeg nor ffmpeg is installed")
    run = await run_code(kernel, ANIMATION)
    assert run.out == "b'ftyp'\n"
    assert run.files["rising.mp4"] > 500
