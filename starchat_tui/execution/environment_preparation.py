"""Preparation of an environment before a run: found, or created with progress."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

from starchat_tui.errors import Interrupted
from starchat_tui.sandbox.environments.known import EnvironmentRecipe
from starchat_tui.sandbox.environments.store import EnvironmentStore, describe_creation
from starchat_tui.sandbox.outputs import Preparation
from starchat_tui.sandbox.run_state import RunControl


async def create_environment(
    store: EnvironmentStore, recipe: EnvironmentRecipe, control: RunControl
) -> AsyncGenerator[Preparation, None]:
    """Create an environment and yield its progress; `control` can stop that.

    Raises `Interrupted` if it was stopped, `Unavailable` if the environment cannot be created.
    """
    yield Preparation(describe_creation(store, recipe), is_step=True)
    loop, texts = asyncio.get_running_loop(), asyncio.Queue[str]()
    is_closed = False

    def report(text: str) -> None:
        loop.call_soon_threadsafe(texts.put_nowait, text)

    def is_cancelled() -> bool:
        return is_closed or control.stop_reason is not None

    creating = asyncio.ensure_future(asyncio.to_thread(store.create, recipe, report, is_cancelled))
    creating.add_done_callback(lambda _: texts.put_nowait(""))
    try:
        while text := await texts.get():
            # Counts change many times a second, and each replaces the one before.
            is_step = not text.startswith("downloading")
            yield Preparation(f"environment {recipe.name}: {text}", is_step=is_step)
        creating.result()
    finally:
        is_closed = True
        # The thread ends its programs and removes what they left.
        await asyncio.wait({creating})
        if not creating.cancelled():
            creating.exception()
    if control.stop_reason is not None:
        raise Interrupted("The environment was created, and the code not run", "run it again")
