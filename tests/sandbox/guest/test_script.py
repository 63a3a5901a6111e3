"""A script in the sandbox ends as it does in Python: the same output and the same exit state."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from starchat_tui.cli.code_runner import read_exit_status
from starchat_tui.execution.run_result import RunResult
from tests.sandbox.kernels import open_kernel, run_code

pytestmark = [pytest.mark.bwrap, pytest.mark.slow]

SCRIPTS = {
    "name": "import os, sys\nprint(os.path.basename(__file__), sys.argv, __name__)",
    "itself": "print(open(__file__).read())",
    "main": "def main(): print('main')\nif __name__ == '__main__': main()",
    "value": "print('x')\n1 + 1",
    "docstring": '"""What it does."""',
    "argparse": "import argparse\np = argparse.ArgumentParser()\np.add_argument('--n', type=int)\n"
    "print(p.parse_known_args(), p.prog)",
    "usage": "import argparse\nargparse.ArgumentParser().parse_args(['--no'])",
    "thread": "import threading, time\nmain = threading.Event()\ndef late():\n    main.wait()\n"
    "    time.sleep(0.2)\n    print('late')\nthreading.Thread(target=late).start()\n"
    "print('first')\nmain.set()",
    "daemon": "import threading\nwait = threading.Event().wait\n"
    "threading.Thread(target=wait, daemon=True).start()\nprint('ends')",
    "executor": "from concurrent.futures import ThreadPoolExecutor\npool = ThreadPoolExecutor()\n"
    "print(pool.submit(lambda: 4).result())",
    "atexit": "import atexit\nname = 'bye'\natexit.register(lambda: print(name))\nprint('first')",
    "atexit after an error": "import atexit\natexit.register(print, 'bye')\n1 / 0",
    "status": "import sys\nprint('x')\nsys.exit(3)",
    "status 0": "import sys\nprint('x')\nsys.exit()",
    "exit": "print('x')\nexit(2)",
    "quit": "print('x')\nquit()",
    "reason": "import sys\nsys.exit('no data')",
    "written module": "open('mod1.py', 'w').write('y = 3')\nimport mod1\nprint(mod1.y)",
}


@pytest.mark.parametrize("name", SCRIPTS)
async def test_a_script_ends_as_in_python(name: str, tmp_path: Path) -> None:
    (tmp_path / "prog.py").write_text(SCRIPTS[name])
    expected = subprocess.run(
        [sys.executable, "prog.py", "--n", "5"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    async with open_kernel(script=["prog.py", "--n", "5"]) as kernel:
        ran = await run_code(kernel, SCRIPTS[name])
    assert "".join([ran.out, *ran.results]) == expected.stdout
    assert (ran.end.status == "ok") == (expected.returncode == 0)
    assert read_exit_status(RunResult(tuple(ran.outputs[:-1]), ran.end)) in (
        expected.returncode,
        None,
    )
    if "SystemExit" in str(ran.outputs):
        assert ran.failure.traceback == ""
        assert ran.err == expected.stderr


@pytest.mark.parametrize("level", ["isolated", "restricted"])
async def test_a_module_beside_the_code_is_imported(level: str, tmp_path: Path) -> None:
    helper = tmp_path / "helper.py"
    helper.write_text("def f(): return 42")
    async with open_kernel(level, attached=[helper]) as kernel:
        assert (await run_code(kernel, "from helper import f\nf()")).results == ["42"]
        assert (await run_code(kernel, "%%writefile utils.py\nx = 7")).end.status == "ok"
        assert (await run_code(kernel, "import utils\nutils.x")).results == ["7"]


async def test_cells_have_no_name_and_wait_for_no_thread() -> None:
    async with open_kernel() as kernel:
        code = "import threading\nthreading.Thread(target=threading.Event().wait).start()\n1"
        assert (await run_code(kernel, code)).results == ["1"]
        assert (await run_code(kernel, "'__file__' in globals()")).results == ["False"]
        assert (await run_code(kernel, "exit")).end.status == "ok"
        assert (await run_code(kernel, "exit(2)")).failure.message == "2"


async def test_a_script_with_the_name_of_a_library_does_not_replace_it() -> None:
    async with open_kernel(script=["random.py"]) as kernel:
        assert (await run_code(kernel, "import random\nprint(random.Random)")).end.status == "ok"
