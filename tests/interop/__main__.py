"""`make interop`: start vLLM with a demo model where it is installed, and run the tests against it.

`python -m tests.interop [MODEL]` takes another model.

Set STARCHAT_INTEROP_URL, STARCHAT_INTEROP_MODEL and STARCHAT_INTEROP_TOKENIZER to use a server that
already runs. VLLM is the path of the program if `vllm` is not on PATH; install it in an environment
of its own, because it pins other versions of torch and transformers than ours.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from starchat_tui.models import hub_files, registry

START_SECONDS = 600.0
"""Seconds that a server may take to become ready."""


def build_command(program: str, folder: str, name: str, port: int) -> list[str]:
    """Return the command line that serves a model as the tests expect it."""
    return [
        *(program, "serve", folder, "--served-model-name", name),
        *("--host", "127.0.0.1", "--port", str(port)),
        *("--dtype", "float32", "--enforce-eager", "--max-num-seqs", "4"),
        "--enable-prompt-tokens-details",
    ]


@contextmanager
def run_vllm(program: str, name: str) -> Iterator[str]:
    """Run a vLLM server while the context lasts; yield its URL once it is ready."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {"VLLM_CPU_KVCACHE_SPACE": "1", "HF_HUB_OFFLINE": "1", "DO_NOT_TRACK": "1"}
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(
            build_command(program, registry.find_model(name).weights, name, port),
            env={**environment, **os.environ},
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        try:
            url = f"http://127.0.0.1:{port}"
            if not _wait_until_ready(url, process):
                log.seek(0)
                sys.exit(f"vLLM did not start; the end of its log:\n{log.read()[-4000:].decode()}")
            yield url
        finally:
            process.terminate()
            process.wait()


def _wait_until_ready(url: str, process: subprocess.Popen[bytes]) -> bool:
    end = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < end:
        try:
            with urllib.request.urlopen(f"{url}/health", timeout=5) as answer:
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            time.sleep(0.5)
    return False


def run_tests(environment: dict[str, str]) -> int:
    """Run the tests of this folder."""
    tests = [sys.executable, "-m", "pytest", "-q", str(Path(__file__).parent)]
    return subprocess.run(tests, env={**os.environ, **environment}, check=False).returncode


def main() -> int:
    """Test against the server of STARCHAT_INTEROP_URL, or start vLLM."""
    if os.environ.get("STARCHAT_INTEROP_URL"):
        return run_tests({})
    program = os.environ.get("VLLM") or shutil.which("vllm")
    if not program:
        sys.stderr.write(
            "No server found: install vLLM in an environment of its own and set\n"
            "VLLM=/path/to/bin/vllm, or set STARCHAT_INTEROP_URL to a running server\n"
        )
        return 2
    name = sys.argv[1] if len(sys.argv) > 1 else "nano-chat"
    with run_vllm(program, name) as url:
        return run_tests(
            {
                "STARCHAT_INTEROP_URL": url,
                "STARCHAT_INTEROP_MODEL": name,
                "STARCHAT_INTEROP_TOKENIZER": str(
                    hub_files.find_model_file(registry.find_model(name), "tokenizer.json")
                ),
            }
        )


if __name__ == "__main__":
    sys.exit(main())
