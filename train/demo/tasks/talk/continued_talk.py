"""Small talk that continues: more jokes, doubt, assent, and questions out of scope."""

from __future__ import annotations

from train.demo.tasks.family import Check, Drawer, Exchange, Family, TaskSampler
from train.demo.tasks.functions.function_families import draw_opening
from train.demo.tasks.functions.specs import FunctionSpec
from train.demo.tasks.load_yaml import load_phrases, load_table
from train.demo.tasks.phrasing import phrase_question
from train.demo.tasks.talk.small_talk import UNKNOWN, WHY_NOT


def families(specs: tuple[FunctionSpec, ...]) -> tuple[Family, ...]:
    """Return the families of jokes, of replies to an answer, and of refusals."""
    return (
        Family("later_jokes", "talk", _draw_jokes, 1.0, stage="finetune"),
        Family("later_replies", "talk", _make_reply_drawer(specs), 2.0, stage="finetune"),
        Family("later_beyond", "talk", _draw_unknown, 2.0, stage="finetune"),
    )


def _build_exchange(sampler: TaskSampler, asks: tuple[str, ...], text: str) -> Exchange:
    return Exchange(
        phrase_question(sampler, sampler.choose_phrasing(asks)),
        text,
        Check(says=(text.rstrip("."),)),
        "talk",
    )


def _load_phrasings(name: str) -> tuple[str, ...]:
    return tuple(load_table("talk")["continued"][name])


def _draw_jokes(sampler: TaskSampler) -> tuple[Exchange, ...]:
    """Draw jokes, each once and always in the same order, so that the next one is known."""
    texts = load_table("talk")["continued"]
    exchanges = [_build_exchange(sampler, _load_phrasings("joke"), texts["jokes"][0])]
    for joke in (*texts["jokes"][1:], texts["no_more"]):
        if sampler.chance(0.3):
            exchanges.append(_build_exchange(sampler, _load_phrasings("funny"), texts["glad"]))
            break
        if sampler.chance(0.2):
            break
        exchanges.append(_build_exchange(sampler, _load_phrasings("another"), joke))
    return tuple(exchanges)


def _make_reply_drawer(specs: tuple[FunctionSpec, ...]) -> Drawer:
    """Return a drawer that asks for a function, then doubts or accepts it."""

    def draw(sampler: TaskSampler) -> tuple[Exchange, ...]:
        texts = load_table("talk")["continued"]
        _, first = draw_opening(sampler, sampler.rng.choice(specs))
        asks, text = sampler.rng.choice((("sure", texts["not_sure"]), ("ok", texts["next"])))
        return first, _build_exchange(sampler, _load_phrasings(asks), text)

    return draw


def _draw_unknown(sampler: TaskSampler) -> tuple[Exchange, ...]:
    first = _build_exchange(sampler, _load_phrasings("beyond"), UNKNOWN)
    if not sampler.chance(0.3):
        return (first,)
    return first, _build_exchange(sampler, load_phrases("why_not"), WHY_NOT)
