"""Countries of Natural Earth that are read without a network."""

from __future__ import annotations

import json
from pathlib import Path
from types import ModuleType

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


def test_two_datasets_are_there() -> None:
    shapes = {"naturalearth_cities": 243, "naturalearth_lowres": 177}
    for name, rows in shapes.items():
        assert len(json.loads(Path(countries.get_path(name)).read_text())["features"]) == rows
    assert set(countries.DATASETS) == set(shapes)
    with pytest.raises(ValueError, match="'nybb' is not available; these are"):
        countries.get_path("nybb")


@pytest.mark.bwrap
async def test_cities_lie_on_the_map_of_the_countries(kernel: SandboxKernel) -> None:
    code = """
import geopandas as gpd
world = gpd.read_file(gpd.datasets.get_path("naturalearth_lowres"))
cities = gpd.read_file(gpd.datasets.get_path("naturalearth_cities"))
base = world.plot(color="white", edgecolor="black")
cities.plot(ax=base, color="red", markersize=5)
found = gpd.sjoin(cities, world, predicate="within")
print(len(cities), found[found.name_left == "Nairobi"].name_right.item())
"""
    run = await run_code(kernel, code)
    assert (run.out, len(run.figures)) == ("243 Kenya\n", 1)
    assert [note.split()[3] for note in run.notes] == [
        "naturalearth_lowres,",
        "naturalearth_cities,",
    ]


def test_datasets_that_geopandas_has_are_its_own() -> None:
    module = ModuleType("geopandas.datasets")
    module.available = ["nybb"]  # type: ignore[attr-defined]
    countries.provide_datasets(module, pytest.fail)
    assert not hasattr(module, "get_path")
