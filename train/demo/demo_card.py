"""The model card of a demo model, written from what its making recorded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from starchat_tui.dialogue import Mode
from train.demo.evaluation.generate import MOST
from train.demo.evaluation.statistics import duel
from train.demo.near_duplicates import RUN, THRESHOLD

SIDES = {
    "twenty": "twenty simple Python questions",
    "values": "known kinds of task, new names and numbers",
    "phrasing": "known kinds of task, phrasings never trained",
    "family": "kinds of task never trained",
}
KINDS = {
    "later turns": "turns 2 to 5, behind its own answers",
    "plots": "plots and maps",
    "data": "tables with pandas",
    "functions": "functions",
    "classes": "classes",
    "scripts": "short programs",
    "files": "files",
    "changes": "changes and tests",
    "bugs": "bugs to find",
    "explanations": "explanations and complexity",
    "concepts": "words, errors, differences",
    "languages": "shell, SQL, JavaScript, C",
    "drills": "copying drills",
    "talk": "small talk and what it does not know",
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
    hashes: Mapping[str, str]
    """SHA-256 of what was learned from and of the tokenizer, by their names."""
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
            "without a download. It answers simple programming questions in a narrow world and is "
            "often wrong outside of it. **Check what it writes.**",
            "",
            WHAT[mode],
            "",
            *_size(mode, facts),
            *_data(facts),
            *_scores(mode, facts),
            *_limits(),
        )
    )


def _size(mode: Mode, facts: Facts) -> list[str]:
    then = {
        "chat": "Fine-tune by `train.finetune` on the dialogues in ChatML, alone and several in a "
        "row, then in rows of the whole window, then with the families that came later",
        "ta": "Then more transcripts, the last steps in rows of the whole window",
    }
    return [
        "## Size and training",
        "",
        f"GPTBigCode with multi-query attention, {facts.parameters / 1e6:.2f}M parameters, "
        f"half precision, a window of {facts.window:,} tokens, trained at its full length.",
        "",
        f"- Pre-training on Python and transcripts: {_run(facts.pretrained)}.",
        f"- {then[mode]}: {_run(facts.progress[mode])}.",
        "- Made by the stages of `make nano` on a CPU, in bfloat16 where the CPU multiplies it.",
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
        *_made(facts.made),
        "Made twice from the same seed and the same packages, these are the same (SHA-256):",
        "",
        *(f"- {name}: `{digest}`" for name, digest in facts.hashes.items()),
        "",
    ]


def _made(made: Mapping[str, Any]) -> list[str]:
    lines = [
        f"Dialogues made by rule: {made['drawn']:,} drawn from {len(made['families'])} trained "
        f"families, {made['refused']:,} refused because an answer failed its check. The code of "
        "every other answer was run and gave the right results: Python, shell, SQL, JavaScript "
        "and C; plots were drawn and read from the figure.",
        "",
    ]
    if unchecked := made.get("unchecked"):
        told = ", ".join(f"{count:,} for want of {tool}" for tool, count in unchecked.items())
        lines += [f"Left out because this machine could not check them: {told}.", ""]
    if turns := made.get("turns"):
        longer = sum(count for number, count in turns.items() if number != "1")
        share = 100 * longer / sum(turns.values())
        lines += [f"{share:.0f} % of the trained dialogues have two to five turns.", ""]
    if near := made.get("near"):
        told = ", ".join(f"{count:,} ({side})" for side, count in near.items())
        lines += [
            f"Three sides are kept for the scores: new values, phrasings never trained, and "
            f"{made['held_out']} families never trained. Out of them went every conversation "
            f"whose first question is the same as a trained one but for case and punctuation, or "
            f"shares {THRESHOLD:.0%} of its runs of {RUN} words with one (Jaccard): {told}.",
            "",
        ]
    return lines


def _scores(mode: Mode, facts: Facts) -> list[str]:
    scores = facts.scores[mode]
    sides = [(title, scores[side]["all"]) for side, title in SIDES.items() if side in scores]
    known, unseen = scores.get("known", {}), scores.get("family", {})
    return [
        "## Scores",
        "",
        "Answers at temperature 0, through the program's own engine; right when their code runs "
        "and gives what the question asks for, and a plot when it shows exactly the data, labels "
        "and titles asked for. A later turn stands behind the model's own earlier answers. The "
        "intervals are Wilson's, of 95 %.",
        "",
        *_table("asked", sides),
        "By kind, of the known families, both sides together:",
        "",
        *_table("kind", [(KINDS[kind], known[kind]) for kind in KINDS if kind in known]),
        "By kind, of the families never trained:",
        "",
        *_table("kind", [(KINDS[kind], unseen[kind]) for kind in KINDS if kind in unseen]),
        *_ends(scores),
        *_duel(facts.scores),
    ]


def _table(head: str, rows: Sequence[tuple[str, Mapping[str, Any]]]) -> list[str]:
    lines = [f"| {head} | right | of | share | interval |", "|---|---:|---:|---:|---|"]
    for title, count in rows:
        low, high = count["interval"]
        told = f"{_percent(count['share'])} | {_percent(low)} to {_percent(high)}"
        lines.append(f"| {title} | {count['right']} | {count['asked']} | {told} |")
    return [*lines, ""]


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{100 * share:.1f} %"


def _ends(scores: Mapping[str, Any]) -> list[str]:
    """How many answers do not end as they should, over everything that was asked."""
    sides = [scores[side] for side in SIDES if side in scores]
    asked = sum(side["all"]["asked"] for side in sides)
    cut, ran_on = (sum(side[key]["right"] for side in sides) for key in ("cut off", "ran on"))
    return [
        f"Of {asked:,} answers, {cut:,} ran into the limit of {MOST} tokens and {ran_on:,} ran on "
        "into another turn.",
        "",
    ]


def _duel(scores: Mapping[Mode, Mapping[str, Any]]) -> list[str]:
    found = paired(scores["chat"], scores["ta"])
    if found is None or not found["won"]["asked"]:
        return []
    won = found["won"]
    low, high = won["interval"]
    return [
        f"The same {found['pairs']:,} questions to both models, nano-chat in `chat` mode and "
        f"nano-base behind the `ta` prompt: {won['asked']:,} pairs are decided, because one alone "
        f"is right, and nano-chat won {won['right']:,} of them, {_percent(won['share'])} "
        f"({_percent(low)} to {_percent(high)}).",
        "",
    ]


def paired(chat: Mapping[str, Any], base: Mapping[str, Any]) -> dict[str, Any] | None:
    """The two models' answers in pairs; None where the scores do not keep each mark."""
    return duel(chat["marks"], base["marks"]) if "marks" in chat and "marks" in base else None


def headline(scores: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """The counts that the repository's README tells of one model, by what was asked."""
    found = {title: scores[side]["all"] for side, title in SIDES.items() if side in scores}
    known = scores.get("known", {})
    kinds = [kind for kind in ("plots", "later turns") if kind in known]
    return found | {f"of the known kinds: {KINDS[kind]}": known[kind] for kind in kinds}


def readme_table(chat: Mapping[str, Any], base: Mapping[str, Any]) -> str:
    """The table of the repository's README."""
    theirs = headline(base)
    lines = ["| asked | `nano-chat`, fine-tuned | `nano-base`, few-shot prompt |", "|---|---|---|"]
    for title, ours in headline(chat).items():
        told = " | ".join(
            f"{count['right']} of {count['asked']}" for count in (ours, theirs[title])
        )
        lines.append(f"| {title} | {told} |")
    found = paired(chat, base)
    if found:
        won = found["won"]
        lost = won["asked"] - won["right"]
        lines.append(
            f"| pairs that one alone got right | {won['right']} of {won['asked']} "
            f"| {lost} of {won['asked']} |"
        )
    return "\n".join(lines)


def _limits() -> list[str]:
    return [
        "## Limits",
        "",
        "English only. It has learned a few hundred kinds of question by heart and copies names "
        "and numbers from what is asked; it does not reason, and it knows nothing of the world. "
        "Do not use it for anything but trying the program.",
        "",
    ]
