"""Flags and help texts of the command line."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any, get_args

from starchat_tui.cli.error_boundary import ArgumentParser
from starchat_tui.config.settings import (
    ColorChoice,
    ImageChoice,
    KnownEnvironment,
    QuantizationChoice,
    SandboxLevel,
    Settings,
)
from starchat_tui.dialogue import MODES

SUBCOMMANDS = {
    "repl": "chat line by line, without a full-screen interface",
    "run": "run a Python file in the sandbox and show its output and plots",
    "ls": "list conversations, or search them for words",
    "show": "print a conversation",
    "export": "print a conversation as Markdown, JSON, a notebook, or a training row",
    "rm": "delete conversations",
    "recover": "save what can be read of a damaged conversation database",
    "prompt": "print the exact prompt that a question would send",
    "serve": "run the engine in this terminal, on a socket or a port",
    "ps": "show the running engine and its models",
    "env": "list, create, choose or remove the environments that run code",
    "doctor": "check this machine and print the commands that fix what is missing",
    "load": "load a model into the engine ahead of time",
    "stop": "stop the engine",
}
"""Names of the subcommands and what they do, in the order of the help."""

_EPILOG = """\
subcommands:
{commands}

`starchat` alone opens the chat. `starchat "question"` prints one answer; piped input is added to
the question. Every setting is also a variable, STARCHAT_<NAME>, and a key of config.toml.

exit codes:
    0  success
    1  other error
    2  usage error
    3  no code block in the answer (-x, --xl, --run)
    4  answer truncated (--fail-on-length)
    5  the code failed
    6  the code exceeded a limit: time, memory or output
   69  no engine, the model is unavailable, or out of memory
   75  the engine is busy
   77  no sandbox on this machine: the code was not run
   78  configuration error
  124  timed out (--timeout)
  130  interrupted (Ctrl+C)
  141  output pipe closed
  143  terminated (SIGTERM)"""


def parse_arguments(argv: Sequence[str], *, line_mode: bool = False) -> argparse.Namespace:
    """Return the flags of a question or of the chat; `words` are the question."""
    parser = create_question_parser()
    if line_mode:
        parser.prog, parser.description = "starchat repl", "Chat line by line."
    # Intermixed, because flags may stand between the words of a question.
    flags = parser.parse_intermixed_args(argv)
    flags.stop = tuple(flags.stop) if flags.stop else None
    return flags


def select_settings(flags: argparse.Namespace) -> dict[str, Any]:
    """Return the flags that are settings; None for one that was not given.

    The other flags apply to one command.
    """
    return {field.name: getattr(flags, field.name, None) for field in fields(Settings)}


def create_question_parser() -> ArgumentParser:
    """Create the parser of `starchat [flags] [question]`."""
    commands = "\n".join(f"  {name:<8}{summary}" for name, summary in SUBCOMMANDS.items())
    parser = ArgumentParser(
        prog="starchat",
        description="Chat with a local StarCoder model in the terminal.",
        epilog=_EPILOG.format(commands=commands),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument(
        "words", nargs="*", metavar="question", help="the question; - reads it from stdin"
    )
    parser.add_argument("-V", "--version", action="store_true", help="print the version")
    add_model_flags(parser)
    _add_sampling_flags(parser)
    _add_conversation_flags(parser)
    _add_output_flags(parser)
    _add_run_flags(parser)
    add_engine_flags(parser)
    return parser


def add_model_flags(parser: argparse.ArgumentParser) -> None:
    """Add the flags that select the model."""
    group = parser.add_argument_group("model")
    group.add_argument("-m", "--model", help="a known name, a folder, or a Hub id")
    group.add_argument("--chat-model", metavar="MODEL", help="model of chat mode")
    group.add_argument("--ta-model", metavar="MODEL", help="model of ta mode")
    group.add_argument(
        "--mode",
        choices=MODES,
        help="chat: fine-tuned model; ta: base model with a few-shot prompt",
    )
    group.add_argument(
        "-s", "--system", metavar="TEXT", help="system prompt; @NAME reads a prompt file"
    )
    group.add_argument(
        "--prompt", metavar="NAME", help="few-shot prompt of ta mode: ta, hhh, a file or a Hub file"
    )
    group.add_argument("--tokenizer", metavar="FILE", help="a tokenizer.json (needed with --url)")
    group.add_argument("--window", type=int, metavar="N", help="context length in tokens")
    group.add_argument("--url", help="use an OpenAI-compatible server, such as vLLM")
    group.add_argument("--token", help="bearer token for that server")


def _add_sampling_flags(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("sampling")
    group.add_argument("-t", "--temperature", type=float, metavar="X", help="0 is deterministic")
    group.add_argument(
        "--top-p", type=float, metavar="X", help="nucleus sampling: probability mass, 0 to 1"
    )
    group.add_argument(
        "--top-k", type=int, metavar="N", help="sample from the N likeliest tokens; 0: all"
    )
    group.add_argument("--repetition-penalty", type=float, metavar="X", help="1: none")
    group.add_argument("--max-tokens", type=int, metavar="N", help="maximum length of the answer")
    group.add_argument("--seed", type=int, metavar="N", help="make sampling reproducible")
    group.add_argument(
        "--stop", action="append", metavar="TEXT", help="stop at this text; repeatable"
    )


def _add_conversation_flags(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("conversation")
    group.add_argument(
        *("-c", "--continue"),
        dest="resume",
        action="store_const",
        const="last",
        help="continue the last conversation",
    )
    group.add_argument(
        "--cid",
        "--conversation",
        dest="resume",
        metavar="ID",
        help="continue the conversation with this id",
    )
    group.add_argument(
        *("-n", "--no-log"), dest="log", action="store_const", const=False, help="store nothing"
    )
    group.add_argument(
        "-i", "--interactive", action="store_true", help="open the chat and ask the question there"
    )
    group.add_argument(
        *("-f", "--file"),
        type=Path,
        action="append",
        default=[],
        help="attach a file to the question; repeatable",
    )
    group.add_argument(
        "--input-style",
        choices=("append", "prepend", "raw"),
        default="append",
        help="place of piped text",
    )


def _add_output_flags(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("output")
    group.add_argument(
        *("-x", "--extract"),
        action="store_const",
        const="first",
        default="",
        help="print only the first code block",
    )
    group.add_argument(
        "--xl",
        "--extract-last",
        dest="extract",
        action="store_const",
        const="last",
        help="print only the last code block",
    )
    group.add_argument("--json", action="store_true", help="print one JSON object")
    group.add_argument("--raw", action="store_true", help="no colors, even in a terminal")
    group.add_argument(
        "--clean", action="store_true", help="escape control characters in pipes, too"
    )
    group.add_argument(
        "--no-stream",
        dest="stream",
        action="store_false",
        help="print the answer when it is complete",
    )
    group.add_argument(
        *("-q", "--quiet"),
        dest="stats",
        action="store_const",
        const=False,
        help="print no statistics",
    )
    group.add_argument("--color", choices=get_args(ColorChoice), help="colored output")
    group.add_argument(
        "--accessible", action="store_const", const=True, help="line mode for screen readers"
    )
    group.add_argument("--theme", help="theme of the full-screen chat")
    group.add_argument(
        "--fail-on-length", action="store_true", help="exit 4 if the answer is truncated"
    )
    group.add_argument(
        "--timeout",
        type=float,
        default=0.0,
        metavar="S",
        help="stop after S seconds, with exit code 124",
    )


def _add_run_flags(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("running code")
    group.add_argument(
        "--run", action="store_true", help="run the code in the answer and show its plots"
    )
    group.add_argument("--yes", action="store_true", help="with --run: run without asking")
    group.add_argument(
        "--run-timeout", type=float, metavar="S", help="time limit of a run, in seconds"
    )
    group.add_argument("--run-memory", metavar="B", help="memory limit of a run: 512M, 2G")
    group.add_argument("--save-dir", type=Path, metavar="D", help="save plots and files in D")
    add_download_flag(group)
    add_sandbox_flags(group)


def create_subcommand_parser(name: str) -> ArgumentParser:
    """Create a parser with the help of one of `SUBCOMMANDS`, without flags."""
    summary = SUBCOMMANDS[name]
    return ArgumentParser(
        prog=f"starchat {name}",
        description=f"{summary[:1].upper()}{summary[1:]}.",
        epilog=f'To ask a question that begins with this word, quote it: starchat "{name} …"',
        allow_abbrev=False,
    )


def create_run_parser() -> ArgumentParser:
    """Create the parser of `starchat run`."""
    parser = create_subcommand_parser("run")
    parser.epilog = (
        "The exit code of a file is the one that it has in Python: that of sys.exit, or 1 after an "
        f"exception. {parser.epilog}"
    )
    parser.add_argument(
        "code",
        metavar="FILE",
        help="a Python file or a notebook; - reads stdin; arguments for it follow --",
    )
    parser.add_argument(
        *("--file", "-f"),
        type=Path,
        action="append",
        default=[],
        help="file that the code may read; repeatable",
    )
    parser.add_argument(
        *("--timeout", "--run-timeout"),
        dest="run_timeout",
        type=float,
        metavar="S",
        help="time limit in seconds",
    )
    parser.add_argument(
        *("--memory", "--run-memory"),
        dest="run_memory",
        metavar="B",
        help="memory limit: bytes, or 512M, 2G",
    )
    parser.add_argument("--save-dir", type=Path, metavar="D", help="save plots and files in D")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument(
        "--clean", action="store_true", help="escape control characters in pipes, too"
    )
    parser.add_argument(
        *("-q", "--quiet"),
        dest="stats",
        action="store_const",
        const=False,
        help="print only the output of the code",
    )
    parser.add_argument("--color", choices=get_args(ColorChoice), help="colored output")
    add_download_flag(parser)
    add_sandbox_flags(parser)
    return parser


def add_download_flag(parser: argparse._ActionsContainer) -> None:
    """Add the flag that approves downloads from a host."""
    parser.add_argument(
        "--download",
        action="append",
        default=[],
        metavar="HOST",
        help="approve downloads from this host; repeatable",
    )


def add_sandbox_flag(group: argparse._ActionsContainer) -> None:
    """Add the flag that selects the isolation of code."""
    group.add_argument("--sandbox", choices=get_args(SandboxLevel), help="isolation of the code")


def add_environment_flag(group: argparse._ActionsContainer) -> None:
    """Add the flag that selects the environment of code."""
    group.add_argument(
        "--env",
        metavar="ENV",
        help=f"environment of the code: {', '.join(get_args(KnownEnvironment))}, or the path of a"
        " virtual environment",
    )


def add_sandbox_flags(group: argparse._ActionsContainer) -> None:
    """Add the flags for the sandbox and for drawing plots."""
    add_sandbox_flag(group)
    add_environment_flag(group)
    group.add_argument(
        "--strict",
        action="store_const",
        const=True,
        help="without compatibility aliases for older snippets",
    )
    group.add_argument(
        "--images",
        choices=get_args(ImageChoice),
        help="protocol for drawing plots",
    )
    group.add_argument(
        "--unsafe-run",
        action="store_true",
        help="run without a sandbox, this time only: code can do all that you can",
    )


def add_engine_flags(parser: argparse.ArgumentParser) -> None:
    """Add the flags of the local engine."""
    group = parser.add_argument_group("local engine")
    group.add_argument("--device", help="auto, cuda:N, mps or cpu")
    group.add_argument(
        "--quantize", choices=get_args(QuantizationChoice), help="quantization of the weights"
    )
    group.add_argument(
        "--keep-alive",
        metavar="TIME",
        help="idle time after which a newly started engine exits: 30s, 10m, 2h; -1: never",
    )
    group.add_argument(
        *("--no-daemon",),
        dest="daemon",
        action="store_const",
        const=False,
        help="use a private engine that exits with this command",
    )
