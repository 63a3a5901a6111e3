from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.benchmarks import record
from tests.benchmarks.record import Goal, publish


@pytest.fixture(autouse=True)
def history(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(record, "HISTORY", tmp_path)
    return tmp_path / "speed.jsonl"


def test_the_printed_line_is_the_recorded_one(
    history: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert publish("speed", lambda: {"ratio": 21.0}, {"ratio": Goal(least=20)}) == 0
    printed = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert json.loads(history.read_text()) == printed
    assert printed["ratio"] == 21.0
    assert {"date", "commit", "python", "cpus", "load"} <= set(printed)


@pytest.mark.parametrize(("value", "missed"), [(3.0, []), (3.1, ["ratio"])])
def test_a_missed_goal_is_recorded_and_sets_the_exit_code(
    history: Path, value: float, missed: list[str]
) -> None:
    assert publish("speed", lambda: {"ratio": value}, {"ratio": Goal(most=3.0)}) == len(missed)
    assert json.loads(history.read_text())["missed"] == missed


def test_a_failed_measurement_is_recorded_too(history: Path) -> None:
    def fail() -> dict[str, float]:
        raise OSError("no engine")

    with pytest.raises(OSError, match="no engine"):
        publish("speed", fail)
    assert json.loads(history.read_text())["failed"] == "OSError: no engine"


def test_history_grows(history: Path) -> None:
    publish("speed", lambda: {"ratio": 1.0})
    publish("speed", lambda: {"ratio": 2.0})
    assert [json.loads(line)["ratio"] for line in history.read_text().splitlines()] == [1.0, 2.0]
