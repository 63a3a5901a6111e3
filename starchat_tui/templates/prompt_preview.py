"""Preview of the prompt that a dialogue would send: its text, token ids, stops and counts."""

from __future__ import annotations

import json
import textwrap
from dataclasses import asdict, dataclass

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
        lookalikes=_count_lookalikes(dialogue, template.tokenizer),
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
    return f"{preview.text}\n\n{'═' * 9}\n" + "\n".join(_format_rows(preview, template.tokenizer))


def _format_rows(preview: PromptPreview, tokenizer: Tokenizer) -> list[str]:
    stops = [f"{token} {tokenizer.decode_with_controls([token])}" for token in preview.stop_ids]
    rows = {
        "ids": " ".join(map(str, preview.ids)),
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
    rows |= {name: f"{number} × {what}" for name, (number, what) in counts.items() if number}
    return [_format_row(name, text) for name, text in rows.items()]


def _format_row(name: str, text: str) -> str:
    return textwrap.fill(text, _WIDTH, initial_indent=f"{name:<11} ", subsequent_indent=" " * 12)


def _count_lookalikes(dialogue: Dialogue, tokenizer: Tokenizer) -> int:
    texts = (dialogue.system, *(turn.text for turn in dialogue.turns))
    return sum(control for text in texts for _, control in tokenizer.split_control_tokens(text))
