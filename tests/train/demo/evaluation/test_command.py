from __future__ import annotations

from pathlib import Path

import pytest

from train.demo.evaluation import __main__


def test_missing_dialogues_end_the_command_with_a_message(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flags = ["--dialogues", str(tmp_path / "absent"), "--mode", "chat"]
    monkeypatch.setattr("sys.argv", ["train.demo.evaluation", *flags])
    with pytest.raises(SystemExit, match=r"error: .*values\.jsonl"):
        __main__.main()
