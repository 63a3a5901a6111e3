"""Report of `starchat doctor`: what works on this machine, and how to fix the rest."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict

from starchat_tui.cli import doctor_checks as checks
from starchat_tui.cli.doctor_checks import Finding
from starchat_tui.config.paths import Paths
from starchat_tui.config.settings import Settings
from starchat_tui.errors import StarChatError
from starchat_tui.sanitize import sanitize_text

_WIDTH, _INDENT = 100, 17
"""Width of the report, and of the columns in front of the text."""
_COLORS = {"ok": "32", "note": "33", "fix": "31"}


def run_checks(settings: Settings, paths: Paths, environ: Mapping[str, str]) -> list[Finding]:
    """Run all checks; the slowest is started first and read last."""
    with checks.probe_torch(settings.device) as torch_probe:
        topics: tuple[tuple[str, Callable[[], Finding]], ...] = (
            ("versions", checks.check_versions),
            ("extras", checks.check_extras),
            ("sandbox", lambda: checks.check_sandbox(settings)),
            ("env", lambda: checks.check_environments(settings, paths, environ)),
            ("terminal", lambda: checks.check_terminal(environ)),
            ("images", lambda: checks.check_images(settings, environ)),
            ("clipboard", lambda: checks.check_clipboard(environ)),
            ("engine", lambda: checks.check_engine(settings, paths)),
            ("model", lambda: checks.check_model(settings)),
            ("tokenizer", lambda: checks.check_tokenizer(settings)),
            ("memory", checks.check_memory),
            ("data", lambda: checks.check_data(paths)),
            ("device", lambda: checks.check_device(torch_probe)),
        )
        return [_run_check(topic, check) for topic, check in topics]


def _run_check(topic: str, check: Callable[[], Finding]) -> Finding:
    """Return the finding of `check`; an error becomes a finding, too."""
    try:
        return check()
    except StarChatError as error:
        return Finding(topic, "fix", f"{error.message}: {error.hint}".removesuffix(": "))
    except OSError as error:
        return Finding(topic, "fix", str(error))


def format_findings(findings: Sequence[Finding], *, color: bool) -> str:
    """Return the report: the findings, each with the commands that fix it."""
    lines = []
    for finding in findings:
        mark = f"{finding.state:<4}"
        if color:
            mark = f"\x1b[{_COLORS[finding.state]}m{mark}\x1b[0m"
        text = sanitize_text(finding.said).replace("\n", " ")
        first, *more = textwrap.wrap(text, _WIDTH - _INDENT) or [""]
        lines.append(f"{mark}  {finding.about:<10} {first}")
        lines += [f"{'':{_INDENT}}{line}" for line in more]
        if finding.state != "ok":
            # Never wrapped, so that it can be copied.
            lines += [f"{'':{_INDENT}}$ {sanitize_text(command)}" for command in finding.fix]
    to_fix = [found.about for found in findings if found.state == "fix"]
    lines += ["", f"To fix: {', '.join(to_fix)}." if to_fix else "No problems found."]
    return "\n".join(lines)


def print_findings(findings: Sequence[Finding], *, color: bool) -> None:
    """Print the report; its texts are sanitized already."""
    print(format_findings(findings, color=color))


def format_json(findings: Sequence[Finding]) -> str:
    """Return the findings as one JSON object; `ok` is true if nothing has to be fixed."""
    document = {"ok": is_healthy(findings), "findings": [asdict(found) for found in findings]}
    return json.dumps(document, ensure_ascii=False)


def is_healthy(findings: Sequence[Finding]) -> bool:
    """Return whether nothing has to be fixed."""
    return all(found.state != "fix" for found in findings)
