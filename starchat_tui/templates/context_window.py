"""Fitting of a dialogue into the model's context window."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from itertools import accumulate, pairwise

from starchat_tui.dialogue import Dialogue, Turn
from starchat_tui.errors import PromptTooLong
from starchat_tui.templates.length_check import require_fitting_text
from starchat_tui.templates.template import Piece, Stops, Template, encode_piece, encode_prompt

KEPT_WINDOW_SHARE = 0.6
"""Maximum share of the window that the prompt fills after a cut."""
KEPT_BUDGET_SHARE = 0.8
"""The same as a share of the prompt's budget: several turns must fit before the next cut."""


@dataclass(frozen=True, slots=True)
class Prompt:
    """Token ids to send to the engine, and a report of what was left out."""

    ids: tuple[int, ...]
    stops: Stops
    dropped_turns: int
    """Number of oldest turns that no longer fit the window."""
    quoted_lines: int
    """Number of lines that were quoted because they look like part of the format."""
    window: int
    shared_tokens: int = 0
    """Length of the prefix of `ids` that all conversations of this mode share."""


def fit_prompt(dialogue: Dialogue, template: Template, *, window: int, reserve: int) -> Prompt:
    """Encode as much of a dialogue as leaves `reserve` tokens of the window for the answer.

    If it does not fit, whole exchanges are dropped from the front until it fills no more than
    `KEPT_WINDOW_SHARE` of the window. Raises `PromptTooLong` if the last question alone is too
    long.
    """
    budget = window - reserve
    for text in (dialogue.system, dialogue.turns[-1].text if dialogue.turns else ""):
        require_fitting_text(text, template.tokenizer, budget)
    first, ids = 0, encode_prompt(dialogue, template)
    if len(ids) > budget:
        goal = int(min(window * KEPT_WINDOW_SHARE, budget * KEPT_BUDGET_SHARE))
        for first in _list_cuts(dialogue, template, budget, goal):
            ids = encode_prompt(dialogue.drop_oldest(first), template)
            if len(ids) <= budget:
                break
        else:
            raise PromptTooLong(
                f"The prompt is {len(ids)} tokens long, which leaves less than {reserve} for the "
                f"answer in a window of {window}",
                "shorten the question or what is piped in, or lower `--max-tokens`",
            )
    return Prompt(
        ids=tuple(ids),
        stops=template.get_stops(),
        dropped_turns=first,
        quoted_lines=template.count_quoted_lines(dialogue.drop_oldest(first)),
        window=window,
        shared_tokens=template.count_shared_tokens(dialogue.system),
    )


def _list_cuts(dialogue: Dialogue, template: Template, budget: int, goal: int) -> list[int]:
    """Return the turns that the prompt may begin with, in order of preference.

    Each but the first turn of the dialogue is one of the user's. The history of the conversation is
    replayed, so that one question after another finds the same cut until it no longer fits:
    positions are absolute, so a cut that moved with each turn would void the prefix cache each
    time.

    Args:
        dialogue: The whole conversation.
        template: Its format.
        budget: Maximum length of a prompt in tokens.
        goal: Maximum length of a prompt in tokens directly after a cut.
    """
    turns = dialogue.turns
    overhead, count = _create_counter(dialogue, template)
    begins = sorted({0, *(index for index, turn in enumerate(turns) if turn.role == "user")})
    questions = [count(turns[at : at + 1]) for at in begins]
    exchanges = [count(turns[start:end]) for start, end in pairwise([*begins, len(turns)])]
    before = [0, *accumulate(exchanges)]
    kept = 0
    # The last step adds the answer that the dialogue may already end with.
    for number, newest in [*enumerate(questions), (len(begins) - 1, exchanges[-1])]:
        end = before[number] + newest + overhead
        if end - before[kept] > budget:
            fitting = (later for later in range(kept + 1, number) if end - before[later] <= goal)
            kept = next(fitting, number)
    return begins[kept:]


def _create_counter(
    dialogue: Dialogue, template: Template
) -> tuple[int, Callable[[tuple[Turn, ...]], int]]:
    """Return the number of tokens around the turns, and a function that counts those of turns."""

    @cache
    def count_piece(piece: Piece) -> int:
        return len(encode_piece(piece, template.tokenizer))

    def count_prompt(turns: tuple[Turn, ...]) -> int:
        pieces = template.render(replace(dialogue, turns=turns), add_generation_prompt=True)
        return sum(map(count_piece, pieces))

    # A template may render no empty dialogue, so the overhead is the difference of two others.
    exchange = (Turn("user", "?"), Turn("assistant", "."))
    overhead = 2 * count_prompt(exchange) - count_prompt(exchange * 2)
    return overhead, lambda turns: count_prompt(turns) - overhead
