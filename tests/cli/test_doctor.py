"""Report of `starchat doctor`."""

from __future__ import annotations

import json

from starchat_tui.cli import doctor
from starchat_tui.cli.doctor import Finding


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
