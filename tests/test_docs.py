"""The documentation agrees with the program: help, targets, flags, commands, links, pictures."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import get_args

import pytest

from starchat_tui import errors
from starchat_tui.chat import commands, export
from starchat_tui.cli import arguments
from starchat_tui.config import settings
from starchat_tui.models import registry
from tests.generated_docs import SECTIONS, section_of

ROOT = Path(__file__).parent.parent
PAGES = sorted(
    [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), *(ROOT / "starchat_tui").rglob("*.md")]
)
USER_PAGES = ("README", "usage", "running-code", "models", "configuration")


def read(name: str) -> str:
    (path,) = [page for page in PAGES if page.stem == name and "weights" not in page.parts]
    return path.read_text(encoding="utf-8")


def all_user_text() -> str:
    return "\n".join(read(name) for name in USER_PAGES)


def error_classes(root: type[errors.StarChatError]) -> list[type[errors.StarChatError]]:
    return [root, *(found for below in root.__subclasses__() for found in error_classes(below))]


@pytest.mark.skipif(sys.version_info >= (3, 13), reason="argparse writes short flags differently")
@pytest.mark.parametrize(("file", "name"), SECTIONS)
def test_generated_sections_are_current(file: str, name: str) -> None:
    text = (ROOT / "docs" / file).read_text(encoding="utf-8")
    assert section_of(text, name) == SECTIONS[file, name](), "`make fix` brings it up to date"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\((?!https?:)([^)#]+)(?:#[^)]*)?\)", page.read_text("utf-8")):
        assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_every_make_target_is_documented_and_exists() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    pattern = r"\bmake ([a-z]+)\b(?=`|  |\n)"
    named = {target for page in PAGES for target in re.findall(pattern, page.read_text("utf-8"))}
    assert named == set(re.findall(r"^([a-z]+):[^#\n]*##", makefile, re.MULTILINE))


def test_every_flag_exists() -> None:
    # Flags of other programs on the same line are theirs.
    text = re.sub(r"vllm serve(.*\\\n)*.*", "", all_user_text())
    named = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", text)) - {"--host", "--port"}
    known = {
        one
        for action in arguments.create_question_parser()._actions
        for one in action.option_strings
    }
    for name in arguments.SUBCOMMANDS:
        command = [sys.executable, "-m", "starchat_tui", name, "--help"]
        help_text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        known |= set(re.findall(r"--[a-z][a-z-]+", help_text))
    assert named <= known


def test_every_slash_command_is_listed() -> None:
    (listed,) = re.findall(r"is a command: (.*?)\. ", read("usage").replace("\n", " "))
    assert set(re.findall(r"`/(\w+)`", listed)) == {command.name for command in commands.COMMANDS}


def test_every_subcommand_exists() -> None:
    shown = set(re.findall(r"`starchat ([a-z]+)\b", all_user_text()))
    assert shown <= set(arguments.SUBCOMMANDS)


def test_every_exit_code_is_in_the_table() -> None:
    rows = re.findall(r"^\| ([\d, ]+) \|", read("usage"), re.MULTILINE)
    listed = {int(code) for row in rows for code in row.split(",") if code.strip()}
    # Those of training stand on its own page.
    product = (
        error
        for error in error_classes(errors.StarChatError)
        if not error.__module__.startswith("train.")
    )
    assert {error.exit_code for error in product} <= listed


def test_every_known_model_is_in_the_table() -> None:
    table = read("models").split("| name | mode |", 1)[1].split("\n\n", 1)[0]
    named = set()
    for row in table.splitlines()[2:]:
        names = re.findall(r"`([\w-]+)`", row.split("|")[1])
        # `-3b` after `starcoderbase-7b` belongs to the same family.
        stem = names[0].rpartition("-")[0]
        named |= {stem + name if name.startswith("-") else name for name in names}
    assert named == set(registry.KNOWN_MODELS)


def test_every_quantization_and_export_format_is_named() -> None:
    quantized = [name for name in get_args(settings.Quantization) if name != "none"]
    assert [name for name in quantized if f"--quantize {name}" not in read("models")] == []
    (line,) = re.findall(r"^ +starchat export .*$", read("usage"), re.MULTILINE)
    assert [name for name in export.FORMATS if name not in line.lower()] == []


def test_the_readme_begins_with_what_it_is_and_how_to_install_it() -> None:
    first = read("README").splitlines()[:30]
    assert first[0].startswith("# ")
    assert any(re.match(r"!\[.+\]\(\S+\.png\)", line) for line in first)
    assert any(line.startswith("    make run") for line in first)
    assert any("pipx install" in line for line in first)


def test_the_readme_fits_a_screen_and_a_half() -> None:
    assert len(read("README").splitlines()) <= 90


def test_every_package_is_in_the_architecture_table() -> None:
    table = read("architecture").split("## Packages", 1)[1].split("## Invariants", 1)[0]
    named = {name.strip("/") for name in re.findall(r"`([\w/]+)`", table)}
    entries = (ROOT / "starchat_tui").iterdir()
    on_disk = {
        path.stem for path in entries if path.suffix == ".py" or (path / "__init__.py").exists()
    }
    assert on_disk - {"__init__", "__main__"} <= named


@pytest.mark.parametrize("page", ["architecture", "CONTRIBUTING"])
def test_every_path_in_the_developer_pages_exists(page: str) -> None:
    tops = r"starchat_tui|train|tests|docs|engine|sandbox|chat|client|execution|models|templates"
    pattern = rf"`((?:{tops}|terminal|ui|cli)/[\w/.-]*)`"
    missing = [
        name
        for name in re.findall(pattern, read(page))
        if not any(
            (ROOT / top / f"{name}{suffix}").exists()
            for top in ("", "starchat_tui", "train")
            for suffix in ("", ".py")
        )
    ]
    assert not missing, missing


def test_the_required_python_is_that_of_the_package() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    (version,) = re.findall(r"Python (\d+\.\d+) or later", read("README"))
    assert project["requires-python"] == f">={version}"


def test_every_key_is_bound() -> None:
    from textual.binding import Binding

    from starchat_tui.ui.app import StarChatApp

    table = read("usage").split("| key | action |", 1)[1].split("\n\n", 1)[0]
    named = {
        key.lower()
        for row in table.splitlines()[2:]
        for key in re.findall(r"(?:Ctrl|Alt)\+[A-Z]\b|F\d+|Esc", row.split("|")[1])
    }
    bound = {binding.key for binding in StarChatApp.BINDINGS if isinstance(binding, Binding)}
    # The composer handles its own keys as events.
    composed = {"ctrl+j"}
    assert {key.replace("esc", "escape") for key in named} <= bound | composed


def test_every_variable_is_read() -> None:
    fields = {f"STARCHAT_{name.upper()}" for name in settings.Settings.__dataclass_fields__}
    named = set(re.findall(r"STARCHAT_[A-Z_]+[A-Z]", all_user_text()))
    sources = "".join(
        (ROOT / "starchat_tui" / "config" / name).read_text(encoding="utf-8")
        for name in ("settings.py", "paths.py")
    )
    assert {name for name in named if name not in fields and name not in sources} == set()
