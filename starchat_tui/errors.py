"""The tree of errors, with exit codes: each error says what happened and what to do next.

StarChatError ............... 1
├── UsageError .............. 2    the command line or a request is not valid
│   └── Forbidden                  a client of the network asked for too much
├── NoCode .................. 3    `-x` was given, and the answer has no code block
├── AnswerTruncated ......... 4    `--fail-on-length` was given, and the answer was cut
├── CodeFailed .............. 5    the code that was run raised an error
├── RunLimitExceeded ........ 6    the code that was run hit a limit: time, memory, output
├── Unavailable ............. 69   no engine, no model, no memory
│   ├── EngineGone
│   │   └── EngineSilent
│   ├── ModelUnavailable
│   ├── OutOfMemory
│   └── MissingExtra
├── PromptTooLong ........... 1    the question does not fit the model's context window
├── Busy .................... 75   the engine has too much to do
├── NoSandbox ............... 77   this machine cannot isolate code, so none is run
├── ConfigError ............. 78   a setting, a prompt file or a tokenizer is wrong
├── TimeLimitExceeded ....... 124  `--timeout` ran out
├── Interrupted ............. 130  ^C
└── Terminated .............. 143  SIGTERM; 129 for SIGHUP

The exit codes from 64 on follow sysexits.h, timeout(1) and the shell's 128 + signal number.
"""

from __future__ import annotations


class StarChatError(Exception):
    """An error that the user can act on."""

    exit_code = 1
    """Exit status of the program."""
    code = "error"
    """Name of the error in the HTTP protocol."""
    status = 500
    """HTTP status of the engine's response."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageError(StarChatError):
    """The command line or a request is not valid."""

    exit_code = 2
    code = "invalid_request"
    status = 400
    param: str | None = None
    """Field of the request that is not valid, if one is."""


class Forbidden(UsageError):
    """A client of the network asked for what only the user of the machine may do."""

    code = "forbidden"
    status = 403


class NoCode(StarChatError):
    """The answer has no code block, and only code was asked for."""

    exit_code = 3
    code = "no_code"


class AnswerTruncated(StarChatError):
    """The answer reached its length limit, and the user asked to treat that as a failure."""

    exit_code = 4
    code = "length"


class CodeFailed(StarChatError):
    """The code that was run raised an error, or its kernel died."""

    exit_code = 5
    code = "code_failed"


class RunLimitExceeded(StarChatError):
    """The code that was run hit a limit: time, memory, output."""

    exit_code = 6
    code = "run_limit"


class NoSandbox(StarChatError):
    """No isolation works on this machine, so no code is run."""

    exit_code = 77
    code = "no_sandbox"


class PromptTooLong(StarChatError):
    """The prompt and its answer do not fit the model's context window."""

    code = "context_length_exceeded"
    status = 400


class Unavailable(StarChatError):
    """The engine or the model is not available."""

    exit_code = 69
    code = "unavailable"
    status = 503


class EngineGone(Unavailable):
    """The engine exited or closed the connection before the answer was complete."""

    code = "engine_gone"


class EngineSilent(EngineGone):
    """The engine runs and does not answer: it is stopped, or hangs."""

    code = "engine_silent"


class ModelUnavailable(Unavailable):
    """The model is unknown, gated, or incomplete on disk."""

    code = "model_unavailable"
    status = 404


class OutOfMemory(Unavailable):
    """The device has too little memory for the model or for this context."""

    code = "out_of_memory"
    status = 507


class MissingExtra(Unavailable):
    """An optional dependency is not installed; the hint is the command that installs it."""

    code = "missing_extra"


class Busy(StarChatError):
    """The engine's queue is full, or it is stopping."""

    exit_code = 75
    code = "busy"
    status = 429


class ConfigError(StarChatError):
    """A setting, a prompt file or a tokenizer is wrong."""

    exit_code = 78
    code = "config"
    status = 400


class TimeLimitExceeded(StarChatError):
    """The time limit of the user ran out."""

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


def find_error_class(code: str) -> type[StarChatError]:
    """Return the error class with this `code`; `StarChatError` if it is unknown."""
    pending: list[type[StarChatError]] = [StarChatError]
    for known in pending:
        if known.code == code:
            return known
        pending.extend(known.__subclasses__())
    return StarChatError
