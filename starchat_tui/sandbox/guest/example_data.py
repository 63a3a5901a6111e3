"""Example tables of seaborn, which `seaborn.load_dataset` would download.

The files have the columns, the rows and the order that seaborn's documentation shows; seaborn
itself turns columns into categories as it reads them.

    name       rows   source, and licence of the copy
    anscombe      44  Anscombe 1973, by plotnine (MIT)
    car_crashes   51  bad drivers by state, by FiveThirtyEight (CC BY 4.0)
    diamonds  53,940  ggplot2 (MIT), by plotnine (MIT)
    flights      144  airline passengers of Box and Jenkins 1976, as in pmdarima (MIT)
    geyser       272  Azzalini and Bowman 1990, by plotnine (MIT)
    iris         150  Fisher 1936, by scikit-learn (BSD)
    mpg          398  StatLib's cars of 1970 to 1982, by vega_datasets (MIT)
    penguins     344  Gorman, Williams and Fraser 2014, by palmerpenguins (CC0)
    tips         244  Bryant and Smith 1995, by plotly (MIT)
    titanic      891  passenger list, by explainerdashboard (MIT) and shapash (Apache 2.0)
"""

from __future__ import annotations

import lzma
import os
import tempfile
from collections.abc import Callable
from functools import wraps
from types import ModuleType
from typing import Any

DATA_FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "data")
_COMPRESSED = ".csv.xz"


def list_tables() -> list[str]:
    """Return the names of the tables, in alphabetical order."""
    return sorted(name.partition(".")[0] for name in os.listdir(DATA_FOLDER) if ".csv" in name)


def provide_tables(seaborn_utils: ModuleType, note: Callable[[str], None]) -> None:
    """Let `load_dataset` and `get_dataset_names` of seaborn read the tables here.

    Args:
        seaborn_utils: The module `seaborn.utils`, which defines the two functions; call this
            before `seaborn` itself has taken them over from there.
        note: Takes a sentence for the user.
    """
    original: Callable[..., Any] = seaborn_utils.load_dataset

    @wraps(original)
    def load_dataset(name: Any, cache: bool = True, data_home: Any = None, **kws: Any) -> Any:
        own = os.path.join(seaborn_utils.get_data_home(data_home), f"{name}.csv")
        # Anything but a name raises seaborn's own error; a file of the code's own comes first.
        if not isinstance(name, str) or os.path.exists(own):
            return original(name, cache, data_home, **kws)
        if name not in list_tables():
            raise ValueError(
                f"seaborn would download {name!r}, and the sandbox has no network; "
                f"these tables are here: {', '.join(list_tables())}"
            )
        note(f"compat: sns.load_dataset({name!r}) → a copy that ships with StarChat")
        return original(name, True, _prepare_folder(name), **kws)

    @wraps(seaborn_utils.get_dataset_names)
    def get_dataset_names() -> list[str]:
        return list_tables()

    seaborn_utils.load_dataset = load_dataset  # type: ignore[attr-defined]
    seaborn_utils.get_dataset_names = get_dataset_names  # type: ignore[attr-defined]


def _prepare_folder(name: str) -> str:
    """Return the folder that has the table as `NAME.csv`; decompress it at its first use."""
    packed = os.path.join(DATA_FOLDER, name + _COMPRESSED)
    if not os.path.exists(packed):
        return DATA_FOLDER
    folder = os.path.join(tempfile.gettempdir(), "seaborn-data")
    os.makedirs(folder, exist_ok=True)
    with lzma.open(packed) as source, open(os.path.join(folder, f"{name}.csv"), "wb") as target:
        target.write(source.read())
    return folder
