"""The door: the command line, the settings read once, the heavy rooms entered late."""

from __future__ import annotations

import os
import stat
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Sequence

    from starchat_tui.chat.session import Session
    from starchat_tui.cli.ask import Asking, Terminal
    from starchat_tui.errors import StarChatError
    from starchat_tui.execution.kernel_manager import Running
    from starchat_tui.settings import Paths, Settings


def main(argv: Sequence[str] | None = None) -> int:
    """Run `starchat`; the exit code. A user's mistake is two lines on stderr."""
    given = list(sys.argv[1:] if argv is None else argv)
    if given in (["--version"], ["-V"]):
        # Before anything else is imported: this is asked by scripts, and often.
        from starchat_tui import __version__

        print(f"starchat {__version__}")
        return 0
    return told(lambda: _dispatch(given))


def told(run: Callable[[], int]) -> int:
    """What `run` returns; an error is said on stderr and becomes its exit code."""
    from starchat_tui.errors import StarChatError

    try:
        return run()
    except StarChatError as error:
        return tell(error)
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 141
    except Exception as error:  # noqa: BLE001 (the door: what is left becomes a hint and a log)
        return _unexpected(error)


def tell(error: StarChatError) -> int:
    """Say what happened and what to do next, on stderr; the exit code."""
    from starchat_tui.sanitize import clean

    print(f"starchat: {clean(error.message)}", file=sys.stderr)
    if error.hint:
        print(f"  {clean(error.hint)}", file=sys.stderr)
    return error.exit_code


def _unexpected(error: Exception) -> int:
    import traceback

    from starchat_tui.sanitize import clean
    from starchat_tui.settings import find_paths

    log = find_paths(os.environ).state / "errors.log"
    with log.open("a", encoding="utf-8", errors="replace") as file:
        traceback.print_exception(error, file=file)
    print(f"starchat: {type(error).__name__}: {clean(str(error))}", file=sys.stderr)
    print(
        f"  this is a defect of StarChat: please report it with the end of `{log}`", file=sys.stderr
    )
    return 1


def _dispatch(given: list[str]) -> int:
    from starchat_tui.cli import arguments

    if given[:1] == ["repl"]:
        return _converse(arguments.parse(given[1:]), lines=True)
    if given and given[0] in arguments.SUBCOMMANDS:
        from starchat_tui.cli import subcommands

        return subcommands.run(given[0], given[1:])
    found = arguments.parse(given)
    if found.version:
        return main(["--version"])
    return _converse(found)


def _converse(found: argparse.Namespace, *, lines: bool = False) -> int:
    """Ask once, or open the chat, as the flags and the terminal have it."""
    from starchat_tui import settings
    from starchat_tui.cli import arguments
    from starchat_tui.errors import UsageError

    chosen, paths = settings.read(arguments.chosen(found), os.environ)
    question = " ".join(word for word in found.words if word != "-")
    piped = _piped(bool(question), explicit="-" in found.words)
    if (question or piped or found.file) and not (found.interactive or lines):
        return _ask(found, chosen, paths, question, piped)
    for flag, given in (
        ("--json", found.json),
        ("-x", found.extract),
        ("-f", found.file),
        ("--run", found.run),
    ):
        if given:
            raise UsageError(f"{flag} needs a question", 'type one: starchat "why does it fail?"')
    if not (sys.stdout.isatty() and os.isatty(2)):
        raise UsageError("There is no question, and no terminal", 'starchat "why does it fail?"')
    first = "\n\n".join(part for part in (question, piped) if part)
    _take_keyboard()
    if lines or chosen.accessible or os.environ.get("TERM") == "dumb":
        return _lines(found, chosen, paths, first)
    from starchat_tui.terminal import supervisor

    return supervisor.watched(lambda: told(lambda: _screen(found, chosen, paths, first)))


def _piped(asked: bool, *, explicit: bool) -> str:
    """What was piped in, read to its end; a question with an idle inherited stdin reads nothing."""
    from starchat_tui.errors import UsageError

    try:
        kind = os.fstat(0).st_mode
    except OSError:
        return ""
    fed = stat.S_ISFIFO(kind) or stat.S_ISREG(kind) or stat.S_ISSOCK(kind)
    if not explicit and (os.isatty(0) or (asked and not fed)):
        return ""
    try:
        return sys.stdin.buffer.read().decode()
    except UnicodeDecodeError as error:
        raise UsageError(
            "What was piped in is not UTF-8 text", "convert it with `iconv`"
        ) from error


def _ask(
    found: argparse.Namespace, chosen: Settings, paths: Paths, question: str, piped: str
) -> int:
    import asyncio

    from starchat_tui import settings
    from starchat_tui.cli.ask import Asking, Terminal, ask
    from starchat_tui.cli.factory import make_session
    from starchat_tui.errors import UsageError

    if found.run and found.extract:
        raise UsageError("-x and --run do not go together", "leave one of them out")
    asking = Asking(
        question,
        files=tuple(found.file),
        piped=piped,
        style=found.input_style,
        extract=found.extract,
        json=found.json,
        stream=found.stream,
        fail_on_length=found.fail_on_length,
        run=found.run,
        clean=found.clean,
        timeout=found.timeout,
    )
    terminal = Terminal(
        color=not found.raw and settings.colored(chosen.color, os.environ), quiet=not chosen.stats
    )

    async def answered() -> None:
        running = _runner(found, chosen) if found.run else None
        session = make_session(chosen, paths, running)
        if found.resume:
            _resume(session, found, chosen)
        if running is None:
            await ask(session, asking, terminal)
        else:
            await _ask_and_run(session, running, asking, terminal, found, chosen)

    sys.stdout.reconfigure(errors="replace")  # type: ignore[union-attr]  # a lone surrogate
    asyncio.run(answered())
    return 0


def _runner(found: argparse.Namespace, chosen: Settings) -> Running:
    from starchat_tui.cli.factory import make_running

    return make_running(chosen, unsafe=found.unsafe_run)


async def _ask_and_run(
    session: Session,
    running: Running,
    asking: Asking,
    terminal: Terminal,
    found: argparse.Namespace,
    chosen: Settings,
) -> None:
    """Ask, then run the answer's code; every process of the sandbox ends with it."""
    from starchat_tui.cli import run_command
    from starchat_tui.cli.ask import answer_json, ask

    wanted = run_command.Wanted(
        attached=tuple(found.file),
        save_dir=found.save_dir,
        images=chosen.images,
        json=found.json,
        clean=found.clean,
        yes=found.yes,
        hosts=tuple(found.download),
    )

    async def asked_and_run() -> None:
        event = await ask(session, asking, terminal)
        command = run_command.Command(running, wanted, terminal)
        await command.answer(session, event.text, answer_json(event, session.conversation))

    await run_command.ending(running, asked_and_run())


def _resume(session: Session, found: argparse.Namespace, chosen: Settings) -> None:
    """Go on with a stored conversation; flags of this command line win over what it had."""
    from starchat_tui.cli.factory import system_text

    session.resume(found.resume)
    if found.mode and found.mode != session.mode:
        session.switch(found.mode)
    if found.system:
        session.system = system_text(chosen)


def _take_keyboard() -> None:
    """Make the keyboard stdin again, where a pipe was and has been read to its end."""
    if not os.isatty(0):
        os.dup2(os.open("/dev/tty", os.O_RDWR), 0)
        sys.stdin = sys.__stdin__ = os.fdopen(0)  # type: ignore[misc]


def _lines(found: argparse.Namespace, chosen: Settings, paths: Paths, first: str) -> int:
    import asyncio

    from starchat_tui import settings
    from starchat_tui.cli import run_command
    from starchat_tui.cli.ask import Terminal
    from starchat_tui.cli.factory import make_running, make_session
    from starchat_tui.cli.repl import Repl
    from starchat_tui.terminal.input_history import InputHistory

    accessible = chosen.accessible or os.environ.get("TERM") == "dumb"
    terminal = Terminal(
        color=not (found.raw or accessible) and settings.colored(chosen.color, os.environ)
    )

    async def talk() -> None:
        running = make_running(chosen, unsafe=found.unsafe_run)
        session = make_session(chosen, paths, running)
        if found.resume:
            _resume(session, found, chosen)
        recall = InputHistory(paths.input_history if chosen.log else None)
        repl = Repl(
            session,
            terminal,
            recall,
            accessible=accessible,
            environ=os.environ,
            images="off" if accessible else chosen.images,
        )
        await run_command.ending(running, repl.run(first))

    asyncio.run(talk())
    return 0


def _screen(found: argparse.Namespace, chosen: Settings, paths: Paths, question: str) -> int:
    from starchat_tui.cli.factory import is_demo, make_running, make_session
    from starchat_tui.models import registry
    from starchat_tui.ui.app import StarChatApp
    from starchat_tui.ui.widgets.image import detect

    images, typed_ahead = detect(chosen.images, os.environ)
    session = make_session(chosen, paths, make_running(chosen, unsafe=found.unsafe_run))
    if found.resume:
        _resume(session, found, chosen)
    app = StarChatApp(
        session,
        demo=is_demo(chosen),
        theme=chosen.theme,
        input_history=paths.input_history if chosen.log else None,
        draft=paths.draft if chosen.log else None,
        typed_ahead=typed_ahead,
        first_question=question,
        advice=lambda: registry.advice(registry.machine()),
        environ=os.environ,
        plots=paths.plots,
        images=images,
    )
    app.run()
    return app.return_code or 0


if __name__ == "__main__":
    sys.exit(main())
