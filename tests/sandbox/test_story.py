"""The three plots of the StarChat blog post, run in a real kernel and compared by description."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from starchat_tui.sandbox.outputs import Figure
from tests.sandbox.kernels import ENVIRONMENTS, open_kernel, run_code
from tests.sandbox.story_snippets import BARS, SIXERS, WORLD

pytestmark = [pytest.mark.bwrap, pytest.mark.slow]

BARS_DESCRIPTION = """\
axes 1: "Age by Name"; x "Name"; y "Age"
  bars: Tom 20, Brad 21, Kyle 19, Jerry 18
axes 2: "Height by Name"; x "Name"; y "Height (ft)"
  bars: Tom 6.1, Brad 5.9, Kyle 6, Jerry 6.1"""
WORLD_DESCRIPTION = """\
axes: "Germany and Spain"
  177 shapes (177 lightgray), x -180 to 180, y -90 to 83.645
  2 shapes (2 red at (10.5, 51.1), (-3.2, 39.8)), x -9.3929 to 15.017, y 35.947 to 54.983"""
SIXERS_DESCRIPTION = """\
axes: "Philadelphia 76ers, 2022-23"; x "Points per game"; y "Rebounds per game"
  points: Joel Embiid (33.1, 10.2), James Harden (21, 6.1), Tyrese Maxey (20.3, 2.9), \
Tobias Harris (14.7, 5.7), De'Anthony Melton (10.1, 4.1), P.J. Tucker (3.5, 3.9)"""


def decode_figure(figure: Figure) -> Image.Image:
    """Decode a figure, whose size must be the announced one."""
    decoded = Image.open(io.BytesIO(figure.png), formats=["PNG"])
    assert decoded.size == (figure.width, figure.height)
    return decoded.convert("RGB")


def measure_share(picture: Image.Image, color: tuple[int, int, int]) -> float:
    """Return the share of the pixels that have exactly this color."""
    pixels = list(picture.get_flattened_data())
    return pixels.count(color) / len(pixels)


@pytest.mark.parametrize("level", ["isolated", "restricted"])
async def test_the_three_plots(level: str) -> None:
    async with open_kernel(level) as kernel:
        bars, world, sixers = [await run_code(kernel, code) for code in (BARS, WORLD, SIXERS)]
    for run in (bars, world, sixers):
        assert run.end.status == "ok", run.outputs
        assert run.err == ""
        assert not run.results, "the handles of plots are not shown"
    assert bars.descriptions == [BARS_DESCRIPTION]
    assert world.descriptions == [WORLD_DESCRIPTION]
    assert sixers.descriptions == [SIXERS_DESCRIPTION]
    assert bars.notes == [
        "compat: seaborn-talk → seaborn-v0_8-talk",
        "compat: sns → import seaborn as sns",
    ]
    assert "naturalearth_lowres" in world.notes[0]
    assert not sixers.notes
    assert measure_share(decode_figure(bars.figures[0]), (255, 255, 255)) < 0.8, "there are bars"
    map_ = decode_figure(world.figures[0])
    assert 0.001 < measure_share(map_, (255, 0, 0)) < 0.01, "two countries are red"
    assert measure_share(map_, (211, 211, 211)) > 0.15, "the others are light grey"


async def test_strict_mode_provides_no_compatibility() -> None:
    async with open_kernel(strict=True) as kernel:
        bars, world = [await run_code(kernel, code) for code in (BARS, WORLD)]
    assert (bars.end.status, bars.failure.name) == ("error", "OSError")
    assert (world.end.status, world.failure.name) == ("error", "AttributeError")
    for run in (bars, world):
        assert not any(note.startswith("compat") for note in run.notes)


@pytest.mark.parametrize("environment", ["2023", "current", *filter(None, ENVIRONMENTS)], ids=str)
def test_the_three_plots_by_the_pipe(environment: Path | str, tmp_path: Path) -> None:
    cards = []
    for code in (BARS, WORLD, SIXERS):
        chosen = ["--env", str(environment)]
        process = subprocess.run(
            [sys.executable, "-m", "starchat_tui", "run", "-", "--json", *chosen],
            input=code,
            capture_output=True,
            text=True,
            env={**os.environ, "STARCHAT_HOME": str(tmp_path)},
        )
        result = json.loads(process.stdout)
        assert (process.returncode, result["status"]) == (0, "ok"), result["error"]
        assert [one["png"][:11] for one in result["figures"]] == ["iVBORw0KGgo"]
        assert result["stderr"] == "", "the words of 2023 need no warning"
        if environment == "2023":
            # The style has this name there; nothing else stands in for what the code asked for.
            assert not any("talk" in note for note in result["notes"])
        cards.append(result["figures"][0]["card"])
    # geopandas draws the islands of a country apart, or in one shape, as its version does.
    cards[1] = re.sub(r"\b287\b", "177", cards[1])
    assert cards == [BARS_DESCRIPTION, WORLD_DESCRIPTION, SIXERS_DESCRIPTION]
