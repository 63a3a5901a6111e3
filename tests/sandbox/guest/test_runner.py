"""Entry point of the sandbox: limits that cannot be raised again, one importable package."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from starchat_tui.sandbox.guest import runner
from starchat_tui.sandbox.host.kernel import SandboxKernel
from tests.sandbox.kernels import run_code


@pytest.mark.bwrap
async def test_only_the_guest_can_be_imported_in_the_sandbox(kernel: SandboxKernel) -> None:
    run = await run_code(kernel, "import starchat_tui.config.settings")
    assert run.failure.name == "ModuleNotFoundError"


def run_in_child(code: str) -> str:
    """Return what `code` prints in an interpreter of its own, next to the runner's functions."""
    folder = Path(runner.__file__).parent
    head = f"import sys; sys.path.insert(0, {str(folder)!r}); import runner; sys.path.pop(0)\n"
    command = [sys.executable, "-I", "-c", head + code]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def test_a_limit_is_hard_and_never_raised() -> None:
    code = """
import resource
resource.setrlimit(resource.RLIMIT_NOFILE, (80, 90))
runner.set_resource_limits({"RLIMIT_NOFILE": 64, "RLIMIT_CORE": 0})
print(resource.getrlimit(resource.RLIMIT_NOFILE), resource.getrlimit(resource.RLIMIT_CORE))
runner.set_resource_limits({"RLIMIT_NOFILE": 10**6})
print(resource.getrlimit(resource.RLIMIT_NOFILE))
"""
    assert run_in_child(code) == "(64, 64) (0, 0)\n(64, 64)\n"


def test_the_stub_makes_one_folder_importable(tmp_path: Path) -> None:
    (tmp_path / "probe.py").write_text("from starchat_tui.sandbox.guest import __path__ as path")
    code = f"""
runner.install_package_stub({str(tmp_path)!r})
from starchat_tui.sandbox.guest import probe
print(probe.path == [{str(tmp_path)!r}])
try: import starchat_tui.errors
except ModuleNotFoundError as error: print(error.name)
"""
    assert run_in_child(code) == "True\nstarchat_tui.errors\n"


async def test_ipythons_terminal_is_imported_when_the_code_asks_for_it(
    kernel: SandboxKernel,
) -> None:
    """It costs half of the start in IPython 8; `prompt_toolkit` is what takes the time."""
    shown = await run_code(
        kernel,
        "import IPython, sys\n"
        "print('prompt_toolkit' in sys.modules, callable(IPython.embed))\n"
        "from IPython.terminal.embed import InteractiveShellEmbed, embed\n"
        "print('prompt_toolkit' in sys.modules, InteractiveShellEmbed, embed)",
    )
    before, after = shown.stream("stdout").splitlines()
    assert before == "False True"
    assert after.startswith("True <class 'IPython.terminal.embed.InteractiveShellEmbed'> <function")
