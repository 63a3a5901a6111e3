"""The screen while a code block floods its output: milliseconds from a key to its frame.

The real kernel, where a wall holds, else a scripted one; the same keys on the same screen before
the flood, so that load shows in both. `python -m tests.benchmarks.run_flood`.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path

from textual import events
from textual.pilot import Pilot

from starchat_tui.chat.session import Session
from starchat_tui.chat.store import ConversationStore
from starchat_tui.cli.factory import create_kernel_manager
from starchat_tui.client.protocol import Sampling
from starchat_tui.execution.kernel_manager import KernelManager
from starchat_tui.models.resolver import ModelResolver
from starchat_tui.sandbox.outputs import Output, StreamText
from starchat_tui.settings import Settings
from starchat_tui.ui.app import StarChatApp
from starchat_tui.ui.options import ChatOptions
from starchat_tui.ui.widgets.code_cell import CodeCell
from starchat_tui.ui.widgets.output import RunOutput
from tests.benchmarks.record import Goal, publish
from tests.fakes import byte_tokenizer
from tests.scripted import ScriptedEngine, ScriptedKernelFactory
from tests.ui.looking import send, settled
from tests.waiting import wait_until

SIZE = (120, 40)
KEYS = 40
"""Keys that are pressed before the flood, and during it."""
LINE = "a line of output that says nothing, number"
CODE = f"number = 0\nwhile True:\n    number += 1\n    print('{LINE}', number, flush=True)\n"
GOALS = {"frame_cpu_ms": Goal(most=33.0), "flood_ms_median": Goal(most=100.0)}


def scripted() -> KernelManager:
    """A kernel of this process that says as much as it is let."""
    workshop = ScriptedKernelFactory()
    piece: Output = StreamText("stdout", f"{LINE} 1\n" * 1000)
    workshop.enqueue(*[piece] * 100_000)
    return workshop.create_manager()


async def pressed(app: StarChatApp) -> list[float]:
    """Milliseconds from each key to the frame that shows it.

    Not with the pilot's own key, which waits until the whole process is idle.
    """
    composer = app.chat_view.composer
    taken = []
    for _ in range(KEYS):
        shown = asyncio.Event()
        count = len(composer.text)
        began = time.perf_counter()
        app.post_message(events.Key("x", "x"))
        while len(composer.text) == count:
            await asyncio.sleep(0.001)
        composer.call_after_refresh(shown.set)
        await shown.wait()
        taken.append((time.perf_counter() - began) * 1000)
        await asyncio.sleep(0.02)
    return taken


async def stalls(longest: list[float]) -> None:
    """Keep the longest time, in milliseconds, that nothing else could run."""
    while True:
        began = time.perf_counter()
        await asyncio.sleep(0.005)
        longest.append((time.perf_counter() - began) * 1000 - 5)


async def frame_cpu(output: RunOutput, pilot: Pilot[None]) -> float:
    """CPU milliseconds to take and draw a megabyte that waits, its frame included; the median."""
    taken = []
    for _ in range(KEYS // 4):
        began = time.process_time()
        for _ in range(16):
            output.add_output(StreamText("stdout", f"{LINE} 1\n" * 1400))
        await output.draw()
        await pilot.pause()
        taken.append((time.process_time() - began) * 1000)
    return statistics.median(taken)


async def measured() -> dict[str, object]:
    """Milliseconds a key, idle and during the flood; what came meanwhile."""
    folder = Path(tempfile.mkdtemp(prefix="sc-"))
    (folder / "tokenizer.json").write_text(json.dumps(byte_tokenizer()))
    settings = Settings(tokenizer=str(folder / "tokenizer.json"), window=30_000)
    running = create_kernel_manager(settings)
    level = (await running.probe_sandbox()).level
    if level == "off":
        running = scripted()
    engine = ScriptedEngine()
    voices = ModelResolver(settings, engine)
    session = Session(
        ConversationStore.in_memory(), engine, voices, sampling=Sampling(), kernel_manager=running
    )
    engine.enqueue(f"```python\n{CODE}```\n")
    app = StarChatApp(session, ChatOptions())
    async with app.run_test(size=SIZE) as pilot:
        await send(pilot, "go")
        await settled(pilot)
        await running.probe_sandbox()
        session.permission = "always"
        idle = await pressed(app)
        await pilot.press("alt+r")
        await wait_until(lambda: app.query("OutputLines"), what="the flood")
        longest: list[float] = []
        watching = asyncio.create_task(stalls(longest))
        flood = await pressed(app)
        watching.cancel()
        flooding = app.runs.is_running
        app.runs.interrupt()
        await settled(pilot)
        output = app.query_one(CodeCell).output
        assert output is not None
        cpu = await frame_cpu(output, pilot)
    return {
        "level": level,
        "frame_cpu_ms": round(cpu, 1),
        "idle_ms_median": round(statistics.median(idle), 1),
        "flood_ms_median": round(statistics.median(flood), 1),
        "flood_ms_p95": round(sorted(flood)[int(0.95 * KEYS)], 1),
        "flood_over_idle": round(statistics.median(flood) / statistics.median(idle), 2),
        "longest_stall_ms": round(max(longest), 1),
        "still_flooding_after_the_keys": flooding,
        "status": output.ended.status if output.ended else "",
    }


if __name__ == "__main__":
    sys.exit(publish("run_flood", lambda: asyncio.run(measured()), GOALS))
