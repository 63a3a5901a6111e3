"""Result of a run: its outputs in order and its end, recorded, stored and read back."""

from __future__ import annotations

import base64
import json
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any

from starchat_tui.sandbox.outputs import (
    Failure,
    Figure,
    GridLabel,
    GridPicture,
    Note,
    Output,
    OutputCleared,
    Preparation,
    Result,
    RunEnded,
    StreamText,
    WrittenFile,
)
from starchat_tui.sanitize import replace_surrogates

TEXT_LIMIT = 64 * 1024
"""Characters of a run's text that are kept at each end; what lies between is dropped."""
_MERGE_LIMIT = 4096
"""Characters up to which consecutive pieces of one stream are merged."""
_KIND_NAMES: Mapping[type[Output], str] = {
    StreamText: "text",
    Result: "result",
    Figure: "figure",
    Failure: "failure",
    WrittenFile: "written",
    Note: "note",
    RunEnded: "ended",
}
"""The `kind` of each output in a stored run; it must not change when a class is renamed."""
_KINDS: Mapping[str, Callable[..., Output]] = {kind: one for one, kind in _KIND_NAMES.items()}


@dataclass(frozen=True, slots=True)
class RunResult:
    """Outputs of a run and its end."""

    outputs: tuple[Output, ...]
    """In order, without the end."""
    ended: RunEnded

    @property
    def failure(self) -> Failure | None:
        """Exception that ended the run; None if none did."""
        return next((one for one in self.outputs if isinstance(one, Failure)), None)

    @property
    def notes(self) -> list[Note]:
        """Remarks on the run, the hint on its error included."""
        return [one for one in self.outputs if isinstance(one, Note)]

    @property
    def hint(self) -> str:
        """Hint on the error that ended the run; empty if there is none."""
        return next((one.text for one in self.notes if one.is_hint), "")

    @property
    def figures(self) -> list[Figure]:
        """Figures, in order."""
        return [one for one in self.outputs if isinstance(one, Figure)]

    @property
    def files(self) -> list[WrittenFile]:
        """Files that the code wrote; of two with the same name, the later."""
        return list(
            {one.name: one for one in self.outputs if isinstance(one, WrittenFile)}.values()
        )

    def join_stream(self, name: str) -> str:
        """Return what was written to `stdout` or `stderr`; results belong to `stdout`."""
        return "".join(_iterate_stream(self.outputs, name))


def join_results(results: Sequence[RunResult]) -> RunResult:
    """Return runs that followed each other as one: all outputs, the last end, the whole time."""
    outputs = tuple(output for result in results for output in result.outputs)
    seconds = sum(result.ended.seconds for result in results)
    return RunResult(outputs, replace(results[-1].ended, seconds=seconds))


def _iterate_stream(outputs: Iterable[Output], name: str) -> Iterable[str]:
    for one in outputs:
        if isinstance(one, StreamText) and one.stream == name:
            yield one.text
        elif isinstance(one, Result) and name == "stdout":
            yield one.text if one.text.endswith("\n") else f"{one.text}\n"


def apply_output(outputs: list[Output], output: Output) -> None:
    """Add an output to those that are shown: it may replace one of them, or remove many."""
    if isinstance(output, OutputCleared):
        outputs[:] = [one for one in outputs if not isinstance(one, StreamText | Result | Figure)]
        return
    key = _get_key(output)
    keys = [_get_key(one) for one in outputs] if key else []
    if key in keys:
        outputs[keys.index(key)] = output
    else:
        outputs.append(output)


def _get_key(output: Output | None) -> int:
    return output.key if isinstance(output, Result | Figure) else 0


class RunRecorder:
    """Recorder of a run's outputs; of a very long text it keeps the beginning and the end.

    So a run that prints for a minute takes a bounded place in the conversation store.
    """

    def __init__(self, *, text_limit: int | None = TEXT_LIMIT) -> None:
        self._text_limit = text_limit
        """Characters kept at each end; None keeps everything."""
        self._outputs: list[Output | None] = []
        self._reset_text()

    def _reset_text(self) -> None:
        self._indices: dict[int, int] = {}
        """Index in `_outputs` of each output that can be replaced, by its key."""
        self._head_size = 0
        """Characters of text in the beginning that is kept."""
        self._tail_indices: deque[int] = deque()
        """Indices in `_outputs` of the texts after the beginning."""
        self._tail_size = 0
        self._dropped_characters = 0
        self._gap_index = 0
        """Index in `_outputs` of the note about dropped characters."""

    def record(self, output: Output) -> None:
        """Add the next output; what came before the run is no part of its result."""
        if isinstance(output, Preparation):
            return
        if isinstance(output, StreamText):
            self._record_text(output)
        elif isinstance(output, OutputCleared):
            kept = [one for one in self._outputs if one is not None]
            apply_output(kept, output)
            self._outputs = [*kept]
            self._reset_text()
        elif (key := _get_key(output)) in self._indices:
            self._outputs[self._indices[key]] = output
        else:
            if key:
                self._indices[key] = len(self._outputs)
            self._outputs.append(output)

    def build_result(self, ended: RunEnded) -> RunResult:
        """Return what is left of everything recorded, with its end."""
        outputs = list(self._outputs)
        if self._dropped_characters:
            note = Note(f"{self._dropped_characters:,} characters of output were not stored")
            outputs.insert(self._gap_index, note)
        return RunResult(tuple(one for one in outputs if one is not None), ended)

    def _record_text(self, text: StreamText) -> None:
        if self._text_limit is None or self._head_size + len(text.text) <= self._text_limit:
            self._head_size += len(text.text)
            self._append_text(text)
            self._gap_index = len(self._outputs)
            return
        if self._head_size < self._text_limit:
            first = replace(text, text=text.text[: self._text_limit - self._head_size])
            text = replace(text, text=text.text[len(first.text) :])
            self._head_size = self._text_limit
            self._outputs.append(first)
            self._gap_index = len(self._outputs)
        # Texts of the tail stay apart, so that the oldest can be dropped without copying the rest.
        self._tail_indices.append(len(self._outputs))
        self._outputs.append(text)
        self._tail_size += len(text.text)
        self._trim_tail(self._text_limit)

    def _append_text(self, text: StreamText) -> None:
        last = self._outputs[-1] if self._outputs else None
        if (
            isinstance(last, StreamText)
            and last.stream == text.stream
            and len(last.text) < _MERGE_LIMIT
        ):
            self._outputs[-1] = replace(last, text=last.text + text.text)
        else:
            self._outputs.append(text)

    def _trim_tail(self, limit: int) -> None:
        """Drop the oldest text of the tail until it has at most `limit` characters."""
        while self._tail_size > limit:
            oldest = self._outputs[self._tail_indices[0]]
            assert isinstance(oldest, StreamText)
            excess = self._tail_size - limit
            rest = oldest.text[excess:]
            self._dropped_characters += len(oldest.text) - len(rest)
            self._tail_size -= len(oldest.text) - len(rest)
            # None in place of a removal: the other indices stay valid.
            self._outputs[self._tail_indices[0]] = replace(oldest, text=rest) if rest else None
            if not rest:
                self._tail_indices.popleft()


def serialize_result(result: RunResult) -> tuple[str, list[bytes]]:
    """Return the result as JSON, and the PNGs that are stored beside it, in order."""
    outputs = [_to_fields(one) for one in (*result.outputs, result.ended)]
    return json.dumps(outputs, ensure_ascii=False), [one.png for one in result.figures]


def _to_fields(output: Output) -> dict[str, Any]:
    fields = asdict(output)
    for name in ("png", "key"):
        # Nothing replaces an output once the run is over.
        fields.pop(name, None)
    if isinstance(output, Figure):
        fields["grids"] = list(map(_to_grid_fields, output.grids))
    texts = {
        name: replace_surrogates(value) for name, value in fields.items() if isinstance(value, str)
    }
    return {"kind": _KIND_NAMES[type(output)], **fields, **texts}


def _to_grid_fields(grid: GridPicture) -> dict[str, Any]:
    labels = [[one.row, one.column, one.color, replace_surrogates(one.text)] for one in grid.labels]
    png = base64.b64encode(grid.png).decode()
    return {"columns": grid.columns, "rows": grid.rows, "png": png, "labels": labels}


def deserialize_result(document: str, pictures: Sequence[bytes]) -> RunResult:
    """Return the result that `serialize_result` wrote, in this version or an earlier one."""
    # A figure whose file is missing is empty; the rest of the result can still be read.
    next_picture = partial(next, iter(pictures), b"")
    *outputs, ended = [_parse_output(fields, next_picture) for fields in json.loads(document)]
    assert isinstance(ended, RunEnded)
    return RunResult(tuple(outputs), ended)


def _parse_output(fields: dict[str, Any], next_picture: Callable[[], bytes]) -> Output:
    kind = fields.pop("kind")
    if kind != "figure":
        return _KINDS[kind](**fields)
    grids = tuple(map(_parse_grid, fields.pop("grids", ())))
    return _KINDS[kind](**fields, png=next_picture(), grids=grids)


def _parse_grid(fields: dict[str, Any]) -> GridPicture:
    labels = tuple(GridLabel(*label) for label in fields["labels"])
    png = base64.b64decode(fields["png"])
    return GridPicture(fields["columns"], fields["rows"], png, labels)


def format_size(size: float) -> str:
    """Return a size in bytes with a decimal unit, for the user."""
    power = 0
    while size >= 1000 and power < 3:
        size, power = size / 1000, power + 1
    return f"{size:.1f} {'_kMG'[power]}B" if power else f"{size:.0f} bytes"


MAX_TRACEBACK_LINES = 12
"""Last lines of a traceback that are sent to the model; they hold the error."""


MAX_FIX_NOTES = 5
"""Notes of a run that are sent to the model with its error; the hint comes first."""
MAX_FIX_NOTE_CHARS = 500


def build_fix_question(failure: Failure, notes: Sequence[Note] = ()) -> str:
    """Return the question that asks the model to fix a failed run.

    The notes name what the libraries of today call differently, which the model cannot know.
    """
    lines = failure.traceback.strip().split("\n")[-MAX_TRACEBACK_LINES:]
    last = f"{failure.name}: {failure.message}".strip()
    if last not in lines:
        lines.append(last)
    # Backticks in the error would close the fence early.
    text = replace_surrogates("\n".join(lines)).replace("`" * 3, "'" * 3)
    remarks = "".join(map(_format_remark, sorted(notes, key=_is_remark)[:MAX_FIX_NOTES]))
    return f"This code fails:\n\n```text\n{text}\n```\n\n{remarks}Please fix it."


def _is_remark(note: Note) -> bool:
    return not note.is_hint


def _format_remark(note: Note) -> str:
    # One line: the code may have written the note, and must not pass for the user.
    text = " ".join(replace_surrogates(note.text).split())[:MAX_FIX_NOTE_CHARS]
    return f"{'Hint' if note.is_hint else 'Note'}: {text}\n\n"
