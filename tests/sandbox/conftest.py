"""Hosts to attack from behind the wall: one that is root, one that is an ordinary user."""

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

from starchat_tui.sandbox.isolation.bubblewrap import NOBODY, find_prefixes, find_private_parent

ROOT = Path(__file__).parent.parent.parent


class Host:
    """A process of somebody, that tries attacks; see `attack_host.py`."""

    def __init__(self, who: str) -> None:
        self.who = who
        self._home = tempfile.mkdtemp(prefix="sc-")
        command = [sys.executable, "-m", "tests.sandbox.attack_host"]
        if who == "user" and os.geteuid() == 0:
            os.chown(self._home, NOBODY, NOBODY)
            command = _as_nobody(command)
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env={"PATH": os.defpath, "HOME": self._home, "TMPDIR": self._home, "LANG": "C.UTF-8"},
        )
        self.facts = self._heard()
        self._found: dict[str, Mapping[str, Any]] = {}

    def tried(self, wall: str, attacks: Mapping[str, str]) -> Mapping[str, Any]:
        """What each attack came to behind a wall; all are tried at once, the first time."""
        key = wall + "".join(attacks)
        if key not in self._found:
            self._found[key] = self.ask({"wall": wall, "attacks": attacks})
        return self._found[key]

    def ask(self, job: Mapping[str, Any]) -> Any:
        """The answer to a job."""
        assert self._process.stdin
        self._process.stdin.write(json.dumps(job) + "\n")
        self._process.stdin.flush()
        return self._heard()

    def _heard(self) -> Any:
        assert self._process.stdout
        line = self._process.stdout.readline()
        assert line, f"the host of {self.who} ended: {self._process.wait()}"
        answer = json.loads(line)
        assert "error" not in answer, answer["error"]
        return answer

    def close(self) -> None:
        """End it, and take its home away."""
        self._process.communicate()
        shutil.rmtree(self._home, ignore_errors=True)


def _as_nobody(command: list[str]) -> list[str]:
    """The command as an ordinary user runs it, who can read our interpreter and this checkout.

    Where those lie below a folder that is root's alone, it is covered by one with just them in it,
    in a mount namespace of its own; nothing else of the user is confined.
    """
    script = ["set -e", "stage=$(mktemp -d)", "mount --make-rprivate /", "mount -t tmpfs x $stage"]
    shown = {
        path: closed for path in (ROOT, *find_prefixes()) if (closed := find_private_parent(path))
    }
    for at, path in enumerate(shown):
        script += [f"mkdir $stage/{at}", f"mount --bind '{path}' $stage/{at}"]
    script += [f"mount -t tmpfs -o mode=755 x '{closed}'" for closed in set(shown.values())]
    for at, path in enumerate(shown):
        script += [f"mkdir -p '{path}'", f"mount --bind $stage/{at} '{path}'"]
    script.append(f'exec setpriv --reuid={NOBODY} --regid={NOBODY} --clear-groups "$@"')
    return ["unshare", "--mount", "sh", "-c", "\n".join(script), "sh", *command]


PEOPLE = ("root", "user")


@pytest.fixture(scope="session")
def hosts() -> Iterator[dict[str, Host]]:
    """The hosts that were needed so far."""
    found: dict[str, Host] = {}
    yield found
    for host in found.values():
        host.close()


@pytest.fixture(params=PEOPLE)
def host(request: pytest.FixtureRequest, hosts: dict[str, Host]) -> Host:
    """A host that is root, and one that is not."""
    who = str(request.param)
    if who == "root" and os.geteuid() != 0:
        pytest.skip("only root can show what holds for root")
    if who not in hosts:
        hosts[who] = Host(who)
    return hosts[who]
