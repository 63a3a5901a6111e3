"""`starchat run FILE` and `python FILE`: the same stdout and the same exit code, file by file."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.waiting import PATIENCE

pytestmark = [pytest.mark.bwrap, pytest.mark.slow]

ROOT = Path(__file__).parents[2]
ARGUMENTS = ["--n", "5", "two words"]
STDIN = "first\nsecond ü\n3\n"

SCRIPTS = {
    # What a script is
    "name": "import os, sys\nprint(os.path.basename(__file__), sys.argv, __name__)",
    "docstring": '"""What it does.\n\nUsage: x"""\nprint(__doc__)',
    "no docstring": "print(__doc__)",
    "argparse": '"""Describe."""\nimport argparse\n'
    "p = argparse.ArgumentParser(description=__doc__)\n"
    "p.add_argument('--n', type=int)\np.add_argument('rest')\nprint(p.parse_args(), p.prog)",
    "argparse fails": "import argparse\nargparse.ArgumentParser().parse_args(['--no'])",
    "reads itself": "print(open(__file__).read())",
    "names its file": "import sys, os\nprint(os.path.basename(sys._getframe().f_code.co_filename))",
    "logs its file": "import logging, sys\nlogging.basicConfig(stream=sys.stdout, "
    "format='%(filename)s:%(lineno)d %(module)s %(message)s')\nlogging.warning('x')",
    "traceback": "import traceback, os\ntry:\n    1 / 0\nexcept ZeroDivisionError:\n"
    "    last = traceback.format_exc().splitlines()\n"
    "    print(os.path.basename(last[1].split('\"')[1]), last[1].split(',')[1:], last[2:])",
    "source": "import inspect\ndef f():\n    return 1\nprint(inspect.getsource(f))",
    "main": "def main():\n    print('main')\n\nif __name__ == '__main__':\n    main()",
    "value": "print('x')\n1 + 1\n'y'",
    "pickle": "import pickle\nclass A:\n    x = 1\n"
    "print(type(pickle.loads(pickle.dumps(A()))) is A, A.__module__)",
    "main module": "import sys, __main__\nx = 3\nprint(__main__.x, sys.modules['__main__'].x)",
    "dataclass": "from dataclasses import dataclass\n@dataclass\nclass P:\n"
    "    x: int = 1\nprint(P())",
    "annotations": "from __future__ import annotations\nx: int = 1\nprint(__annotations__)",
    # Its end
    "exit 3": "import sys\nprint('x')\nsys.exit(3)",
    "exit 0": "import sys\nprint('x')\nsys.exit()",
    "exit 256": "import sys\nsys.exit(256)",
    "exit -1": "import sys\nsys.exit(-1)",
    "exit True": "import sys\nsys.exit(True)",
    "exit with a reason": "import sys\nsys.exit('no data')",
    "exit with a number as text": "import sys\nsys.exit('0')",
    "raise SystemExit": "raise SystemExit(7)",
    "exit()": "print('x')\nexit(2)",
    "quit()": "print('x')\nquit()",
    "error": "print('before')\n1 / 0\nprint('never')",
    "error in a function": "def f(x):\n    return {}[x]\nprint('a')\nf('b')",
    "syntax error": "print('never')\nif True print(1)",
    "own exception": "class Mine(Exception): pass\nraise Mine('x')",
    "import error": "import no_such_module_anywhere",
    "atexit": "import atexit\nname = 'bye'\natexit.register(lambda: print(name))\nprint('first')",
    "atexit after an error": "import atexit\natexit.register(print, 'bye')\n1 / 0",
    "atexit after exit": "import atexit, sys\natexit.register(print, 'bye')\nsys.exit(4)",
    "atexit that fails": "import atexit\natexit.register(print, 'last')\n"
    "atexit.register(lambda: 1 / 0)\nprint('first')",
    "finally": "import sys\ntry:\n    sys.exit(6)\nfinally:\n    print('cleaned')",
    # Threads and processes
    "thread": "import threading, time\nmain = threading.Event()\ndef late():\n    main.wait()\n"
    "    time.sleep(0.3)\n    print('late')\nthreading.Thread(target=late).start()\n"
    "print('first')\nmain.set()",
    "timer": "import threading\nthreading.Timer(0.3, print, ['late']).start()\nprint('first')",
    "thread that fails": "import threading\ndef f(): raise ValueError\n"
    "t = threading.Thread(target=f)\nt.start()\nt.join()\nprint('on')",
    "daemon": "import threading\nwait = threading.Event().wait\n"
    "threading.Thread(target=wait, daemon=True).start()\nprint('ends')",
    "executor": "from concurrent.futures import ThreadPoolExecutor\npool = ThreadPoolExecutor()\n"
    "print(pool.submit(lambda: 4).result())",
    "pool": "from multiprocessing import Pool\ndef square(x): return x * x\n"
    "if __name__ == '__main__':\n    with Pool(2) as pool:\n"
    "        print(pool.map(square, range(5)))",
    "spawn": "import multiprocessing as mp\ndef square(x, q): q.put(x * x)\n"
    "if __name__ == '__main__':\n    c = mp.get_context('spawn')\n    q = c.Queue()\n"
    "    p = c.Process(target=square, args=(7, q))\n    p.start()\n    print(q.get())\n"
    "    p.join()\n    print(p.exitcode)",
    "process not joined": "import multiprocessing as mp, time\ndef f():\n    time.sleep(0.3)\n"
    "    print('child', flush=True)\nif __name__ == '__main__':\n"
    "    mp.get_context('fork').Process(target=f).start()\n    print('parent', flush=True)",
    "subprocess": "import subprocess, sys\nprint('a', flush=True)\n"
    "subprocess.run([sys.executable, '-c', 'print(2)'])\nprint('b')",
    "asyncio": "import asyncio\nasync def main():\n    await asyncio.sleep(0)\n    return 5\n"
    "print(asyncio.run(main()))",
    "unittest": "import unittest\nclass T(unittest.TestCase):\n"
    "    def test_a(self): self.assertTrue(False)\nif __name__ == '__main__':\n"
    "    unittest.main(argv=['x'])",
    # Output
    "no newline": "print('x', end='')",
    "write": "import sys\nsys.stdout.write('a\\nb')",
    "buffer": "import sys\nsys.stdout.buffer.write('ü\\n'.encode())\nsys.stdout.buffer.flush()",
    "carriage return": "print('50%\\r100%')\nprint('a\\tb\\x1b[31mred\\x1b[0m\\x00')",
    "reconfigure": "import sys\nsys.stdout.reconfigure(encoding='utf-8')\nprint('ü')",
    "wrapped stdout": "import io, sys\n"
    "sys.stdout = io.TextIOWrapper(sys.stdout.buffer, encoding='utf-8')\nprint('ü')",
    "os.write": "import os\nos.write(1, b'raw')",
    "many lines": "for i in range(20000): print(i)",
    "stderr apart": "import sys\nprint('out')\nprint('err', file=sys.stderr)",
    "isatty": "import sys\nprint(sys.stdout.isatty(), sys.stdin.isatty(), sys.stdout.encoding)",
    "redirected": "import contextlib, io\nwith contextlib.redirect_stdout(io.StringIO()) as s:\n"
    "    print('x')\nprint(repr(s.getvalue()))",
    # Input
    "input": "a = input('Name? ')\nb = input()\nprint(a, b)",
    "input to the end": "import sys\nprint([line for line in sys.stdin])",
    "input as bytes": "import sys\nprint(sys.stdin.buffer.read())",
    "input past the end": "for _ in range(9): input()",
    "input of a child": "import subprocess\nsubprocess.run(['cat'])",
    # Modules and encodings
    "written module": "open('mod1.py', 'w').write('y = 3')\nimport mod1\nprint(mod1.y)",
    "attached module": "from helper import double\nimport os, helper\n"
    "print(double(4), os.path.basename(helper.__file__))",
    "attached data": "print(open('data.txt').read())",
    "folder on the path": "import os, sys\nprint(os.path.samefile(sys.path[0], os.getcwd()))",
    "byte order mark": "\ufeffprint('ü')",
    "latin-1": "# -*- coding: latin-1 -*-\nprint('ü', len('ü'))",
    "latin-1 file": "# -*- coding: latin-1 -*-\nprint(open(__file__, encoding='latin-1').read())",
    "line ends": "print('a')\r\nif True:\r\n    print('b')\r\n",
    "percent": "x = 7\nprint(x\n% 4)\nprint('''\n%magic\n!ls\n?''')",
}
ENCODINGS = {"latin-1": "latin-1", "latin-1 file": "latin-1"}
"""Encodings of the files that are not UTF-8."""


def run_in(folder: Path, *command: str) -> tuple[str, int]:
    environ = {key: os.environ[key] for key in ("PATH", "HOME") if key in os.environ}
    environ |= {"STARCHAT_HOME": str(folder / "home"), "PYTHONPATH": str(ROOT)}
    environ |= {"PYTHONUTF8": "1", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, *command],
        input=STDIN.encode(),
        capture_output=True,
        cwd=folder,
        env=environ,
        check=False,
        timeout=4 * PATIENCE,
    )
    return done.stdout.decode(), done.returncode


def compare(name: str, folder: Path) -> str:
    """Return how the two runs differ; empty if they do not."""
    folder.mkdir()
    (folder / "helper.py").write_text("def double(x): return 2 * x\n")
    (folder / "data.txt").write_text("some data")
    encoding = ENCODINGS.get(name, "utf-8")
    (folder / "prog.py").write_bytes(SCRIPTS[name].encode(encoding))
    expected = run_in(folder, "prog.py", *ARGUMENTS)
    flags = ("-f", "helper.py", "-f", "data.txt", "--strict", "--env", sys.prefix)
    got = run_in(folder, "-m", "starchat_tui", "run", *flags, "prog.py", "--", *ARGUMENTS)
    return "" if got == expected else f"{name}: {got} instead of {expected}"


def test_scripts_do_as_in_python(tmp_path: Path) -> None:
    with ThreadPoolExecutor(2) as pool:
        folders = [tmp_path / str(number) for number in range(len(SCRIPTS))]
        differences = list(filter(None, pool.map(compare, SCRIPTS, folders)))
    assert differences == []
