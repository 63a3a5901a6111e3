"""`python -m tests.sandbox.attack_host`: run attacks as the account that starts it.

The host has everything that attacks aim at: a home with secrets, an environment with a secret,
servers that answer, a key in the keyring, a process of its own. The first line it writes describes
these targets. Each line of stdin is a job in JSON: an isolation level, an environment and attacks.
Every attack runs in a process that is forked from one interpreter at that level, and writes WON if
it succeeds.
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

from starchat_tui.config.byte_units import MIB
from starchat_tui.errors import StarChatError
from starchat_tui.sandbox.environments.inspection import inspect_environment
from starchat_tui.sandbox.environments.interpreter import Interpreter, find_own_interpreter
from starchat_tui.sandbox.isolation import landlock
from starchat_tui.sandbox.isolation.bubblewrap import BWRAP, SandboxSpec, find_bwrap
from starchat_tui.sandbox.isolation.launcher import start_sandbox
from starchat_tui.sandbox.limits import Limits

SMALL_LIMITS = Limits(folder=8 * MIB, temporary=8 * MIB, shared=4 * MIB, file_size=4 * MIB)
"""Small limits, so that a folder is soon filled."""
BATCH_TIMEOUT = 600.0
"""Seconds that all attacks of a job may take; each has an alarm of its own."""
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
    def report(*words): os.write(out, (" ".join(map(str, words)) + "\\n").encode())
    space = {"H": H, "won": lambda *what: report("WON", *what), "os": os, "sys": sys,
             "report": report, "absent": lambda *why: report("ABSENT", *why), "out": out}
    try:
        exec(compile(code, name, "exec"), space)
    except BaseException as error:
        report("HELD", type(error).__name__, error)
    report("TRIED")
    os._exit(0)
for name, code in attacks.items():
    read, write = os.pipe()
    child = os.fork()
    if not child:
        os.close(read)
        attempt(name, code, write)
    os.close(write)
    output, end = b"", time.monotonic() + 20
    while time.monotonic() < end and len(output) < 65536:
        if select.select([read], [], [], 0.2)[0]:
            data = os.read(read, 4096)
            if not data: break
            output += data
        if b"TRIED" in output: break
    os.close(read)
    for kill in (os.killpg, os.kill):
        try: kill(child, signal.SIGKILL)
        except OSError: pass
    status = os.waitpid(child, 0)[1]
    output = output.decode(errors="replace")
    print(json.dumps([name, output, status]), file=sys.stderr, flush=True)
"""
"""Code of the interpreter in the sandbox: runs each attack in a process of its own."""


class Targets:
    """Targets of the attacks: files, servers, a process, a key."""

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
        self.datagram = self.root / "datagram"
        log = self._stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
        log.bind(str(self.datagram))
        # As /dev/log is: for everybody.
        self.datagram.chmod(0o666)
        self.udp = self._stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        self.udp.bind(("127.0.0.1", 0))
        self.open = os.open(self.secret, os.O_RDONLY)
        # A careless program lets it through to every program that it starts.
        os.set_inheritable(self.open, True)
        self.sleeper = self._start_sleeper()
        self.key = _put_key()

    def _listen(self, descendants: int, address: Any) -> Any:
        server = self._stack.enter_context(socket.socket(descendants))
        server.bind(address)
        server.listen()
        threading.Thread(target=self._accept_connections, args=(server,), daemon=True).start()
        return server.getsockname()

    def _accept_connections(self, server: socket.socket) -> None:
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            threading.Thread(target=self._send_secret, args=(connection,), daemon=True).start()

    def _send_secret(self, connection: socket.socket) -> None:
        with connection, suppress(OSError):
            connection.sendall(b"HTTP/1.0 200 OK\r\n\r\nHOSTSECRET")
            connection.shutdown(socket.SHUT_WR)
            # Closing with unread data would reset the connection, and the client would lose the
            # answer.
            while connection.recv(4096):
                pass

    def _start_sleeper(self) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(["sleep", "600"], start_new_session=True)
        self._stack.callback(process.wait)
        self._stack.callback(process.kill)
        return process

    def describe(self) -> dict[str, Any]:
        """Describe the targets with values that JSON can hold."""
        if self.sleeper.poll() is not None:
            self.sleeper = self._start_sleeper()
        return {
            "root": str(self.root),
            "secret": str(self.secret),
            "datagram": str(self.datagram),
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
    """Put a key into a new session keyring; return whether the kernel has keyrings."""
    libc = ctypes.CDLL(None)
    join, add = {"x86_64": (250, 248), "aarch64": (219, 217)}[os.uname().machine]
    libc.syscall(join, 1, None)
    secret = b"KEYRINGSECRET"
    return bool(libc.syscall(add, b"user", b"starchat-test", secret, len(secret), -3) > 0)


def run_batch(targets: Targets, job: dict[str, Any]) -> dict[str, Any]:
    """Run the attacks of a job at its level; return the output and exit status of each."""
    sandboxed = job["level"] in ("isolated", "restricted")
    # RLIMIT_NPROC counts all processes of the user, and at this level the code runs as the user.
    resources = dict(SMALL_LIMITS.process_rlimits()) if sandboxed else {}
    if job["level"] == "restricted" and os.geteuid():
        resources.pop("RLIMIT_NPROC")
    file = os.memfd_create("attacks")
    os.write(file, json.dumps(job["attacks"]).encode())
    os.lseek(file, 0, os.SEEK_SET)
    interpreter = _find_interpreter(job)
    facts = targets.describe()
    if interpreter.libraries:
        facts["prefix"] = str(interpreter.libraries[0])
    arguments = [json.dumps(facts), str(file), json.dumps(resources)]
    command = [str(interpreter.python), "-I", "-S", "-c", BATCH, *arguments]
    try:
        stderr = (
            _run_sandboxed(targets, job, command, file, interpreter)
            if sandboxed
            else _run_unconfined(targets, job, command, file)
        )
    finally:
        os.close(file)
    lines = [line for line in stderr.decode(errors="replace").splitlines() if line.startswith("[")]
    found = {name: [text, status] for name, text, status in map(json.loads, lines)}
    missing = set(job["attacks"]) - set(found)
    return {"found": found, "missing": sorted(missing), "stderr": stderr.decode(errors="replace")}


def _find_interpreter(job: dict[str, Any]) -> Interpreter:
    """Return the interpreter of the environment of a job, or the one that runs this host."""
    folder = job.get("environment")
    return inspect_environment(Path(folder)) if folder else find_own_interpreter()


def _run_sandboxed(
    targets: Targets, job: dict[str, Any], command: list[str], file: int, interpreter: Interpreter
) -> bytes:
    drop = os.geteuid() == 0
    attachment = targets.root / "given.txt"
    attachment.write_text("GIVEN")
    bwrap = find_bwrap() or BWRAP[0]
    spec = SandboxSpec(
        job["level"],
        bwrap=bwrap,
        drop_to_nobody=drop,
        limits=SMALL_LIMITS,
        attached=(attachment,),
        interpreter=interpreter,
    )
    started = start_sandbox(spec, command, pass_fds=[file])
    try:
        return started.process.communicate(timeout=BATCH_TIMEOUT)[1]
    finally:
        started.close()


def _run_unconfined(targets: Targets, job: dict[str, Any], command: list[str], file: int) -> bytes:
    """Run a command without a sandbox, or with the bubblewrap flags of `_build_naive_command`."""
    environment = {**os.environ, "ENVSECRET": "ENVSECRET"}
    if job["level"] == "naive":
        command = [*_build_naive_command(targets), *command]
    with open(targets.secret) as stdin:
        ran = subprocess.run(
            command,
            stdin=stdin,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env=environment,
            cwd=targets.root / "work",
            pass_fds=[file, targets.open],
            timeout=BATCH_TIMEOUT,
            check=False,
        )
    return ran.stderr


def _build_naive_command(targets: Targets) -> list[str]:
    """Return a bubblewrap command with the flags that seem enough after reading its help."""
    flags = ["--unshare-all", "--die-with-parent", "--clearenv", "--setenv", "PATH", "/usr/bin"]
    flags += ["--ro-bind", "/usr", "/usr"]
    for name in ("bin", "sbin", "lib", "lib64"):
        if Path("/", name).is_symlink():
            flags += ["--symlink", os.readlink(f"/{name}"), f"/{name}"]
    flags += ["--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp", "--tmpfs", "/home"]
    for path in SandboxSpec("isolated").interpreter.folders:
        flags += ["--ro-bind", str(path), str(path)]
    flags += ["--bind", str(targets.root / "work"), "/cell", "--chdir", "/cell"]
    return [str(find_bwrap() or BWRAP[0]), *flags, "--"]


async def run_cells(targets: Targets, job: dict[str, Any]) -> dict[str, Any]:
    """Run the cells of a job in one kernel; return the outputs of each as plain values."""
    from starchat_tui.sandbox.host import kernel_process
    from starchat_tui.sandbox.host.kernel import SandboxKernel
    from starchat_tui.sandbox.isolation.probe import probe_sandbox

    capability = probe_sandbox(job.get("level", "isolated"))
    limits = Limits(**job.get("limits", {}))
    attached = [Path(path) for path in job.get("attached", [])]
    kernel = SandboxKernel(
        capability, limits=limits, attached=attached, interpreter=_find_interpreter(job)
    )
    # Without prewarming: most attacks need no plotting library, and importing one takes seconds.
    kernel_process.KernelProcess.__init__.__kwdefaults__["warm"] = False
    found = []
    try:
        for code in job["cells"]:
            outputs: list[dict[str, Any]] = []
            code = code.replace("@FACTS@", repr(targets.describe()))
            async with aclosing(kernel.run(code)) as run:
                async for output in run:
                    outputs.append(_convert_output(output))
            found.append(outputs)
        files = {}
        for name in job.get("fetch", []):
            try:
                files[name] = len(await kernel.fetch_file(name))
            except StarChatError as error:
                files[name] = f"{type(error).__name__}: {error}"
        descendants = _list_descendants()
        descendants.pop(targets.sleeper.pid, None)
    finally:
        await kernel.aclose()
    left = await _wait_until_gone(descendants)
    return {"level": capability.level, "cells": found, "files": files, "left": left}


def _list_descendants() -> dict[int, str]:
    """Return the descendants of this process with their start times: a pid may be reused."""
    found: dict[int, str] = {}
    pending = [os.getpid()]
    for pid in pending:
        below = landlock.list_children(pid)
        pending += below
        found.update((child, start) for child in below if (start := _read_start_time(child)))
    return found


def _read_start_time(pid: int) -> str:
    """Return the start time of a process in ticks; "" if it is gone or a zombie."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if fields[0] == "Z" else fields[19]


async def _wait_until_gone(descendants: dict[int, str]) -> list[int]:
    """Wait until these processes are gone; return those that still run after a minute."""
    end = time.monotonic() + 60
    while time.monotonic() < end:
        left = [pid for pid, start in descendants.items() if _read_start_time(pid) == start]
        if not left:
            break
        await asyncio.sleep(0.05)
    return left


def _convert_output(output: Any) -> dict[str, Any]:
    fields = dataclasses.asdict(output)
    if "png" in fields:
        fields["png"] = len(fields["png"])
    return {"kind": type(output).__name__, **fields}


def main() -> None:
    """Run jobs until stdin ends."""
    os.environ["ENVSECRET"] = "ENVSECRET"
    targets = Targets()
    try:
        print(json.dumps(targets.describe()), flush=True)
        for line in sys.stdin:
            job = json.loads(line)
            try:
                answer = (
                    asyncio.run(run_cells(targets, job))
                    if "cells" in job
                    else run_batch(targets, job)
                )
            except Exception as error:  # noqa: BLE001 (reported to the test, which fails)
                answer = {"error": f"{type(error).__name__}: {error}"}
            print(json.dumps(answer), flush=True)
    finally:
        targets.close()


if __name__ == "__main__":
    main()
