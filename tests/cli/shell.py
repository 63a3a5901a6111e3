"""`starchat` as a process in a temporary home."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pexpect

from tests.fakes import save_tiny_model

ROOT = Path(__file__).parents[2]
STARCHAT = [sys.executable, "-m", "starchat_tui"]


class Shell:
    """Runner of `starchat` processes that share a home and an engine."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.model = save_tiny_model(home / "tiny")

    def environ(self, **more: str) -> dict[str, str]:
        return {
            **{key: os.environ[key] for key in ("PATH", "HOME", "LANG", "TERM")},
            "STARCHAT_ENVIRONMENTS": os.environ["STARCHAT_ENVIRONMENTS"],
            "STARCHAT_HOME": str(self.home),
            "PYTHONPATH": str(ROOT),
            "OMP_NUM_THREADS": "1",
            "HF_HUB_OFFLINE": "1",
            **more,
        }

    def run(
        self, *argv: str, stdin: bytes | None = None, **environ: str
    ) -> subprocess.CompletedProcess[bytes]:
        """Run to the end; stdin is /dev/null if nothing is piped."""
        with_input = {"input": stdin} if stdin is not None else {"stdin": subprocess.DEVNULL}
        return subprocess.run(
            [*STARCHAT, *argv],
            capture_output=True,
            env=self.environ(**environ),
            check=False,
            timeout=120,
            **with_input,  # type: ignore[call-overload]
        )

    def ask(
        self, *argv: str, stdin: bytes | None = None, tokens: int = 6
    ) -> subprocess.CompletedProcess[bytes]:
        """Ask the tiny model for a short answer."""
        model = ("-m", str(self.model), "-t", "0", "--max-tokens", str(tokens))
        return self.run(*model, *argv, stdin=stdin)

    def spawn(self, *argv: str, tokens: int = 6) -> pexpect.spawn[str]:
        """Ask the tiny model in a terminal."""
        first, rest = (argv[:1], argv[1:]) if argv[0] == "repl" else ((), argv)
        options = ["-m", str(self.model), "--max-tokens", str(tokens)]
        command = [*STARCHAT, *first, *options, *rest]
        return pexpect.spawn(
            command[0],
            command[1:],
            env=self.environ(),
            encoding="utf-8",
            codec_errors="replace",
            timeout=60,
            dimensions=(30, 100),
        )


def split_lines(raw: bytes) -> list[str]:
    """Return the lines of an output."""
    return raw.decode().splitlines()
