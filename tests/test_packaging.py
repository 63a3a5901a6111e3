"""The wheel: its contents, and installs of it with and without extras, away from the checkout."""

from __future__ import annotations

import http.server
import json
import os
import re
import subprocess
import sys
import sysconfig
import tarfile
import tomllib
import venv
import zipfile
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from starchat_tui import __version__
from starchat_tui.config.extras import EXTRAS

ROOT = Path(__file__).parent.parent
RECORDS = ("/facts.json", "/scores.json")
"""Records of how the demo models were made: part of the repository, not of the wheel."""
PURELIB = Path(sysconfig.get_path("purelib"))


def run(*command: str | Path, cwd: Path = ROOT) -> str:
    ran = subprocess.run(
        list(map(str, command)), cwd=cwd, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, f"{command} ended with {ran.returncode}:\n{ran.stderr}"
    return ran.stdout


def fail(*command: str | Path, cwd: Path) -> tuple[int, str]:
    """Run a command that is expected to fail; return its exit code and stderr."""
    ran = subprocess.run(
        list(map(str, command)), cwd=cwd, capture_output=True, text=True, check=False, timeout=120
    )
    assert ran.returncode != 0, ran.stdout
    return ran.returncode, ran.stderr


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheel and the source archive of this checkout."""
    folder = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", folder)
    return folder


@pytest.fixture(scope="module")
def wheel(built: Path) -> Path:
    (found,) = built.glob("*.whl")
    return found


def create_environment(home: Path, wheel: Path) -> tuple[Path, Path]:
    """Install the wheel alone into a new environment; return its `bin` and site-packages."""
    venv.EnvBuilder(with_pip=False, symlinks=True).create(home)
    python = home / "bin" / "python"
    run(sys.executable, "-m", "pip", "--python", python, "install", "-q", "--no-deps", wheel)
    (packages,) = home.glob("lib/python*/site-packages")
    return home / "bin", packages


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The `bin` of an environment with the wheel and every dependency of this one."""
    binaries, packages = create_environment(tmp_path_factory.mktemp("installed"), wheel)
    (packages / "dependencies.pth").write_text(f"{PURELIB}\n")
    return binaries


def base_distributions() -> set[str]:
    """The closure of the base dependencies, extras left out, by the installed metadata."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    waiting, found = list(project["dependencies"]), set[str]()
    while waiting:
        requirement = Requirement(waiting.pop())
        name = re.sub(r"[-_.]+", "-", requirement.name).lower()
        marker = requirement.marker
        if name in found or (marker and not marker.evaluate({"extra": ""})):
            continue
        try:
            waiting += distribution(name).requires or []
        except PackageNotFoundError:
            continue
        found.add(name)
    return found


@pytest.fixture(scope="module")
def base_only(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The `bin` of an environment with the wheel and the base dependencies, linked from here."""
    binaries, packages = create_environment(tmp_path_factory.mktemp("base"), wheel)
    for name in base_distributions():
        tops = {file.parts[0] for file in distribution(name).files or () if file.parts[0] != ".."}
        for top in tops - {"__pycache__"}:
            if not (packages / top).exists() and (PURELIB / top).exists():
                (packages / top).symlink_to(PURELIB / top)
    return binaries


def names_in(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def files_under(folder: str) -> set[str]:
    found = (path.relative_to(ROOT) for path in (ROOT / folder).rglob("*") if path.is_file())
    return {str(path) for path in found if "__pycache__" not in path.parts}


def test_the_wheel_holds_every_module_and_all_data(wheel: Path) -> None:
    records = {name for name in files_under("starchat_tui") if name.endswith(RECORDS)}
    assert files_under("starchat_tui") - records <= names_in(wheel)
    prompts = {
        name.replace("prompts/", "starchat_tui/_prompts/") for name in files_under("prompts")
    }
    assert prompts
    assert prompts <= names_in(wheel)
    assert "starchat_tui/py.typed" in names_in(wheel)


def test_the_wheel_holds_nothing_else(wheel: Path) -> None:
    tops = {name.split("/")[0] for name in names_in(wheel)}
    assert tops == {"starchat_tui", f"starchat_tui-{__version__}.dist-info"}
    unwanted = (".pyc", ".log", ".sock", *RECORDS)
    assert not [name for name in names_in(wheel) if name.endswith(unwanted)]


def test_the_wheel_brings_the_demo_models_and_their_tokenizer_once(wheel: Path) -> None:
    for model in ("nano-chat", "nano-base"):
        for file in ("config.json", "model.safetensors"):
            assert f"starchat_tui/weights/{model}/{file}" in names_in(wheel)
    tokenizers = [name for name in names_in(wheel) if name.endswith("/tokenizer.json")]
    assert len(tokenizers) == 1


def test_the_description_has_no_relative_link(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        metadata = archive.read(f"starchat_tui-{__version__}.dist-info/METADATA").decode()
    links = re.findall(r"\]\(([^)#]+)", metadata)
    assert any(link.endswith(".png") for link in links)
    assert all(link.startswith("https://") for link in links), links


def test_the_source_archive_brings_training_and_tests(built: Path) -> None:
    (archive,) = built.glob("*.tar.gz")
    with tarfile.open(archive) as source:
        names = {name.split("/", 1)[-1] for name in source.getnames()}
    assert {"train/__init__.py", "tests/conftest.py", "Makefile", "LICENSE"} <= names
    assert not [name for name in names if name.startswith((".venv", "build/"))]


def test_the_installed_command_prints_its_version(installed: Path, tmp_path: Path) -> None:
    assert run(installed / "starchat", "--version", cwd=tmp_path) == f"starchat {__version__}\n"


def test_the_installed_package_is_the_one_tested_here(installed: Path, tmp_path: Path) -> None:
    printed = run(
        installed / "python",
        "-c",
        "import starchat_tui, importlib.util as u;"
        "print(starchat_tui.__file__, u.find_spec('train'), u.find_spec('tests'))",
        cwd=tmp_path,
    )
    assert printed.startswith(str(installed.parent)), printed
    assert printed.split()[1:] == ["None", "None"]


def test_the_installed_command_finds_prompts_and_models(installed: Path, tmp_path: Path) -> None:
    for mode in ("chat", "ta"):
        printed = run(
            installed / "starchat", "prompt", "--mode", mode, "--json", "hi", cwd=tmp_path
        )
        assert json.loads(printed)["ids"]


@pytest.mark.bwrap
@pytest.mark.slow
def test_the_installed_command_answers_and_draws(installed: Path, tmp_path: Path) -> None:
    question = "Draw a bar chart of apples 12, pears 7 and plums 9."
    command = [installed / "starchat", question, "--run", "--yes", "--json", "--no-daemon"]
    printed = json.loads(run(*command, cwd=tmp_path))
    (result,) = printed["runs"] if "runs" in printed else [printed["run"]]
    assert result["status"] == "ok"
    assert "apples" in result["figures"][0]["card"]


def test_the_extras_in_messages_are_those_of_the_package() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    assert set(EXTRAS) | {"all", "dev"} == set(extras)
    renamed = {
        "PIL": "pillow",
        "IPython": "ipython",
        "yaml": "pyyaml",
        "textual_image": "textual-image",
    }
    for extra, (_, modules) in EXTRAS.items():
        listed = {Requirement(one).name for one in extras[extra]} - {"starchat-tui"}
        assert {renamed.get(module, module) for module in modules} == listed


def test_the_base_install_has_neither_torch_nor_pandas(base_only: Path, tmp_path: Path) -> None:
    heavy = ("torch", "transformers", "numpy", "pandas", "geopandas", "IPython", "PIL")
    program = f"import importlib.util as u; print([n for n in {heavy} if u.find_spec(n)])"
    assert run(base_only / "python", "-c", program, cwd=tmp_path) == "[]\n"
    assert run(base_only / "starchat", "--version", cwd=tmp_path) == f"starchat {__version__}\n"


def test_the_base_install_names_the_extra_of_the_engine(base_only: Path, tmp_path: Path) -> None:
    code, printed = fail(base_only / "starchat", "hi", "-n", cwd=tmp_path)
    assert code == 69
    assert "pip install 'starchat-tui[local]'" in printed
    code, printed = fail(base_only / "starchat", "serve", cwd=tmp_path)
    assert code == 69
    assert "pip install 'starchat-tui[local]'" in printed


def test_the_base_install_names_the_extra_of_running_code(base_only: Path, tmp_path: Path) -> None:
    (tmp_path / "x.py").write_text("print(1)\n")
    code, printed = fail(base_only / "starchat", "run", "x.py", cwd=tmp_path)
    assert code == 69
    assert "pip install 'starchat-tui[plots]'" in printed


@pytest.fixture
def server_url(request: pytest.FixtureRequest) -> Iterator[str]:
    """The address of our own engine on a network port, from the complete environment."""
    port = free_port()
    environment = {**os.environ, "STARCHAT_TOKEN": "secret-token-of-the-test"}
    command = [sys.executable, "-m", "starchat_tui", "serve", "--host", "127.0.0.1"]
    process = subprocess.Popen(
        [*command, "--port", str(port), "--device", "cpu", "--model", "nano-chat"],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    yield f"http://127.0.0.1:{port}"
    process.terminate()
    process.wait()


def free_port() -> int:
    with http.server.HTTPServer(("127.0.0.1", 0), http.server.BaseHTTPRequestHandler) as server:
        return int(server.server_address[1])


def test_the_base_install_chats_with_a_server(
    base_only: Path, server_url: str, tmp_path: Path
) -> None:
    from tests.waiting import block_until

    (tokenizer,) = (ROOT / "starchat_tui" / "weights").rglob("tokenizer.json")
    flags = ["--url", server_url, "--model", "nano-chat", "--tokenizer", str(tokenizer)]
    flags += ["--token", "secret-token-of-the-test", "-t", "0", "-n"]

    def answer() -> str:
        question = "Write a function that checks whether a number is prime."
        ran = subprocess.run(
            [base_only / "starchat", *flags, question],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        return ran.stdout if ran.returncode == 0 else ""

    block_until(lambda: "def " in answer(), what="the server answers")
