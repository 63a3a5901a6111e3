"""What is shipped: the wheel holds the product and its data, and works away from the checkout."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

from starchat_tui import __version__

ROOT = Path(__file__).parent.parent


def run(*command: str | Path, cwd: Path = ROOT) -> str:
    ran = subprocess.run(
        list(map(str, command)), cwd=cwd, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, f"{command} ended with {ran.returncode}:\n{ran.stderr}"
    return ran.stdout


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheel and the source archive of this checkout."""
    folder = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "hatchling", "build", "-d", folder)
    return folder


@pytest.fixture(scope="module")
def wheel(built: Path) -> Path:
    (found,) = built.glob("*.whl")
    return found


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The `bin` of an environment with the wheel in it and the dependencies of this one."""
    home = tmp_path_factory.mktemp("installed")
    venv.EnvBuilder(with_pip=False, symlinks=True).create(home)
    python = home / "bin" / "python"
    run(sys.executable, "-m", "pip", "--python", python, "install", "-q", "--no-deps", wheel)
    (packages,) = home.glob("lib/python*/site-packages")
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return home / "bin"


def names_in(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def files_under(folder: str) -> set[str]:
    found = (path.relative_to(ROOT) for path in (ROOT / folder).rglob("*") if path.is_file())
    return {str(path) for path in found if "__pycache__" not in path.parts}


def test_the_wheel_holds_every_module_and_all_data(wheel: Path) -> None:
    assert files_under("starchat_tui") <= names_in(wheel)
    prompts = {
        name.replace("prompts/", "starchat_tui/_prompts/") for name in files_under("prompts")
    }
    assert prompts
    assert prompts <= names_in(wheel)


def test_the_wheel_holds_nothing_else(wheel: Path) -> None:
    tops = {name.split("/")[0] for name in names_in(wheel)}
    assert tops == {"starchat_tui", f"starchat_tui-{__version__}.dist-info"}
    assert not [name for name in names_in(wheel) if name.endswith((".pyc", ".log", ".sock"))]


def test_the_wheel_brings_the_demo_models(wheel: Path) -> None:
    for model in ("nano-chat", "nano-base"):
        for file in ("config.json", "model.safetensors", "tokenizer.json"):
            assert f"starchat_tui/weights/{model}/{file}" in names_in(wheel)


def test_the_source_archive_brings_training_and_tests(built: Path) -> None:
    (archive,) = built.glob("*.tar.gz")
    with tarfile.open(archive) as source:
        names = {name.split("/", 1)[-1] for name in source.getnames()}
    assert {"train/__init__.py", "tests/conftest.py", "Makefile", "LICENSE"} <= names
    assert not [name for name in names if name.startswith((".venv", "build/"))]


def test_the_installed_command_knows_its_version(installed: Path, tmp_path: Path) -> None:
    assert run(installed / "starchat", "--version", cwd=tmp_path) == f"starchat {__version__}\n"


def test_the_installed_package_is_what_is_tested_here(installed: Path, tmp_path: Path) -> None:
    told = run(
        installed / "python",
        "-c",
        "import starchat_tui, importlib.util as u;"
        "print(starchat_tui.__file__, u.find_spec('train'), u.find_spec('tests'))",
        cwd=tmp_path,
    )
    assert told.startswith(str(installed.parent)), told
    assert told.split()[1:] == ["None", "None"]


def test_the_installed_command_finds_prompts_and_models(installed: Path, tmp_path: Path) -> None:
    for mode in ("chat", "ta"):
        told = run(installed / "starchat", "prompt", "--mode", mode, "--json", "hi", cwd=tmp_path)
        assert json.loads(told)["ids"]


def test_the_installed_command_needs_no_checkout(installed: Path, tmp_path: Path) -> None:
    told = run(
        installed / "python",
        "-c",
        "from starchat_tui.models import registry; from starchat_tui.templates import prompt_files; print(prompt_files.text_of('ta')[:1] != '');"
        "print(registry.resolve('nano-chat').weights)",
        cwd=tmp_path,
    ).split()
    assert told[0] == "True"
    assert Path(told[1]).is_relative_to(os.path.realpath(installed.parent))
