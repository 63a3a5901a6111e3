"""Attempts to install packages are answered without asking the network."""

from __future__ import annotations

import sys

import pytest

from starchat_tui.sandbox.guest.installs import answer_install
from starchat_tui.sandbox.host.kernel import SandboxKernel
from tests.sandbox.kernels import run_code

ABSENT = "no-such-package-at-all"


@pytest.mark.parametrize(
    "command",
    [
        f"pip install {ABSENT}",
        f"pip3 install -q --user '{ABSENT}>=2'",
        f"python3 -m pip install {ABSENT}==1.0",
        f"{sys.executable} -m pip install -U {ABSENT}",
        f"sudo pip install {ABSENT}",
        f"uv pip install {ABSENT}",
        f"conda install -c conda-forge -y {ABSENT}",
        f"/usr/bin/pip install {ABSENT}",
    ],
)
def test_the_answer_names_the_command_for_outside(command: str) -> None:
    answer = answer_install(command.replace("'", "").split())
    assert answer is not None
    text, status = answer
    assert status == 1
    assert "no network" in text
    assert sys.executable in text
    assert f"{ABSENT}`, then" in text
    assert "conda-forge" not in text


def test_other_commands_run_and_what_is_here_is_said_to_be() -> None:
    for command in (
        "",
        "pip",
        "pip list",
        "pip --version",
        "uv run x.py",
        "ls install",
        "python -m x",
    ):
        assert answer_install(command.split()) is None, command
    assert answer_install(["pip", "install", "numpy", "IPython>=8"]) == (
        "Already installed: numpy, IPython",
        0,
    )
    system = answer_install(["apt-get", "install", "-y", "graphviz"])
    assert system is not None
    assert "`sudo apt install graphviz`" in system[0]


@pytest.mark.bwrap
async def test_advice_leaves_setuptools_importable(kernel: SandboxKernel) -> None:
    run = await run_code(kernel, f"import {ABSENT.replace('-', '_')}")
    assert run.failure.name == "ModuleNotFoundError"
    run = await run_code(kernel, "import setuptools\nprint(setuptools.__name__)")
    assert (run.out, run.end.status) == ("setuptools\n", "ok"), run.outputs


@pytest.mark.bwrap
@pytest.mark.slow
@pytest.mark.parametrize(
    "code",
    [
        "%pip install -q {}",
        "!pip install {}",
        "pip install {}",
        "!python -m pip install {} -q && echo done",
        "%%bash\necho first\npip install -q {} || true",
        "found = !pip3 install {}\nprint(found)",
        "%conda install -y {}",
    ],
)
async def test_cells_and_blocks_get_the_answer_and_no_retries(
    kernel: SandboxKernel, code: str
) -> None:
    run = await run_code(kernel, code.format(ABSENT))
    assert run.end.status == "ok"
    printed = run.out + run.err
    assert "The sandbox has no network to install from" in printed
    assert "Retrying" not in printed
    assert "restart the kernel" not in printed
    assert "done" not in printed


@pytest.mark.bwrap
@pytest.mark.slow
async def test_pip_started_by_code_gives_up_at_once_and_python_still_runs(
    kernel: SandboxKernel,
) -> None:
    command = f"[sys.executable, '-m', 'pip', 'install', '{ABSENT}']"
    code = f"import subprocess, sys\nsubprocess.check_call({command})"
    run = await run_code(kernel, code)
    assert run.failure.name == "CalledProcessError"
    assert "Retrying" not in run.err
    assert any(f"pip install {ABSENT}" in note for note in run.notes)
    assert (await run_code(kernel, "!python -c 'print(6 * 7)'")).out == "42\n"
    assert (await run_code(kernel, "!python -m calendar 2026 1")).out.startswith("    January 2026")
