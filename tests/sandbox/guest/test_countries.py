"""Countries of Natural Earth that are read without a network."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from starchat_tui.sandbox.guest import countries
from starchat_tui.sandbox.host.kernel import SandboxKernel
from tests.sandbox.kernels import run_code


@pytest.mark.bwrap
async def test_the_world_is_read_by_its_url_without_a_network(kernel: SandboxKernel) -> None:
    url = "https://naciscdn.org/naturalearth/110m/cultural/ne_110m_admin_0_countries.zip"
    code = f"w = gpd.read_file('{url}')\nlen(w), w[w.NAME == 'Spain'].ISO_A3.item()"
    run = await run_code(kernel, code)
    assert run.results == ["(177, 'ESP')"]
    assert url in run.notes[0]


@pytest.mark.parametrize(
    "url",
    [
        "https://naciscdn.org/naturalearth/50m/cultural/ne_50m_admin_0_countries.zip",
        "https://raw.githubusercontent.com/johan/world.geo.json/master/countries.geo.json",
        "https://raw.githubusercontent.com/datasets/geo-countries/master/data/countries.geojson",
        "http://example.org/naturalearth_lowres.shp",
    ],
)
def test_common_urls_of_the_world_are_found(url: str) -> None:
    assert countries.find_urls(f"w = gpd.read_file('{url}')") == [url]


def test_other_urls_are_left_alone() -> None:
    assert countries.find_urls("open('https://example.org/cities.geojson')") == []


def test_a_url_that_begins_like_another_comes_after_it() -> None:
    short = "https://e.org/countries.geo.json"
    assert countries.find_urls(f"'{short}' '{short}?x'") == [f"{short}?x", short]


def test_a_copy_has_the_columns_of_its_source(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    code = "'https://e.org/ne_110m_admin_0_countries.zip' 'https://e.org/countries.geo.json'"
    paths = dict(countries.find_offline_copies(code))
    columns = [set(_read_columns(Path(paths[url]))) for url in sorted(paths)]
    assert columns[0] == {"pop_est", "continent", "name", "iso_a3", "gdp_md_est"}
    assert {"NAME", "ADMIN", "ISO_A3", "POP_EST", "CONTINENT", "GDP_MD_EST"} <= columns[1]


def _read_columns(path: Path) -> list[str]:
    return list(json.loads(path.read_text())["features"][0]["properties"])


def test_only_the_countries_are_a_dataset() -> None:
    assert Path(countries.get_path("naturalearth_lowres")).is_file()
    with pytest.raises(ValueError, match="'nybb' is not available"):
        countries.get_path("nybb")
