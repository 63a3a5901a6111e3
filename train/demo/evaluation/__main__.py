"""Scores by execution: `python -m train.demo.evaluation [WEIGHTS] --dialogues FOLDER [--out FILE]`.

Both models answer the same questions at temperature 0 through the product's engine. A later turn
stands behind the model's own earlier answers, as it would for a user. Answers are kept beside the
dialogues, so that a run that was interrupted goes on where it stopped.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import yaml

from starchat_tui.dialogue import Dialogue, Mode
from starchat_tui.errors import PromptTooLong, StarChatError
from starchat_tui.sanitize import clean
from starchat_tui.templates.prompt_files import text_of
from train.demo import demo_card, synthesize
from train.demo.evaluation import generate
from train.demo.evaluation.check import check_all
from train.demo.evaluation.generate import Answer, Answerer, engine
from train.demo.evaluation.statistics import Mark, table
from train.demo.tasks.family import Check, Exchange, Sample

ROOT = Path(__file__).parents[3]
TWENTY = Path(__file__).with_name("twenty.yaml")
MODES: dict[Mode, str] = {"chat": "nano-chat", "ta": "nano-base"}
TOLD_EVERY = 20.0
"""Seconds between two lines of progress."""


@dataclass(frozen=True, slots=True)
class Conversation:
    """One scored conversation: its side of the split, and what is asked in it."""

    side: str
    sample: Sample

    @property
    def key(self) -> str:
        """The same for the same questions."""
        asked = "\n".join(exchange.question for exchange in self.sample.exchanges)
        return hashlib.sha256(f"{self.side}\n{asked}".encode()).hexdigest()[:16]


class Kept:
    """The answers of one model so far, in a file that is only appended to."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._found: dict[str, list[Answer]] = {}
        lines = path.read_text().splitlines() if path and path.exists() else []
        for line in lines:
            try:
                entry = json.loads(line)
            except json.JSONDecodeError:  # the last line of a run that was killed
                continue
            self._found[entry["key"]] = [Answer(**answer) for answer in entry["answers"]]

    def get(self, key: str) -> list[Answer] | None:
        """The answers of a conversation that was held before."""
        return self._found.get(key)

    def put(self, key: str, answers: Sequence[Answer]) -> None:
        """Keep the answers of a conversation."""
        if self._path:
            entry = {"key": key, "answers": [asdict(answer) for answer in answers]}
            with self._path.open("a") as file:
                file.write(json.dumps(entry) + "\n")


async def held(answerer: Answerer, sample: Sample) -> list[Answer]:
    """The model's answers to a conversation's questions, each behind its own earlier answers."""
    dialogue, answers = Dialogue(), list[Answer]()
    for exchange in sample.exchanges:
        dialogue = dialogue.plus("user", exchange.question)
        try:
            answers.append(await answerer.answer(dialogue))
        except PromptTooLong:
            answers.append(Answer("", cut=False))
        dialogue = dialogue.plus("assistant", answers[-1].text)
    return answers


async def answered(
    weights: Path, mode: Mode, conversations: Sequence[Conversation], kept: Kept
) -> list[list[Answer]]:
    """The answers to every conversation; tells on stderr how far it is."""
    found: list[list[Answer]] = []
    began = told = time.monotonic()
    async with engine() as client:
        answerer = Answerer(client, weights, mode)
        for number, conversation in enumerate(conversations, start=1):
            answers = kept.get(conversation.key)
            if answers is None:
                answers = await held(answerer, conversation.sample)
                kept.put(conversation.key, answers)
            found.append(answers)
            if (now := time.monotonic()) - told > TOLD_EVERY or number == len(conversations):
                told = now
                done = f"{number} of {len(conversations)} conversations in {now - began:.0f} s"
                print(f"{MODES[mode]}: {done}", file=sys.stderr, flush=True)
    return found


def conversations_of(dialogues: Path | None, most: int, only: str = "") -> list[Conversation]:
    """At most `most` conversations of each held-out side, side by side, and the twenty questions.

    `only` is a part of a family's name, or a side.
    """
    sides = [_side(dialogues, side)[:most] for side in synthesize.SCORED] if dialogues else []
    longest = max(map(len, sides), default=0)
    mixed = [side[at] for at in range(longest) for side in sides if at < len(side)]
    every = [*twenty(), *mixed]
    return [c for c in every if only in c.sample.family or only == c.side]


def _side(dialogues: Path, side: str) -> list[Conversation]:
    return [Conversation(side, sample) for sample in synthesize.load(dialogues / f"{side}.jsonl")]


def marked(
    conversations: Sequence[Conversation], answers: Sequence[Sequence[Answer]]
) -> list[tuple[Mark, str, str]]:
    """For each question: its mark, the answer's text, and what is wrong with it."""
    asked = [
        (conversation, turn, exchange, answer)
        for conversation, said in zip(conversations, answers, strict=True)
        for turn, (exchange, answer) in enumerate(
            zip(conversation.sample.exchanges, said, strict=True), start=1
        )
    ]
    verdicts = check_all((answer.text, exchange.check) for _, _, exchange, answer in asked)
    return [
        (
            Mark(c.side, exchange.group, turn, not verdict, answer.cut, answer.ran_on),
            answer.text,
            verdict,
        )
        for (c, turn, exchange, answer), verdict in zip(asked, verdicts, strict=True)
    ]


def scores(
    weights: Path,
    mode: Mode,
    dialogues: Path | None,
    most: int,
    *,
    only: str = "",
    show: bool = False,
) -> dict[str, Any]:
    """One model's table: the three held-out sides and the twenty questions."""
    conversations = conversations_of(dialogues, most, only)
    kept = Kept(_answers_file(weights, mode, dialogues) if dialogues else None)
    answers = asyncio.run(answered(weights, mode, conversations, kept))
    found = marked(conversations, answers)
    if show:
        _show(conversations, found)
    return table([mark for mark, _, _ in found])


def _answers_file(weights: Path, mode: Mode, dialogues: Path) -> Path:
    """Another model, another way of asking it, another file."""
    digest = _digest((weights / "model.safetensors").read_bytes())
    asking = Path(generate.__file__).read_bytes()
    if mode == "ta":
        asking += text_of("ta").encode()
    return dialogues.parent / f"answers-{mode}-{digest}-{_digest(asking)}.jsonl"


def _digest(raw: bytes) -> str:
    return hashlib.sha256(raw).hexdigest()[:12]


def _show(conversations: Iterable[Conversation], found: Sequence[tuple[Mark, str, str]]) -> None:
    asked = [(c, e) for c in conversations for e in c.sample.exchanges]
    for (conversation, exchange), (mark, text, verdict) in zip(asked, found, strict=True):
        if verdict or mark.side == "twenty":
            head = f"== {mark.side} {conversation.sample.family} turn {mark.turn}: {verdict}"
            print(clean(f"{head}\nQ: {exchange.question}\nA: {text}"), file=sys.stderr)


def twenty() -> list[Conversation]:
    """The twenty simple questions in our own words."""
    entries = yaml.safe_load(TWENTY.read_text())
    return [Conversation("twenty", Sample("twenty", (_entry(entry),))) for entry in entries]


def _entry(entry: dict[str, Any]) -> Exchange:
    probes = tuple((str(left), str(right)) for left, right in entry.get("probes", ()))
    check = Check(
        probes=probes, name=entry.get("name", ""), named="name" in entry, stdout=entry.get("stdout")
    )
    return Exchange(entry["question"], "", check, "twenty")


def main() -> None:
    """Score both models in their modes and print one JSON document."""
    parser = argparse.ArgumentParser(prog="python -m train.demo.evaluation", description=__doc__)
    parser.add_argument("weights", type=Path, nargs="?", default=ROOT / "starchat_tui" / "weights")
    parser.add_argument("--dialogues", type=Path, help="the folder of the dialogues stage")
    parser.add_argument("--asked", type=int, default=120, help="conversations of a side at most")
    parser.add_argument("--only", default="", help="a side, or a part of a family's name")
    parser.add_argument("--mode", choices=tuple(MODES), action="append")
    parser.add_argument("--show", action="store_true", help="print wrong answers on stderr")
    parser.add_argument("--table", action="store_true", help="print the README's and ask nothing")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    if options.table:
        told = [options.weights / name / "scores.json" for name in MODES.values()]
        print(demo_card.readme_table(*(json.loads(path.read_text()) for path in told)))
        return
    modes: list[Mode] = options.mode or list(MODES)
    try:
        result = {
            mode: scores(
                options.weights / MODES[mode],
                mode,
                options.dialogues,
                options.asked,
                only=options.only,
                show=options.show,
            )
            for mode in modes
        }
    except (StarChatError, OSError) as error:
        sys.exit(f"error: {error}")
    text = json.dumps(result, indent=1)
    if options.out:
        options.out.write_text(text + "\n")
    print(text)


if __name__ == "__main__":
    main()
