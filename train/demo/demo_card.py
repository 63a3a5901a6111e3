"""Model cards of the demo models, rendered from the facts that their build recorded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from starchat_tui.dialogue import Mode
from train.demo.evaluation.generate import MAX_ANSWER_TOKENS
from train.demo.evaluation.statistics import compare_pairs
from train.demo.near_duplicates import SHINGLE_WORDS, SIMILARITY_THRESHOLD

SIDE_TITLES = {
    "twenty": "twenty simple Python questions",
    "values": "known kinds of task, new names and numbers",
    "phrasing": "known kinds of task, new phrasings",
    "family": "new kinds of task",
}
FOLLOW_UPS_TITLE = "follow-up turns 2–5 (after its own answers)"
KIND_TITLES = {
    "later turns": FOLLOW_UPS_TITLE,
    "plots": "plots and maps",
    "data": "tables with pandas",
    "functions": "functions",
    "classes": "classes",
    "scripts": "short programs",
    "files": "files",
    "changes": "changes and tests",
    "bugs": "finding bugs",
    "explanations": "explanations and complexity",
    "concepts": "terms, errors, differences",
    "languages": "shell, SQL, JavaScript, C",
    "drills": "copying drills",
    "talk": "small talk and questions out of scope",
}
"""Titles of the kinds of task, by their keys in scores.json."""
INTRODUCTIONS: dict[Mode, str] = {
    "chat": "nano-chat is fine-tuned on ChatML dialogues (`chat` mode) from the pre-trained model "
    "that nano-base comes from. Only the assistant's words and its end token were learned.",
    "ta": "nano-base is pre-trained on Python and on plain-text transcripts of the dialogues that "
    "nano-chat is fine-tuned on, in the `Human:`/`Assistant:` layout of the technical-assistant "
    "prompt (`ta` mode). It saw no ChatML. The text of that prompt, as the package ships it, was "
    "among its training rows.",
}
COPY_HEADS = (
    "**Hand-written initial weights.** Five attention heads did not start at random. Before the "
    "first step, an induction circuit (Olsson et al., [In-context Learning and Induction Heads]"
    "(https://transformer-circuits.pub/2022/in-context-learning-and-induction-heads/), 2022) was "
    "written into the first two layers: heads 0 to 3 of layer 0 attend one to four tokens back, "
    "and head 0 of layer 1 looks for an earlier place where the last four tokens, or some of them, "
    "occurred and copies the token that followed. This sets these heads' queries and outputs, the "
    "shared keys and values of both layers, the position embeddings (sines and cosines) and a part "
    "of each token embedding; the other heads of layer 1 started without an output. All other "
    "weights started at random. Training then changed every weight, the position embeddings at a "
    "hundredth of AdamW's rate. Without the circuit, no copying had emerged after 2.7M tokens. The "
    "code is in `train/demo/copy_heads.py`."
)
"""Disclosure of the weights that `copy_heads` writes before training."""


@dataclass(frozen=True, slots=True)
class CardFacts:
    """Facts about both models, recorded by the stages of the pipeline."""

    corpus: Mapping[str, Mapping[str, int]]
    made: Mapping[str, Any]
    """Counts of the dialogues; `families` is the number of the trained ones."""
    scores: Mapping[Mode, Mapping[str, Any]]
    pretrained: Mapping[str, float]
    progress: Mapping[Mode, Mapping[str, float]]
    hashes: Mapping[str, str]
    """SHA-256 of each data set and of the tokenizer, by name."""
    parameters: int
    window: int


def render_card(mode: Mode, facts: CardFacts) -> str:
    """Return the card of one model as Markdown."""
    name = "nano-chat" if mode == "chat" else "nano-base"
    return "\n".join(
        (
            f"# {name}: a demo model",
            "",
            "A very small StarCoder trained on a CPU, for trying StarChat without a GPU and "
            "without a download. It answers simple programming questions in a narrow domain and "
            "is often wrong outside it. **Check its answers.**",
            "",
            INTRODUCTIONS[mode],
            "",
            *_render_training(mode, facts),
            *_render_data(facts),
            *_render_scores(mode, facts),
            *_render_limits(),
        )
    )


def _render_training(mode: Mode, facts: CardFacts) -> list[str]:
    second = {
        "chat": "Fine-tuning by `train.finetune` on the dialogues in ChatML, alone and several in "
        "a row, then in rows of the whole window, then with the fine-tune dialogues added",
        "ta": "Further training with more transcripts, the last steps in rows of the whole window",
    }
    return [
        "## Size and training",
        "",
        f"GPTBigCode with multi-query attention, {facts.parameters / 1e6:.2f}M parameters, "
        f"half precision, a window of {facts.window:,} tokens, trained at its full length.",
        "",
        f"- Pre-training on Python and transcripts: {_format_run(facts.pretrained)}.",
        f"- {second[mode]}: {_format_run(facts.progress[mode])}.",
        "- Built by `make nano` on a CPU, in bfloat16 where the CPU has instructions for it.",
        "",
        COPY_HEADS,
        "",
    ]


def _format_run(progress: Mapping[str, float]) -> str:
    minutes, millions = progress["seconds"] / 60, progress["tokens"] / 1e6
    steps = int(progress["steps"])
    return f"{millions:.1f}M tokens in {steps:,} steps and {minutes:.0f} minutes"


def _render_data(facts: CardFacts) -> list[str]:
    files, characters = facts.corpus["files"], facts.corpus["characters"]
    origins = ", ".join(
        f"{name} ({count})" for name, count in sorted(facts.corpus["origins"].items())
    )
    rows = [f"| {name} | {files[name]:,} | {characters[name]:,} |" for name in sorted(files)]
    return [
        "## Data",
        "",
        "Python files of the packages on the build machine, by the license in their metadata:",
        "",
        "| license | files | characters |",
        "|---|---:|---:|",
        *rows,
        "",
        f"Files by origin: {origins}.",
        "",
        *_render_dialogues(facts.made),
        "The same seed and the same packages give the same data and tokenizer (SHA-256):",
        "",
        *(f"- {name}: `{digest}`" for name, digest in facts.hashes.items()),
        "",
    ]


def _render_dialogues(made: Mapping[str, Any]) -> list[str]:
    lines = [
        f"Synthetic dialogues: {made['drawn']:,} drawn from {made['families']} trained families "
        f"of tasks, {made['refused']:,} rejected because an answer failed its check. The code of "
        "every other answer was run and gave the right results: Python, shell, SQL, JavaScript "
        "and C; plots were drawn and read back from the figure.",
        "",
    ]
    # Only a build machine without bash, node or gcc leaves something out.
    if unchecked := made.get("unchecked"):
        counts = ", ".join(f"{count:,} for lack of {tool}" for tool, count in unchecked.items())
        lines += [f"Left out because the build machine could not check them: {counts}.", ""]
    if turns := made.get("turns"):
        longer = sum(count for number, count in turns.items() if number != "1")
        share = 100 * longer / sum(turns.values())
        lines += [f"{share:.0f} % of the trained dialogues have two to five turns.", ""]
    if near := made.get("near"):
        counts = ", ".join(f"{count:,} ({side})" for side, count in near.items())
        lines += [
            "Three sides are held out for the scores: new values, new phrasings, and "
            f"{made['held_out']} families that were never trained. A conversation was removed from "
            "them if its first question equals a trained one except for case and punctuation, or "
            f"shares {SIMILARITY_THRESHOLD:.0%} of its runs of {SHINGLE_WORDS} words with one "
            f"(Jaccard): {counts}.",
            "",
        ]
    return lines


def _render_scores(mode: Mode, facts: CardFacts) -> list[str]:
    scores = facts.scores[mode]
    sides = [(title, scores[side]["all"]) for side, title in SIDE_TITLES.items() if side in scores]
    known, unseen = scores.get("known", {}), scores.get("family", {})
    return [
        "## Scores",
        "",
        "Answers at temperature 0 by the program's own engine. An answer is right if its code runs "
        "and gives what the question asks for; a plot, if it shows exactly the data, labels and "
        "titles asked for. Follow-up turns come after the model's own earlier answers. Intervals "
        "are Wilson intervals at 95 %.",
        "",
        *_render_table("questions", sides),
        "Known families by kind of task, new values and new phrasings together:",
        "",
        *_render_table(
            "kind of task",
            [(KIND_TITLES[kind], known[kind]) for kind in KIND_TITLES if kind in known],
        ),
        "Families that were never trained, by kind of task:",
        "",
        *_render_table(
            "kind of task",
            [(KIND_TITLES[kind], unseen[kind]) for kind in KIND_TITLES if kind in unseen],
        ),
        *_render_endings(scores),
        *_render_comparison(facts.scores),
    ]


def _render_table(head: str, rows: Sequence[tuple[str, Mapping[str, Any]]]) -> list[str]:
    lines = [f"| {head} | right | of | share | interval |", "|---|---:|---:|---:|---|"]
    for title, count in rows:
        low, high = count["interval"]
        share, interval = _format_percent(count["share"]), (low, high)
        bounds = " to ".join(map(_format_percent, interval))
        lines.append(f"| {title} | {count['right']} | {count['asked']} | {share} | {bounds} |")
    return [*lines, ""]


def _format_percent(share: float | None) -> str:
    return "–" if share is None else f"{100 * share:.1f} %"


def _render_endings(scores: Mapping[str, Any]) -> list[str]:
    """Render how many of all answers did not end properly."""
    sides = [scores[side] for side in SIDE_TITLES if side in scores]
    asked = sum(side["all"]["asked"] for side in sides)
    cut, ran_on = (sum(side[key]["right"] for side in sides) for key in ("cut off", "ran on"))
    return [
        f"Of {asked:,} answers, {cut:,} reached the limit of {MAX_ANSWER_TOKENS} tokens and "
        f"{ran_on:,} continued into another turn.",
        "",
    ]


def _render_comparison(scores: Mapping[Mode, Mapping[str, Any]]) -> list[str]:
    found = compare_models(scores["chat"], scores["ta"])
    if found is None or not found["won"]["asked"]:
        return []
    won = found["won"]
    low, high = won["interval"]
    return [
        f"Both models answered the same {found['pairs']:,} questions, nano-chat in `chat` mode and "
        f"nano-base after the `ta` prompt. {won['asked']:,} of them only one model got right: "
        f"nano-chat {won['right']:,} of these, {_format_percent(won['share'])} "
        f"({_format_percent(low)} to {_format_percent(high)}).",
        "",
    ]


def compare_models(chat: Mapping[str, Any], base: Mapping[str, Any]) -> dict[str, Any] | None:
    """Compare the two models' answers in pairs; None if the scores lack individual marks."""
    return (
        compare_pairs(chat["marks"], base["marks"]) if "marks" in chat and "marks" in base else None
    )


def select_headline(scores: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """Return the scores of one model that the documentation quotes, by title."""
    found = {title: scores[side]["all"] for side, title in SIDE_TITLES.items() if side in scores}
    known = scores.get("known", {})
    kinds = [kind for kind in ("plots", "later turns") if kind in known]
    return found | {f"known kinds, {KIND_TITLES[kind]}": known[kind] for kind in kinds}


def render_readme_table(chat: Mapping[str, Any], base: Mapping[str, Any]) -> str:
    """Return the table of scores in the documentation."""
    theirs = select_headline(base)
    lines = [
        "| questions | `nano-chat`, fine-tuned | `nano-base`, few-shot prompt |",
        "|---|---|---|",
    ]
    for title, ours in select_headline(chat).items():
        counts = (f"{count['right']} of {count['asked']}" for count in (ours, theirs[title]))
        lines.append(f"| {title} | {' | '.join(counts)} |")
    found = compare_models(chat, base)
    if found:
        won = found["won"]
        lost = won["asked"] - won["right"]
        lines.append(
            f"| questions that only one model got right | {won['right']} of {won['asked']} "
            f"| {lost} of {won['asked']} |"
        )
    return "\n".join(lines)


def _render_limits() -> list[str]:
    return [
        "## Limits",
        "",
        "English only. It has memorized a few hundred kinds of question and copies names and "
        "numbers from the question; it does not reason and has no knowledge of the world. Use it "
        "for trying the program and for nothing else.",
        "",
    ]
