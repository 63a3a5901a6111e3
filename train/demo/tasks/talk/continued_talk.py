"""Small talk that goes on: one more joke, doubt, assent, and what is out of reach."""

from __future__ import annotations

from train.demo.tasks.family import Check, Draw, Drawer, Exchange, Family
from train.demo.tasks.functions.function_families import opening
from train.demo.tasks.functions.specs import Function
from train.demo.tasks.load_yaml import asked, phrases, table
from train.demo.tasks.phrasing import ask
from train.demo.tasks.talk.small_talk import UNKNOWN, WHY_NOT


def families(specs: tuple[Function, ...]) -> tuple[Family, ...]:
    """Jokes, replies to an answer of the given functions, and requests that are too much."""
    return (
        Family("later_jokes", "talk", _jokes, 1.0),
        Family("later_replies", "talk", _replies(specs), 2.0),
        Family("later_beyond", "talk", _beyond, 2.0),
    )


def _said(dice: Draw, asks: tuple[str, ...], text: str) -> Exchange:
    return Exchange(ask(dice, dice.phrase(asks)), text, Check(says=(text.rstrip("."),)), "talk")


def _asks(name: str) -> tuple[str, ...]:
    return asked("later_talk", name)


def _jokes(dice: Draw) -> tuple[Exchange, ...]:
    """Each joke once, always in one order, so that the next one is known."""
    told = table("later_talk")
    exchanges = [_said(dice, _asks("joke"), told["jokes"][0])]
    for joke in (*told["jokes"][1:], told["no_more"]):
        if dice.chance(0.3):
            exchanges.append(_said(dice, _asks("funny"), told["glad"]))
            break
        if dice.chance(0.2):
            break
        exchanges.append(_said(dice, _asks("another"), joke))
    return tuple(exchanges)


def _replies(specs: tuple[Function, ...]) -> Drawer:
    """A function asked for, and then doubt or assent."""

    def draw(dice: Draw) -> tuple[Exchange, ...]:
        told = table("later_talk")
        _, first = opening(dice, dice.rng.choice(specs))
        asks, text = dice.rng.choice((("sure", told["not_sure"]), ("ok", told["next"])))
        return first, _said(dice, _asks(asks), text)

    return draw


def _beyond(dice: Draw) -> tuple[Exchange, ...]:
    first = _said(dice, _asks("beyond"), UNKNOWN)
    if not dice.chance(0.3):
        return (first,)
    return first, _said(dice, phrases("why_not"), WHY_NOT)
