"""Report of `starchat doctor`."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from starchat_tui.cli import doctor
from starchat_tui.cli.doctor import Finding


def starchat(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "starchat_tui", *words], capture_output=True, text=True, check=False
    )


@pytest.mark.slow
@pytest.mark.bwrap
def test_all_checks_on_this_machine() -> None:
    ran = starchat("doctor", "--json")
    document = json.loads(ran.stdout)
    about = [found["about"] for found in document["findings"]]
    assert {"versions", "sandbox", "terminal", "clipboard", "engine", "model"} <= set(about)
    assert {"tokenizer", "memory", "data", "device", "images"} <= set(about)
    assert ran.returncode == (0 if document["ok"] else 1)
    assert document["ok"], document
    assert ran.stderr == ""


@pytest.mark.slow
def test_problem_is_reported_and_sets_the_exit_code(empty_home: Path) -> None:
    ran = starchat("doctor", "--model", "nano-chatt")
    assert ran.returncode == 1
    assert "To fix: model, tokenizer." in ran.stdout
    assert "did you mean `nano-chat`?" in ran.stdout
    assert "\x1b" not in ran.stdout
    assert len(ran.stdout.splitlines()) < 40
    assert max(len(line) for line in ran.stdout.splitlines()) <= 140


def test_commands_are_not_wrapped_and_text_is_sanitized() -> None:
    command = "sudo " + "x" * 150
    findings = [
        Finding("sandbox", "fix", "it \x1b]0;title\x07 said " + "word " * 60, (command,)),
        Finding("memory", "ok", "fine", ("not shown",)),
    ]
    shown = doctor.format_findings(findings, color=False)
    assert f"$ {command}\n" in shown
    assert "\x1b" not in shown
    assert "not shown" not in shown
    assert shown.endswith("To fix: sandbox.")
    assert "\x1b[31mfix \x1b[0m" in doctor.format_findings(findings, color=True)
    assert doctor.format_findings(findings[1:], color=False).endswith("No problems found.")
    assert not json.loads(doctor.format_json(findings))["ok"]
    assert json.loads(doctor.format_json(findings[1:]))["ok"]
