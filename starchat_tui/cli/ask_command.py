"""`starchat "question"`: ask once, print the answer and run its code if asked to."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from starchat_tui.chat.session import Session
from starchat_tui.cli.ask import AskOptions, Terminal, ask_question, build_answer_json
from starchat_tui.cli.factory import create_kernel_manager, create_session, resume_conversation
from starchat_tui.cli.invocation import Invocation
from starchat_tui.cli.stdout import replace_lone_surrogates
from starchat_tui.errors import UsageError
from starchat_tui.sanitize import sanitize_text
from starchat_tui.terminal.status_text import format_model_change

if TYPE_CHECKING:
    from starchat_tui.cli.code_runner import CodeRunner


def answer_question(invocation: Invocation, question: str, piped: str) -> int:
    """Ask, print the answer and return the exit code 0; failures are raised."""
    flags = invocation.flags
    # `-x` prints code for another program, `--run` the output of that code.
    if flags.run and flags.extract:
        raise UsageError("-x and --run cannot be combined", "leave one of them out")
    options = AskOptions.from_flags(flags, question, piped)
    terminal = Terminal(color=invocation.uses_color, quiet=not invocation.settings.stats)
    replace_lone_surrogates()
    if flags.run:
        asyncio.run(_ask_and_run(invocation, options, terminal))
    else:
        asyncio.run(_ask(invocation, options, terminal))
    return 0


async def _ask(invocation: Invocation, options: AskOptions, terminal: Terminal) -> None:
    session = create_session(invocation.settings, invocation.paths)
    resume_conversation(session, invocation)
    _print_model_change(session, terminal)
    await ask_question(session, options, terminal)


def _print_model_change(session: Session, terminal: Terminal) -> None:
    if session.former_model and not terminal.quiet:
        text = format_model_change(session.former_model, session.model)
        print(f"starchat: {sanitize_text(text)}", file=terminal.err)


async def _ask_and_run(invocation: Invocation, options: AskOptions, terminal: Terminal) -> None:
    """Ask, then run the code of the answer; the kernel ends in any case."""
    # Imported late: a question alone is answered without loading the sandbox.
    from starchat_tui.cli.code_runner import CodeRunner, RunOptions, run_and_close

    kernel_manager = create_kernel_manager(invocation)
    # Before the model is asked: its answer would be in vain.
    kernel_manager.require_environment()
    session = create_session(invocation.settings, invocation.paths, kernel_manager)
    resume_conversation(session, invocation)
    _print_model_change(session, terminal)
    runner = CodeRunner(kernel_manager, RunOptions.from_invocation(invocation), terminal)
    await run_and_close(kernel_manager, _ask_then_run(session, runner, options, terminal))


async def _ask_then_run(
    session: Session, runner: CodeRunner, options: AskOptions, terminal: Terminal
) -> None:
    event = await ask_question(session, options, terminal)
    await runner.run_answer(session, event.text, build_answer_json(event, session.conversation))
