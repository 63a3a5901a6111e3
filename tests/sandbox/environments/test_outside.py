"""Packages from other folders: an import that fails says why, and nothing of them is run."""

from __future__ import annotations

import json
import venv
from pathlib import Path

import pytest

from starchat_tui.sandbox.environments.inspection import inspect_environment
from starchat_tui.sandbox.environments.interpreter import Interpreter
from starchat_tui.sandbox.environments.outside import explain_missing_module, find_outside_folders


@pytest.fixture
def site(tmp_path: Path) -> Path:
    venv.create(tmp_path / ".venv", with_pip=False, symlinks=True)
    (tmp_path / "code" / "src" / "mine").mkdir(parents=True)
    (tmp_path / "code" / "src" / "other.py").touch()
    return next((tmp_path / ".venv" / "lib").glob("python*/site-packages"))


def inspect(site: Path) -> Interpreter:
    return inspect_environment(site.parents[2])


def test_an_editable_installation_is_explained(site: Path, tmp_path: Path) -> None:
    record = site / "mine-1.0.dist-info" / "direct_url.json"
    record.parent.mkdir()
    url = (tmp_path / "code").as_uri()
    record.write_text(json.dumps({"url": url, "dir_info": {"editable": True}}))
    text = explain_missing_module(inspect(site), "No module named 'mine.part'")
    assert text.startswith(f"`mine` is installed from {tmp_path / 'code'}, outside")
    assert explain_missing_module(inspect(site), "No module named 'yours'") == ""
    assert explain_missing_module(inspect(site), "something else") == ""
    record.write_text(json.dumps({"url": url, "dir_info": {}}))
    assert explain_missing_module(inspect(site), "No module named 'mine'") == ""


def test_a_path_file_is_read_and_not_run(site: Path, tmp_path: Path) -> None:
    code = f"import os; os.mkdir({str(tmp_path / 'ran')!r})"
    (site / "x.pth").write_text(f"{code}\n# note\n\n{tmp_path / 'code/src'}\ninside\n")
    (site / "inside").mkdir()
    assert find_outside_folders(inspect(site)) == [tmp_path / "code" / "src"]
    assert "`other`" in explain_missing_module(inspect(site), "No module named 'other'")
    assert not (tmp_path / "ran").exists()


def test_damaged_records_are_passed_over(site: Path) -> None:
    for number, text in enumerate(("", "[]", "{}", '{"url": 1, "dir_info": {"editable": 1}}')):
        record = site / f"x{number}-1.dist-info" / "direct_url.json"
        record.parent.mkdir()
        record.write_text(text)
    (site / "dangling.pth").symlink_to(site / "gone")
    assert find_outside_folders(inspect(site)) == []
