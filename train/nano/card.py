"""The model card of a demo model, written from what its making recorded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from starchat_tui.dialogue import Mode

SIDES = {
    "values": "known families, new names and numbers",
    "phrasing": "known families, phrasings never trained",
    "family": "families never trained",
    "twenty": "twenty simple questions",
}
WHAT: dict[Mode, str] = {
    "chat": "nano-chat is fine-tuned on ChatML dialogues (`chat` mode) from the pre-trained model "
    "that nano-base comes from: only the assistant's words and its end token were learned.",
    "ta": "nano-base is pre-trained on Python and on plain-text transcripts; it continues the "
    "technical-assistant prompt (`ta` mode) and never saw a chat. The text of that prompt, as the "
    "package ships it, was among its training rows.",
}


@dataclass(frozen=True, slots=True)
class Facts:
    """What the stages recorded."""

    corpus: Mapping[str, Mapping[str, int]]
    made: Mapping[str, Any]
    scores: Mapping[Mode, Mapping[str, Any]]
    pretrained: Mapping[str, float]
    progress: Mapping[Mode, Mapping[str, float]]
    parameters: int
    window: int


def text(mode: Mode, facts: Facts) -> str:
    """The card in Markdown."""
    name = "nano-chat" if mode == "chat" else "nano-base"
    return "\n".join(
        (
            f"# {name}: a demo model",
            "",
            "A very small StarCoder made on a CPU, so that StarChat can be tried without a GPU and "
            "without a download. It answers simple Python questions in a narrow world and is often "
            "wrong outside of it. **Check what it writes.**",
            "",
            WHAT[mode],
            "",
            *_size(mode, facts),
            *_data(facts),
            *_scores(facts.scores[mode]),
            *_limits(),
        )
    )


def _size(mode: Mode, facts: Facts) -> list[str]:
    then = {
        "chat": "Fine-tune on the dialogues in ChatML, several in one conversation",
        "ta": "Then more transcripts, half of the steps in rows of the whole window",
    }
    return [
        "## Size and training",
        "",
        f"GPTBigCode with multi-query attention, {facts.parameters / 1e6:.2f}M parameters, "
        f"half precision, a window of {facts.window:,} tokens, trained at its full length.",
        "",
        f"- Pre-training on Python and transcripts: {_run(facts.pretrained)}.",
        f"- {then[mode]}: {_run(facts.progress[mode])}.",
        "- Made by the stages of `make nano`, on one CPU core, in single precision.",
        "",
    ]


def _run(progress: Mapping[str, float]) -> str:
    minutes, millions = progress["seconds"] / 60, progress["tokens"] / 1e6
    steps = int(progress["steps"])
    return f"{millions:.1f}M tokens in {steps:,} steps and {minutes:.0f} minutes"


def _data(facts: Facts) -> list[str]:
    files, characters = facts.corpus["files"], facts.corpus["characters"]
    origins = ", ".join(
        f"{name} ({count})" for name, count in sorted(facts.corpus["origins"].items())
    )
    rows = [f"| {name} | {files[name]:,} | {characters[name]:,} |" for name in sorted(files)]
    made = facts.made
    return [
        "## Data",
        "",
        "Python files of the machine it was made on, by the licence their metadata names:",
        "",
        "| licence | files | characters |",
        "|---|---:|---:|",
        *rows,
        "",
        f"Files by origin: {origins}.",
        "",
        f"Dialogues made by rule: {made['drawn']:,} drawn from {len(made['families'])} trained "
        f"families, {made['refused']:,} refused because an answer failed its check. The code of "
        "every other answer was run and gave the right results; plots were drawn, "
        "and their values, labels and titles read from the figure.",
        "",
    ]


def _scores(scores: Mapping[str, Any]) -> list[str]:
    lines = [
        "## Scores",
        "",
        "Answers at temperature 0, right when their code runs and gives what the question asks for "
        "(Wilson intervals of 95 %). A follow-up stands behind the reference answers of the turns "
        "before it.",
        "",
        "| asked | group | right | of | share | interval |",
        "|---|---|---:|---:|---:|---|",
    ]
    for side, title in SIDES.items():
        for group, counted in scores.get(side, {}).items():
            low, high = counted["interval"]
            lines.append(
                f"| {title} | {group} | {counted['right']} | {counted['asked']} "
                f"| {counted['share']} | {low} to {high} |"
            )
    return [*lines, "", "*cut off*: answers that ran into the limit of 320 tokens.", ""]


def _limits() -> list[str]:
    return [
        "## Limits",
        "",
        "English only. It has learned a few hundred kinds of question by heart and copies names "
        "and numbers from what is asked; it does not reason, and it knows nothing of the world. "
        "Do not use it for anything but trying the program.",
        "",
    ]
