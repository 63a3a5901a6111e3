"""Rows out of JSONL, JSON and Parquet files, and out of data sets of the Hub, each with its place.

A file that is not what it says is an error at once, with its line: half a file is no data set.
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

from starchat_tui.errors import Unavailable, UsageError
from starchat_tui.paths import typed
from train.train_errors import DataError

Placed = tuple[str, dict[str, Any]]
"""A row, and where it stands."""
EXPECTED = (
    "each row is a JSON object: an OpenAssistant tree or message, `messages`, `conversations`, or "
    "`prompt` and `completion`"
)
_SUFFIXES = (".jsonl", ".json", ".jsonl.gz", ".json.gz", ".parquet")
_HUB = re.compile(r"[\w-][\w.-]*/[\w-][\w.-]*")


def rows(source: str, *, split: str = "train") -> Iterator[Placed]:
    """The rows of a file, of the files in a folder, or of `split` of a data set on the Hub.

    Raises `UsageError` where there is no such source, `DataError` where a file is damaged, and
    `Unavailable` where the Hub does not give it.
    """
    path = typed(source)
    if os.path.isdir(path):
        for file in _files(path):
            yield from _file(file)
    elif os.path.exists(path):
        yield from _file(path)
    elif _HUB.fullmatch(source) and not source.endswith(_SUFFIXES):
        yield from _hub(source, split)
    else:
        raise UsageError(
            f"There is no file `{source}`", "name a file, a folder, or a data set as OWNER/NAME"
        )


def _files(folder: Path) -> list[Path]:
    found = sorted(path for path in folder.iterdir() if path.name.endswith(_SUFFIXES))
    if not found:
        raise DataError(
            f"`{folder}` holds no data file", f"rows are read from {', '.join(_SUFFIXES)}"
        )
    return found


def _file(path: Path) -> Iterator[Placed]:
    if path.name.endswith(".parquet"):
        yield from _parquet(path)
        return
    try:
        yield from _json(path) if ".json." in f"{path.name}." else _lines(path)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(
            f"`{path}` cannot be read ({type(error).__name__}: {error})", EXPECTED
        ) from error


def _opened(path: Path) -> Any:
    return gzip.open(path) if path.name.endswith(".gz") else path.open("rb")


def _json(path: Path) -> Iterator[Placed]:
    """A file that is one JSON document, an array of rows or one row; else rows line by line."""
    with _opened(path) as file:
        raw = file.read()
    try:
        document = json.loads(raw.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        # Many a `.json` has a row on each line; what is wrong with one is said with its number.
        yield from _lines(path)
        return
    items = document if isinstance(document, list) else [document]
    for number, item in enumerate(items, start=1):
        where = f"{path}:item {number}" if isinstance(document, list) else str(path)
        yield where, _row(item, where)


def _lines(path: Path) -> Iterator[Placed]:
    with _opened(path) as file:
        for number, raw in enumerate(file, start=1):
            where = f"{path}:{number}"
            line = raw.removeprefix(b"\xef\xbb\xbf") if number == 1 else raw
            if line.strip():
                yield where, _row(_parsed(line, where), where)


def _parsed(line: bytes, where: str) -> Any:
    try:
        return json.loads(line.decode())
    except UnicodeDecodeError as error:
        raise DataError(f"{where}: not UTF-8 text ({error.reason})", EXPECTED) from error
    except json.JSONDecodeError as error:
        problem = f"{error.msg}, column {error.colno}"
        raise DataError(f"{where}: not JSON ({problem})", EXPECTED) from error
    except (ValueError, RecursionError) as error:
        raise DataError(f"{where}: JSON that cannot be read ({error})", EXPECTED) from error


def _row(value: Any, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        kind = {list: "an array", str: "a string", type(None): "null"}.get(type(value), "a number")
        raise DataError(f"{where}: an object was expected, and there is {kind}", EXPECTED)
    return value


def _parquet(path: Path) -> Iterator[Placed]:
    try:
        from pyarrow import ArrowException, parquet  # type: ignore[import-untyped]
    except ImportError as error:
        raise UsageError(
            "Parquet files need pyarrow", "install what training needs: pip install -e '.[train]'"
        ) from error
    number = 0
    try:
        with parquet.ParquetFile(path) as file:
            for batch in file.iter_batches():
                for row in batch.to_pylist():
                    number += 1
                    yield f"{path}:row {number}", row
    except (ArrowException, OSError) as error:
        raise DataError(f"`{path}` is not a Parquet file ({error})", EXPECTED) from error


def _hub(name: str, split: str) -> Iterator[Placed]:
    try:
        from datasets import load_dataset
        from datasets.exceptions import DatasetsError
    except ImportError as error:
        raise UsageError(
            "Data sets of the Hub need the `datasets` library",
            "install what training needs: pip install -e '.[train]'",
        ) from error
    try:
        found = load_dataset(name, split=split)
    except (DatasetsError, OSError, ValueError, RuntimeError) as error:
        raise Unavailable(
            f"The data set `{name}` cannot be had ({type(error).__name__}: {error})",
            "look at its name, its split and the connection, or name a file",
        ) from error
    for number, row in enumerate(found, start=1):
        yield f"{name}:row {number}", dict(row)
