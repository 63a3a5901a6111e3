"""Program of the child process that compiles and renders the chat template of a model.

A template is code of whoever made the model. Jinja's sandbox keeps it from Python's objects, but
not from the processor and the memory: two nested loops run for hours, and `'a' * 3000000000` takes
three gigabytes. Here the kernel bounds both, and if a bound ends the process, only this one.

Protocol: one JSON object per line. {"source", "special"} comes first and is answered by {} or
{"error"}, then each {"messages", "add_generation_prompt"} by {"rendered"} or {"error"}. The process
ends with its standard input. It is run by its path, so it imports nothing of this package.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, NoReturn, TypeVar

if TYPE_CHECKING:
    from jinja2 import Template

CPU_SECONDS = 2.0
"""Processor time that compiling the template or rendering a dialogue may take."""
MEMORY_BYTES = 2**29
"""Address space of the process."""
MAX_CHARACTERS = 2**20
"""Length of a rendered dialogue, whose messages are placeholders of a few digits each."""
_Result = TypeVar("_Result")
_GENERATION_TAG = re.compile(r"\{%(-?)\s*(end)?generation\s*(-?)%\}")
"""Tag of transformers around what training learns, which Jinja itself does not know."""


def main() -> None:
    """Answer each line of standard input."""
    import jinja2.ext
    import jinja2.sandbox  # noqa: F401  (before the limits, which are for the template)

    _limit_memory()
    start = json.loads(sys.stdin.readline())
    error, template = _run_bounded(partial(_compile_template, start["source"]))
    _send({"error": error} if error else {})
    if template is None:
        return
    for line in sys.stdin:
        error, text = _run_bounded(partial(_render, template, start["special"], **json.loads(line)))
        _send({"error": error} if error else {"rendered": str(text)})


def _send(answer: dict[str, str]) -> None:
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


def _limit_memory() -> None:
    import resource

    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _run_bounded(work: Callable[[], _Result]) -> tuple[str, _Result | None]:
    """Return an error, or an empty string and the result."""
    import signal

    # Processor time, because on a busy machine a harmless template may wait for seconds. Without
    # a handler: one in Python would wait for the end of a long operation in C, such as a power.
    signal.signal(signal.SIGPROF, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_PROF, CPU_SECONDS)
    try:
        return "", work()
    except MemoryError:
        return f"it takes more than {MEMORY_BYTES // 2**20} MiB of memory", None
    except RecursionError:
        return "it calls itself without end", None
    except Exception as error:  # noqa: BLE001  (the template is to blame, whatever it is)
        return _describe_error(error), None
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)


def _describe_error(error: Exception) -> str:
    from jinja2 import TemplateError

    text = str(error)[:500]
    # What `raise_exception` says is a sentence of the template's author.
    return text if isinstance(error, TemplateError) and text else f"{type(error).__name__}: {text}"


def _compile_template(source: str) -> Template:
    from jinja2.ext import loopcontrols
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    # The options are those of transformers.
    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[loopcontrols]
    )
    environment.globals |= {"raise_exception": _raise_template_error, "strftime_now": _format_now}
    return environment.from_string(_GENERATION_TAG.sub(_replace_generation_tag, source))


def _render(
    template: Template,
    special: dict[str, str],
    *,
    messages: list[dict[str, str]],
    add_generation_prompt: bool,
) -> str:
    """Return the dialogue as text.

    Args:
        template: The compiled template.
        special: Texts of `bos_token`, `eos_token` …
        messages: Role and content of each message.
        add_generation_prompt: Whether the text ends where an answer begins.
    """
    rendered = template.render(
        messages=messages, add_generation_prompt=add_generation_prompt, tools=None, **special
    )
    if len(rendered) > MAX_CHARACTERS:
        raise ValueError(f"it writes {len(rendered):,} characters around the messages")
    return rendered


def _replace_generation_tag(tag: re.Match[str]) -> str:
    return f"{{%{tag[1]} {'endif' if tag[2] else 'if true'} {tag[3]}%}}"


def _raise_template_error(message: str) -> NoReturn:
    from jinja2 import TemplateError

    raise TemplateError(message)


def _format_now(form: str) -> str:
    return datetime.now().strftime(form)


if __name__ == "__main__":
    main()
