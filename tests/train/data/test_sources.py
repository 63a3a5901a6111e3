from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from starchat_tui.errors import Unavailable, UsageError
from train.data.sources import read_rows
from train.train_errors import DataError

ONE, TWO = {"messages": []}, {"prompt": "é\u2028", "completion": "\ud800"}
LINES = f"{json.dumps(ONE)}\n{json.dumps(TWO)}\n".encode()


@pytest.mark.parametrize(
    ("name", "raw"),
    [
        ("a.jsonl", LINES),
        ("bom.jsonl", b"\xef\xbb\xbf" + LINES),
        ("crlf.jsonl", LINES.replace(b"\n", b"\r\n")),
        ("gaps.jsonl", b"\n \r\n" + LINES.replace(b"\n", b"\n\n\t\n")),
        ("cut.jsonl", LINES.rstrip()),
        ("zipped.jsonl.gz", gzip.compress(LINES, mtime=0)),
        ("lines.json", LINES),
        ("array.json", json.dumps([ONE, TWO], indent=2).encode()),
        (
            "array.json.gz",
            gzip.compress(b"\xef\xbb\xbf" + json.dumps([ONE, TWO]).encode(), mtime=0),
        ),
        ("no suffix", LINES),
    ],
)
def test_every_file_format_is_read(tmp_path: Path, name: str, raw: bytes) -> None:
    (tmp_path / name).write_bytes(raw)
    assert [row for _, row in read_rows(str(tmp_path / name))] == [ONE, TWO]


def test_raw_line_separators_inside_a_string_do_not_end_a_row(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(json.dumps(TWO | {"completion": "x\x85y"}, ensure_ascii=False) + "\n")
    assert [row["prompt"] for _, row in read_rows(str(path))] == ["é\u2028"]


def test_a_row_has_its_line_number(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(b"\n" + LINES)
    assert [where for where, _ in read_rows(str(tmp_path / "a.jsonl"))] == [
        f"{tmp_path}/a.jsonl:2",
        f"{tmp_path}/a.jsonl:3",
    ]
    (tmp_path / "b.json").write_text("[{}, {}]")
    assert [where for where, _ in read_rows(str(tmp_path / "b.json"))] == [
        f"{tmp_path}/b.json:item 1",
        f"{tmp_path}/b.json:item 2",
    ]


def test_a_pretty_printed_object_is_one_row(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(json.dumps(ONE, indent=4))
    assert [row for _, row in read_rows(str(tmp_path / "a.json"))] == [ONE]


def test_a_folder_is_its_files_in_order(tmp_path: Path) -> None:
    for name, row in (("b.jsonl", TWO), ("a.jsonl", ONE), ("notes.txt", {})):
        (tmp_path / name).write_text(json.dumps(row))
    assert [row for _, row in read_rows(str(tmp_path))] == [ONE, TWO]


def test_parquet_rows(tmp_path: Path) -> None:
    import pyarrow
    from pyarrow import parquet

    listed = [{"messages": [{"role": "user", "content": "q"}]}, {"messages": []}]
    parquet.write_table(pyarrow.Table.from_pylist(listed), tmp_path / "a.parquet")
    found = list(read_rows(str(tmp_path / "a.parquet")))
    assert [row for _, row in found] == listed
    assert found[1][0].endswith("a.parquet:row 2")


MALFORMED = [
    (b'{"a": 1}\n{"a": \n', "a.jsonl:2: not JSON"),
    (b'{"a": 1}\nhello\n', "a.jsonl:2: not JSON"),
    (b"[1, 2]\n", "a.jsonl:1: expected an object, found an array"),
    (b"{}\n\n3\n", "a.jsonl:3: expected an object, found a number"),
    (b"null\n", "a.jsonl:1: expected an object, found null"),
    (b'"text"\n', "a.jsonl:1: expected an object, found a string"),
    (b'{"a": "\xff"}\n', "a.jsonl:1: not UTF-8 text"),
    ('{"a": 1}\n'.encode("utf-16"), "a.jsonl:1: not UTF-8 text"),
    (b"\x00\x00\x00", "a.jsonl:1: not JSON"),
    (b"{}{}\n", "a.jsonl:1: not JSON"),
    (b'{"a":' * 100_000 + b"\n", "a.jsonl:1: JSON that cannot be read"),
    (b'{"a": ' + b"9" * 5_000 + b"}\n", "a.jsonl:1: JSON that cannot be read"),
]


@pytest.mark.parametrize(
    ("raw", "expected"), MALFORMED, ids=[expected for _, expected in MALFORMED]
)
def test_a_malformed_line_is_reported_with_its_location(
    tmp_path: Path, raw: bytes, expected: str
) -> None:
    (tmp_path / "a.jsonl").write_bytes(raw)
    with pytest.raises(DataError) as caught:
        list(read_rows(str(tmp_path / "a.jsonl")))
    assert expected in caught.value.message
    assert "messages" in caught.value.hint
    assert caught.value.exit_code == 65


def test_a_line_of_ten_megabytes_is_a_line(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text(json.dumps({"prompt": "x" * 10_000_000}) + "\n{}\n")
    assert [len(row.get("prompt", "")) for _, row in read_rows(str(tmp_path / "a.jsonl"))] == [
        10**7,
        0,
    ]


@pytest.mark.parametrize(
    ("name", "raw"),
    [
        ("a.jsonl.gz", gzip.compress(LINES, mtime=0)[:-9]),
        ("a.jsonl.gz", gzip.compress(LINES, mtime=0)[:10] + b"\xff" * 20),
        ("a.jsonl.gz", b"not gzip"),
        ("a.parquet", b"not parquet"),
        ("a.parquet", b""),
    ],
)
def test_a_damaged_file_is_named(tmp_path: Path, name: str, raw: bytes) -> None:
    (tmp_path / name).write_bytes(raw)
    with pytest.raises(DataError, match=name):
        list(read_rows(str(tmp_path / name)))


def test_an_empty_file_has_no_rows(tmp_path: Path) -> None:
    for name in ("a.jsonl", "a.json"):
        (tmp_path / name).write_bytes(b"")
        assert list(read_rows(str(tmp_path / name))) == []


@pytest.mark.parametrize("name", ["absent.jsonl", "folder/absent.json", "absent", "a/b/c", ""])
def test_a_missing_file_is_an_error(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match="no file") as caught:
        list(read_rows(name or str(tmp_path / "none")))
    assert caught.value.exit_code == 2


def test_a_folder_without_data_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no data file"):
        list(read_rows(str(tmp_path)))


def test_an_unreadable_file_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(LINES)

    def deny_access(self: Path, *_: object) -> None:
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(Path, "open", deny_access)
    with pytest.raises(DataError, match="cannot be read"):
        list(read_rows(str(path)))


def test_a_hub_dataset_is_read_by_split(monkeypatch: pytest.MonkeyPatch) -> None:
    import datasets

    asked: list[tuple[str, str]] = []

    def load(name: str, split: str) -> datasets.Dataset:
        asked.append((name, split))
        return datasets.Dataset.from_list([ONE | {"n": 1}, ONE | {"n": 2}])

    monkeypatch.setattr(datasets, "load_dataset", load)
    found = list(read_rows("owner/name", split="test"))
    assert asked == [("owner/name", "test")]
    assert [(where, row["n"]) for where, row in found] == [
        ("owner/name:row 1", 1),
        ("owner/name:row 2", 2),
    ]


def test_an_unavailable_hub_dataset_is_an_error() -> None:
    with pytest.raises(Unavailable, match="owner/absent") as caught:
        list(read_rows("owner/absent"))
    assert caught.value.exit_code == 69
