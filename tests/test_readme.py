"""What the README says is so: the help text, the targets, the flags, the picture, the table."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from starchat_tui import errors, settings
from starchat_tui.chat import commands
from starchat_tui.cli import arguments
from starchat_tui.models import registry
from tests.readme import todays_help
from train.demo.demo_card import readme_table

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def classes(root: type[errors.StarChatError]) -> list[type[errors.StarChatError]]:
    return [root, *(found for below in root.__subclasses__() for found in classes(below))]


@pytest.mark.skipif(sys.version_info >= (3, 13), reason="argparse writes short flags differently")
def test_it_shows_todays_help() -> None:
    assert f"\n```\n{todays_help()}\n```\n" in README, "`make fix` brings it up to date"


def test_every_make_target_it_names_exists() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    named = set(re.findall(r"\bmake ([a-z]+)\b(?=`|  )", README))
    assert named == set(re.findall(r"^([a-z]+):(?= setup)", makefile, re.MULTILINE))


def test_every_flag_it_names_exists() -> None:
    # What is said to other programs is theirs.
    ours = re.sub(r"vllm serve(.*\\\n)*.*", "", README)
    named = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", ours)) - {"--host", "--port"}
    known = {
        one for action in arguments.question_parser()._actions for one in action.option_strings
    }
    for name in arguments.SUBCOMMANDS:
        asked = [sys.executable, "-m", "starchat_tui", name, "--help"]
        told = subprocess.run(asked, capture_output=True, text=True, check=True).stdout
        known |= set(re.findall(r"--[a-z][a-z-]+", told))
    assert named <= known


def test_every_command_it_names_exists() -> None:
    (table,) = re.findall(r"is a command: (.*?)\.", README, re.DOTALL)
    assert set(re.findall(r"`/(\w+)`", table)) == {command.name for command in commands.COMMANDS}


def test_every_subcommand_it_shows_exists() -> None:
    shown = set(re.findall(r"`starchat ([a-z]+)\b", README))
    assert shown <= set(arguments.SUBCOMMANDS)


def test_every_exit_code_is_in_the_table() -> None:
    rows = re.findall(r"^\| ([\d, ]+) \|", README, re.MULTILINE)
    told = {int(code) for row in rows for code in row.split(",") if code.strip()}
    # Those of training stand on its own page.
    ours = (error for error in classes(errors.StarChatError) if error.__module__[:6] != "train.")
    assert {error.exit_code for error in ours} <= told


def test_every_known_model_is_in_the_table() -> None:
    table = README.split("| name | mode |", 1)[1].split("\n\n", 1)[0]
    named = set()
    for row in table.splitlines()[2:]:
        names = re.findall(r"`([\w-]+)`", row.split("|")[1])
        # `-3b` after `starcoderbase-7b` is its sister.
        stem = names[0].rpartition("-")[0]
        named |= {stem + name if name.startswith("-") else name for name in names}
    assert named == set(registry.KNOWN)


def test_every_picture_it_shows_exists() -> None:
    shown = re.findall(r"!\[[^\]]*\]\(([^)]+)\)", README)
    assert shown
    for picture in shown:
        assert (ROOT / picture).is_file(), picture


def test_the_first_screen_says_what_it_is_and_how_to_begin() -> None:
    first = README.splitlines()[:30]
    assert first[0].startswith("# ")
    assert any(line.startswith("![") for line in first)
    assert {"    make run", "    make test"} <= {line.split("  #")[0].rstrip() for line in first}


def test_every_room_is_in_the_table_of_rooms() -> None:
    table = README[README.index("| room | is |") : README.index("What is deliberately absent")]
    named = {name.strip("/") for name in re.findall(r"`([\w/]+)`", table)}
    entries = (ROOT / "starchat_tui").iterdir()
    rooms = {
        path.stem for path in entries if path.suffix == ".py" or (path / "__init__.py").exists()
    }
    assert rooms - {"__init__"} <= named


def test_the_python_it_asks_for_is_the_one_the_package_asks_for() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    (version,) = re.findall(r"needs Python (\d+\.\d+) or later", README)
    assert project["requires-python"] == f">={version}"


def test_every_key_it_names_is_bound() -> None:
    from textual.binding import Binding

    from starchat_tui.ui.app import StarChatApp

    table = README.split("| key | does |", 1)[1].split("\n\n", 1)[0]
    named = {
        key.lower()
        for row in table.splitlines()[2:]
        for key in re.findall(r"(?:Ctrl|Alt)\+[A-Z]\b|F\d+|Esc", row.split("|")[1])
    }
    bound = {binding.key for binding in StarChatApp.BINDINGS if isinstance(binding, Binding)}
    # The composer's own, seen as events.
    composed = {"ctrl+j"}
    assert {key.replace("esc", "escape") for key in named} <= bound | composed


def test_every_variable_it_names_is_read() -> None:
    fields = {f"STARCHAT_{name.upper()}" for name in settings.Settings.__dataclass_fields__}
    named = set(re.findall(r"STARCHAT_[A-Z_]+[A-Z]", README))
    source = (ROOT / "starchat_tui" / "settings.py").read_text(encoding="utf-8")
    assert {name for name in named if name not in fields and name not in source} == set()


def test_the_scores_it_tells_are_those_of_the_models_that_ship() -> None:
    chat, base = (
        json.loads((registry.WEIGHTS / model / "scores.json").read_text(encoding="utf-8"))
        for model in ("nano-chat", "nano-base")
    )
    assert readme_table(chat, base) in README
