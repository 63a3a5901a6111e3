"""Responsiveness while a code block floods its output: milliseconds from a key to its frame.

The kernel is real where a sandbox is available, else scripted. The same keys are pressed on the
same screen before the flood, so that other load of the machine shows in both figures.
`python -m tests.benchmarks.run_flood`.
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
from starchat_tui.cli import arguments
from starchat_tui.cli.factory import create_kernel_manager
from starchat_tui.cli.invocation import Invocation
from starchat_tui.client.protocol import Sampling
from starchat_tui.config.settings import Settings
from starchat_tui.execution.kernel_manager import KernelManager
from starchat_tui.models.resolver import ModelResolver
from starchat_tui.sandbox.outputs import Output, StreamText
from starchat_tui.ui.app import StarChatApp
from starchat_tui.ui.options import ChatOptions
from starchat_tui.ui.widgets.code_cell import CodeCell
from starchat_tui.ui.widgets.output import RunOutput
from tests.benchmarks.record import Goal, publish
from tests.fakes import byte_tokenizer
from tests.scripted import ScriptedEngine, ScriptedKernelFactory
from tests.ui.screen_helpers import send_line, wait_until_idle
from tests.waiting import wait_until

SIZE = (120, 40)
KEYS = 40
"""Number of keys pressed before the flood, and again during it."""
LINE = "a line of output that says nothing, number"
CODE = f"number = 0\nwhile True:\n    number += 1\n    print('{LINE}', number, flush=True)\n"
GOALS = {"frame_cpu_ms": Goal(most=33.0), "flood_ms_median": Goal(most=100.0)}


def create_scripted_manager() -> KernelManager:
    """Create a kernel in this process that prints as fast as its output is read."""
    factory = ScriptedKernelFactory()
    piece: Output = StreamText("stdout", f"{LINE} 1\n" * 1000)
    factory.enqueue(*[piece] * 100_000)
    return factory.create_manager()


async def measure_keys(app: StarChatApp) -> list[float]:
    """Return the milliseconds from each key to the frame that shows it.

    The keys are posted to the app: `Pilot.press` would wait until the whole process is idle.
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


async def record_stalls(stalls_ms: list[float]) -> None:
    """Append the milliseconds for which the event loop was blocked, until cancelled."""
    while True:
        began = time.perf_counter()
        await asyncio.sleep(0.005)
        stalls_ms.append((time.perf_counter() - began) * 1000 - 5)


async def measure_frame_cpu(output: RunOutput, pilot: Pilot[None]) -> float:
    """Return the median CPU milliseconds to add and draw a megabyte of output."""
    taken = []
    for _ in range(KEYS // 4):
        began = time.process_time()
        for _ in range(16):
            output.add_output(StreamText("stdout", f"{LINE} 1\n" * 1400))
        await output.draw()
        await pilot.pause()
        taken.append((time.process_time() - began) * 1000)
    return statistics.median(taken)


async def measure() -> dict[str, object]:
    """Measure keys while idle and during the flood, and the drawing of the output alone."""
    folder = Path(tempfile.mkdtemp(prefix="sc-"))
    (folder / "tokenizer.json").write_text(json.dumps(byte_tokenizer()))
    settings = Settings(tokenizer=str(folder / "tokenizer.json"), window=30_000)
    manager = create_kernel_manager(Invocation.from_flags(arguments.parse_arguments([])))
    level = (await manager.probe_sandbox()).level
    if level == "off":
        manager = create_scripted_manager()
    engine = ScriptedEngine()
    resolver = ModelResolver(settings, engine)
    session = Session(
        ConversationStore.in_memory(), engine, resolver, sampling=Sampling(), kernel_manager=manager
    )
    engine.enqueue(f"```python\n{CODE}```\n")
    app = StarChatApp(session, ChatOptions())
    async with app.run_test(size=SIZE) as pilot:
        await send_line(pilot, "go")
        await wait_until_idle(pilot)
        await manager.probe_sandbox()
        session.permission = "always"
        idle = await measure_keys(app)
        await pilot.press("alt+r")
        await wait_until(lambda: app.query("OutputLines"), what="the flood")
        stalls_ms: list[float] = []
        watching = asyncio.create_task(record_stalls(stalls_ms))
        flood = await measure_keys(app)
        watching.cancel()
        flooding = app.runs.is_running
        app.runs.interrupt()
        await wait_until_idle(pilot)
        output = app.query_one(CodeCell).output
        assert output is not None
        cpu = await measure_frame_cpu(output, pilot)
    return {
        "level": level,
        "frame_cpu_ms": round(cpu, 1),
        "idle_ms_median": round(statistics.median(idle), 1),
        "flood_ms_median": round(statistics.median(flood), 1),
        "flood_ms_p95": round(sorted(flood)[int(0.95 * KEYS)], 1),
        "flood_over_idle": round(statistics.median(flood) / statistics.median(idle), 2),
        "longest_stall_ms": round(max(stalls_ms), 1),
        "still_flooding_after_the_keys": flooding,
        "status": output.ended.status if output.ended else "",
    }


if __name__ == "__main__":
    sys.exit(publish("run_flood", lambda: asyncio.run(measure()), GOALS))
