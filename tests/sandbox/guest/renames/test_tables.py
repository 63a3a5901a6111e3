"""Renames of pandas, in the version that removed the old form."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from starchat_tui.sandbox.guest.renames import tables
from starchat_tui.sandbox.host.kernel import SandboxKernel
from tests.sandbox.guest.renames.cases import Case, check_cases

PANDAS: list[Case] = [
    (
        "df = pd.DataFrame(columns=['n', 'a'])\n"
        "df = df.append({'n': 'Ann', 'a': 30}, ignore_index=True)\n"
        "df = df.append(pd.Series({'n': 'Bob', 'a': 31}), ignore_index=True)\n"
        "df = df.append([{'n': 'Cy', 'a': 4}], ignore_index=True).append(df[:1])\n"
        "print(df.n.tolist(), df.a.tolist(), df.index.tolist())",
        "['Ann', 'Bob', 'Cy', 'Ann'] [30, 31, 4, 30] [0, 1, 2, 0]",
        "DataFrame.append → pd.concat (changed in pandas 2.0)",
    ),
    (
        "print(pd.Series([1]).append(pd.Series([2])).tolist())",
        "[1, 2]",
        "Series.append → pd.concat",
    ),
    (
        "print([name for name, _ in pd.DataFrame({'a': [1]}).iteritems()])",
        "['a']",
        "DataFrame.iteritems → DataFrame.items",
    ),
    (
        "print(pd.DataFrame({'a': [1.26]}).applymap(lambda v: round(v, 1)).a[0])",
        "1.3",
        "DataFrame.applymap → DataFrame.map",
    ),
    ("print(pd.Series([1, 2, 6]).mad())", "2.0", "Series.mad → "),
    ("print(pd.DataFrame({'a': [1, 3]}).mad().a)", "1.0", "DataFrame.mad → "),
    ("print(pd.Series([1, 2]).is_monotonic)", "True", "Series.is_monotonic → "),
    ("print(pd.Series([1, None]).fillna(method='ffill').tolist())", "[1.0, 1.0]", "fillna(method="),
    (
        "days = pd.date_range('2022-01-01', periods=60)\n"
        "s = pd.Series(1, index=days)\nprint(s.resample('M').sum().tolist())",
        "[31, 28, 1]",
        "frequency 'M' → 'ME'",
    ),
    ("print(pd.date_range('2022', periods=2, freq='2H')[1].hour)", "2", "frequency '2H' → '2h'"),
    (
        "print(s.groupby(pd.Grouper(freq='A-DEC')).sum().tolist())",
        "[60]",
        "frequency 'A-DEC' → 'YE-DEC'",
    ),
    ("print(s.index.floor('H')[0].hour, s.index.week[0])", "0 52", "frequency 'H' → 'h'"),
    ("print(pd.Series(days).dt.week[0])", "52", "DatetimeProperties.week → "),
    (
        "t = pd.DataFrame({'m': ['J', 'F'], 'y': [1, 1], 'v': [3, 4]})\n"
        "print(t.pivot('m', 'y', 'v')[1].tolist())",
        "[4, 3]",
        "pivot(…) → pivot(index=, columns=, values=)",
    ),
    ("print(list(t.drop('v', 1)))", "['m', 'y']", "drop(…) → drop(labels=, axis=)"),
    ("print(pd.concat([t, t], 1).shape)", "(2, 6)", "concat(…) → concat(objs=, axis=)"),
    (
        "import io\nprint(pd.read_csv(io.StringIO('a\\n1'), squeeze=True).tolist())",
        "[1]",
        "read_csv(squeeze=) → .squeeze('columns')",
    ),
    (
        "print(len(pd.read_csv(io.StringIO('a,b\\n1,2\\n1,2,3'), error_bad_lines=False,"
        " warn_bad_lines=False)))",
        "1",
        "read_csv(error_bad_lines=) → read_csv(on_bad_lines='skip')",
    ),
    (
        "print(pd.read_csv(io.StringIO('a  b\\n1  2'), delim_whitespace=True).b[0])",
        "2",
        "read_csv(delim_whitespace=) → ",
    ),
    (
        "print(t.groupby('m')['y', 'v'].sum().v.tolist())",
        "[4, 3]",
        "groupby(…)['a', 'b'] → groupby(…)[['a', 'b']]",
    ),
    ("print(s[:3].between(0, 1, inclusive=False).any())", "False", "between(inclusive=) → "),
    (
        "print(len(pd.date_range('2022-01-01', '2022-01-03', closed='left')))",
        "2",
        "date_range(closed=) → date_range(inclusive=)",
    ),
    ("print(len(s.describe(datetime_is_numeric=True)))", "8", "describe(datetime_is_numeric=True)"),
    (
        "from pandas.io.json import json_normalize\n"
        "print(json_normalize({'a': {'b': 1}}).columns[0])",
        "a.b",
        "pandas.io.json.json_normalize → pd.json_normalize",
    ),
    ("print(pd.Int64Index([1]).dtype)", "int64", "pd.Int64Index → "),
    ("print(pd.datetime(2022, 1, 2).day)", "2", "pd.datetime → datetime.datetime"),
    (
        "from pandas.tools.plotting import scatter_matrix\nprint(scatter_matrix.__name__)",
        "scatter_matrix",
        "pandas.tools.plotting → pandas.plotting",
    ),
]


@pytest.mark.bwrap
async def test_pandas_runs_as_in_2023(kernel: SandboxKernel) -> None:
    await check_cases(kernel, "pandas", PANDAS)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("M", "ME"),
        ("2H", "2h"),
        ("15T", "15min"),
        ("A-DEC", "YE-DEC"),
        ("-1BM", "-1BME"),
        ("D", ""),
        ("ME", ""),
        ("MS", ""),
        ("nonsense", ""),
        (5, ""),
    ],
)
def test_frequencies_have_one_new_name(old: Any, new: str) -> None:
    assert tables.translate_frequency(old) == new
    if new:
        pd.tseries.frequencies.to_offset(new)


def test_rows_are_appended_as_pandas_1_did() -> None:
    frame = pd.DataFrame({"a": [1], "b": ["x"]})
    assert tables.append_rows(frame, frame).index.tolist() == [0, 0]
    assert tables.append_rows(frame, [], ignore_index=True).equals(frame)
    named = tables.append_rows(frame, pd.Series({"a": 2, "b": "y"}, name="last"))
    assert named.index.tolist() == [0, "last"]
    assert named.a.tolist() == [1, 2]
    wider = tables.append_rows(frame, {"c": 3}, ignore_index=True)
    assert list(wider.columns) == ["a", "b", "c"]
    assert wider.c.tolist()[1] == 3
    # An empty table keeps its columns, and takes the types of what comes.
    first = tables.append_rows(pd.DataFrame(columns=["z", "a"]), {"a": 1}, ignore_index=True)
    assert list(first.columns) == ["z", "a"]
    for bad in ({"a": 2}, pd.Series({"a": 2})):
        with pytest.raises(TypeError, match="ignore_index=True"):
            tables.append_rows(frame, bad)


def test_the_mean_deviation_is_taken_along_an_axis() -> None:
    frame = pd.DataFrame({"a": [1.0, 3.0], "b": [1.0, 5.0]})
    assert tables.compute_mean_deviation(frame).tolist() == [1.0, 2.0]
    assert tables.compute_mean_deviation(frame, axis=1).tolist() == [0.0, 1.0]
