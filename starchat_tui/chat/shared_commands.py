"""Handlers of the slash commands that every front end runs in the same way.

A handler works on the session alone and returns a note. Each front end shows the note in its way.
Commands that draw, ask or change the screen have a handler in each front end instead.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

from starchat_tui.chat.session import Session
from starchat_tui.errors import Busy, UsageError
from starchat_tui.execution.kernel_manager import KernelManager
from starchat_tui.execution.plot_files import save_run_file
from starchat_tui.execution.run_result import format_size
from starchat_tui.sandbox.environments.known import find_recipe
from starchat_tui.sandbox.environments.listing import list_environments
from starchat_tui.sandbox.environments.store import describe_creation

SharedHandler = Callable[[Session, str], Awaitable[str]]
"""Runs a slash command with its argument and returns a note; raises a `StarChatError`."""


def get_kernel_manager(session: Session) -> KernelManager:
    """Return the session's kernel manager; raise `UsageError` if it runs no code."""
    if session.kernel_manager is None:
        raise UsageError("This chat runs no code", "open one with `starchat`")
    return session.kernel_manager


async def attach_file(session: Session, name: str) -> str:
    """Let the code read a file."""
    manager = get_kernel_manager(session)
    if manager.is_busy:
        raise Busy("A code block is running", "interrupt it first")
    attached = await manager.attach_file(Path(name))
    return f"the code can read {attached.name} but not change it"


async def list_files(session: Session, _: str) -> str:
    """List the files that the code wrote and those attached to it."""
    manager = get_kernel_manager(session)
    rows = [f"{name}   {format_size(size)}" for name, size in manager.file_sizes.items()]
    rows += [f"{path.name}   attached, read-only" for path in manager.attached_files]
    return "\n".join(rows) or "no files written, none attached"


async def save_file(session: Session, argument: str) -> str:
    """Save a file that the code wrote; `argument` is its name and perhaps a path."""
    name, _, wanted = argument.partition(" ")
    data = await get_kernel_manager(session).fetch_file(name)
    return f"wrote {save_run_file(name, data, wanted.strip())}"


async def restart_kernel(session: Session, _: str) -> str:
    """Replace the kernel with a fresh one."""
    await get_kernel_manager(session).restart()
    return "kernel restarted: variables and files are gone"


async def choose_environment(session: Session, argument: str) -> str:
    """Choose the environment of the code; without an argument, list what there is."""
    manager = get_kernel_manager(session)
    store = manager.environments
    if store is None:
        raise UsageError("This chat has no environments", "open one with `starchat`")
    if not argument:
        return "\n".join(list_environments(store, session.environment))
    recipe = find_recipe(argument)
    choice = recipe.name if recipe else str(store.resolve_path(argument))
    found = store.find_interpreter(choice)
    closed = session.select_environment(choice)
    lines = [f"code runs in {choice} from now on"]
    if closed:
        lines[0] += "; variables and files are gone"
    if found is None and recipe is not None:
        lines.append(f"the next run is {describe_creation(store, recipe)}")
    elif found is not None:
        lines.append(f"Python {found.version[0]}.{found.version[1]}, {found.python}")
    return "\n".join(lines)


SHARED_HANDLERS: Mapping[str, SharedHandler] = {
    "attach": attach_file,
    "files": list_files,
    "savefile": save_file,
    "restart": restart_kernel,
    "env": choose_environment,
}
"""Handlers by the names of their commands in `commands.COMMANDS`."""
