"""`starchat` and `starchat repl`: the chat, full screen or line by line."""

from __future__ import annotations

import asyncio

from starchat_tui.cli.error_boundary import report_errors
from starchat_tui.cli.invocation import Invocation


def open_chat(invocation: Invocation, first_question: str, *, line_mode: bool = False) -> int:
    """Open the chat that fits the terminal; `first_question` may be empty."""
    if line_mode or invocation.is_accessible:
        return _open_line_mode(invocation, first_question)
    from starchat_tui.terminal import supervisor

    # The errors are reported in the supervised child, which owns the terminal.
    return supervisor.run_supervised(
        lambda: report_errors(lambda: _open_full_screen(invocation, first_question))
    )


def _open_line_mode(invocation: Invocation, first_question: str) -> int:
    asyncio.run(_run_line_mode(invocation, first_question))
    return 0


async def _run_line_mode(invocation: Invocation, first_question: str) -> None:
    from starchat_tui.cli.ask import Terminal
    from starchat_tui.cli.code_runner import run_and_close
    from starchat_tui.cli.factory import create_kernel_manager, create_session, resume_conversation
    from starchat_tui.cli.repl import Repl
    from starchat_tui.terminal.input_history import InputHistory

    settings, paths = invocation.settings, invocation.paths
    accessible = invocation.is_accessible
    kernel_manager = create_kernel_manager(invocation)
    session = create_session(settings, paths, kernel_manager)
    resume_conversation(session, invocation)
    repl = Repl(
        session,
        Terminal(color=invocation.uses_color and not accessible),
        InputHistory(paths.input_history if settings.log else None),
        accessible=accessible,
        environ=invocation.environ,
        images="off" if accessible else settings.images,
    )
    await run_and_close(kernel_manager, repl.run(first_question))


def _open_full_screen(invocation: Invocation, first_question: str) -> int:
    from starchat_tui.cli.factory import (
        create_kernel_manager,
        create_session,
        is_demo_model,
        resume_conversation,
    )
    from starchat_tui.models import hardware
    from starchat_tui.terminal.image_detection import detect_images
    from starchat_tui.terminal.stderr_log import divert_stderr
    from starchat_tui.ui.app import StarChatApp
    from starchat_tui.ui.options import ChatOptions

    settings, paths = invocation.settings, invocation.paths
    # Before the screen is taken over: afterwards the answers would be read as keys.
    images, typed_ahead = detect_images(settings.images, invocation.environ)
    kernel_manager = create_kernel_manager(invocation)
    session = create_session(settings, paths, kernel_manager)
    resume_conversation(session, invocation)
    options = ChatOptions(
        theme=settings.theme,
        is_demo=is_demo_model(settings),
        first_question=first_question,
        typed_ahead=typed_ahead,
        input_history=paths.input_history if settings.log else None,
        draft=paths.draft if settings.log else None,
        plots=paths.plots,
        images=images,
        environment=invocation.environ,
        get_advice=lambda: hardware.recommend_model(hardware.detect_machine()),
    )
    app = StarChatApp(session, options)
    with divert_stderr(paths.state / "chat.log"):
        app.run()
    return app.return_code or 0
