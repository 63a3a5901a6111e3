"""Countries and cities of the world by Natural Earth, 1:110 million, for maps without a network.

The files hold public-domain data of naturalearthdata.com with the columns that geopandas (before
1.0) gave it: pop_est, continent, name, iso_a3, gdp_md_est and geometry in `naturalearth_lowres`,
name and geometry in `naturalearth_cities`.
"""

from __future__ import annotations

import json
import os
import re
import tempfile
from collections.abc import Callable, Iterator
from types import ModuleType

from starchat_tui.sandbox.guest.example_data import DATA_FOLDER

DATASETS = ("naturalearth_cities", "naturalearth_lowres")
COUNTRIES_FILE = os.path.join(DATA_FOLDER, "naturalearth_lowres.geojson")
NATURAL_EARTH_COLUMNS = {
    "name": ("NAME", "ADMIN", "NAME_LONG", "SOVEREIGNT"),
    "iso_a3": ("ISO_A3", "ADM0_A3"),
    "continent": ("CONTINENT",),
    "pop_est": ("POP_EST",),
    "gdp_md_est": ("GDP_MD", "GDP_MD_EST"),
}
"""Natural Earth's own columns that take the value of each column of geopandas."""
_COUNTRIES_URL = re.compile(
    r"https?://[^\s\"'`]*?(?:ne_(?:110|50|10)m_admin_0_countries|naturalearth_lowres|"
    r"johan/world\.geo\.json|datasets/geo-countries|countries\.geo\.json|geojson-world|"
    r"world-countries\.json|folium/[^\s\"'`]*world)[^\s\"'`]*"
)
"""URLs from which the countries of the world are commonly read."""


def get_path(dataset: str) -> str:
    """Return the path of a dataset, as `geopandas.datasets.get_path` did.

    Raises `ValueError` for a dataset that is not one of `DATASETS`.
    """
    if dataset in DATASETS:
        return os.path.join(DATA_FOLDER, f"{dataset}.geojson")
    raise ValueError(f"The dataset {dataset!r} is not available; these are: {', '.join(DATASETS)}")


def provide_datasets(geopandas_datasets: ModuleType, note: Callable[[str], None]) -> None:
    """Fill the module `geopandas.datasets`, which geopandas 1.0 emptied.

    Args:
        geopandas_datasets: The module; left as it is if it has datasets of its own.
        note: Takes a sentence for the user.
    """
    if getattr(geopandas_datasets, "available", None):
        return

    def get_path_with_note(dataset: str) -> str:
        path = get_path(dataset)
        note(f"compat: geopandas.datasets → {dataset}, a copy that ships with StarChat")
        return path

    geopandas_datasets.get_path = get_path_with_note  # type: ignore[attr-defined]
    geopandas_datasets.available = list(DATASETS)  # type: ignore[attr-defined]


def find_urls(code: str) -> list[str]:
    """Return the URLs in `code` for which there is a copy, the longest first.

    Replaced in this order, a URL that is the beginning of another leaves the other intact.
    """
    return sorted(set(_COUNTRIES_URL.findall(code)), key=len, reverse=True)


def find_offline_copies(code: str) -> Iterator[tuple[str, str]]:
    """Yield each URL of the world's countries in `code` with the path of the copy."""
    for url in find_urls(code):
        # Code that reads Natural Earth's own file uses its own column names.
        yield url, _write_natural_earth_file() if "ne_" in url else COUNTRIES_FILE


def _write_natural_earth_file() -> str:
    """Return the path of a copy with Natural Earth's column names; write it at the first call."""
    path = os.path.join(tempfile.gettempdir(), "ne_110m_admin_0_countries.geojson")
    if not os.path.exists(path):
        with open(COUNTRIES_FILE, encoding="utf-8") as file:
            world = json.load(file)
        for country in world["features"]:
            values = country["properties"]
            country["properties"] = {
                column: values[ours]
                for ours, columns in NATURAL_EARTH_COLUMNS.items()
                for column in columns
            }
        with open(path, "w", encoding="utf-8") as file:
            json.dump(world, file)
    return path
