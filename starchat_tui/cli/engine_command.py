"""`starchat serve`, `ps`, `load` and `stop`: the engine process."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import aclosing
from dataclasses import asdict
from itertools import zip_longest
from typing import TYPE_CHECKING

from starchat_tui.cli import arguments
from starchat_tui.cli.invocation import Invocation
from starchat_tui.cli.stdout import print_text
from starchat_tui.client.protocol import Health, ModelCard
from starchat_tui.config.paths import Paths, find_paths
from starchat_tui.errors import EngineSilent
from starchat_tui.sanitize import sanitize_text

if TYPE_CHECKING:
    from starchat_tui.client.local_engine import StoppedEngine

_ERASE_LINE = "\r\x1b[K"


def serve_engine(argv: Sequence[str]) -> int:
    """Run the engine in this process."""
    from starchat_tui.engine.serving import server

    return server.main(argv, os.environ)


def show_engine(argv: Sequence[str]) -> int:
    """Print the state of the running engine."""
    parser = arguments.create_subcommand_parser("ps")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    flags = parser.parse_args(argv)
    from starchat_tui.client.engine_process import find_engine_process
    from starchat_tui.client.local_engine import LocalEngine

    paths = find_paths(os.environ)
    try:
        health = asyncio.run(LocalEngine(paths).inspect_engine())
    except EngineSilent:
        if flags.json:
            process = find_engine_process(paths.socket)
            print(json.dumps({"pid": process.pid if process else 0, "state": "silent"}))
        raise
    if flags.json:
        print(json.dumps(asdict(health) if health else {}))
    else:
        print_text(_format_health(health, paths) if health else "no engine runs")
    return 0


def _format_health(health: Health, paths: Paths) -> str:
    exits = (
        "never" if health.keep_alive < 0 else f"after {health.keep_alive:.0f} s without requests"
    )
    rows = {
        "engine": f"{health.version}, process {health.pid}, {health.state}",
        "models": "; ".join(_describe_models(health)) or "none loaded",
        "weights": f"{health.bytes / 2**20:.0f} MiB",
        "queue": f"{health.queue} requests",
        "idle": f"{health.idle:.0f} s",
        "exits": exits,
        "tokens": f"{health.prefilled_tokens} prompt, {health.generated_tokens} generated",
        "socket": str(paths.socket),
        "log": str(paths.engine_log),
    }
    return "\n".join(f"{name:<8} {text}" for name, text in rows.items())


def _describe_models(health: Health) -> Iterator[str]:
    # An engine of an earlier version is silent about its forward passes.
    for name, forward in zip_longest(health.models, health.forwards, fillvalue=""):
        yield f"{name} ({forward})" if forward else name


def load_model(argv: Sequence[str]) -> int:
    """Load a model into the engine, and show the progress on a terminal."""
    parser = arguments.create_subcommand_parser("load")
    parser.add_argument("model", nargs="?", help="a known name, a folder, or a Hub id")
    arguments.add_engine_flags(parser)
    invocation = Invocation.from_flags(parser.parse_args(argv))
    try:
        card = asyncio.run(_load_model(invocation))
    finally:
        _print_progress("")
    if card is not None:
        size = f"{card.bytes / 2**20:.0f} MiB"
        facts = filter(None, (f"window {card.window}", size, card.forward))
        print_text(f"{card.name} is loaded: {', '.join(facts)}")
    return 0


async def _load_model(invocation: Invocation) -> ModelCard | None:
    from starchat_tui.cli.factory import create_local_engine
    from starchat_tui.models.registry import find_model
    from starchat_tui.terminal.status_text import format_progress

    engine = create_local_engine(invocation.settings, invocation.paths)
    name = find_model(invocation.settings.model).engine_name
    card = None
    async with aclosing(engine.load_model(name)) as events:
        async for event in events:
            if isinstance(event, ModelCard):
                card = event
            else:
                _print_progress(format_progress(event))
    return card


def _print_progress(text: str) -> None:
    """Replace the progress line on stderr, if that is a terminal."""
    if sys.stderr.isatty():
        print(f"{_ERASE_LINE}{sanitize_text(text)}", end="", file=sys.stderr, flush=True)


def stop_engine(argv: Sequence[str]) -> int:
    """Stop the running engine and wait until it has exited."""
    arguments.create_subcommand_parser("stop").parse_args(argv)
    from starchat_tui.client.local_engine import LocalEngine

    stopped = asyncio.run(LocalEngine(find_paths(os.environ)).stop_engine())
    print(_format_stopped(stopped), file=sys.stderr)
    return 0


def _format_stopped(stopped: StoppedEngine | None) -> str:
    if stopped is None:
        return "no engine runs"
    if stopped.answered:
        return f"stopped process {stopped.pid}"
    return f"ended process {stopped.pid}, which did not answer"
