"""Table of the subcommands; each imports its own modules only when it runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

Handler = Callable[[Sequence[str]], int]
"""Takes the arguments behind the subcommand's name and returns the exit code."""


def run_subcommand(name: str, argv: Sequence[str]) -> int:
    """Run one subcommand and return its exit code."""
    return HANDLERS[name](argv)


def _run_file(argv: Sequence[str]) -> int:
    from starchat_tui.cli import run_command

    return run_command.run_file(argv)


def _list_conversations(argv: Sequence[str]) -> int:
    from starchat_tui.cli import conversations_command

    return conversations_command.list_conversations(argv)


def _show_conversation(argv: Sequence[str]) -> int:
    from starchat_tui.cli import conversations_command

    return conversations_command.show_conversation(argv)


def _export_conversations(argv: Sequence[str]) -> int:
    from starchat_tui.cli import conversations_command

    return conversations_command.export_conversations(argv)


def _delete_conversations(argv: Sequence[str]) -> int:
    from starchat_tui.cli import conversations_command

    return conversations_command.delete_conversations(argv)


def _recover_conversations(argv: Sequence[str]) -> int:
    from starchat_tui.cli import conversations_command

    return conversations_command.recover_conversations(argv)


def _show_prompt(argv: Sequence[str]) -> int:
    from starchat_tui.cli import prompt_command

    return prompt_command.show_prompt(argv)


def _serve_engine(argv: Sequence[str]) -> int:
    from starchat_tui.cli import engine_command

    return engine_command.serve_engine(argv)


def _show_engine(argv: Sequence[str]) -> int:
    from starchat_tui.cli import engine_command

    return engine_command.show_engine(argv)


def _load_model(argv: Sequence[str]) -> int:
    from starchat_tui.cli import engine_command

    return engine_command.load_model(argv)


def _stop_engine(argv: Sequence[str]) -> int:
    from starchat_tui.cli import engine_command

    return engine_command.stop_engine(argv)


def _manage_environments(argv: Sequence[str]) -> int:
    from starchat_tui.cli import env_command

    return env_command.manage_environments(argv)


def _run_doctor(argv: Sequence[str]) -> int:
    from starchat_tui.cli import doctor_command

    return doctor_command.run_doctor(argv)


HANDLERS: Mapping[str, Handler] = {
    "run": _run_file,
    "ls": _list_conversations,
    "show": _show_conversation,
    "export": _export_conversations,
    "rm": _delete_conversations,
    "recover": _recover_conversations,
    "prompt": _show_prompt,
    "serve": _serve_engine,
    "ps": _show_engine,
    "load": _load_model,
    "stop": _stop_engine,
    "env": _manage_environments,
    "doctor": _run_doctor,
}
"""Handlers of `arguments.SUBCOMMANDS`, but for `repl`, which takes the flags of the chat."""
