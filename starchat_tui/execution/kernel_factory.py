"""Kernels as a kernel manager sees them, and the operations that it needs; tests replace both."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from starchat_tui.sandbox.outputs import Output
from starchat_tui.sandbox.run_state import RunControl

if TYPE_CHECKING:
    from starchat_tui.sandbox.environments.interpreter import Interpreter
    from starchat_tui.sandbox.environments.store import EnvironmentStore
    from starchat_tui.sandbox.guest.grid_rendering import GridSize
    from starchat_tui.sandbox.host.downloads import Download
    from starchat_tui.sandbox.isolation.probe import Capability


class Kernel(Protocol):
    """Process that runs code and keeps its variables."""

    @property
    def alive(self) -> bool:
        """True while the process runs, and its variables exist."""

    async def start(self) -> None:
        """Start the process, unless it runs already."""

    def run(
        self,
        code: str,
        *,
        downloads: Sequence[Download] = (),
        control: RunControl | None = None,
        grids: Sequence[GridSize] = (),
    ) -> AsyncGenerator[Output, None]:
        """Run code and yield its outputs, one `RunEnded` last; `control` can stop it.

        Figures are drawn for grids of terminal cells of the sizes in `grids` as well.
        """

    async def restart(self) -> None:
        """Replace the process by a fresh one, without variables."""

    async def attach_file(self, path: Path) -> None:
        """Let the code read one of the user's files."""

    async def fetch_file(self, name: str) -> bytes:
        """Return a file that the code wrote."""

    async def aclose(self) -> None:
        """End the process."""


@dataclass(frozen=True)
class KernelFactory:
    """Operations that a kernel manager needs; tests replace them."""

    probe: Callable[[], Capability]
    """Find out which sandbox works here; takes seconds the first time."""
    create_kernel: Callable[[Capability, Sequence[Path], Interpreter | None], Kernel]
    """Create a kernel in that sandbox, with these files attached, in an environment."""
    find_urls: Callable[[str], Sequence[str]]
    """List the URLs in some code that could be downloaded."""
    download: Callable[[str], Awaitable[Download]]
    """Download one URL; raises a `StarChatError`."""
    unsafe: bool = False
    """True if the user asked, for this process, to run code without a sandbox."""
    environments: EnvironmentStore | None = None
    """Environments that code can run in; None for StarChat's own libraries."""
