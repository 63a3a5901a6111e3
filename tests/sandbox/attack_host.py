"""`python -m tests.sandbox.attack_host`: attacks tried as whoever runs this, one JSON job a line.

It is a host as attacks would like to find one: a home with secrets, an environment with a secret,
servers that answer, a key in the keyring, a process of its own. The first line it writes says where
all that is. A job says behind which wall which attacks are tried; each runs in a process forked
from one interpreter behind that wall, and says WON where it got what it wanted.
"""

from __future__ import annotations

import asyncio
import ctypes
import dataclasses
import json
import os
import shutil
import socket
import subprocess
import sys
import sysconfig
import tempfile
import threading
import time
from contextlib import ExitStack, aclosing, suppress
from pathlib import Path
from typing import Any

from starchat_tui.byte_units import MIB
from starchat_tui.errors import StarChatError
from starchat_tui.sandbox.isolation import landlock
from starchat_tui.sandbox.isolation.bubblewrap import BWRAP, SandboxSpec, find_bwrap
from starchat_tui.sandbox.isolation.launcher import start_sandbox
from starchat_tui.sandbox.limits import Limits

SMALL = Limits(folder=8 * MIB, temporary=8 * MIB, shared=4 * MIB, file_size=4 * MIB)
"""So that filling something takes little."""
PATIENCE = 600.0
"""Seconds that all attacks of a job may take behind a wall; each has its alarm."""
BATCH = """
import ctypes, errno, json, os, resource, select, signal, socket, stat, struct, subprocess
import sys, time
H = json.loads(sys.argv[1])
with open(int(sys.argv[2])) as file: attacks = json.load(file)
for name, most in json.loads(sys.argv[3]).items():
    resource.setrlimit(getattr(resource, name), (most, most))
def attempt(name, code, out):
    os.setsid()
    signal.alarm(15)
    def say(*words): os.write(out, (" ".join(map(str, words)) + "\\n").encode())
    space = {"H": H, "won": lambda *what: say("WON", *what), "say": say, "os": os, "sys": sys,
             "absent": lambda *why: say("ABSENT", *why), "out": out}
    try:
        exec(compile(code, name, "exec"), space)
    except BaseException as error:
        say("HELD", type(error).__name__, error)
    say("TRIED")
    os._exit(0)
for name, code in attacks.items():
    read, write = os.pipe()
    child = os.fork()
    if not child:
        os.close(read)
        attempt(name, code, write)
    os.close(write)
    said, end = b"", time.monotonic() + 20
    while time.monotonic() < end and len(said) < 65536:
        if select.select([read], [], [], 0.2)[0]:
            data = os.read(read, 4096)
            if not data: break
            said += data
        if b"TRIED" in said: break
    os.close(read)
    for kill in (os.killpg, os.kill):
        try: kill(child, signal.SIGKILL)
        except OSError: pass
    status = os.waitpid(child, 0)[1]
    said = said.decode(errors="replace")
    print(json.dumps([name, said, status]), file=sys.stderr, flush=True)
"""
"""The interpreter behind a wall: tries each attack in a process of its own."""


class Home:
    """The place an attack would like to reach, and everything in it."""

    def __init__(self) -> None:
        self.root = Path(tempfile.mkdtemp(prefix="sc-host-"))
        self._stack = ExitStack()
        self._stack.callback(shutil.rmtree, self.root, ignore_errors=True)
        (self.root / ".ssh").mkdir(mode=0o700)
        self.secret = self.root / ".ssh" / "id_rsa"
        self.secret.write_text("HOSTSECRET")
        self.secret.chmod(0o600)
        (self.root / "work").mkdir()
        (self.root / "program").write_bytes(Path("/bin/true").read_bytes())
        (self.root / "program").chmod(0o755)
        self.tcp = self._listen(socket.AF_INET, ("127.0.0.1", 0))
        self.unix = self._listen(socket.AF_UNIX, str(self.root / "socket"))
        self.abstract = self._listen(socket.AF_UNIX, f"\0starchat-{os.getpid()}")
        self.udp = self._stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        self.udp.bind(("127.0.0.1", 0))
        self.open = os.open(self.secret, os.O_RDONLY)
        # Whoever is careless lets it through to every program it starts.
        os.set_inheritable(self.open, True)
        self.sleeper = self._sleeping()
        self.key = _put_key()

    def _listen(self, family: int, address: Any) -> Any:
        server = self._stack.enter_context(socket.socket(family))
        server.bind(address)
        server.listen()
        threading.Thread(target=self._answer, args=(server,), daemon=True).start()
        return server.getsockname()

    def _answer(self, server: socket.socket) -> None:
        while True:
            try:
                one, _ = server.accept()
            except OSError:
                return
            threading.Thread(target=self._tell, args=(one,), daemon=True).start()

    def _tell(self, one: socket.socket) -> None:
        with one, suppress(OSError):
            one.sendall(b"HTTP/1.0 200 OK\r\n\r\nHOSTSECRET")
            one.shutdown(socket.SHUT_WR)
            # Closed while a question is on its way, the connection would be reset: answer lost.
            while one.recv(4096):
                pass

    def _sleeping(self) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(["sleep", "600"], start_new_session=True)
        self._stack.callback(process.wait)
        self._stack.callback(process.kill)
        return process

    def facts(self) -> dict[str, Any]:
        """Where everything is, as JSON has it."""
        if self.sleeper.poll() is not None:
            self.sleeper = self._sleeping()
        return {
            "root": str(self.root),
            "secret": str(self.secret),
            "work": str(self.root / "work"),
            "program": str(self.root / "program"),
            "port": self.tcp[1],
            "udp": self.udp.getsockname()[1],
            "unix": self.unix,
            "abstract": self.abstract[1:].decode()
            if isinstance(self.abstract, bytes)
            else self.abstract[1:],
            "fd": self.open,
            "pid": self.sleeper.pid,
            "host": os.getpid(),
            "uid": os.geteuid(),
            "prefix": sysconfig.get_path("purelib"),
        }

    def close(self) -> None:
        self._stack.close()


def _put_key() -> bool:
    """Put a key into a session keyring of our own; whether the kernel has any."""
    libc = ctypes.CDLL(None)
    join, add = {"x86_64": (250, 248), "aarch64": (219, 217)}[os.uname().machine]
    libc.syscall(join, 1, None)
    secret = b"KEYRINGSECRET"
    return bool(libc.syscall(add, b"user", b"starchat-test", secret, len(secret), -3) > 0)


def batch(home: Home, job: dict[str, Any]) -> dict[str, Any]:
    """Try the attacks of a job behind its wall; what each said, and how its process ended."""
    walled = job["wall"] in ("isolated", "restricted")
    # Among the user's own processes and threads, those of the code cannot be told apart.
    resources = dict(SMALL.process_rlimits()) if walled else {}
    if job["wall"] == "restricted" and os.geteuid():
        resources.pop("RLIMIT_NPROC")
    file = os.memfd_create("attacks")
    os.write(file, json.dumps(job["attacks"]).encode())
    os.lseek(file, 0, os.SEEK_SET)
    arguments = [json.dumps(home.facts()), str(file), json.dumps(resources)]
    command = [sys.executable, "-I", "-S", "-c", BATCH, *arguments]
    try:
        said = _walled(home, job, command, file) if walled else _bare(home, job, command, file)
    finally:
        os.close(file)
    lines = [line for line in said.decode(errors="replace").splitlines() if line.startswith("[")]
    found = {name: [text, status] for name, text, status in map(json.loads, lines)}
    missing = set(job["attacks"]) - set(found)
    return {"found": found, "missing": sorted(missing), "said": said.decode(errors="replace")}


def _walled(home: Home, job: dict[str, Any], command: list[str], file: int) -> bytes:
    drop = os.geteuid() == 0
    given = home.root / "given.txt"
    given.write_text("GIVEN")
    bwrap = find_bwrap() or BWRAP[0]
    spec = SandboxSpec(
        job["wall"], bwrap=bwrap, drop_to_nobody=drop, limits=SMALL, attached=(given,)
    )
    started = start_sandbox(spec, command, pass_fds=[file])
    try:
        return started.process.communicate(timeout=PATIENCE)[1]
    finally:
        started.close()


def _bare(home: Home, job: dict[str, Any], command: list[str], file: int) -> bytes:
    """Without a wall; or behind the one that a first reading of bubblewrap's help suggests."""
    environment = {**os.environ, "ENVSECRET": "ENVSECRET"}
    if job["wall"] == "naive":
        command = [*_naive(home), *command]
    with open(home.secret) as stdin:
        ran = subprocess.run(
            command,
            stdin=stdin,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env=environment,
            cwd=home.root / "work",
            pass_fds=[file, home.open],
            timeout=PATIENCE,
            check=False,
        )
    return ran.stderr


def _naive(home: Home) -> list[str]:
    """Bubblewrap with the flags that seem to be enough."""
    flags = ["--unshare-all", "--die-with-parent", "--clearenv", "--setenv", "PATH", "/usr/bin"]
    flags += ["--ro-bind", "/usr", "/usr"]
    for name in ("bin", "sbin", "lib", "lib64"):
        if Path("/", name).is_symlink():
            flags += ["--symlink", os.readlink(f"/{name}"), f"/{name}"]
    flags += ["--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp", "--tmpfs", "/home"]
    for path in SandboxSpec("isolated").prefixes:
        flags += ["--ro-bind", str(path), str(path)]
    flags += ["--bind", str(home.root / "work"), "/cell", "--chdir", "/cell"]
    return [str(find_bwrap() or BWRAP[0]), *flags, "--"]


async def cells(home: Home, job: dict[str, Any]) -> dict[str, Any]:
    """Run the cells of a job in one kernel; for each, what came out as plain values."""
    from starchat_tui.sandbox.host import kernel_process
    from starchat_tui.sandbox.host.kernel import SandboxKernel
    from starchat_tui.sandbox.isolation.probe import probe_sandbox

    capability = probe_sandbox(job.get("wall", "isolated"))
    limits = Limits(**job.get("limits", {}))
    attached = [Path(path) for path in job.get("attached", [])]
    kernel = SandboxKernel(capability, limits=limits, attached=attached)
    # Nothing is imported ahead: most attacks need none of it, and it takes seconds.
    kernel_process.KernelProcess.__init__.__kwdefaults__["warm"] = False
    found = []
    try:
        for code in job["cells"]:
            outputs: list[dict[str, Any]] = []
            code = code.replace("@FACTS@", repr(home.facts()))
            async with aclosing(kernel.run(code)) as run:
                async for output in run:
                    outputs.append(_plain(output))
            found.append(outputs)
        files = {}
        for name in job.get("fetch", []):
            try:
                files[name] = len(await kernel.fetch_file(name))
            except StarChatError as error:
                files[name] = f"{type(error).__name__}: {error}"
        family = _family()
        family.pop(home.sleeper.pid, None)
    finally:
        await kernel.aclose()
    left = await _gone(family)
    return {"level": capability.level, "cells": found, "files": files, "left": left}


def _family() -> dict[int, str]:
    """Everything that descends from this process, with its beginning: a number may come again."""
    found: dict[int, str] = {}
    pending = [os.getpid()]
    for pid in pending:
        below = landlock.list_children(pid)
        pending += below
        found.update((one, began) for one in below if (began := _began(one)))
    return found


def _began(pid: int) -> str:
    """When a process began, in ticks; nothing where it is gone, or only waits to be reaped."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if fields[0] == "Z" else fields[19]


async def _gone(family: dict[int, str]) -> list[int]:
    """Which of a family's processes are still there after a while."""
    end = time.monotonic() + 60
    while time.monotonic() < end:
        left = [pid for pid, began in family.items() if _began(pid) == began]
        if not left:
            break
        await asyncio.sleep(0.05)
    return left


def _plain(output: Any) -> dict[str, Any]:
    fields = dataclasses.asdict(output)
    if "png" in fields:
        fields["png"] = len(fields["png"])
    return {"kind": type(output).__name__, **fields}


def main() -> None:
    """Serve jobs until stdin ends."""
    os.environ["ENVSECRET"] = "ENVSECRET"
    home = Home()
    try:
        print(json.dumps(home.facts()), flush=True)
        for line in sys.stdin:
            job = json.loads(line)
            try:
                answer = asyncio.run(cells(home, job)) if "cells" in job else batch(home, job)
            except Exception as error:  # noqa: BLE001 (told to the test, which fails)
                answer = {"error": f"{type(error).__name__}: {error}"}
            print(json.dumps(answer), flush=True)
    finally:
        home.close()


if __name__ == "__main__":
    main()
