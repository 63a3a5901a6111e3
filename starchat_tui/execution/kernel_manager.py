"""Kernel of the present conversation: created on demand, one at a time, in one kind of sandbox.

The sandbox is probed once. It is never weakened afterwards: a kernel that does not start is an
error, not a reason to run code without protection.
"""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from starchat_tui.config.paths import expand_user_path
from starchat_tui.errors import Busy, Interrupted, NoSandbox, StarChatError, UsageError
from starchat_tui.execution.cells import mentions_plotting
from starchat_tui.execution.environment_preparation import create_environment
from starchat_tui.execution.kernel_factory import Kernel, KernelFactory
from starchat_tui.execution.run_result import apply_output
from starchat_tui.sandbox.attachments import map_names, open_attachment
from starchat_tui.sandbox.environments.known import find_recipe
from starchat_tui.sandbox.environments.outside import explain_missing_module
from starchat_tui.sandbox.environments.store import build_install_command
from starchat_tui.sandbox.limits import Limits
from starchat_tui.sandbox.outputs import (
    Failure,
    Figure,
    IsolationLevel,
    Note,
    Output,
    OutputCleared,
    Preparation,
    RunEnded,
    WrittenFile,
)
from starchat_tui.sandbox.run_state import RunControl

if TYPE_CHECKING:
    from starchat_tui.sandbox.environments.interpreter import Interpreter
    from starchat_tui.sandbox.environments.store import EnvironmentStore
    from starchat_tui.sandbox.guest.grid_rendering import GridSize
    from starchat_tui.sandbox.host.downloads import Download
    from starchat_tui.sandbox.isolation.probe import Capability


class KernelManager:
    """Owner of the present conversation's kernel, its attached files and the files it wrote."""

    def __init__(self, factory: KernelFactory, environment: str = "current") -> None:
        """Create the manager; `environment` is the name or the path of the first one."""
        self._factory = factory
        self._environment = environment
        self._interpreter: Interpreter | None = None
        """Python of the present kernel."""
        self._notes: list[str] = []
        """Remarks for the next run."""
        self._capability: Capability | None = None
        self._probing = asyncio.Lock()
        self._kernel: Kernel | None = None
        self._closing: set[asyncio.Task[None]] = set()
        """Kernels of earlier conversations that are still ending."""
        self._prewarming: asyncio.Task[None] | None = None
        self._control: RunControl | None = None
        """The run in progress; None if no code runs."""
        self._attached: tuple[Path, ...] = ()
        self._figures: list[Figure] = []
        """Figures of the runs that are over."""
        self._run_figures: list[Output] = []
        """Figures of the run in progress, or of the last one."""
        self.grids: Sequence[GridSize] = ()
        """Sizes of grids of cells for which the next runs draw their figures as well."""
        self.written_files: dict[str, WrittenFile] = {}
        """Files that the code wrote, by name."""

    @property
    def unsafe(self) -> bool:
        """True if code runs without a sandbox, because the user said so."""
        return self._factory.unsafe

    @property
    def is_busy(self) -> bool:
        """True while a run is in progress."""
        return self._control is not None

    async def probe_sandbox(self) -> Capability:
        """Return which sandbox works here, probed once."""
        async with self._probing:
            if self._capability is None:
                self._capability = await asyncio.to_thread(self._factory.probe)
        return self._capability

    @property
    def level(self) -> IsolationLevel | None:
        """Isolation level of the sandbox; None before it has been probed."""
        return self._capability.level if self._capability else None

    def prewarm(self) -> None:
        """Start the kernel in the background, so that the first run does not wait for it."""
        if self._prewarming is None and self._kernel is None:
            self._prewarming = asyncio.create_task(self._start_kernel())

    def prewarm_if_plotting(self, text: str) -> None:
        """Start the kernel in the background if `text` looks as if something will be drawn."""
        if mentions_plotting(text):
            self.prewarm()

    async def _start_kernel(self) -> None:
        # Nobody waits for this: the first run meets the same error and reports it.
        with suppress(StarChatError):
            capability = await self.probe_sandbox()
            # A missing environment is created by a run, which says so: not behind the user's back.
            if capability.level != "off" and self._find_interpreter():
                await self._ensure_kernel(capability).start()

    def _ensure_kernel(self, capability: Capability) -> Kernel:
        if self._kernel is None:
            self._kernel = self._factory.create_kernel(
                capability, self._attached, self._interpreter
            )
        return self._kernel

    @property
    def environments(self) -> EnvironmentStore | None:
        """Environments that code can run in."""
        return self._factory.environments

    @property
    def environment(self) -> str:
        """Name or path of the environment of the present conversation."""
        return self._environment

    def select_environment(self, choice: str) -> bool:
        """Run code in another environment; return whether a kernel was closed for that.

        Raises `Busy` while code runs.
        """
        if choice == self._environment:
            return False
        if self.is_busy:
            raise Busy("A code block is running", "interrupt it first")
        had_kernel = self._kernel is not None and self._kernel.alive
        self._environment, self._interpreter = choice, None
        self.written_files.clear()
        self._close_kernel()
        if had_kernel:
            self._notes.append(f"The environment is {choice} now: variables and files are gone")
        return had_kernel

    def require_environment(self) -> None:
        """Raise `UsageError` if the chosen environment cannot run code; nothing is created."""
        self._find_interpreter()

    def _find_interpreter(self) -> bool:
        """Find the Python of the environment; return False if it has to be created first.

        Raises `UsageError` if there is no such environment, or it cannot run code.
        """
        store = self._factory.environments
        if store is not None and self._interpreter is None:
            self._interpreter = store.find_interpreter(self._environment)
            if (found := self._interpreter) and not found.has_module("matplotlib"):
                command = build_install_command(found, ["matplotlib"])
                self._notes.append(
                    f"`{found.name}` has no Matplotlib, so nothing can be drawn; this installs it:"
                    f" `{command}`"
                )
        return store is None or self._interpreter is not None

    async def _prepare_environment(self, control: RunControl) -> AsyncGenerator[Preparation, None]:
        """Find the environment, or create it and yield the progress; raise a `StarChatError`."""
        if self._find_interpreter():
            return
        store, recipe = self._factory.environments, find_recipe(self._environment)
        assert store is not None
        assert recipe is not None
        async with aclosing(create_environment(store, recipe, control)) as progress:
            async for one in progress:
                yield one
        self._find_interpreter()

    async def run(
        self, code: str, downloads: Sequence[Download] = (), control: RunControl | None = None
    ) -> AsyncGenerator[Output, None]:
        """Run `code` and yield its outputs, one `RunEnded` last; raise `Busy` if code runs."""
        if self.is_busy:
            raise Busy("A code block is running", "Esc interrupts it")
        control = self._control = control or RunControl()
        self._figures, self._run_figures = self._list_figures(), []
        try:
            async with aclosing(self._run(code, downloads, control)) as outputs:
                async for output in outputs:
                    yield output
        finally:
            self._control = None
            control.finish()

    async def _run(
        self, code: str, downloads: Sequence[Download], control: RunControl
    ) -> AsyncGenerator[Output, None]:
        capability = await self.probe_sandbox()
        level = capability.level
        if level == "off":
            yield RunEnded("no-sandbox", "off", 0.0, create_no_sandbox_error(capability).message)
            return
        try:
            async with aclosing(self._prepare_environment(control)) as progress:
                async for step in progress:
                    yield step
        except Interrupted:
            yield end_before_begin(level)
            return
        except StarChatError as error:
            yield RunEnded("no-environment", level, 0.0, f"{error.message}: {error.hint}")
            return
        if control.stop_reason:
            yield end_before_begin(level)
            return
        for remark in self._take_notes():
            yield remark
        kernel = self._ensure_kernel(capability)
        run = kernel.run(code, downloads=downloads, control=control, grids=self.grids)
        async with aclosing(run) as outputs:
            async for output in outputs:
                self._record_files(output)
                if isinstance(output, RunEnded):
                    output = replace(output, environment=self._environment_label)
                yield output
                if note := self._explain_failure(output):
                    yield note

    def _take_notes(self) -> list[Note]:
        notes, self._notes = self._notes, []
        return [Note(text) for text in notes]

    @property
    def _environment_label(self) -> str:
        return self._interpreter.name if self._interpreter else ""

    def _explain_failure(self, output: Output) -> Note | None:
        """Return a note if the code misses a package that lies outside of its environment."""
        if not isinstance(output, Failure) or self._interpreter is None:
            return None
        if output.name != "ModuleNotFoundError":
            return None
        text = explain_missing_module(self._interpreter, output.message)
        return Note(text) if text else None

    def _record_files(self, output: Output) -> None:
        if isinstance(output, WrittenFile):
            self.written_files[output.name] = output
        elif isinstance(output, Figure | OutputCleared):
            apply_output(self._run_figures, output)

    def _list_figures(self) -> list[Figure]:
        return [*self._figures, *(one for one in self._run_figures if isinstance(one, Figure))]

    def interrupt(self) -> None:
        """Stop the run in progress; variables are kept if the code obeys."""
        if self._control is not None:
            self._control.request_stop()

    async def restart(self) -> None:
        """Replace the kernel by a fresh one; its variables and files are gone."""
        self.written_files.clear()
        if self._kernel is not None:
            await self._kernel.restart()

    async def attach_file(self, path: Path) -> Path:
        """Let the code read a file, under its own name; return its absolute path.

        Raises `UsageError` for what is not a regular file, is too large, or has the name of another
        attached file.
        """
        found = expand_user_path(path).absolute()
        attached = (*(one for one in self._attached if one != found), found)
        # Checked here too, as there may be no kernel yet that could refuse it.
        map_names(attached)
        os.close(open_attachment(found, Limits().attached)[0])
        if self._kernel is not None:
            await self._kernel.attach_file(found)
        self._attached = attached
        return found

    @property
    def file_sizes(self) -> dict[str, int]:
        """Sizes in bytes of the files that can be saved; plots are called `figure-N.png`."""
        figures = self._list_figures()
        plots = {f"figure-{at}.png": len(one.png) for at, one in enumerate(figures, 1)}
        return {**plots, **{one.name: one.size for one in self.written_files.values()}}

    @property
    def attached_files(self) -> tuple[Path, ...]:
        """Files of the user's that the code can read."""
        return self._attached

    async def fetch_file(self, name: str) -> bytes:
        """Return a file that the code wrote, or one of its plots; raise `UsageError` if unknown."""
        if name in self.written_files and self._kernel is not None:
            return await self._kernel.fetch_file(name)
        number = re.fullmatch(r"figure-(\d{1,6})\.png", name)
        figures = self._list_figures()
        if number and 1 <= int(number[1]) <= len(figures):
            return figures[int(number[1]) - 1].png
        known = ", ".join(self.file_sizes) or "none"
        raise UsageError(f"The code wrote no file `{name}`", f"available files: {known}")

    def find_urls(self, code: str) -> Sequence[str]:
        """List the URLs in `code` that could be downloaded for it."""
        return self._factory.find_urls(code)

    async def download(self, url: str) -> Download:
        """Download one URL that the user agreed to; raise a `StarChatError`."""
        return await self._factory.download(url)

    async def download_all(self, urls: Sequence[str], control: RunControl) -> list[Download] | None:
        """Download URLs that the user agreed to; return None if the run was stopped meanwhile."""
        downloading = asyncio.ensure_future(self._download_in_turn(urls))
        try:
            with control.handle_stop(downloading.cancel):
                # `wait` does not raise, where `await downloading` would cancel this task too.
                await asyncio.wait({downloading})
        finally:
            downloading.cancel()
        return None if downloading.cancelled() else downloading.result()

    async def _download_in_turn(self, urls: Sequence[str]) -> list[Download]:
        return [await self.download(url) for url in urls]

    def reset(self) -> None:
        """Forget the present conversation's files, and end its kernel in the background."""
        self.written_files.clear()
        self._figures, self._run_figures = [], []
        self._attached = ()
        self._notes.clear()
        self._close_kernel()

    def _close_kernel(self) -> None:
        """End the kernel in the background."""
        if self._kernel is not None or self._prewarming is not None:
            closing = asyncio.create_task(_await_close(self._kernel, self._prewarming))
            # The event loop holds tasks weakly: without a reference it could be dropped midway.
            self._closing.add(closing)
            closing.add_done_callback(self._closing.discard)
        self._kernel = self._prewarming = None

    async def aclose(self) -> None:
        """End every process that is left."""
        self.reset()
        await asyncio.gather(*self._closing)


async def _await_close(kernel: Kernel | None, prewarming: asyncio.Task[None] | None) -> None:
    if prewarming is not None:
        # First: while it still probes, it would go on to create a kernel that nobody closes.
        prewarming.cancel()
        await asyncio.wait({prewarming})
    if kernel is not None:
        await kernel.aclose()


def end_before_begin(level: IsolationLevel) -> RunEnded:
    """Return the end of a run that was stopped before its code was sent to a kernel."""
    return RunEnded("interrupted", level, 0.0, "Interrupted before it began")


def create_no_sandbox_error(capability: Capability) -> NoSandbox:
    """Return the error that says why no code runs here, and which commands would help."""
    commands = "; ".join(capability.fix_commands)
    hint = f"to fix it: {commands}" if commands else "`starchat doctor` shows what helps"
    return NoSandbox(
        f"Running code is off: {capability.reason}", f"{hint}. Copying and saving still work"
    )
