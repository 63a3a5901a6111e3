"""Rendering of a chat template in a child process, which `jinja_worker` bounds."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
import weakref
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from starchat_tui.errors import ConfigError
from starchat_tui.templates import jinja_worker

TEMPLATE_HINT = "use the model as a base model with `--mode ta`"


class JinjaProcess:
    """Compiled chat template of a model, in a process that is started when it is first used."""

    def __init__(self, source: str, special: Mapping[str, str], *, name: str = "") -> None:
        """Keep what the process needs.

        Args:
            source: The Jinja source.
            special: Texts of `bos_token`, `eos_token` … for the template.
            name: Name of the model, for errors.
        """
        self._start_line = json.dumps({"source": source, "special": dict(special)})
        self._owner = f"The chat template of `{name}`" if name else "The model's chat template"
        self._lock = threading.Lock()
        self._process: subprocess.Popen[str] | None = None

    def create_error(self, reason: str) -> ConfigError:
        """Return the error of this template, which names the model."""
        return ConfigError(f"{self._owner} {reason}", TEMPLATE_HINT)

    def render(self, messages: Sequence[Mapping[str, str]], add_generation_prompt: bool) -> str:
        """Return the dialogue as the template writes it.

        Raises `ConfigError` where the template does not compile, refuses the dialogue, or takes too
        much time or memory.
        """
        request = {"messages": list(messages), "add_generation_prompt": add_generation_prompt}
        # The screen counts the tokens of a draft in a thread while another thread asks.
        with self._lock:
            if self._process is None:
                self._start()
            answer = self._exchange(json.dumps(request))
            if "error" in answer:
                raise self.create_error(f"does not render the dialogue: {answer['error']}")
            return str(answer["rendered"])

    def _start(self) -> None:
        # -I: neither the working directory nor the user's own modules may stand in for a library.
        process = subprocess.Popen(
            [sys.executable, "-I", jinja_worker.__file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            encoding="utf-8",
        )
        self._process = process
        weakref.finalize(self, _close_process, process)
        answer = self._exchange(self._start_line)
        if "error" in answer:
            self._stop()
            raise self.create_error(f"does not compile: {answer['error']}")

    def _exchange(self, line: str) -> dict[str, Any]:
        """Send a request and return the answer; that of a process that died is an error."""
        process = self._process
        assert process is not None
        assert process.stdin is not None
        assert process.stdout is not None
        with suppress(BrokenPipeError):
            process.stdin.write(line + "\n")
            process.stdin.flush()
        if answer := process.stdout.readline():
            found: dict[str, Any] = json.loads(answer)
            return found
        self._stop()
        if process.returncode == -signal.SIGPROF:
            return {"error": f"it takes more than {jinja_worker.CPU_SECONDS:g} s of processor time"}
        return {"error": f"its process ended with status {process.returncode}"}

    def _stop(self) -> None:
        process, self._process = self._process, None
        if process:
            _close_process(process)


def _close_process(process: subprocess.Popen[str]) -> None:
    """End the process and close its pipes; it may be gone already."""
    process.kill()
    process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe:
            # What was not yet sent cannot be sent any more.
            with suppress(OSError):
                pipe.close()
