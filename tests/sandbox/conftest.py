"""Hosts to attack from the sandbox: one runs as root, one as an ordinary user."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from starchat_tui.sandbox.environments.inspection import inspect_environment
from starchat_tui.sandbox.environments.interpreter import find_own_interpreter
from starchat_tui.sandbox.isolation.bubblewrap import NOBODY, find_private_parent
from tests.sandbox.kernels import ENVIRONMENTS

ROOT = Path(__file__).parent.parent.parent


class Host:
    """Process of an account that runs attacks; see `attack_host.py`."""

    def __init__(self, account: str) -> None:
        self.account = account
        self._home = tempfile.mkdtemp(prefix="sc-")
        command = [sys.executable, "-m", "tests.sandbox.attack_host"]
        if account == "user" and os.geteuid() == 0:
            os.chown(self._home, NOBODY, NOBODY)
            command = build_nobody_command(command)
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env={"PATH": os.defpath, "HOME": self._home, "TMPDIR": self._home, "LANG": "C.UTF-8"},
        )
        self.facts = self._read_answer()
        self._results: dict[str, Mapping[str, Any]] = {}

    def run_attacks(
        self, level: str, attacks: Mapping[str, str], environment: Path | None = None
    ) -> Mapping[str, Any]:
        """Return the result of each attack at a level; they run only the first time.

        The code runs in the interpreter of `environment`, or in this one without it.
        """
        key = f"{level} {environment} {' '.join(attacks)}"
        if key not in self._results:
            job = {"level": level, "attacks": attacks, "environment": str(environment or "")}
            self._results[key] = self.run_job(job)
        return self._results[key]

    def run_job(self, job: Mapping[str, Any]) -> Any:
        """Send a job and return the answer."""
        assert self._process.stdin
        self._process.stdin.write(json.dumps(job) + "\n")
        self._process.stdin.flush()
        return self._read_answer()

    def _read_answer(self) -> Any:
        assert self._process.stdout
        line = self._process.stdout.readline()
        assert line, f"the host of {self.account} exited: {self._process.wait()}"
        answer = json.loads(line)
        assert "error" not in answer, answer["error"]
        return answer

    def close(self) -> None:
        """End the process and remove its home."""
        self._process.communicate()
        shutil.rmtree(self._home, ignore_errors=True)


def build_nobody_command(command: list[str]) -> list[str]:
    """Return a command that runs `command` as nobody, with interpreters and checkout readable.

    A folder above them that only root may enter is covered, in a mount namespace of its own, by one
    that contains only them. The user is not confined in any other way.
    """
    script = ["set -e", "stage=$(mktemp -d)", "mount --make-rprivate /", "mount -t tmpfs x $stage"]
    readable = [ROOT, *find_own_interpreter().folders]
    readable += [
        one for folder in filter(None, ENVIRONMENTS) for one in inspect_environment(folder).folders
    ]
    covers = {
        path: cover for path in dict.fromkeys(readable) if (cover := find_private_parent(path))
    }
    for index, path in enumerate(covers):
        script += [f"mkdir $stage/{index}", f"mount --bind '{path}' $stage/{index}"]
    script += [f"mount -t tmpfs -o mode=755 x '{cover}'" for cover in set(covers.values())]
    for index, path in enumerate(covers):
        script += [f"mkdir -p '{path}'", f"mount --bind $stage/{index} '{path}'"]
    script.append(f'exec setpriv --reuid={NOBODY} --regid={NOBODY} --clear-groups "$@"')
    return ["unshare", "--mount", "sh", "-c", "\n".join(script), "sh", *command]


ACCOUNTS = ("root", "user")


@pytest.fixture(scope="session")
def hosts() -> Iterator[dict[str, Host]]:
    """Hosts that were started so far, by account."""
    started: dict[str, Host] = {}
    yield started
    for host in started.values():
        host.close()


@pytest.fixture(params=ACCOUNTS)
def host(request: pytest.FixtureRequest, hosts: dict[str, Host]) -> Host:
    """Host of each account."""
    account = str(request.param)
    if account == "root" and os.geteuid() != 0:
        pytest.skip("root is needed to attack as root")
    if account not in hosts:
        hosts[account] = Host(account)
    return hosts[account]
