"""What a run came to: its outputs in order and its end, gathered, kept and read back."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any

from starchat_tui.sandbox.outputs import (
    Ended,
    Failure,
    Figure,
    Note,
    Output,
    Result,
    Text,
    Written,
)
from starchat_tui.sanitize import whole

KEPT = 64 * 1024
"""Characters of what a run wrote that are kept at each end; what lies between leaves."""
_JOINED = 4096
"""Characters up to which neighbouring pieces of one stream become one."""
_KINDS: dict[str, Callable[..., Output]] = {
    kind.__name__.lower(): kind for kind in (Text, Result, Figure, Failure, Written, Note, Ended)
}


@dataclass(frozen=True, slots=True)
class Outcome:
    """A run, from its first output to its end."""

    outputs: tuple[Output, ...]
    """In order; the end is not among them."""
    ended: Ended

    @property
    def failure(self) -> Failure | None:
        """The exception that ended it, if one did."""
        return next((one for one in self.outputs if isinstance(one, Failure)), None)

    @property
    def figures(self) -> list[Figure]:
        """The pictures, in order."""
        return [one for one in self.outputs if isinstance(one, Figure)]

    @property
    def files(self) -> list[Written]:
        """What it left behind; of two with one name the later."""
        return list({one.name: one for one in self.outputs if isinstance(one, Written)}.values())

    def stream(self, name: str) -> str:
        """What was written to `stdout` or `stderr`; results belong to the first."""
        return "".join(_lines_of(self.outputs, name))


def _lines_of(outputs: Iterable[Output], name: str) -> Iterable[str]:
    for one in outputs:
        if isinstance(one, Text) and one.stream == name:
            yield one.text
        elif isinstance(one, Result) and name == "stdout":
            yield one.text if one.text.endswith("\n") else f"{one.text}\n"


class Gathering:
    """Collects outputs as they come; of very much text only the beginning and the end."""

    def __init__(self, *, kept: int | None = KEPT) -> None:
        self._kept = kept
        """Characters at each end; None keeps everything."""
        self._outputs: list[Output | None] = []
        self._head = 0
        """Characters of text in the beginning."""
        self._tail: deque[int] = deque()
        """Where the texts after the beginning stand."""
        self._tail_size = 0
        self._left_out = 0
        self._gap = 0
        """Where the note about what was left out belongs."""

    def take(self, output: Output) -> None:
        """One more, in order."""
        if isinstance(output, Text):
            self._take_text(output)
        else:
            self._outputs.append(output)

    def outcome(self, ended: Ended) -> Outcome:
        """All of it, with its end."""
        outputs = list(self._outputs)
        if self._left_out:
            note = Note(f"{self._left_out:,} characters of output are not kept here")
            outputs.insert(self._gap, note)
        return Outcome(tuple(one for one in outputs if one is not None), ended)

    def _take_text(self, text: Text) -> None:
        if self._kept is None or self._head + len(text.text) <= self._kept:
            self._head += len(text.text)
            self._append(text)
            self._gap = len(self._outputs)
            return
        if self._head < self._kept:
            first = replace(text, text=text.text[: self._kept - self._head])
            text = replace(text, text=text.text[len(first.text) :])
            self._head = self._kept
            self._outputs.append(first)
            self._gap = len(self._outputs)
        self._tail.append(len(self._outputs))
        self._outputs.append(text)
        self._tail_size += len(text.text)
        self._shorten(self._kept)

    def _append(self, text: Text) -> None:
        last = self._outputs[-1] if self._outputs else None
        if isinstance(last, Text) and last.stream == text.stream and len(last.text) < _JOINED:
            self._outputs[-1] = replace(last, text=last.text + text.text)
        else:
            self._outputs.append(text)

    def _shorten(self, kept: int) -> None:
        """Let go of the oldest text after the beginning, until the rest is short enough."""
        while self._tail_size > kept:
            oldest = self._outputs[self._tail[0]]
            assert isinstance(oldest, Text)
            excess = self._tail_size - kept
            rest = oldest.text[excess:]
            self._left_out += len(oldest.text) - len(rest)
            self._tail_size -= len(oldest.text) - len(rest)
            self._outputs[self._tail[0]] = replace(oldest, text=rest) if rest else None
            if not rest:
                self._tail.popleft()


def document(outcome: Outcome) -> tuple[str, list[bytes]]:
    """The outcome as JSON, and the pictures that are kept beside it, in order."""
    written = [_written(one) for one in (*outcome.outputs, outcome.ended)]
    return json.dumps(written, ensure_ascii=False), [one.png for one in outcome.figures]


def _written(output: Output) -> dict[str, Any]:
    fields = asdict(output)
    fields.pop("png", None)
    texts = {name: whole(value) for name, value in fields.items() if isinstance(value, str)}
    return {"kind": type(output).__name__.lower(), **fields, **texts}


def of_document(written: str, pictures: Sequence[bytes]) -> Outcome:
    """The outcome that `document` wrote."""
    coming = iter(pictures)
    picture = partial(next, coming, b"")
    *outputs, ended = [_output(fields, picture) for fields in json.loads(written)]
    assert isinstance(ended, Ended)
    return Outcome(tuple(outputs), ended)


def _output(fields: dict[str, Any], picture: Callable[[], bytes]) -> Output:
    kind = fields.pop("kind")
    return _KINDS[kind](**fields, png=picture()) if kind == "figure" else _KINDS[kind](**fields)


def size_text(size: float) -> str:
    """Bytes in their unit, for a reader."""
    power = 0
    while size >= 1000 and power < 3:
        size, power = size / 1000, power + 1
    return f"{size:.1f} {'_kMG'[power]}B" if power else f"{size:.0f} bytes"


def ended_text(ended: Ended) -> str:
    """How it ended, in one line: what, how long, behind which wall."""
    return f"{ENDINGS[ended.status]} · {ended.seconds:.1f} s · {WALLS[ended.level]}"


ENDINGS = {
    "ok": "ran",
    "error": "the code failed",
    "interrupted": "interrupted",
    "timeout": "stopped: its time ran out",
    "memory": "stopped: it took too much memory",
    "output": "stopped: it wrote too much",
    "died": "the kernel died",
    "no-sandbox": "not run",
}
WALLS = {
    "isolated": "isolated (bubblewrap)",
    "restricted": "restricted (Landlock)",
    "off": "no sandbox",
    "unsafe": "UNSAFE: no sandbox",
}


FIX_LINES = 12
"""Lines of a traceback that are sent back to the model; the last ones tell most."""


def fix_question(failure: Failure) -> str:
    """The next turn after a failed run: the error as the model reads it."""
    told = failure.traceback.strip().split("\n")[-FIX_LINES:]
    last = f"{failure.name}: {failure.message}".strip()
    if last not in told:
        told.append(last)
    text = whole("\n".join(told)).replace("`" * 3, "'" * 3)
    return f"This code fails:\n\n```text\n{text}\n```\n\nPlease fix it."
