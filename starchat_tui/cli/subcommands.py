"""The subcommands of `starchat`, from `run` to `stop`."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import aclosing
from dataclasses import asdict

from starchat_tui import settings
from starchat_tui.chat import export
from starchat_tui.chat.store import History, Summary
from starchat_tui.cli import arguments
from starchat_tui.cli.arguments import Parser
from starchat_tui.client.protocol import Health
from starchat_tui.dialogue import Dialogue
from starchat_tui.errors import UsageError
from starchat_tui.sanitize import clean
from starchat_tui.settings import Paths


def run(name: str, argv: Sequence[str]) -> int:
    """Run one subcommand; the exit code."""
    return _COMMANDS[name](argv)


def _parser(name: str) -> Parser:
    return Parser(
        prog=f"starchat {name}",
        description=f"{arguments.SUBCOMMANDS[name].capitalize()}.",
        epilog=f'To ask a question that begins with this word, quote it: starchat "{name} …"',
        allow_abbrev=False,
    )


def _opened() -> tuple[Paths, History]:
    paths = settings.find_paths(os.environ)
    return paths, History.open(paths.database)


def _safe(text: str) -> str:
    """Text as it may be printed: cleaned for a terminal, raw for a pipe."""
    return clean(text) if sys.stdout.isatty() else text


def _safe_json(line: str) -> str:
    """A JSON document as it may be printed: the same value in ASCII for a terminal."""
    return json.dumps(json.loads(line)) if sys.stdout.isatty() else line


def _ls(argv: Sequence[str]) -> int:
    parser = _parser("ls")
    parser.add_argument("words", nargs="*", help="words the conversation holds")
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    parser.add_argument("-l", "--limit", type=int, default=200, metavar="N", help="at most N")
    found = parser.parse_args(argv)
    _, history = _opened()
    for summary in history.summaries(" ".join(found.words), limit=found.limit):
        print(_summary_json(summary) if found.json else _summary_line(summary))
    return 0


def _summary_line(summary: Summary) -> str:
    day = time.strftime("%Y-%m-%d %H:%M", time.localtime(summary.updated))
    title = clean(summary.title).replace("\n", " ").replace("\t", " ")
    return f"{summary.id}  {day}  {summary.turns:>3} turns  {summary.mode:<4}  {title}"


def _summary_json(summary: Summary) -> str:
    keys = ("id", "title", "mode", "model", "turns", "updated")
    found = {key: getattr(summary, key) for key in keys}
    return _safe_json(json.dumps(found, ensure_ascii=False))


def _show(argv: Sequence[str]) -> int:
    parser = _parser("show")
    parser.add_argument("id", nargs="?", default="last", help="the beginning of its id, or last")
    parser.add_argument("--json", action="store_true", help="one JSON object")
    found = parser.parse_args(argv)
    _, history = _opened()
    conversation = history.conversation(found.id)
    path = history.path(conversation.id)
    if found.json:
        print(_safe_json(export.exported(conversation, path, "json")))
        return 0
    for stored in path:
        mark = "" if stored.state == "done" else f" ({stored.state})"
        print(f"## {stored.turn.role}{mark}\n\n{_safe(stored.turn.text)}\n")
    return 0


def _export(argv: Sequence[str]) -> int:
    parser = _parser("export")
    parser.add_argument("ids", nargs="*", metavar="id", help="the beginning of an id, or last")
    parser.add_argument("--all", action="store_true", help="every conversation")
    parser.add_argument(
        "--format", choices=export.FORMATS, default="markdown", help="messages is a row to train on"
    )
    found = parser.parse_args(argv)
    _, history = _opened()
    if found.all and found.ids:
        raise UsageError("--all and the id of a conversation exclude each other", "leave one out")
    names = [one.id for one in history.summaries(limit=-1)] if found.all else found.ids or ["last"]
    if found.format == "notebook" and len(names) > 1:
        raise UsageError("A notebook holds one conversation", "export one at a time")
    for conversation in [history.conversation(name) for name in names]:
        path = history.path(conversation.id)
        if found.all and found.format == "messages" and not export.messages(conversation, path):
            print(f"{conversation.id} holds no answer and is left out", file=sys.stderr)
            continue
        print(_safe(export.exported(conversation, path, found.format)))
    return 0


def _rm(argv: Sequence[str]) -> int:
    parser = _parser("rm")
    parser.add_argument("ids", nargs="+", metavar="id", help="the beginning of an id, or last")
    found = parser.parse_args(argv)
    _, history = _opened()
    # All are looked up first: a wrong name deletes nothing.
    for conversation in [history.conversation(name) for name in found.ids]:
        history.remove(conversation.id)
        print(f"deleted {conversation.id} {clean(conversation.title)}", file=sys.stderr)
    return 0


def _prompt(argv: Sequence[str]) -> int:
    parser = _parser("prompt")
    parser.add_argument("words", nargs="+", metavar="question", help="what would be asked")
    parser.add_argument("--json", action="store_true", help="one JSON object, with the ids")
    parser.add_argument("--max-tokens", type=int, metavar="N", help="the longest answer")
    arguments.add_model_flags(parser)
    found = parser.parse_args(argv)
    chosen, paths = settings.read(arguments.chosen(found), os.environ)
    from starchat_tui.cli.factory import make_engine, system_text
    from starchat_tui.models.resolver import Voices
    from starchat_tui.templates.prompt_preview import shown

    voices = Voices(chosen, make_engine(chosen, paths))
    voice = asyncio.run(voices.voice(voices.first_mode()))
    dialogue = Dialogue(system_text(chosen)).plus("user", " ".join(found.words))
    reserve = min(chosen.max_tokens, voice.reserve)
    text = shown(voice.template, dialogue, window=voice.window, reserve=reserve, as_json=found.json)
    print(_safe_json(text) if found.json else _safe(text))
    return 0


def _run(argv: Sequence[str]) -> int:
    found = arguments.run_parser().parse_args(argv)
    chosen, _ = settings.read(arguments.chosen(found), os.environ)
    from starchat_tui.cli import run_command as running_code
    from starchat_tui.cli.ask import Terminal
    from starchat_tui.cli.factory import make_running

    code = running_code.read_code(found.code)
    wanted = running_code.Wanted(
        attached=tuple(found.file),
        save_dir=found.save_dir,
        images=chosen.images,
        json=found.json,
        clean=found.clean,
        hosts=tuple(found.download),
    )
    terminal = Terminal(color=settings.colored(chosen.color, os.environ), quiet=not chosen.stats)

    async def ran() -> None:
        running = make_running(chosen, unsafe=found.unsafe_run)
        command = running_code.Command(running, wanted, terminal)
        await running_code.ending(running, command.file(code))

    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="replace")  # type: ignore[union-attr]  # a lone surrogate
    asyncio.run(ran())
    return 0


def _serve(argv: Sequence[str]) -> int:
    from starchat_tui.engine.serving import server

    return server.main(argv, os.environ)


def _ps(argv: Sequence[str]) -> int:
    parser = _parser("ps")
    parser.add_argument("--json", action="store_true", help="one JSON object")
    found = parser.parse_args(argv)
    from starchat_tui.client.local_engine import LocalEngine

    paths = settings.find_paths(os.environ)
    health = asyncio.run(LocalEngine(paths).health())
    if found.json:
        print(json.dumps(asdict(health) if health else {}))
    else:
        print(_safe(_health_lines(health, paths)) if health else "no engine runs")
    return 0


def _health_lines(health: Health, paths: Paths) -> str:
    stays = "for ever" if health.keep_alive < 0 else f"{health.keep_alive:.0f} s when idle"
    rows = {
        "engine": f"{health.version}, process {health.pid}, {health.state}",
        "models": ", ".join(health.models) or "none loaded",
        "weights": f"{health.bytes / 2**20:.0f} MiB",
        "waiting": f"{health.queue} requests",
        "stays": f"{stays}, idle for {health.idle:.0f} s",
        "tokens": f"{health.prefilled_tokens} read, {health.generated_tokens} written",
        "socket": str(paths.socket),
        "log": str(paths.engine_log),
    }
    return "\n".join(f"{name:<8} {told}" for name, told in rows.items())


def _load(argv: Sequence[str]) -> int:
    parser = _parser("load")
    parser.add_argument("model", nargs="?", help="a known name, a folder, or a Hub id")
    arguments.add_engine_flags(parser)
    chosen, paths = settings.read(arguments.chosen(parser.parse_args(argv)), os.environ)
    from starchat_tui.cli.ask import progress_text
    from starchat_tui.cli.factory import local_engine
    from starchat_tui.client.protocol import ModelCard
    from starchat_tui.models import registry

    model = registry.resolve(chosen.model)

    async def loaded() -> ModelCard | None:
        card = None
        async with aclosing(local_engine(chosen, paths).load(model.engine_name)) as events:
            async for event in events:
                if isinstance(event, ModelCard):
                    card = event
                elif sys.stderr.isatty():
                    said = clean(progress_text(event))
                    print(f"\r\x1b[K{said}", end="", file=sys.stderr, flush=True)
        return card

    try:
        card = asyncio.run(loaded())
    finally:
        if sys.stderr.isatty():
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)
    if card is not None:
        size = f"{card.bytes / 2**20:.0f} MiB"
        print(_safe(f"{card.name} is loaded: window {card.window}, {size}"))
    return 0


def _stop(argv: Sequence[str]) -> int:
    _parser("stop").parse_args(argv)
    from starchat_tui.client.local_engine import LocalEngine

    ended = asyncio.run(LocalEngine(settings.find_paths(os.environ)).stop())
    print(f"ended process {ended.pid}" if ended else "no engine runs", file=sys.stderr)
    return 0


def _doctor(argv: Sequence[str]) -> int:
    parser = _parser("doctor")
    parser.add_argument("--json", action="store_true", help="one JSON object")
    arguments.add_model_flags(parser)
    arguments.add_engine_flags(parser)
    arguments.add_wall_flag(parser)
    found = parser.parse_args(argv)
    chosen, paths = settings.read(arguments.chosen(found), os.environ)
    from starchat_tui.cli import doctor

    findings = doctor.examine(chosen, paths, os.environ)
    if found.json:
        print(_safe_json(doctor.as_json(findings)))
    else:
        print(doctor.screen(findings, color=settings.colored(chosen.color, os.environ)))
    return 0 if doctor.healthy(findings) else 1


_COMMANDS: dict[str, Callable[[Sequence[str]], int]] = {
    "run": _run,
    "ls": _ls,
    "show": _show,
    "export": _export,
    "rm": _rm,
    "prompt": _prompt,
    "serve": _serve,
    "ps": _ps,
    "doctor": _doctor,
    "load": _load,
    "stop": _stop,
}
