"""One tree of errors: each says what happened, what to do next, and how the program ends.

StarChatError ............... 1
├── UsageError .............. 2    the command line does not fit
├── NoCode .................. 3    `-x` and the answer holds no code block
├── AnswerCut ............... 4    `--fail-on-length` and the answer was cut
├── CodeFailed .............. 5    the code that was run ended in an error
├── RunLimit ................ 6    the code that was run hit a limit: time, memory, output
├── Unavailable ............. 69   no engine, no model, no memory
│   ├── EngineGone
│   ├── ModelUnavailable
│   └── OutOfMemory
├── PromptTooLong ........... 1    the question does not fit the model's window
├── Busy .................... 75   try again later
├── NoSandbox ............... 77   nothing may be run: there is no wall on this machine
├── ConfigError ............. 78   settings, prompt file or tokenizer are wrong
├── TimeLimit ............... 124  `--timeout` ran out
├── Interrupted ............. 130  ^C
└── Terminated .............. 143  SIGTERM; 129 for SIGHUP
"""

from __future__ import annotations


class StarChatError(Exception):
    """Something the user can act on; `code` is its name on the wire."""

    exit_code = 1
    code = "error"
    status = 500
    """The HTTP status the engine answers with."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageError(StarChatError):
    """The command line or a request does not fit."""

    exit_code = 2
    code = "invalid_request"
    status = 400


class NoCode(StarChatError):
    """The answer holds no code block, and only code was asked for."""

    exit_code = 3
    code = "no_code"


class AnswerCut(StarChatError):
    """The answer reached its length limit, and that was to be a failure."""

    exit_code = 4
    code = "length"


class CodeFailed(StarChatError):
    """The code that was run ended in an error, or took its kernel with it."""

    exit_code = 5
    code = "code_failed"


class RunLimit(StarChatError):
    """The code that was run hit a limit: time, memory, output."""

    exit_code = 6
    code = "run_limit"


class NoSandbox(StarChatError):
    """No wall holds on this machine, so nothing is run."""

    exit_code = 77
    code = "no_sandbox"


class PromptTooLong(StarChatError):
    """The prompt and the room for its answer do not fit the model's window."""

    code = "context_length_exceeded"
    status = 400


class Unavailable(StarChatError):
    """No engine answers, or the model cannot be had."""

    exit_code = 69
    code = "unavailable"
    status = 503


class EngineGone(Unavailable):
    """The engine ended, or hung up, before the answer was complete."""

    code = "engine_gone"


class ModelUnavailable(Unavailable):
    """The model is unknown, gated, or incomplete on disk."""

    code = "model_unavailable"
    status = 404


class OutOfMemory(Unavailable):
    """The device has no memory for the model or for this context."""

    code = "out_of_memory"
    status = 507


class Busy(StarChatError):
    """The engine's queue is full, or it is leaving."""

    exit_code = 75
    code = "busy"
    status = 429


class ConfigError(StarChatError):
    """A setting, a prompt file or a tokenizer is wrong."""

    exit_code = 78
    code = "config"
    status = 400


class TimeLimit(StarChatError):
    """The time the user allowed ran out."""

    exit_code = 124
    code = "timeout"
    status = 504


class Interrupted(StarChatError):
    """The user stopped the program."""

    exit_code = 130
    code = "interrupted"


class Terminated(StarChatError):
    """A signal ended the program."""

    exit_code = 143
    code = "terminated"


def of_code(code: str) -> type[StarChatError]:
    """The error class a name on the wire stands for; an unknown name is the root."""
    pending: list[type[StarChatError]] = [StarChatError]
    for known in pending:
        if known.code == code:
            return known
        pending.extend(known.__subclasses__())
    return StarChatError
