"""Draw the three plots of the StarChat article with a demo model.

    python -m train.demo.evaluation.blog_plots [WEIGHTS] --out FOLDER

The prompts are those of the article of May 2023, word for word; they were never trained. Each is
asked as a user would type it, the code of the answer is run, and the figures are saved as PNG.
Source: https://huggingface.co/blog/starchat-alpha, "Generating plots".
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
from starchat_tui.sanitize import sanitize_text
from train.demo.evaluation.check import check_answers, extract_code
from train.demo.evaluation.generate import Answer, Answerer, run_engine
from train.demo.tasks.family import Check

WEIGHTS = Path(__file__).parents[3] / "starchat_tui" / "weights" / "nano-chat"
NAMES = ["Tom", "Brad", "Kyle", "Jerry"]
SAVE_FIGURES = """
import matplotlib.pyplot as plt

def show(*args, _show=plt.show, **settings):
    for number in plt.get_fignums():
        figure = plt.figure(number)
        figure.savefig("{path}".format(number), bbox_inches="tight", dpi=80)
    _show()

plt.show = show
"""


@dataclass(frozen=True, slots=True)
class BlogPrompt:
    """One prompt with its expected axes, as `figure_match.compare_figures` takes them."""

    name: str
    text: str
    wanted: tuple[dict[str, Any], ...]


BLOG_PROMPTS = (
    BlogPrompt(
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
    BlogPrompt(
        "map",
        "Draw me a map of the world using geopandas. Make it so that only Germany and Spain are "
        "colored red.",
        ({"kind": "map", "colors": {"#ff0000": ["Germany", "Spain"]}},),
    ),
    BlogPrompt(
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
class PromptResult:
    """Result of one prompt."""

    prompt: BlogPrompt
    answer: Answer
    runs: str
    """Error that stopped the code; "" if it ran to its end."""
    draws: str
    """First difference from the expected figure; "" if there is none."""
    pictures: tuple[Path, ...]


async def ask_prompts(weights: Path) -> list[Answer]:
    """Return the answer to each prompt, each in a conversation of its own."""
    async with run_engine() as client:
        answerer = Answerer(client, weights, "chat")
        return [
            await answerer.answer(Dialogue().with_message("user", prompt.text), most=512)
            for prompt in BLOG_PROMPTS
        ]


def run_answers(answers: list[Answer], folder: Path) -> list[PromptResult]:
    """Run the code of the answers and save its figures as NAME-1.png and so on in `folder`."""
    runs = [_build_run_check(prompt.name, folder) for prompt in BLOG_PROMPTS]
    draws = [Check(drawn=json.dumps(prompt.wanted)) for prompt in BLOG_PROMPTS]
    texts = [answer.text for answer in answers]
    ran = check_answers(zip(texts, runs, strict=True))
    drew = check_answers(zip(texts, draws, strict=True))
    return [
        PromptResult(prompt, answer, run, drawn, tuple(sorted(folder.glob(f"{prompt.name}-*.png"))))
        for prompt, answer, run, drawn in zip(BLOG_PROMPTS, answers, ran, drew, strict=True)
    ]


def _build_run_check(name: str, folder: Path) -> Check:
    """Build a check that code runs to its end; its probe is always true by then."""
    path = str(folder.resolve() / f"{name}-{{}}.png")
    return Check(setup=SAVE_FIGURES.format(path=path), packages=True, probes=(("1", "1"),))


def _format_result(result: PromptResult) -> str:
    pictures = ", ".join(path.name for path in result.pictures) or "none"
    limit = "; it reached the length limit" if result.answer.cut else ""
    has_code = bool(extract_code(result.answer.text))
    code = (result.runs or "ran to its end") if has_code else "none"
    return (
        f"== {result.prompt.name}\n{result.prompt.text}\n\n{result.answer.text}\n\n"
        f"code: {code}{limit}\n"
        f"shows what was asked for: {result.draws or 'yes'}\npictures: {pictures}\n"
    )


def main() -> None:
    """Ask the prompts, run the answers, save the figures and print a report."""
    parser = argparse.ArgumentParser(
        prog="python -m train.demo.evaluation.blog_plots", description=__doc__
    )
    parser.add_argument("weights", type=Path, nargs="?", default=WEIGHTS)
    parser.add_argument("--out", type=Path, required=True, help="the folder for the pictures")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    try:
        answers = asyncio.run(ask_prompts(options.weights))
    except (StarChatError, OSError) as error:
        sys.exit(f"error: {error}")
    print(
        sanitize_text("\n".join(_format_result(one) for one in run_answers(answers, options.out)))
    )


if __name__ == "__main__":
    main()
