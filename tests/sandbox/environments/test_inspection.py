"""Inspection of environments: real ones of several makers, damaged ones, and hostile ones."""

from __future__ import annotations

import os
import subprocess
import sys
import venv
from pathlib import Path

import pytest

from starchat_tui.errors import UsageError
from starchat_tui.sandbox.environments.inspection import find_installation, inspect_environment
from starchat_tui.sandbox.environments.interpreter import Interpreter, is_in_system

BASE = Path(os.path.realpath(sys.base_prefix))
NUMBER = "{}.{}".format(*sys.version_info)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder of the user's with a secret and an environment that was just created."""
    (tmp_path / ".env").write_text("PASSWORD=1")
    venv.create(tmp_path / ".venv", with_pip=False, symlinks=True)
    return tmp_path


def can_see(found: Interpreter, path: Path) -> bool:
    """Whether a path can be read in a sandbox with this interpreter."""
    return is_in_system(path) or any(path.is_relative_to(one) for one in found.folders)


def change_config(environment: Path, **values: str) -> None:
    text = "".join(f"{name.replace('_', '-')} = {value}\n" for name, value in values.items())
    (environment / "pyvenv.cfg").write_text(text)


def test_a_new_environment_is_found_with_its_base(project: Path) -> None:
    found = inspect_environment(project / ".venv")
    assert found.python == project / ".venv" / "bin" / "python"
    assert found.version == sys.version_info[:2]
    assert can_see(found, project / ".venv" / "lib")
    assert can_see(found, Path(os.path.realpath(found.python)))
    assert can_see(found, Path(os.path.realpath(os.__file__)))
    assert not can_see(found, project / ".env")
    assert not can_see(found, BASE / "etc")


def test_the_python_of_an_environment_names_it_as_well(project: Path) -> None:
    for name in ("python", "python3"):
        found = inspect_environment(project / ".venv" / "bin" / name)
        assert found.python.parent == project / ".venv" / "bin"


def test_a_relative_path_counts_from_the_working_folder(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(project)
    found = inspect_environment(Path(".venv"))
    assert (found.python, found.name) == (project / ".venv" / "bin" / "python", ".venv")


def test_the_environment_runs_with_what_the_sandbox_shows_of_it(project: Path) -> None:
    """A link that is missing here would keep the interpreter from starting."""
    links = project / "links" / "bin"
    links.mkdir(parents=True)
    (links / "python3").symlink_to(os.path.realpath(sys.executable))
    (project / "python").symlink_to(BASE)
    for python in (links / "python3", project / "python" / "bin" / f"python{NUMBER}"):
        target = project / "made"
        subprocess.run([python, "-m", "venv", "--clear", "--without-pip", target], check=True)
        found = inspect_environment(target)
        code = "import sys; print(sys.prefix, sys.base_prefix)"
        ran = run_with_bwrap(found, code)
        assert ran.stdout.split()[0] == str(target), ran.stderr
        assert os.path.realpath(ran.stdout.split()[1]) == str(BASE)


def run_with_bwrap(found: Interpreter, code: str) -> subprocess.CompletedProcess[str]:
    from starchat_tui.sandbox.isolation.bubblewrap import BwrapFds, SandboxSpec, find_bwrap

    bwrap = find_bwrap()
    if bwrap is None:
        pytest.skip("`bwrap` is not installed")
    flags = SandboxSpec("isolated", interpreter=found).build_bwrap_flags(BwrapFds(0, 1, 2))
    at = flags.index("--json-status-fd")
    command = [str(bwrap), *flags[:at], *flags[at + 4 :], "--", str(found.python), "-I", "-c", code]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_packages_of_the_base_count_only_if_the_environment_uses_them(project: Path) -> None:
    site = BASE / "lib" / f"python{NUMBER}" / "site-packages"
    assert site not in inspect_environment(project / ".venv").libraries
    change_config(
        project / ".venv",
        **{"home": str(BASE / "bin"), "version": NUMBER, "include_system_site_packages": "true"},
    )
    assert site in inspect_environment(project / ".venv").libraries


def test_a_module_is_found_without_running_anything(project: Path) -> None:
    site = project / ".venv" / "lib" / f"python{NUMBER}" / "site-packages"
    for name in ("IPython", "not_it"):
        (site / name).mkdir()
    (site / "single.py").write_text("raise SystemExit('executed')")
    (site / "x.pth").write_text(f"import os; os.mkdir({str(project / 'executed')!r})")
    (site / "sitecustomize.py").write_text(f"import os; os.mkdir({str(project / 'executed')!r})")
    found = inspect_environment(project / ".venv")
    assert found.has_module("IPython")
    assert found.has_module("single")
    assert not found.has_module("not")
    assert not (project / "executed").exists()


def test_an_installation_without_a_configuration_is_one_too(tmp_path: Path) -> None:
    """As the environments of conda are."""
    found = inspect_environment(BASE)
    assert found.version == sys.version_info[:2]
    assert can_see(found, Path(os.path.realpath(os.__file__)))
    assert all(is_in_system(one) or one.parent == BASE for one in found.folders)
    program = inspect_environment(BASE / "bin" / f"python{NUMBER}")
    assert program.python == BASE / "bin" / f"python{NUMBER}"


@pytest.mark.parametrize("name", ["missing", "missing/bin/python", "bad\nname"])
def test_a_path_without_anything_says_how_to_create_it(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match="There is no environment") as raised:
        inspect_environment(tmp_path / name)
    assert "python3 -m venv" in raised.value.hint


def test_a_folder_that_is_none_is_refused(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "notes.txt").touch()
    for path in (tmp_path, tmp_path / "notes.txt", Path("/etc"), Path.home()):
        with pytest.raises(UsageError, match="is not a Python environment"):
            inspect_environment(path)


def test_an_interpreter_that_is_gone_is_reported(project: Path) -> None:
    (project / ".venv" / "bin" / "python").unlink()
    (project / ".venv" / "bin" / "python3").unlink()
    with pytest.raises(UsageError, match="no working `bin/python`") as raised:
        inspect_environment(project / ".venv")
    assert "python3 -m venv --clear" in raised.value.hint
    (project / ".venv" / "bin" / "python").symlink_to("/gone/bin/python3")
    with pytest.raises(UsageError, match="no working `bin/python`"):
        inspect_environment(project / ".venv")


def test_an_old_python_is_refused_with_the_limit(project: Path) -> None:
    library = project / "python310" / "lib" / "python3.10"
    library.mkdir(parents=True)
    (library / "os.py").touch()
    (project / "python310" / "bin").mkdir()
    program = project / "python310" / "bin" / "python3.10"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    change_config(project / ".venv", home=str(program.parent), version="3.10.4")
    (project / ".venv" / "bin" / "python").unlink()
    (project / ".venv" / "bin" / "python").symlink_to(program)
    with pytest.raises(UsageError, match=r"has Python 3\.10; running code needs 3\.11") as raised:
        inspect_environment(project / ".venv")
    assert "python3.11 -m venv" in raised.value.hint


@pytest.mark.parametrize("part", ["home", "link"])
def test_a_hostile_environment_cannot_name_a_private_folder(project: Path, part: str) -> None:
    """An environment that came with a project must not decide what the code may read."""
    private = project / "home" / ".ssh"
    (private / "bin").mkdir(parents=True)
    (private / "id_rsa").write_text("SECRET")
    python = private / "bin" / f"python{NUMBER}"
    python.write_text("#!/bin/sh\n")
    python.chmod(0o755)
    if part == "home":
        (project / ".venv" / "bin" / "python").unlink()
        (project / ".venv" / "bin" / "python").write_bytes(b"\x7fELF")
        (project / ".venv" / "bin" / "python").chmod(0o755)
        change_config(project / ".venv", home=str(private / "bin"), version=NUMBER)
    else:
        (project / ".venv" / "bin" / "python").unlink()
        (project / ".venv" / "bin" / "python").symlink_to(python)
        change_config(project / ".venv", home=str(private / "bin"), version=NUMBER)
    with pytest.raises(UsageError, match="is missing"):
        inspect_environment(project / ".venv")


@pytest.mark.parametrize("name", ["lib", "include", "share"])
def test_a_part_that_leads_elsewhere_is_not_shown(project: Path, name: str) -> None:
    private = project / "private"
    private.mkdir()
    base = project / "fake"
    (base / "bin").mkdir(parents=True)
    library = base / "lib" / f"python{NUMBER}"
    library.mkdir(parents=True)
    (library / "os.py").touch()
    if name == "lib":
        (base / "lib").rename(private / "lib")
    else:
        (private / name).mkdir()
    (base / name).symlink_to(private / name)
    if name == "lib":
        assert find_installation(base / "bin" / "python", sys.version_info[:2]) is None
        return
    program = base / "bin" / "python"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    found = inspect_environment(base)
    assert base / "lib" in found.folders
    assert base / name not in found.folders


def test_a_link_in_a_shared_folder_shows_nothing_of_it(project: Path) -> None:
    """Of an environment among other files only its own parts are shown, and only real ones."""
    (project / "private").mkdir()
    environment = project / ".venv"
    (environment / "notes.txt").touch()
    (environment / "include").rename(project / "include")
    (environment / "include").symlink_to(project / "private")
    found = inspect_environment(environment)
    assert environment not in found.folders
    assert environment / "lib" in found.folders
    assert environment / "include" not in found.folders


def test_the_home_folder_is_never_shown_as_a_whole(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where the environment is the home folder, or a link to it."""
    monkeypatch.setenv("HOME", str(project / ".venv"))
    found = inspect_environment(project / ".venv")
    assert project / ".venv" not in found.folders
    (project / "link").symlink_to(project / ".venv")
    found = inspect_environment(project / "link")
    assert project / "link" not in found.folders
    assert project / "link" / "lib" in found.folders
