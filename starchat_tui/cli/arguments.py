"""The command line: flags to settings, words to a question."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from starchat_tui.errors import UsageError

SUBCOMMANDS = {
    "repl": "the chat line by line, in a terminal that only appends",
    "run": "run a file of Python in the sandbox and show what it draws",
    "ls": "list the conversations, or those that hold some words",
    "show": "print a conversation",
    "export": "write a conversation as Markdown, JSON, a notebook, or a row to train on",
    "rm": "delete conversations",
    "prompt": "print exactly what would be sent for a question",
    "serve": "run the engine in this terminal, on a socket or a port",
    "ps": "say whether an engine runs and what it holds",
    "doctor": "say what works on this machine, and what to type about the rest",
    "load": "load a model into the engine ahead of time",
    "stop": "end the engine",
}
_EPILOG = """\
subcommands:
{commands}

`starchat` alone opens the chat. `starchat "question"` answers and ends; what is piped in joins the
question. Every flag with a value is also STARCHAT_<NAME> and a key of config.toml.

exit codes:
    0  answered
    1  another error
    2  the command line does not fit
    3  no code block (-x, --xl)
    4  the answer was cut (--fail-on-length)
    5  the code that was run failed
    6  the code that was run hit a limit: time, memory, output
   69  no engine, no model, or no memory for it
   75  the engine is busy
   77  no sandbox holds on this machine, so nothing was run
   78  the configuration is wrong
  124  --timeout ran out
  130  ^C
  141  the reader of a pipe went away
  143  SIGTERM"""

SETTINGS_FLAGS = tuple(
    "model chat_model ta_model mode system prompt tokenizer window temperature top_p top_k"
    " repetition_penalty max_tokens seed stop url token device quantize keep_alive daemon log stats"
    " color accessible theme sandbox strict run_timeout run_memory images".split()
)
"""The flags that are settings; the others say what to do with the answer."""


class Parser(argparse.ArgumentParser):
    """A parser whose errors are ours."""

    def error(self, message: str) -> NoReturn:
        """Raise what argparse would print."""
        raise UsageError(message[:1].upper() + message[1:], f"`{self.prog} --help` shows all flags")


def parse(argv: Sequence[str]) -> argparse.Namespace:
    """The flags of a question or of the chat, with `words` as the question."""
    found = question_parser().parse_intermixed_args(argv)
    found.stop = tuple(found.stop) if found.stop else None
    return found


def chosen(found: argparse.Namespace) -> dict[str, Any]:
    """The settings among the flags; None where a flag was not given."""
    return {name: getattr(found, name, None) for name in SETTINGS_FLAGS}


def question_parser() -> Parser:
    """The parser of `starchat [flags] [question]`."""
    commands = "\n".join(f"  {name:<8}{told}" for name, told in SUBCOMMANDS.items())
    parser = Parser(
        prog="starchat",
        description="A local StarCoder to talk to, in the terminal.",
        epilog=_EPILOG.format(commands=commands),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("words", nargs="*", metavar="question", help="what to ask; - reads stdin")
    parser.add_argument("-V", "--version", action="store_true", help="print the version")
    add_model_flags(parser)
    _add_sampling_flags(parser)
    _add_conversation_flags(parser)
    _add_output_flags(parser)
    _add_run_flags(parser)
    add_engine_flags(parser)
    return parser


def add_model_flags(parser: argparse.ArgumentParser) -> None:
    """Flags that say who answers."""
    group = parser.add_argument_group("who answers")
    group.add_argument("-m", "--model", help="a known name, a folder, or a Hub id")
    group.add_argument("--chat-model", metavar="MODEL", help="the model of chat mode")
    group.add_argument("--ta-model", metavar="MODEL", help="the model of ta mode")
    group.add_argument("--mode", choices=("chat", "ta"), help="fine-tuned, or few-shot prompt")
    group.add_argument("-s", "--system", metavar="TEXT", help="the system text; @NAME is a file")
    group.add_argument(
        "--prompt", metavar="NAME", help="few-shot prompt of ta mode: ta, hhh, a file, a Hub file"
    )
    group.add_argument("--tokenizer", metavar="FILE", help="a tokenizer.json (needed with --url)")
    group.add_argument("--window", type=int, metavar="N", help="context length in tokens")
    group.add_argument("--url", help="an OpenAI-compatible server, such as vLLM")
    group.add_argument("--token", help="the bearer token of that server")


def _add_sampling_flags(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("how it answers")
    group.add_argument("-t", "--temperature", type=float, metavar="X", help="0 is repeatable")
    group.add_argument("--top-p", type=float, metavar="X", help="probability mass, 0 to 1")
    group.add_argument("--top-k", type=int, metavar="N", help="likeliest tokens; 0 is all")
    group.add_argument("--repetition-penalty", type=float, metavar="X", help="1 is none")
    group.add_argument("--max-tokens", type=int, metavar="N", help="the longest answer")
    group.add_argument("--seed", type=int, metavar="N", help="makes sampling repeatable")
    group.add_argument(
        "--stop", action="append", metavar="TEXT", help="ends the answer; repeatable"
    )


def _add_conversation_flags(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("which conversation")
    group.add_argument(
        *("-c", "--continue"),
        dest="resume",
        action="store_const",
        const="last",
        help="the last one",
    )
    group.add_argument(
        "--cid", "--conversation", dest="resume", metavar="ID", help="the one called ID"
    )
    group.add_argument(
        *("-n", "--no-log"), dest="log", action="store_const", const=False, help="keep nothing"
    )
    group.add_argument(
        "-i", "--interactive", action="store_true", help="open the chat and ask there"
    )
    group.add_argument(
        *("-f", "--file"), type=Path, action="append", default=[], help="attach a file; repeatable"
    )
    group.add_argument(
        "--input-style", choices=("append", "prepend", "raw"), default="append", help="piped text"
    )


def _add_output_flags(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("what is printed")
    group.add_argument(
        *("-x", "--extract"),
        action="store_const",
        const="first",
        default="",
        help="the first code block",
    )
    group.add_argument(
        "--xl",
        "--extract-last",
        dest="extract",
        action="store_const",
        const="last",
        help="the last one",
    )
    group.add_argument("--json", action="store_true", help="one JSON object")
    group.add_argument("--raw", action="store_true", help="no colours, even in a terminal")
    group.add_argument(
        "--clean", action="store_true", help="make control characters visible in a pipe, too"
    )
    group.add_argument("--no-stream", dest="stream", action="store_false", help="all at once")
    group.add_argument(
        *("-q", "--quiet"), dest="stats", action="store_const", const=False, help="no statistics"
    )
    group.add_argument("--color", choices=("auto", "always", "never"), help="colours")
    group.add_argument(
        "--accessible", action="store_const", const=True, help="line mode for screen readers"
    )
    group.add_argument("--theme", help="the screen's theme")
    group.add_argument(
        "--fail-on-length", action="store_true", help="exit 4 where the answer is cut"
    )
    group.add_argument(
        "--timeout", type=float, default=0.0, metavar="S", help="exit 124 after S seconds"
    )


def _add_run_flags(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("running code")
    group.add_argument(
        "--run", action="store_true", help="run the code of the answer and show what it draws"
    )
    group.add_argument("--yes", action="store_true", help="with --run: do not ask first")
    group.add_argument("--run-timeout", type=float, metavar="S", help="seconds a run may take")
    group.add_argument("--run-memory", metavar="B", help="memory a run may take: 512M, 2G")
    group.add_argument("--save-dir", type=Path, metavar="D", help="keep its plots and files in D")
    add_download_flag(group)
    add_wall_flags(group)


def run_parser() -> Parser:
    """The parser of `starchat run`."""
    parser = Parser(
        prog="starchat run",
        description=f"{SUBCOMMANDS['run'].capitalize()}.",
        epilog='To ask a question that begins with this word, quote it: starchat "run …"',
        allow_abbrev=False,
    )
    parser.add_argument("code", metavar="FILE", help="a file of Python; - reads stdin")
    parser.add_argument(
        *("--file", "-f"), type=Path, action="append", default=[], help="let it read; repeatable"
    )
    parser.add_argument(
        *("--timeout", "--run-timeout"), dest="run_timeout", type=float, metavar="S", help="seconds"
    )
    parser.add_argument(
        *("--memory", "--run-memory"), dest="run_memory", metavar="B", help="bytes, or 512M, 2G"
    )
    parser.add_argument("--save-dir", type=Path, metavar="D", help="keep its plots and files in D")
    parser.add_argument("--json", action="store_true", help="one JSON object")
    parser.add_argument("--clean", action="store_true", help="clean what goes to a pipe, too")
    parser.add_argument(
        *("-q", "--quiet"), dest="stats", action="store_const", const=False, help="only its output"
    )
    parser.add_argument("--color", choices=("auto", "always", "never"), help="colours")
    add_download_flag(parser)
    add_wall_flags(parser)
    return parser


def add_download_flag(parser: argparse._ActionsContainer) -> None:
    """The hosts that may be asked for what the code names."""
    parser.add_argument(
        "--download",
        action="append",
        default=[],
        metavar="HOST",
        help="fetch what the code names there; repeatable",
    )


def add_wall_flag(group: argparse._ActionsContainer) -> None:
    """The flag that says behind which wall code is run."""
    group.add_argument(
        "--sandbox", choices=("auto", "isolated", "restricted", "off"), help="the wall around code"
    )


def add_wall_flags(group: argparse._ActionsContainer) -> None:
    """Flags that say behind which wall code is run, and how its pictures are drawn."""
    add_wall_flag(group)
    group.add_argument(
        "--strict",
        action="store_const",
        const=True,
        help="without the names and aliases that older snippets expect",
    )
    group.add_argument(
        "--images",
        choices=("auto", "kitty", "sixel", "half", "unicode", "off"),
        help="how plots are drawn",
    )
    group.add_argument(
        "--unsafe-run",
        action="store_true",
        help="this once, without any wall: code can do all that you can",
    )


def add_engine_flags(parser: argparse.ArgumentParser) -> None:
    """Flags of the local engine."""
    group = parser.add_argument_group("the local engine")
    group.add_argument("--device", help="auto, cuda:N, mps or cpu")
    group.add_argument("--quantize", choices=("none", "int8", "int4"), help="weights")
    group.add_argument(
        "--keep-alive",
        metavar="TIME",
        help="idle time before it leaves, where this starts it: 30s, 10m, 2h, -1",
    )
    group.add_argument(
        *("--no-daemon",),
        dest="daemon",
        action="store_const",
        const=False,
        help="ends with this command",
    )
