"""The countries of Natural Earth, 1:110 million, for maps without a network.

The file is the public-domain data of naturalearthdata.com with the columns that geopandas gave it
in `naturalearth_lowres`: pop_est, continent, name, iso_a3, gdp_md_est, geometry.
"""

from __future__ import annotations

import json
import os
import re
import tempfile
from collections.abc import Iterator

NAME = "naturalearth_lowres"
FILE = os.path.join(os.path.dirname(os.path.abspath(__file__)), f"{NAME}.geojson")
UPPER = {"name": ("NAME", "ADMIN", "NAME_LONG", "SOVEREIGNT"), "iso_a3": ("ISO_A3", "ADM0_A3")}
UPPER |= {
    "continent": ("CONTINENT",),
    "pop_est": ("POP_EST",),
    "gdp_md_est": ("GDP_MD", "GDP_MD_EST"),
}
"""What Natural Earth itself calls the columns."""
_ADDRESS = re.compile(
    r"https?://[^\s\"'`]*?(?:ne_(?:110|50|10)m_admin_0_countries|naturalearth_lowres|"
    r"johan/world\.geo\.json|datasets/geo-countries|countries\.geo\.json|geojson-world|"
    r"world-countries\.json|folium/[^\s\"'`]*world)[^\s\"'`]*"
)
"""Addresses under which the countries of the world are commonly read."""


def get_path(dataset: str) -> str:
    """The path of a map that geopandas once brought; raises as it did for others."""
    if dataset == NAME:
        return FILE
    raise ValueError(f"The dataset '{dataset}' is not available; '{NAME}' is")


def addresses(code: str) -> list[str]:
    """The addresses in `code` for which there is a copy here, the longest first."""
    return sorted(set(_ADDRESS.findall(code)), key=len, reverse=True)


def offline(code: str) -> Iterator[tuple[str, str]]:
    """The addresses of the world's countries in `code`, and the file to read instead of each."""
    for address in addresses(code):
        yield address, _upper() if "ne_" in address else FILE


def _upper() -> str:
    """The file with Natural Earth's own column names, written on the first call."""
    path = os.path.join(tempfile.gettempdir(), "ne_110m_admin_0_countries.geojson")
    if not os.path.exists(path):
        with open(FILE, encoding="utf-8") as file:
            world = json.load(file)
        for country in world["features"]:
            own = country["properties"]
            country["properties"] = {
                new: own[old] for old, several in UPPER.items() for new in several
            }
        with open(path, "w", encoding="utf-8") as file:
            json.dump(world, file)
    return path
