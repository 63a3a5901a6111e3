"""Scores of the demo models by execution.

Both models answer the same questions at temperature 0 through the product's engine. A follow-up
turn comes after the model's own earlier answers, as it would for a user. Answers are cached beside
the dialogues, so that an interrupted run continues where it stopped.
"""

from __future__ import annotations

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
from starchat_tui.errors import PromptTooLong
from starchat_tui.sanitize import sanitize_text
from starchat_tui.templates.prompt_files import read_prompt_text
from train.demo import sample_files
from train.demo.evaluation import generate
from train.demo.evaluation.check import check_answers
from train.demo.evaluation.generate import Answer, Answerer, run_engine
from train.demo.evaluation.statistics import Mark, build_table
from train.demo.tasks.family import Check, Exchange, Sample

ROOT = Path(__file__).parents[3]
TWENTY_FILE = Path(__file__).with_name("twenty.yaml")
MODEL_NAMES: dict[Mode, str] = {"chat": "nano-chat", "ta": "nano-base"}
PROGRESS_SECONDS = 20.0
"""Seconds between two lines of progress."""


@dataclass(frozen=True, slots=True)
class ScoredConversation:
    """One conversation to score, with its side of the split."""

    side: str
    sample: Sample

    @property
    def key(self) -> str:
        """Digest of the side and the questions."""
        asked = "\n".join(exchange.question for exchange in self.sample.exchanges)
        return hashlib.sha256(f"{self.side}\n{asked}".encode()).hexdigest()[:16]


class AnswerCache:
    """Answers of one model so far, in a file that is only appended to."""

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
        """Return the cached answers of a conversation, None if there are none."""
        return self._found.get(key)

    def put(self, key: str, answers: Sequence[Answer]) -> None:
        """Append the answers of a conversation."""
        if self._path:
            entry = {"key": key, "answers": [asdict(answer) for answer in answers]}
            with self._path.open("a") as file:
                file.write(json.dumps(entry) + "\n")


async def answer_conversation(answerer: Answerer, sample: Sample) -> list[Answer]:
    """Return the model's answers, each given its own earlier answers as context."""
    dialogue, answers = Dialogue(), list[Answer]()
    for exchange in sample.exchanges:
        dialogue = dialogue.with_message("user", exchange.question)
        try:
            answers.append(await answerer.answer(dialogue))
        except PromptTooLong:
            answers.append(Answer("", cut=False))
        dialogue = dialogue.with_message("assistant", answers[-1].text)
    return answers


async def answer_all(
    weights: Path, mode: Mode, conversations: Sequence[ScoredConversation], cache: AnswerCache
) -> list[list[Answer]]:
    """Return the answers to every conversation, with progress on stderr."""
    found: list[list[Answer]] = []
    began = reported = time.monotonic()
    async with run_engine() as client:
        answerer = Answerer(client, weights, mode)
        for number, conversation in enumerate(conversations, start=1):
            answers = cache.get(conversation.key)
            if answers is None:
                answers = await answer_conversation(answerer, conversation.sample)
                cache.put(conversation.key, answers)
            found.append(answers)
            if (now := time.monotonic()) - reported > PROGRESS_SECONDS or number == len(
                conversations
            ):
                reported = now
                done = f"{number} of {len(conversations)} conversations in {now - began:.0f} s"
                print(f"{MODEL_NAMES[mode]}: {done}", file=sys.stderr, flush=True)
    return found


def load_conversations(
    dialogues: Path | None, most: int, only: str = ""
) -> list[ScoredConversation]:
    """Return the twenty questions and at most `most` conversations of each held-out side.

    The sides take turns. `only` restricts them to a side or to families whose name contains it.
    """
    sides = (
        [_load_side(dialogues, side)[:most] for side in sample_files.SCORED_SIDES]
        if dialogues
        else []
    )
    longest = max(map(len, sides), default=0)
    mixed = [side[at] for at in range(longest) for side in sides if at < len(side)]
    every = [*load_twenty(), *mixed]
    return [c for c in every if only in c.sample.family or only == c.side]


def _load_side(dialogues: Path, side: str) -> list[ScoredConversation]:
    return [
        ScoredConversation(side, sample)
        for sample in sample_files.load_samples(dialogues / f"{side}.jsonl")
    ]


def mark_answers(
    conversations: Sequence[ScoredConversation], answers: Sequence[Sequence[Answer]]
) -> list[tuple[Mark, str, str]]:
    """Return for each question its mark, the answer's text, and what is wrong with it."""
    asked = [
        (conversation, turn, exchange, answer)
        for conversation, given in zip(conversations, answers, strict=True)
        for turn, (exchange, answer) in enumerate(
            zip(conversation.sample.exchanges, given, strict=True), start=1
        )
    ]
    verdicts = check_answers((answer.text, exchange.check) for _, _, exchange, answer in asked)
    return [
        (
            Mark(c.side, exchange.group, turn, not verdict, answer.cut, answer.runs_on),
            answer.text,
            verdict,
        )
        for (c, turn, exchange, answer), verdict in zip(asked, verdicts, strict=True)
    ]


def score_model(
    weights: Path,
    mode: Mode,
    dialogues: Path | None,
    most: int,
    *,
    only: str = "",
    show: bool = False,
) -> dict[str, Any]:
    """Return one model's table of scores for the held-out sides and the twenty questions."""
    conversations = load_conversations(dialogues, most, only)
    cache = AnswerCache(_answers_path(weights, mode, dialogues) if dialogues else None)
    answers = asyncio.run(answer_all(weights, mode, conversations, cache))
    found = mark_answers(conversations, answers)
    if show:
        _print_wrong_answers(conversations, found)
    return build_table([mark for mark, _, _ in found])


def _answers_path(weights: Path, mode: Mode, dialogues: Path) -> Path:
    """Return the path of the answer cache: one per model, mode and way of asking."""
    digest = _hash_bytes((weights / "model.safetensors").read_bytes())
    # A change of the prompt or of the code that asks invalidates the cached answers.
    asking = Path(generate.__file__).read_bytes()
    if mode == "ta":
        asking += read_prompt_text("ta").encode()
    return dialogues.parent / f"answers-{mode}-{digest}-{_hash_bytes(asking)}.jsonl"


def _hash_bytes(raw: bytes) -> str:
    return hashlib.sha256(raw).hexdigest()[:12]


def _print_wrong_answers(
    conversations: Iterable[ScoredConversation], found: Sequence[tuple[Mark, str, str]]
) -> None:
    asked = [(c, e) for c in conversations for e in c.sample.exchanges]
    for (conversation, exchange), (mark, text, verdict) in zip(asked, found, strict=True):
        if verdict or mark.side == "twenty":
            head = f"== {mark.side} {conversation.sample.family} turn {mark.turn}: {verdict}"
            print(sanitize_text(f"{head}\nQ: {exchange.question}\nA: {text}"), file=sys.stderr)


def load_twenty() -> list[ScoredConversation]:
    """Load the twenty simple questions, which were written by hand."""
    entries = yaml.safe_load(TWENTY_FILE.read_text())
    return [
        ScoredConversation("twenty", Sample("twenty", (_parse_entry(entry),))) for entry in entries
    ]


def _parse_entry(entry: dict[str, Any]) -> Exchange:
    probes = tuple((str(left), str(right)) for left, right in entry.get("probes", ()))
    check = Check(
        probes=probes, name=entry.get("name", ""), named="name" in entry, stdout=entry.get("stdout")
    )
    return Exchange(entry["question"], "", check, "twenty")
