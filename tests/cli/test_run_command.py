"""`starchat run` from outside: real processes, a real sandbox, pipes and terminals."""

from __future__ import annotations

import base64
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pexpect
import pytest

from starchat_tui.cli.run_command import read_code, read_notebook, split_arguments
from starchat_tui.errors import UsageError
from tests.sinks import find_unsafe_text
from tests.waiting import PATIENCE

STARCHAT = [sys.executable, "-m", "starchat_tui"]
ROOT = Path(__file__).parents[2]
CompletedProcess = subprocess.CompletedProcess[str]
Run = Callable[..., CompletedProcess]


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    return {
        **{key: os.environ[key] for key in ("PATH", "HOME", "LANG", "STARCHAT_ENVIRONMENTS")},
        "STARCHAT_HOME": str(tmp_path / "home"),
        "PYTHONPATH": str(ROOT),
        "OMP_NUM_THREADS": "1",
        "TERM": "xterm-256color",
    }


@pytest.fixture
def run(environ: dict[str, str], tmp_path: Path) -> Run:
    def run_starchat(code: str, *flags: str, **more: str) -> CompletedProcess:
        return subprocess.run(
            [*STARCHAT, "run", "-", *flags],
            input=code,
            capture_output=True,
            text=True,
            env={**environ, **more},
            cwd=tmp_path,
            check=False,
            timeout=2 * PATIENCE,
        )

    return run_starchat


def test_nothing_runs_without_a_sandbox(run: Run, tmp_path: Path) -> None:
    for how in ({"flags": ("--sandbox", "off")}, {"flags": (), "STARCHAT_SANDBOX": "off"}):
        flags = how.pop("flags")
        ran = run("open('/tmp/never', 'w')", *flags, **how)  # type: ignore[arg-type]
        assert ran.returncode == 77
        assert ran.stdout == ""
        assert "Running code is off" in ran.stderr
    document = json.loads(run("1", "--sandbox", "off", "--json").stdout)
    assert (document["status"], document["level"]) == ("no-sandbox", "off")


def test_invalid_flags_are_usage_errors(run: Run) -> None:
    for flags in (
        ("--memory", "lots"),
        ("--timeout", "-1"),
        ("--sandbox", "none"),
        ("--images", "ascii"),
        ("--file", "missing.csv"),
        ("--no-such-flag",),
    ):
        ran = run("1", "--sandbox", "off" if "--sandbox" not in flags else "auto", *flags)
        assert ran.returncode in (2, 78), flags
        assert ran.stdout == ""
        assert "Traceback" not in ran.stderr


def test_invisible_characters_are_refused_without_a_terminal(run: Run) -> None:
    ran = run("x = 1\nadmin = '\u202e'\n", "--sandbox", "off")
    assert ran.returncode == 2
    assert "admin = '<U+202E>'" in ran.stderr
    assert "\u202e" not in ran.stderr


@pytest.mark.bwrap
@pytest.mark.slow
def test_streams_results_and_exit_codes(run: Run) -> None:
    ran = run("import sys\nprint('out')\nprint('err', file=sys.stderr)\n6 * 7\n")
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "out\n42\n", "err\n")
    ran = run("print('before')\n1 / 0\n")
    assert (ran.returncode, ran.stdout) == (1, "before\n")
    assert "----> 2 1 / 0" in ran.stderr
    assert "starchat: The code failed: ZeroDivisionError: division by zero" in ran.stderr
    ran = run("while True: pass", "--timeout", "1")
    assert ran.returncode == 6
    ran = run("import os\nos._exit(3)")
    assert ran.returncode == 5
    ran = run("import os\nprint(sorted(os.environ))\nprint(os.path.exists('/root/.ssh'))")
    assert "STARCHAT_HOME" not in ran.stdout
    assert "False" in ran.stdout


@pytest.mark.bwrap
@pytest.mark.slow
def test_json_files_and_plots(run: Run, tmp_path: Path) -> None:
    (tmp_path / "data.csv").write_text("a,b\n1,2\n")
    code = """
import matplotlib.pyplot as plt
print(open("data.csv").read())
plt.bar(["x", "y"], [1, 2]); plt.title("Two"); plt.show()
open("out.txt", "w").write("made")
"""
    ran = run(code, "--json", "--file", "data.csv", "--save-dir", "kept")
    document = json.loads(ran.stdout)
    assert ran.returncode == 0, document
    assert document["status"] == "ok"
    assert "a,b" in document["stdout"]
    (figure,) = document["figures"]
    assert "Two" in figure["card"]
    png = base64.b64decode(figure["png"])
    assert png.startswith(b"\x89PNG")
    assert [one["name"] for one in document["files"]] == ["out.txt"]
    assert (tmp_path / "kept" / "out.txt").read_text() == "made"
    assert (tmp_path / "kept" / "figure-1.png").read_bytes() == png


@pytest.mark.bwrap
@pytest.mark.slow
def test_saved_files_have_a_bound_together(run: Run, tmp_path: Path) -> None:
    # Without content: they cost the code nothing, and the host 360 MB.
    code = "for at in range(6): open(f'f{at}', 'wb').truncate(60 << 20)"
    ran = run(code, "--save-dir", "kept")
    assert ran.returncode == 1
    assert len(list((tmp_path / "kept").iterdir())) == 4
    assert "`f4` is left out: all files together may have 256 MiB" in ran.stderr
    assert "2 of 6 files could not be saved" in ran.stderr


@pytest.mark.bwrap
@pytest.mark.slow
def test_terminal_shows_the_plot_and_no_escape_sequences(
    environ: dict[str, str], tmp_path: Path
) -> None:
    file = tmp_path / "plot.py"
    file.write_text(
        "import matplotlib.pyplot as plt\n"
        "print('\\x1b]0;title\\x07', '\\x9b31m')\n"
        "plt.plot([1, 2], [3, 4]); plt.title('\\x1b[2J Slope'); plt.show()\n"
    )
    child = pexpect.spawn(
        STARCHAT[0],
        [*STARCHAT[1:], "run", "--images", "half", str(file)],
        env=environ,
        encoding="utf-8",
        timeout=2 * PATIENCE,
        dimensions=(50, 100),
    )
    child.expect(pexpect.EOF)
    child.close()
    screen = child.before or ""
    assert child.exitstatus == 0
    assert "▀" in screen
    assert "Slope" in screen
    assert "ran · " in screen
    assert find_unsafe_text(screen.replace("\r\n", "\n")) == ""


@pytest.mark.bwrap
@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["^C", "SIGTERM"]
)
def test_signal_ends_the_code_and_every_process(
    environ: dict[str, str], number: signal.Signals, code: int
) -> None:
    process = subprocess.Popen(
        [*STARCHAT, "run", "-"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environ,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write("print('begun', flush=True)\nimport time\ntime.sleep(500)\n")
    process.stdin.close()
    assert process.stdout.readline() == "begun\n"
    process.send_signal(number)
    assert process.wait(PATIENCE) == code
    process.stdout.close()
    assert process.stderr is not None
    process.stderr.close()


def test_read_code(tmp_path: Path) -> None:
    path = tmp_path / "a.py"
    path.write_text("x = 'ü'")
    assert read_code(str(path)) == "x = 'ü'"
    path.write_bytes(b"\xff")
    for name in (str(path), str(tmp_path), str(tmp_path / "none")):
        with pytest.raises(UsageError, match=r"cannot be read|not text"):
            read_code(name)
    with path.open("wb") as file:
        file.truncate(5 * 2**20)
    with pytest.raises(UsageError, match="larger than"):
        read_code(str(path))


def test_code_in_utf_16_is_refused_as_python_does(tmp_path: Path) -> None:
    path = tmp_path / "a b.py"
    path.write_bytes("x = 1".encode("utf-16"))
    with pytest.raises(UsageError, match="UTF-16") as refused:
        read_code(str(path))
    assert "iconv -f UTF-16 -t UTF-8 '" in refused.value.hint
    path.write_bytes(b"\xef\xbb\xbfx = 1")
    assert read_code(str(path)) == "x = 1"


def test_arguments_behind_two_dashes_are_the_script_s() -> None:
    assert split_arguments(["a.py", "--json"]) == (["a.py", "--json"], [])
    assert split_arguments(["a.py", "--", "--n", "5", "--"]) == (["a.py"], ["--n", "5", "--"])
    assert split_arguments(["--", "-a.py", "5"]) == (["--", "-a.py"], ["5"])


def test_the_code_cells_of_a_notebook_are_read(tmp_path: Path) -> None:
    path = tmp_path / "a.ipynb"
    cells = [
        {"cell_type": "markdown", "source": "# Title"},
        {"cell_type": "code", "source": ["x = 1\n", "x"], "execution_count": None},
        {"cell_type": "code", "source": ""},
        {"cell_type": "code", "source": "x + 1"},
    ]
    path.write_text(json.dumps({"cells": cells, "nbformat": 4}))
    assert read_notebook(path) == ["x = 1\nx", "x + 1"]
    for text in ("", "{}", "[]", '{"cells": 1}', '{"cells": [{"cell_type": "code"}]}', "[" * 10**5):
        path.write_text(text)
        with pytest.raises(UsageError, match="notebook"):
            read_notebook(path)
    path.write_text('{"cells": []}')
    with pytest.raises(UsageError, match="no code cells"):
        read_notebook(path)


@pytest.mark.bwrap
@pytest.mark.slow
def test_scripts_and_notebooks_run(environ: dict[str, str], tmp_path: Path) -> None:
    def start(*arguments: str) -> CompletedProcess:
        return subprocess.run(
            [*STARCHAT, "run", *arguments],
            capture_output=True,
            text=True,
            env=environ,
            cwd=tmp_path,
            check=False,
            timeout=2 * PATIENCE,
        )

    (tmp_path / "a.py").write_text("import sys\nprint(sys.argv)\nsys.exit(3)")
    ran = start("a.py", "--", "--n", "5")
    assert (ran.returncode, ran.stdout, ran.stderr) == (3, "['a.py', '--n', '5']\n", "")
    ran = start("a.py", "--n", "5")
    assert ran.returncode == 2
    assert "follow `--`" in ran.stderr
    cells = [{"cell_type": "code", "source": text} for text in ("x = 6\nx", "x * 7", "1 / 0")]
    (tmp_path / "a.ipynb").write_text(json.dumps({"cells": cells}))
    document = json.loads(start("a.ipynb", "--json").stdout)
    assert (document["stdout"], document["error"]["name"]) == ("6\n42\n", "ZeroDivisionError")
    ran = start("a.ipynb")
    assert (ran.returncode, ran.stdout) == (5, "6\n42\n")
    assert "Cell 3, line 1:" in ran.stderr
