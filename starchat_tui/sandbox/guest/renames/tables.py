"""Renames of pandas and geopandas."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from functools import partial, wraps
from importlib import import_module
from types import ModuleType
from typing import Any

from starchat_tui.sandbox.guest.renames.declarations import (
    Adaptation,
    ChangedCall,
    RemovedMember,
    RemovedModule,
    RemovedName,
    Rename,
    drop_argument,
    list_names,
    name_arguments,
    rename_argument,
)

_FREQUENCIES = {
    **{"M": "ME", "Q": "QE", "A": "YE", "Y": "YE", "SM": "SME", "BM": "BME", "CBM": "CBME"},
    **{"BQ": "BQE", "BA": "BYE", "BY": "BYE", "AS": "YS", "BAS": "BYS"},
    **{"H": "h", "BH": "bh", "CBH": "cbh", "T": "min", "S": "s", "L": "ms", "U": "us", "N": "ns"},
}
"""Frequencies that pandas 2.2 renamed, and 3 removed."""
_FREQUENCY = re.compile(r"(?P<times>-?\d*\.?\d*)(?P<unit>[A-Z]+)(?P<anchor>-[A-Z]{3})?")
_FILL_METHODS = {"ffill": "ffill", "pad": "ffill", "bfill": "bfill", "backfill": "bfill"}


def translate_frequency(frequency: Any) -> str:
    """Return the new name of a frequency such as `2H` or `A-DEC`; empty if it has none."""
    found = _FREQUENCY.fullmatch(frequency) if isinstance(frequency, str) else None
    if not found or found["unit"] not in _FREQUENCIES:
        return ""
    return found["times"] + _FREQUENCIES[found["unit"]] + (found["anchor"] or "")


def provide_frequencies(pandas: ModuleType, note: Callable[[str], None]) -> None:
    """Let every function of pandas that takes a frequency take the names before 2.2, too."""
    frequencies: Any = sys.modules["pandas.tseries.frequencies"]
    original: Callable[..., Any] = frequencies.to_offset

    @wraps(original)
    def to_offset(freq: Any, *args: Any, **named: Any) -> Any:
        try:
            return original(freq, *args, **named)
        except ValueError:
            new = translate_frequency(freq)
            if not new:
                raise
            offset = original(new, *args, **named)
        note(f"compat: frequency {freq!r} → {new!r} (changed in pandas 2.2)")
        return offset

    # Each module has taken the function over by its name.
    for name, module in list(sys.modules.items()):
        if name.startswith("pandas.") and vars(module).get("to_offset") is original:
            module.to_offset = to_offset  # type: ignore[attr-defined]


def append_rows(self: Any, other: Any, ignore_index: bool = False, **options: Any) -> Any:
    """Return a table with more rows, as `DataFrame.append` did.

    `other` is a table, a row (a Series, or a dict if `ignore_index`), or a list of them.
    """
    pandas = import_module("pandas")
    if isinstance(other, dict):
        if not ignore_index:
            raise TypeError("Can only append a dict if ignore_index=True")
        other = pandas.Series(other)
    if isinstance(other, pandas.Series):
        if other.name is None and not ignore_index:
            raise TypeError("Can only append a Series if ignore_index=True or if it has a name")
        other = other.to_frame().T.infer_objects()
    if not isinstance(other, list | tuple):
        other = [other]
    elif other and not isinstance(other[0], pandas.DataFrame):
        other = [pandas.DataFrame(list(other))]
    # Concatenated with an empty table, every column would take the type `object`.
    parts = [part for part in (self, *other) if len(part) or len(part.columns)]
    if not len(self) and parts and parts[0] is self and len(parts) > 1:
        columns = list(dict.fromkeys(name for part in parts for name in part.columns))
        parts = [part.reindex(columns=columns) for part in parts[1:]]
    return pandas.concat(parts or [self], ignore_index=ignore_index, **options)


def append_values(self: Any, to_append: Any, ignore_index: bool = False, **options: Any) -> Any:
    """Return a Series with more values, as `Series.append` did."""
    pandas = import_module("pandas")
    others = to_append if isinstance(to_append, list | tuple) else [to_append]
    return pandas.concat([self, *others], ignore_index=ignore_index, **options)


def create_index(dtype: str, data: Any = (), **options: Any) -> Any:
    """Return an index of numbers, as `pd.Int64Index` and its like did."""
    pandas = import_module("pandas")
    return pandas.Index(data, dtype=dtype, **options)


def compute_mean_deviation(self: Any, axis: Any = 0, skipna: bool = True) -> Any:
    """Return the mean absolute deviation, as `mad` did."""
    if self.ndim == 1:
        return (self - self.mean(skipna=skipna)).abs().mean(skipna=skipna)
    rows = axis in (1, "columns")
    center = self.mean(axis=axis, skipna=skipna)
    return self.sub(center, axis=0 if rows else 1).abs().mean(axis=axis, skipna=skipna)


def _number_weeks(dates: Any) -> Any:
    """Return the weeks of the dates of an index, as `DatetimeIndex.week` did."""
    return create_index("int64", dates.isocalendar().week.to_numpy())


def _fill_by_method(
    original: Callable[..., Any], args: list[Any], named: dict[str, Any]
) -> Adaptation:
    """Adapt `fillna(method="ffill")`."""
    method = _FILL_METHODS.get(str(named.get("method")))
    if len(args) != 1 or method is None or named.get("value") is not None:
        return None
    del named["method"]
    named.pop("value", None)
    return f"method={method!r} → {method}()", getattr(type(args[0]), method)


def _squeeze_columns(
    original: Callable[..., Any], args: list[Any], named: dict[str, Any]
) -> Adaptation:
    """Adapt `squeeze=True` of the functions that read tables."""
    if "squeeze" not in named:
        return None
    squeezes = named.pop("squeeze")

    def read(*args: Any, **named: Any) -> Any:
        table = original(*args, **named)
        return table.squeeze("columns") if squeezes else table

    return "squeeze= → .squeeze('columns')", read


def _skip_bad_lines(
    original: Callable[..., Any], args: list[Any], named: dict[str, Any]
) -> Adaptation:
    """Adapt `error_bad_lines=False`, with or without `warn_bad_lines`."""
    if not {"error_bad_lines", "warn_bad_lines"} & named.keys() or "on_bad_lines" in named:
        return None
    fails, warns = named.pop("error_bad_lines", True), named.pop("warn_bad_lines", True)
    named["on_bad_lines"] = "error" if fails else "warn" if warns else "skip"
    return f"error_bad_lines= → on_bad_lines={named['on_bad_lines']!r}", original


def _separate_by_blanks(
    original: Callable[..., Any], args: list[Any], named: dict[str, Any]
) -> Adaptation:
    """Adapt `delim_whitespace=True`."""
    if "delim_whitespace" not in named:
        return None
    if named.pop("delim_whitespace"):
        named["sep"] = r"\s+"
    return r"delim_whitespace= → sep='\s+'", original


def _list_columns(
    original: Callable[..., Any], args: list[Any], named: dict[str, Any]
) -> Adaptation:
    """Adapt `df.groupby("k")["a", "b"]`."""
    if len(args) != 2 or not isinstance(args[1], tuple) or len(args[1]) < 2:
        return None
    args[1] = list(args[1])
    return "groupby(…)['a', 'b'] → groupby(…)[['a', 'b']]", original


def _name_bounds(
    original: Callable[..., Any], args: list[Any], named: dict[str, Any]
) -> Adaptation:
    """Adapt `between(…, inclusive=True)`."""
    if not isinstance(named.get("inclusive"), bool):
        return None
    named["inclusive"] = "both" if named["inclusive"] else "neither"
    return f"inclusive= → inclusive={named['inclusive']!r}", original


_READERS = ("read_csv", "read_table", "read_excel")
_FRAME, _SERIES = ("pandas", "DataFrame"), ("pandas", "Series")
_POSITIONAL = {
    "drop": ("labels", "axis", "index", "columns"),
    "set_index": ("keys", "drop", "append", "inplace"),
}
"""Methods whose first argument alone may be positional, with the arguments in their old order."""
_POSITIONAL_NONE = {
    "pivot": ("index", "columns", "values"),
    "dropna": ("axis", "how", "thresh", "subset"),
    "sort_index": ("axis", "level", "ascending"),
    "any": ("axis",),
    "all": ("axis",),
}
"""Methods whose arguments all have to be named."""


def _list_members() -> list[RemovedMember]:
    """Return the renamed methods that a DataFrame, a Series or their parts had."""
    declared: list[tuple[tuple[str, str], str, str, str, Callable[..., Any]]] = [
        (_FRAME, "append", "2.0", "pd.concat", append_rows),
        (_SERIES, "append", "2.0", "pd.concat", append_values),
        (("pandas", "ExcelWriter"), "save", "2.0", "ExcelWriter.close", lambda self: self.close()),
        (_FRAME, "applymap", "3.0", "DataFrame.map", lambda self, *a, **k: self.map(*a, **k)),
    ]
    for owner in (_FRAME, _SERIES):
        kind = owner[1]
        declared += [
            (owner, "iteritems", "2.0", f"{kind}.items", lambda self: self.items()),
            (owner, "mad", "2.0", "(x - x.mean()).abs().mean()", compute_mean_deviation),
            (owner, "as_matrix", "1.0", f"{kind}.to_numpy", lambda self: self.to_numpy()),
            (owner, "get_values", "1.0", f"{kind}.to_numpy", lambda self: self.to_numpy()),
            (owner, "pad", "3.0", f"{kind}.ffill", lambda self, **k: self.ffill(**k)),
            (owner, "backfill", "3.0", f"{kind}.bfill", lambda self, **k: self.bfill(**k)),
        ]
    return [
        RemovedMember(*owner, name, f"pandas {since}", shown, method)
        for owner, name, since, shown, method in declared
    ]


def _list_properties() -> list[RemovedMember]:
    """Return the renamed properties."""
    dates = ("pandas.core.indexes.accessors", "DatetimeProperties")
    declared: list[tuple[tuple[str, str], str, str, Callable[[Any], Any]]] = [
        (dates, name, "isocalendar().week", lambda self: self.isocalendar().week.astype("int64"))
        for name in ("week", "weekofyear")
    ]
    declared += [
        (("pandas", "DatetimeIndex"), name, "isocalendar().week", _number_weeks)
        for name in ("week", "weekofyear")
    ]
    declared += [
        (owner, "is_monotonic", "is_monotonic_increasing", lambda it: it.is_monotonic_increasing)
        for owner in (_SERIES, ("pandas", "Index"))
    ]
    return [
        RemovedMember(*owner, name, "pandas 2.0", shown, getter, is_property=True)
        for owner, name, shown, getter in declared
    ]


PANDAS: tuple[Rename, ...] = (
    *_list_members(),
    *_list_properties(),
    *list_names("pandas", "pandas 2.0", {"datetime": "datetime.datetime"}),
    *list_names("pandas.io.json", "pandas 3.0", {"json_normalize": "pandas.json_normalize"}),
    *(
        RemovedName(
            "pandas",
            f"{kind}64Index",
            "pandas 2.0",
            partial(create_index, f"{kind.lower()}64"),
            f"pd.Index(…, dtype='{kind.lower()}64')",
        )
        for kind in ("Int", "UInt", "Float")
    ),
    RemovedModule("pandas.tools.plotting", "pandas 1.0", "pandas.plotting"),
    RemovedModule("pandas.util.testing", "pandas 2.0", "pandas.testing"),
    ChangedCall("pandas", "DataFrame", ("fillna",), "pandas 3.0", _fill_by_method),
    ChangedCall("pandas", "Series", ("fillna",), "pandas 3.0", _fill_by_method),
    *(
        ChangedCall("pandas", "", _READERS, since, adapt)
        for since, adapt in (
            ("pandas 2.0", _squeeze_columns),
            ("pandas 2.0", _skip_bad_lines),
            ("pandas 2.0", drop_argument("mangle_dupe_cols", True)),
            ("pandas 3.0", drop_argument("infer_datetime_format", True, False)),
            ("pandas 3.0", _separate_by_blanks),
        )
    ),
    ChangedCall(
        "pandas",
        "",
        ("read_csv",),
        "pandas 2.0",
        name_arguments("filepath_or_buffer", "sep", least=2),
    ),
    ChangedCall(
        "pandas",
        "",
        ("to_datetime",),
        "pandas 3.0",
        drop_argument("infer_datetime_format", True, False),
    ),
    ChangedCall(
        "pandas",
        "",
        ("concat",),
        "pandas 2.0",
        name_arguments("objs", "axis", "join", "ignore_index", least=2),
    ),
    *(
        ChangedCall(*owner, (name,), "pandas 2.0", name_arguments("self", *names, least=3))
        for name, names in _POSITIONAL.items()
        for owner in (_FRAME, _SERIES)
    ),
    *(
        ChangedCall(*owner, (name,), "pandas 2.0", name_arguments("self", *names, least=2))
        for name, names in _POSITIONAL_NONE.items()
        for owner in (_FRAME, _SERIES)
    ),
    ChangedCall(
        "pandas",
        "DataFrame",
        ("to_csv",),
        "pandas 2.0",
        rename_argument("line_terminator", "lineterminator"),
    ),
    ChangedCall(
        "pandas",
        "core.groupby.DataFrameGroupBy",
        ("__getitem__",),
        "pandas 2.0",
        _list_columns,
    ),
    ChangedCall("pandas", "Series", ("between",), "pandas 2.0", _name_bounds),
    ChangedCall(
        "pandas",
        "",
        ("date_range", "bdate_range"),
        "pandas 2.0",
        rename_argument("closed", "inclusive", lambda value: value or "both"),
    ),
    *(
        ChangedCall(*owner, ("describe",), "pandas 2.0", drop_argument("datetime_is_numeric", True))
        for owner in (_FRAME, _SERIES)
    ),
    ChangedCall(
        "pandas", "DataFrame", ("set_axis",), "pandas 2.0", drop_argument("inplace", False)
    ),
)
GEOPANDAS: tuple[Rename, ...] = (
    *list_names("shapely.ops", "Shapely 2.1", {"cascaded_union": "shapely.ops.unary_union"}),
    ChangedCall("geopandas", "", ("sjoin",), "geopandas 1.0", rename_argument("op", "predicate")),
)
