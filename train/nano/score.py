"""Scores by execution: `python -m train.nano.score [WEIGHTS] [--out FILE]`."""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import yaml

from starchat_tui.dialogue import Dialogue, Mode
from train.nano import making
from train.nano.answering import Answer, Answerer
from train.nano.checking import check_all
from train.nano.dialogues.family import Check, Exchange, Sample

ROOT = Path(__file__).parents[2]
TWENTY = Path(__file__).with_name("twenty.yaml")
MODES: dict[Mode, str] = {"chat": "nano-chat", "ta": "nano-base"}
Z = 1.96
"""Of the normal distribution, for intervals of 95 %."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One scored question: the dialogue that ends with it, and how its answer is checked."""

    dialogue: Dialogue
    exchange: Exchange
    family: str


def asked_of(samples: Iterable[Sample]) -> list[Asked]:
    """Every question of every sample, behind the reference answers of the turns before."""
    found: list[Asked] = []
    for sample in samples:
        dialogue = Dialogue()
        for exchange in sample.exchanges:
            dialogue = dialogue.plus("user", exchange.question)
            found.append(Asked(dialogue, exchange, sample.family))
            dialogue = dialogue.plus("assistant", exchange.answer)
    return found


def wilson(right: int, count: int) -> tuple[float, float]:
    """The 95 % interval of a share, after Wilson."""
    if not count:
        return 0.0, 1.0
    share, square = right / count, Z * Z
    middle = (share + square / (2 * count)) / (1 + square / count)
    half = (
        Z
        * math.sqrt(share * (1 - share) / count + square / (4 * count * count))
        / (1 + square / count)
    )
    return max(0.0, middle - half), min(1.0, middle + half)


def counted(marks: Sequence[bool]) -> dict[str, Any]:
    """Right, asked, share and interval."""
    low, high = wilson(sum(marks), len(marks))
    share = round(sum(marks) / len(marks), 3) if marks else None
    return {
        "right": sum(marks),
        "asked": len(marks),
        "share": share,
        "interval": [round(low, 3), round(high, 3)],
    }


def score(
    answerer: Answerer, asked: Sequence[Asked]
) -> tuple[dict[str, Any], list[tuple[Asked, Answer, str]]]:
    """Counts by group and over all, with each answer and its verdict."""
    answers = answerer.answers([a.dialogue for a in asked])
    verdicts = check_all(
        (answer.text, a.exchange.check) for a, answer in zip(asked, answers, strict=True)
    )
    groups: dict[str, list[bool]] = defaultdict(list)
    for a, verdict in zip(asked, verdicts, strict=True):
        groups[a.exchange.group].append(not verdict)
        groups["all"].append(not verdict)
    table = {group: counted(marks) for group, marks in sorted(groups.items())}
    table["cut off"] = counted([answer.cut for answer in answers])
    return table, list(zip(asked, answers, verdicts, strict=True))


def twenty() -> list[Asked]:
    """The twenty simple questions in our own words."""
    entries = yaml.safe_load(TWENTY.read_text())
    return [_entry(entry) for entry in entries]


def _entry(entry: dict[str, Any]) -> Asked:
    probes = tuple((str(left), str(right)) for left, right in entry.get("probes", ()))
    check = Check(
        probes=probes, name=entry.get("name", ""), named="name" in entry, stdout=entry.get("stdout")
    )
    return Asked(
        Dialogue().plus("user", entry["question"]),
        Exchange(entry["question"], "", check, "twenty"),
        "twenty",
    )


def main() -> None:
    """Score both models in their modes and print one JSON document."""
    parser = argparse.ArgumentParser(prog="python -m train.nano.score", description=__doc__)
    parser.add_argument("weights", type=Path, nargs="?", default=ROOT / "starchat_tui" / "weights")
    parser.add_argument("--dialogues", type=Path, help="the folder of the dialogues stage")
    parser.add_argument("--most", type=int, default=600, help="samples of each side at most")
    parser.add_argument("--mode", choices=tuple(MODES), action="append")
    parser.add_argument("--show", action="store_true", help="print wrong answers on stderr")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(1)
    modes: list[Mode] = options.mode or list(MODES)
    result = {
        mode: scores(
            options.weights / MODES[mode], mode, options.dialogues, options.most, show=options.show
        )
        for mode in modes
    }
    text = json.dumps(result, indent=1)
    if options.out:
        options.out.write_text(text + "\n")
    print(text)


def scores(
    weights: Path, mode: Mode, dialogues: Path | None, most: int, *, show: bool = False
) -> dict[str, Any]:
    """One model's table: the three held-out sides and the twenty questions."""
    answerer = Answerer(weights, mode)
    sides = (
        {
            side: asked_of(making.load(dialogues / f"{side}.jsonl")[:most])
            for side in making.SIDES[1:]
        }
        if dialogues
        else {}
    )
    result: dict[str, Any] = {}
    for side, asked in {**sides, "twenty": twenty()}.items():
        result[side], answered = score(answerer, asked)
        for a, answer, verdict in answered if show else ():
            if verdict or side == "twenty":
                print(
                    f"== {side} {a.family}: {verdict}\nQ: {a.exchange.question}\nA: {answer.text}",
                    file=sys.stderr,
                )
    return result


if __name__ == "__main__":
    main()
