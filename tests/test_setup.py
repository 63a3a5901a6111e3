"""The set-up script on machines of every kind: each is a path with only these programs on it."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
TOOLS = ("bash", "cat", "cksum", "chmod", "cp", "dirname", "grep", "mkdir", "uname")

PYTHON = """#!/bin/sh
# Stands for an interpreter and for the one of its environment: notes what it is asked.
echo "python $*" >>"$NOTES"
case "$*" in
  "-m venv"*) mkdir -p .venv/bin && cp "$0" .venv/bin/python && chmod +x .venv/bin/python ;;
  *"--report"*) echo "$REPORT" ;;
  *"--index-url"*) [ -z "$INDEX_IS_GONE" ] ;;
esac
"""
CUDA = '{"install": [{"metadata": {"name": "torch"}}, {"metadata": {"name": "nvidia-cublas"}}]}'
CPU = '{"install": [{"metadata": {"name": "torch"}}]}'


@dataclass
class Machine:
    """A folder with the script, and the programs that are installed."""

    home: Path

    @property
    def notes(self) -> list[str]:
        file = self.home / "notes"
        return file.read_text().splitlines() if file.exists() else []

    def has(self, name: str, script: str = '#!/bin/sh\necho "${0##*/} $*" >>"$NOTES"\n') -> None:
        program = self.home / "path" / name
        program.write_text(script)
        program.chmod(0o755)

    def set_up(self, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(self.home / "setup.sh")],
            env={
                "PATH": str(self.home / "path"),
                "NOTES": str(self.home / "notes"),
                "REPORT": CPU,
                **environment,
            },
            capture_output=True,
            text=True,
            check=False,
        )

    def torch_installs(self) -> list[str]:
        return [
            note
            for note in self.notes
            if " install " in note and note.endswith("torch==2.13.0") and "--dry-run" not in note
        ]


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """A Linux machine with Python, bubblewrap, and no right to install anything."""
    (tmp_path / "path").mkdir()
    for tool in TOOLS:
        found = shutil.which(tool)
        assert found
        (tmp_path / "path" / tool).symlink_to(found)
    for file in ("setup.sh", "pyproject.toml"):
        shutil.copy(ROOT / file, tmp_path)
    made = Machine(tmp_path)
    made.has("python3.11", PYTHON)
    made.has("uname", "#!/bin/sh\necho Linux\n")
    made.has("id", "#!/bin/sh\necho 1000\n")
    made.has("bwrap")
    return made


def test_the_second_call_does_nothing(machine: Machine) -> None:
    assert machine.set_up().returncode == 0
    before = machine.notes
    again = machine.set_up()
    assert (again.returncode, again.stdout, again.stderr) == (0, "", "")
    assert machine.notes == before


def test_a_changed_project_is_set_up_anew(machine: Machine) -> None:
    machine.set_up()
    before = machine.notes
    with (machine.home / "pyproject.toml").open("a") as project:
        project.write("# changed\n")
    assert machine.set_up().returncode == 0
    assert len(machine.notes) > len(before)


def test_where_no_cuda_build_comes_along_the_plain_install_is_taken(machine: Machine) -> None:
    machine.set_up(REPORT=CPU)
    (install,) = machine.torch_installs()
    assert "--index-url" not in install


def test_without_a_gpu_the_cpu_build_is_taken(machine: Machine) -> None:
    machine.set_up(REPORT=CUDA, TORCH_INDEX="file:///wheels")
    (install,) = machine.torch_installs()
    assert "--index-url file:///wheels" in install


def test_with_a_gpu_the_cuda_build_is_taken(machine: Machine) -> None:
    machine.has("nvidia-smi")
    machine.set_up(REPORT=CUDA)
    (install,) = machine.torch_installs()
    assert "--index-url" not in install


def test_where_the_cpu_build_cannot_be_fetched_the_other_is_taken(machine: Machine) -> None:
    told = machine.set_up(REPORT=CUDA, TORCH_INDEX="file:///wheels", INDEX_IS_GONE="yes")
    assert told.returncode == 0
    assert "TORCH_INDEX" in told.stderr
    assert "--index-url" not in machine.torch_installs()[-1]


def test_a_mac_takes_the_plain_build_and_no_bubblewrap(machine: Machine) -> None:
    machine.has("uname", "#!/bin/sh\necho Darwin\n")
    (machine.home / "path" / "bwrap").unlink()
    told = machine.set_up(REPORT=CUDA)
    assert told.returncode == 0
    assert "--index-url" not in machine.torch_installs()[0]
    assert "bubblewrap" not in told.stderr


def test_without_python_it_says_what_is_needed(machine: Machine) -> None:
    (machine.home / "path" / "python3.11").unlink()
    told = machine.set_up()
    assert told.returncode == 1
    assert "needs Python 3.11 or later" in told.stderr
    assert not (machine.home / ".venv" / ".made-from").exists()


def test_an_old_python_is_not_taken(machine: Machine) -> None:
    (machine.home / "path" / "python3.11").unlink()
    machine.has("python3", "#!/bin/sh\nexit 1\n")
    assert machine.set_up().returncode == 1


@pytest.mark.parametrize(
    ("program", "install"),
    [
        ("apt-get", "apt-get install -y --no-install-recommends bubblewrap"),
        ("dnf", "dnf install -y bubblewrap"),
        ("pacman", "pacman -S --noconfirm --needed bubblewrap"),
    ],
)
def test_system_packages_are_installed_where_the_user_may(
    machine: Machine, program: str, install: str
) -> None:
    (machine.home / "path" / "bwrap").unlink()
    machine.has("id", "#!/bin/sh\necho 0\n")
    machine.has(program)
    assert machine.set_up().returncode == 0
    assert install in machine.notes


def test_where_the_user_may_not_it_says_who_can(machine: Machine) -> None:
    (machine.home / "path" / "bwrap").unlink()
    machine.has("apt-get")
    told = machine.set_up()
    assert told.returncode == 0
    assert "sudo apt-get install" in told.stderr
    assert not [note for note in machine.notes if note.startswith("apt-get")]


def test_no_password_is_asked_for(machine: Machine) -> None:
    (machine.home / "path" / "bwrap").unlink()
    machine.has("apt-get")
    machine.has("sudo")
    machine.set_up()
    assert all(note.startswith("sudo -n ") for note in machine.notes if "sudo" in note)
    assert any("apt-get install" in note for note in machine.notes)


def test_a_failed_install_is_not_taken_for_done(machine: Machine) -> None:
    machine.has("python3.11", PYTHON.replace("esac", "  *--editable*) exit 1 ;;\nesac"))
    assert machine.set_up().returncode != 0
    assert not (machine.home / ".venv" / ".made-from").exists()
    assert os.access(machine.home / "setup.sh", os.X_OK)
