"""Write the generated parts of the documentation: `python -m tests.generated_docs`."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

from starchat_tui.models import registry
from tests.sandbox.abuse.test_attack_count import FOUND, ROWS
from train.demo.demo_card import render_readme_table

DOCS = Path(__file__).parent.parent / "docs"


def current_help() -> str:
    """Return what `starchat --help` prints, 100 columns wide."""
    return subprocess.run(
        [sys.executable, "-m", "starchat_tui", "--help"],
        env={**os.environ, "COLUMNS": "100"},
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()


def help_section() -> str:
    return f"```\n{current_help()}\n```"


def scores_section() -> str:
    """Return the table of scores from the records of the models that ship."""
    chat, base = (
        json.loads((registry.WEIGHTS / model / "scores.json").read_text(encoding="utf-8"))
        for model in ("nano-chat", "nano-base")
    )
    return render_readme_table(chat, base).strip()


def attacks_section() -> str:
    """Return the sentence about the number of attacks on the sandbox, from their tables."""
    total, rows = sum(FOUND.values()), ROWS
    return (
        f"`tests/sandbox` holds {total} attacks that are tried at every level, as root and as an "
        f"ordinary user, after a check that they\nwork without the sandbox; {FOUND[0]} of them go "
        f"beyond the list of {rows} techniques that the first design was measured against,\nthe "
        f"others are variants of those {rows}."
    )


SECTIONS = {
    ("security-model.md", "attacks"): attacks_section,
    ("configuration.md", "help"): help_section,
    ("evaluation.md", "scores"): scores_section,
}
"""File and name of each generated section, and the function that writes it."""


def section_of(text: str, name: str) -> str:
    """Return what stands between the two markers of a section."""
    found = re.search(rf"<!-- {name} -->\n(.*?)\n<!-- /{name} -->", text, re.DOTALL)
    assert found, f"no section `{name}`"
    return found[1]


def replace_section(text: str, name: str, content: str) -> str:
    marked = f"<!-- {name} -->\n{content}\n<!-- /{name} -->"
    pattern = rf"<!-- {name} -->\n.*?<!-- /{name} -->"
    return re.sub(pattern, lambda _: marked, text, flags=re.DOTALL)


if __name__ == "__main__":
    for (file, name), write_section in SECTIONS.items():
        path = DOCS / file
        text = path.read_text(encoding="utf-8")
        path.write_text(replace_section(text, name, write_section()), encoding="utf-8")
