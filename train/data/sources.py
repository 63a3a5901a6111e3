"""Rows of JSONL, JSON and Parquet files and of Hub datasets, each with its location.

A malformed file is an error at once, with the line: a dataset that can be read only in part is not
a dataset.
"""

from __future__ import annotations

import gzip
import json
import os
import re
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from starchat_tui.config.paths import expand_user_path
from starchat_tui.errors import Unavailable, UsageError
from train.data.row_fields import LocatedRow
from train.data.schemas import EXPECTED_ROWS
from train.train_errors import DataError

_SUFFIXES = (".jsonl", ".json", ".jsonl.gz", ".json.gz", ".parquet")
_HUB_NAME = re.compile(r"[\w-][\w.-]*/[\w-][\w.-]*")


def read_rows(source: str, *, split: str = "train") -> Iterator[LocatedRow]:
    """Yield the rows of a file, of the files in a folder, or of `split` of a Hub dataset.

    Raises `UsageError` if there is no such source, `DataError` if a file is malformed, and
    `Unavailable` if the Hub does not deliver it.
    """
    path = expand_user_path(source)
    if os.path.isdir(path):
        for file in _list_data_files(path):
            yield from _read_file(file)
    elif os.path.exists(path):
        yield from _read_file(path)
    elif _HUB_NAME.fullmatch(source) and not source.endswith(_SUFFIXES):
        yield from _read_hub_dataset(source, split)
    else:
        raise UsageError(
            f"There is no file `{source}`", "name a file, a folder, or a dataset as OWNER/NAME"
        )


def _list_data_files(folder: Path) -> list[Path]:
    found = sorted(path for path in folder.iterdir() if path.name.endswith(_SUFFIXES))
    if not found:
        raise DataError(
            f"`{folder}` contains no data file", f"supported are {', '.join(_SUFFIXES)}"
        )
    return found


def _read_file(path: Path) -> Iterator[LocatedRow]:
    if path.name.endswith(".parquet"):
        yield from _read_parquet(path)
        return
    try:
        yield from _read_json(path) if ".json." in f"{path.name}." else _read_json_lines(path)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(
            f"`{path}` cannot be read ({type(error).__name__}: {error})", EXPECTED_ROWS
        ) from error


def _open_file(path: Path) -> Any:
    return gzip.open(path) if path.name.endswith(".gz") else path.open("rb")


def _read_json(path: Path) -> Iterator[LocatedRow]:
    """Yield the rows of one JSON document, an array or a single object, or else of JSON lines."""
    with _open_file(path) as file:
        raw = file.read()
    try:
        document = json.loads(raw.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        # Many `.json` files have one row per line, and an error there comes with a line number.
        yield from _read_json_lines(path)
        return
    items = document if isinstance(document, list) else [document]
    for number, item in enumerate(items, start=1):
        where = f"{path}:item {number}" if isinstance(document, list) else str(path)
        yield where, _require_object(item, where)


def _read_json_lines(path: Path) -> Iterator[LocatedRow]:
    with _open_file(path) as file:
        for number, raw in enumerate(file, start=1):
            where = f"{path}:{number}"
            # Split at newline bytes: str.splitlines would also split at U+2028 inside a string.
            line = raw.removeprefix(b"\xef\xbb\xbf") if number == 1 else raw
            if line.strip():
                yield where, _require_object(_parse_line(line, where), where)


def _parse_line(line: bytes, where: str) -> Any:
    try:
        return json.loads(line.decode())
    except UnicodeDecodeError as error:
        raise DataError(f"{where}: not UTF-8 text ({error.reason})", EXPECTED_ROWS) from error
    except json.JSONDecodeError as error:
        problem = f"{error.msg}, column {error.colno}"
        raise DataError(f"{where}: not JSON ({problem})", EXPECTED_ROWS) from error
    except (ValueError, RecursionError) as error:
        raise DataError(f"{where}: JSON that cannot be read ({error})", EXPECTED_ROWS) from error


def _require_object(value: Any, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        kind = {list: "an array", str: "a string", type(None): "null"}.get(type(value), "a number")
        raise DataError(f"{where}: expected an object, found {kind}", EXPECTED_ROWS)
    return value


def _read_parquet(path: Path) -> Iterator[LocatedRow]:
    try:
        from pyarrow import ArrowException, parquet  # type: ignore[import-untyped]
    except ImportError as error:
        raise UsageError(
            "Parquet files need pyarrow",
            "install the training dependencies: `pip install -e '.[train]'`",
        ) from error
    number = 0
    try:
        with parquet.ParquetFile(path) as file:
            # In batches: a file of a large dataset need not fit into memory as Python objects.
            for batch in file.iter_batches():
                for row in batch.to_pylist():
                    number += 1
                    yield f"{path}:row {number}", row
    except (ArrowException, OSError) as error:
        raise DataError(f"`{path}` is not a Parquet file ({error})", EXPECTED_ROWS) from error


def _read_hub_dataset(name: str, split: str) -> Iterator[LocatedRow]:
    try:
        from datasets import load_dataset
        from datasets.exceptions import DatasetsError
    except ImportError as error:
        raise UsageError(
            "Hub datasets need the `datasets` library",
            "install the training dependencies: `pip install -e '.[train]'`",
        ) from error
    try:
        found = load_dataset(name, split=split)
    except (DatasetsError, OSError, ValueError, RuntimeError) as error:
        raise Unavailable(
            f"The dataset `{name}` cannot be loaded ({type(error).__name__}: {error})",
            "check its name, its split and the connection, or name a file",
        ) from error
    for number, row in enumerate(found, start=1):
        yield f"{name}:row {number}", dict(row)
