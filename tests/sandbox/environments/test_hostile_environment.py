"""A hostile package in the user's own environment: it can do no more than any code in the sandbox.

Python runs the code of `.pth` files and of `sitecustomize` whenever it starts with an environment.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
import venv
from dataclasses import replace
from pathlib import Path

import pytest

from starchat_tui.sandbox.environments.inspection import inspect_environment
from starchat_tui.sandbox.host.kernel import SandboxKernel
from starchat_tui.sandbox.isolation import probe
from tests.sandbox.kernels import LEVELS, RELAXED_LIMITS, run_code

pytestmark = pytest.mark.bwrap
HOSTILE = """
import json, os, resource, socket
found = {}
def attempt(name, act):
    try:
        found[name] = repr(act())
    except Exception as error:
        found[name] = "HELD " + type(error).__name__
attempt("write", lambda: open(@HOME@ + "/owned-by-@NAME@", "x"))
attempt("read", lambda: open(@HOME@ + "/.ssh/id_rsa").read())
attempt("environment", lambda: os.environ["STARCHAT_TOKEN"])
attempt("connect", lambda: socket.create_connection(("127.0.0.1", 9), 1))
attempt("package", lambda: open(os.path.dirname(@SITE@) + "/owned", "x"))
found["memory"] = resource.getrlimit(resource.RLIMIT_DATA)
with open(os.environ["TMPDIR"] + "/@NAME@.json", "w") as file:
    json.dump(found, file)
"""
"""Program of the package: tries things, and notes what came of them where code may write."""


@pytest.fixture
def environment(empty_home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An environment of the user's with two ways to run code at every start."""
    private = Path.home() / ".ssh"
    private.mkdir(mode=0o700)
    (private / "id_rsa").write_text("SECRET")
    monkeypatch.setenv("STARCHAT_TOKEN", "SECRET")
    folder = empty_home / "project" / ".venv"
    venv.create(folder, with_pip=False, symlinks=True)
    site = next((folder / "lib").glob("python*/site-packages"))
    for name in ("pth", "sitecustomize"):
        program = HOSTILE.replace("@HOME@", repr(str(Path.home()))).replace("@NAME@", name)
        (site / f"{name}_program.py").write_text(program.replace("@SITE@", repr(str(site))))
    (site / "evil.pth").write_text("import pth_program\n")
    (site / "sitecustomize.py").write_text("import sitecustomize_program\n")
    # The libraries that the kernel needs come from here, as a package index is out of reach.
    (site / "libraries.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return folder


def test_the_package_is_as_hostile_as_it_looks(environment: Path, tmp_path: Path) -> None:
    """Without the sandbox it does what it wants: so a start outside would be an attack."""
    python = environment / "bin" / "python"
    command = [str(python), "-I", "-c", "pass"]
    subprocess.run(command, env={**os.environ, "TMPDIR": str(tmp_path)}, check=True)
    for name in ("pth", "sitecustomize"):
        assert (Path.home() / f"owned-by-{name}").exists()
        assert json.loads((tmp_path / f"{name}.json").read_text())["read"] == "'SECRET'"


@pytest.mark.parametrize("level", LEVELS)
async def test_a_hostile_package_does_no_more_than_any_code(environment: Path, level: str) -> None:
    found = inspect_environment(environment)
    libraries = Path(sysconfig.get_path("purelib"))
    interpreter = replace(found, folders=(*found.folders, libraries))
    capability = probe.probe_sandbox("restricted" if level == "restricted" else "isolated")
    kernel = SandboxKernel(capability, limits=RELAXED_LIMITS, interpreter=interpreter)
    code = """
        import json, os, sys
        print(sys.prefix)
        for name in ("pth", "sitecustomize"):
            print(open(f"{os.environ['TMPDIR']}/{name}.json").read())
    """
    try:
        run = await run_code(kernel, code)
    finally:
        await kernel.aclose()
    assert run.end.status == "ok", run.outputs
    prefix, *documents = run.out.splitlines()
    assert prefix == str(environment)
    for document in map(json.loads, documents):
        held = {name: text.split()[0] for name, text in document.items() if name != "memory"}
        assert set(held.values()) == {"HELD"}, document
        # The limits of the code hold already, also for what runs before the first cell.
        assert document["memory"] == [RELAXED_LIMITS.memory] * 2
    assert sorted(one.name for one in Path.home().iterdir()) == [".ssh"]
    assert not (environment / "lib" / f"python{sys.version_info[0]}" / "owned").exists()


async def test_a_package_that_never_ends_its_import_is_ended(environment: Path) -> None:
    """What runs before the kernel is ready is watched as well."""
    site = next((environment / "lib").glob("python*/site-packages"))
    (site / "sitecustomize.py").write_text(
        "import os, time\n"
        "for _ in range(6):\n"
        "    if not os.fork():\n"
        "        kept = bytearray(b'x') * (40 << 20)\n"
        "        time.sleep(600)\n"
        "time.sleep(600)\n"
    )
    limits = replace(RELAXED_LIMITS, memory=128 << 20)
    kernel = SandboxKernel(
        probe.probe_sandbox("isolated"), limits=limits, interpreter=inspect_environment(environment)
    )
    try:
        run = await run_code(kernel, "1")
    finally:
        await kernel.aclose()
    assert run.end.status == "died"
    assert "memory" in run.end.reason, run.end
