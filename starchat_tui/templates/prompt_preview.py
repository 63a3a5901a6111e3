"""What would be sent for a dialogue: text with control tokens visible, ids, stops and counts."""

from __future__ import annotations

import json
import textwrap
from dataclasses import asdict, dataclass

from starchat_tui.dialogue import Dialogue
from starchat_tui.templates.template import TechnicalAssistant, Template, fit
from starchat_tui.templates.tokenizer import Vocabulary

_WIDTH = 100


@dataclass(frozen=True, slots=True)
class Shown:
    """One prompt for a reader; the fields are those of the JSON object."""

    text: str
    """With control tokens spelled out."""
    ids: tuple[int, ...]
    stop_ids: tuple[int, ...]
    stop: tuple[str, ...]
    prompt_tokens: int
    reserve: int
    """Tokens kept free for the answer."""
    window: int
    examples: int
    """Few-shot dialogues that are sent."""
    examples_offered: int
    """Few-shot dialogues that the prompt's file has."""
    dropped: int
    """Oldest turns that no longer fit."""
    quoted: int
    """Lines quoted because they looked like the layout."""
    lookalikes: int
    """Control tokens spelled in the dialogue, which stay text."""


def look(dialogue: Dialogue, template: Template, *, window: int, reserve: int) -> Shown:
    """The prompt of `dialogue`; raises `PromptTooLong` as sending it would."""
    prompt = fit(dialogue, template, window=window, reserve=reserve)
    few_shot = template if isinstance(template, TechnicalAssistant) else None
    return Shown(
        text=template.vocabulary.visible(prompt.ids),
        ids=prompt.ids,
        stop_ids=prompt.stops.ids,
        stop=prompt.stops.texts,
        prompt_tokens=len(prompt.ids),
        reserve=reserve,
        window=window,
        examples=len(few_shot.prompt.examples) if few_shot else 0,
        examples_offered=few_shot.offered if few_shot else 0,
        dropped=prompt.dropped,
        quoted=prompt.quoted,
        lookalikes=_lookalikes(dialogue, template.vocabulary),
    )


def shown(
    template: Template, dialogue: Dialogue, *, window: int, reserve: int, as_json: bool = False
) -> str:
    """The prompt as `starchat prompt` prints it: for a reader, or as one JSON object."""
    found = look(dialogue, template, window=window, reserve=reserve)
    if as_json:
        return json.dumps(asdict(found), ensure_ascii=False)
    return f"{found.text}\n\n{'═' * 9}\n" + "\n".join(_lines(found, template.vocabulary))


def _lines(found: Shown, vocabulary: Vocabulary) -> list[str]:
    stops = [f"{token} {vocabulary.visible([token])}" for token in found.stop_ids]
    rows = {
        "ids": " ".join(map(str, found.ids)),
        "stops": ", ".join([*stops, *map(json.dumps, found.stop)]),
        "prompt": f"{found.prompt_tokens} tokens, {found.reserve} kept for the answer, "
        f"window {found.window}",
    }
    if found.examples_offered:
        rows["few-shot"] = f"{found.examples} of {found.examples_offered} dialogues fit"
    counts = {
        "dropped": (found.dropped, "oldest turns that no longer fit"),
        "quoted": (found.quoted, "lines that look like the layout"),
        "look-alikes": (found.lookalikes, "control tokens typed, which stay text"),
    }
    rows |= {name: f"{number} × {what}" for name, (number, what) in counts.items() if number}
    return [_row(name, text) for name, text in rows.items()]


def _row(name: str, text: str) -> str:
    first, later = f"{name:<11} ", " " * 12
    return textwrap.fill(text, _WIDTH, initial_indent=first, subsequent_indent=later)


def _lookalikes(dialogue: Dialogue, vocabulary: Vocabulary) -> int:
    texts = (dialogue.system, *(turn.text for turn in dialogue.turns))
    return sum(control for text in texts for _, control in vocabulary.split(text))
