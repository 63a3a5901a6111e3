"""The three plots of the StarChat story: `python -m train.demo.evaluation.blog_plots [WEIGHTS] --out FOLDER`.

The prompts are those of the StarChat article of May 2023, word for word; they were never trained.
Each is asked as a user would type it, the code of the answer is run, and what it shows is kept as
PNG. Source: https://huggingface.co/blog/starchat-alpha, "Generating plots".
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from starchat_tui.dialogue import Dialogue
from starchat_tui.errors import StarChatError
from starchat_tui.sanitize import clean
from train.demo.evaluation.check import check_all, code_of
from train.demo.evaluation.generate import Answer, Answerer, engine
from train.demo.tasks.family import Check

WEIGHTS = Path(__file__).parents[3] / "starchat_tui" / "weights" / "nano-chat"
NAMES = ["Tom", "Brad", "Kyle", "Jerry"]
SAVING = """
import matplotlib.pyplot as plt

def show(*args, _show=plt.show, **settings):
    for number in plt.get_fignums():
        figure = plt.figure(number)
        figure.savefig("{path}".format(number), bbox_inches="tight", dpi=80)
    _show()

plt.show = show
"""


@dataclass(frozen=True, slots=True)
class Story:
    """One prompt, and the axes that it asks for, as `pictures.verdict` reads them."""

    name: str
    prompt: str
    wanted: tuple[dict[str, Any], ...]


STORIES = (
    Story(
        "bars",
        "Give the following data {'Name':['Tom', 'Brad', 'Kyle', 'Jerry'], 'Age':[20, 21, 19, 18], "
        "'Height' : [6.1, 5.9, 6.0, 6.1]}. Can you plot one graph with two subplots as columns. "
        "The first is a bar graph showing the height of each person. The second is a bargraph "
        "showing the age of each person? Draw the graph in seaborn talk mode.",
        (
            {"kind": "bar", "labels": NAMES, "series": [[6.1, 5.9, 6.0, 6.1]]},
            {"kind": "bar", "labels": NAMES, "series": [[20, 21, 19, 18]]},
        ),
    ),
    Story(
        "map",
        "Draw me a map of the world using geopandas. Make it so that only Germany and Spain are "
        "colored red.",
        ({"kind": "map", "colors": {"#ff0000": ["Germany", "Spain"]}},),
    ),
    Story(
        "basketball",
        "There was a basketball game with the following stats. player, points, rebounds and "
        "assists: J. Harden 42 8 9 J. Embiid 34 13 4 T. Maxey 14 8 1 T. Harris 9 7 2 P. Tucker 6 3 "
        "1. Can you draw a scatter plot graph in Seaborn talk mode for each player where the "
        "y-axis is number of points and the x-axis is number of rebounds. Make sure the marker is "
        "'o'. Put the name of the player over each point. The title should be \"Sixers Players\".",
        (
            {
                "kind": "scatter",
                "x": [8, 13, 8, 7, 3],
                "y": [42, 34, 14, 9, 6],
                "names": ["J. Harden", "J. Embiid", "T. Maxey", "T. Harris", "P. Tucker"],
                "title": "Sixers Players",
            },
        ),
    ),
)


@dataclass(frozen=True, slots=True)
class Told:
    """What came of a prompt."""

    story: Story
    answer: Answer
    runs: str
    """"" where the code ran to its end, else what stopped it."""
    draws: str
    """"" where it shows what was asked for, else the first thing that differs."""
    pictures: tuple[Path, ...]


async def asked(weights: Path) -> list[Answer]:
    """The answer to each prompt, each in a conversation of its own."""
    async with engine() as client:
        answerer = Answerer(client, weights, "chat")
        return [
            await answerer.answer(Dialogue().plus("user", story.prompt), most=512)
            for story in STORIES
        ]


def told(answers: list[Answer], folder: Path) -> list[Told]:
    """Run the answers' code and put what it shows into `folder`, as NAME-1.png and so on."""
    runs = [_running(story.name, folder) for story in STORIES]
    draws = [Check(drawn=json.dumps(story.wanted)) for story in STORIES]
    texts = [answer.text for answer in answers]
    ran = check_all(zip(texts, runs, strict=True))
    drew = check_all(zip(texts, draws, strict=True))
    return [
        Told(story, answer, run, drawn, tuple(sorted(folder.glob(f"{story.name}-*.png"))))
        for story, answer, run, drawn in zip(STORIES, answers, ran, drew, strict=True)
    ]


def _running(name: str, folder: Path) -> Check:
    """That code runs at all; the probe is true wherever the code came to its end."""
    path = str(folder.resolve() / f"{name}-{{}}.png")
    return Check(setup=SAVING.format(path=path), packages=True, probes=(("1", "1"),))


def _report(one: Told) -> str:
    pictures = ", ".join(path.name for path in one.pictures) or "none"
    limit = "; it ran into the length limit" if one.answer.cut else ""
    return (
        f"== {one.story.name}\n{one.story.prompt}\n\n{one.answer.text}\n\n"
        f"code: {'none' if not code_of(one.answer.text) else one.runs or 'ran to its end'}{limit}\n"
        f"shows what was asked for: {one.draws or 'yes'}\npictures: {pictures}\n"
    )


def main() -> None:
    """Ask, run, save, and print what came out."""
    parser = argparse.ArgumentParser(
        prog="python -m train.demo.evaluation.blog_plots", description=__doc__
    )
    parser.add_argument("weights", type=Path, nargs="?", default=WEIGHTS)
    parser.add_argument("--out", type=Path, required=True, help="the folder for the pictures")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    try:
        answers = asyncio.run(asked(options.weights))
    except (StarChatError, OSError) as error:
        sys.exit(f"error: {error}")
    print(clean("\n".join(_report(one) for one in told(answers, options.out))))


if __name__ == "__main__":
    main()
