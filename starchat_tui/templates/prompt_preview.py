"""Preview of the prompt that a dialogue would send: its text, token ids, stops and counts."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import groupby
from typing import Literal

from starchat_tui.dialogue import Dialogue
from starchat_tui.templates.context_window import fit_prompt
from starchat_tui.templates.few_shot import FewShotTemplate
from starchat_tui.templates.template import Template
from starchat_tui.templates.tokenizer import Tokenizer

_WIDTH = 100


@dataclass(frozen=True, slots=True)
class PromptPreview:
    """A prompt for display; its fields are the keys of `starchat prompt --json`."""

    text: str
    """Text with the names of control tokens."""
    ids: tuple[int, ...]
    stop_ids: tuple[int, ...]
    stop: tuple[str, ...]
    prompt_tokens: int
    reserve: int
    """Tokens reserved for the answer."""
    window: int
    examples: int
    """Number of few-shot examples in the prompt."""
    examples_offered: int
    """Number of few-shot examples in the prompt file."""
    dropped: int
    """Number of oldest turns that no longer fit."""
    quoted: int
    """Number of lines that are quoted because they look like part of the format."""
    lookalikes: int
    """Number of control tokens spelled in the dialogue, which stay text."""


@dataclass(frozen=True, slots=True)
class PromptPart:
    """A run of text, one control token, text that is spelled like one, or the id of one."""

    kind: Literal["text", "control", "lookalike", "control_id"]
    text: str

    @property
    def marked(self) -> str:
        """Text in which all that is spelled like a control token is one."""
        if self.kind == "lookalike":
            return f"{self.text[:1]}\\{self.text[1:]}"
        return f"[{self.text}]" if self.kind == "control_id" else self.text


@dataclass(frozen=True, slots=True)
class PromptView:
    """A prompt for a reader."""

    preview: PromptPreview
    parts: tuple[PromptPart, ...]
    id_parts: tuple[PromptPart, ...]
    """Token ids in place of the text."""
    rows: Mapping[str, str]
    """Stops and counts by their names."""

    def format_text(self) -> str:
        """Return the marked text and the rows below it."""
        text = "".join(part.marked for part in self.parts)
        return _join_rows(text, [_format_row(*row) for row in self.rows.items()])


def split_prompt(ids: Sequence[int], tokenizer: Tokenizer) -> Iterator[PromptPart]:
    """Yield the parts of a prompt in order."""
    for is_control, run in groupby(ids, tokenizer.is_control):
        if is_control:
            for token_id in run:
                yield PromptPart("control", tokenizer.decode_with_controls([token_id]))
        else:
            for text, is_name in tokenizer.split_control_tokens(tokenizer.decode(run)):
                yield PromptPart("lookalike" if is_name else "text", text)


def split_ids(ids: Sequence[int], tokenizer: Tokenizer) -> Iterator[PromptPart]:
    """Yield the ids of a prompt in order, those of text joined."""
    for is_control, run in groupby(ids, tokenizer.is_control):
        if is_control:
            yield from (PromptPart("control_id", str(token_id)) for token_id in run)
        else:
            yield PromptPart("text", " ".join(map(str, run)))


def view_prompt(dialogue: Dialogue, template: Template, *, window: int, reserve: int) -> PromptView:
    """Return a dialogue's prompt for a reader; raise `PromptTooLong` as sending it would."""
    preview = preview_prompt(dialogue, template, window=window, reserve=reserve)
    tokenizer = template.tokenizer
    return PromptView(
        preview,
        parts=tuple(split_prompt(preview.ids, tokenizer)),
        id_parts=tuple(split_ids(preview.ids, tokenizer)),
        rows=_describe_prompt(preview, tokenizer),
    )


def preview_prompt(
    dialogue: Dialogue, template: Template, *, window: int, reserve: int
) -> PromptPreview:
    """Return the preview of a dialogue's prompt; raise `PromptTooLong` as sending it would."""
    prompt = fit_prompt(dialogue, template, window=window, reserve=reserve)
    few_shot = template if isinstance(template, FewShotTemplate) else None
    return PromptPreview(
        text=template.tokenizer.decode_with_controls(prompt.ids),
        ids=prompt.ids,
        stop_ids=prompt.stops.ids,
        stop=prompt.stops.texts,
        prompt_tokens=len(prompt.ids),
        reserve=reserve,
        window=window,
        examples=len(few_shot.prompt.examples) if few_shot else 0,
        examples_offered=few_shot.total_examples if few_shot else 0,
        dropped=prompt.dropped_turns,
        quoted=prompt.quoted_lines,
        lookalikes=sum(
            part.kind == "lookalike" for part in split_prompt(prompt.ids, template.tokenizer)
        ),
    )


def format_preview(
    template: Template, dialogue: Dialogue, *, window: int, reserve: int, as_json: bool = False
) -> str:
    """Format a preview as `starchat prompt` prints it: as text, or as one JSON object.

    Args:
        template: The format of the dialogue.
        dialogue: The dialogue, with the question last.
        window: Context length in tokens.
        reserve: Tokens reserved for the answer.
        as_json: Whether to return JSON.
    """
    preview = preview_prompt(dialogue, template, window=window, reserve=reserve)
    if as_json:
        return json.dumps(asdict(preview), ensure_ascii=False)
    ids = {"ids": " ".join(map(str, preview.ids))}
    rows = ids | _describe_prompt(preview, template.tokenizer)
    return _join_rows(preview.text, [_format_row(*row) for row in rows.items()])


def _join_rows(text: str, rows: Sequence[str]) -> str:
    return f"{text}\n\n{'═' * 9}\n" + "\n".join(rows)


def _describe_prompt(preview: PromptPreview, tokenizer: Tokenizer) -> dict[str, str]:
    stops = [f"{token} {tokenizer.decode_with_controls([token])}" for token in preview.stop_ids]
    rows = {
        "stops": ", ".join([*stops, *map(json.dumps, preview.stop)]),
        "prompt": f"{preview.prompt_tokens} tokens, {preview.reserve} reserved for the answer, "
        f"window {preview.window}",
    }
    if preview.examples_offered:
        rows["few-shot"] = f"{preview.examples} of {preview.examples_offered} examples fit"
    counts = {
        "dropped": (preview.dropped, "oldest turns that no longer fit"),
        "quoted": (preview.quoted, "lines that look like the format"),
        "look-alikes": (preview.lookalikes, "control tokens in the text, which stay text"),
    }
    return rows | {name: f"{number} × {what}" for name, (number, what) in counts.items() if number}


def _format_row(name: str, text: str) -> str:
    return textwrap.fill(text, _WIDTH, initial_indent=f"{name:<11} ", subsequent_indent=" " * 12)
