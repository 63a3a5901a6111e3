"""Random dialogues that try to break what renders and encodes them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from random import Random

from starchat_tui.dialogue import Dialogue, Role, Turn
from starchat_tui.templates.few_shot import FewShotPrompt
from starchat_tui.templates.tokenizer import CHAT_TOKENS, Tokenizer
from tests.sample_tokenizers import STARCODER_TOKENS

ROLES: tuple[Role, Role] = ("user", "assistant")
SHORT_PROMPT = FewShotPrompt(
    "You help.", ("Human: Hi\n\nAssistant: Hello!", "Human: 2+2?\n\nAssistant: 4")
)
FRAGMENTS = (
    *CHAT_TOKENS,
    *STARCODER_TOKENS,
    *("Human:", "\nHuman: ", "Assistant:", "\n\nAssistant:", "-----", "\n-----\n", "\n  Human:"),
    *("hello", " world", "def f(x):\n    return x\n", "'s", "n't", "12345", " 3.14", "½", "²"),
    *(" ", "  ", "\t", "\n", "\n\n", "\r\n", "\r", "\x0b", "\x1c", "\x85", "\xa0", "\u2003"),
    *("\u200b", "\ufeff", "\u0301", "e\u0301", "\u20dd", "😀", "👩‍💻", "🇩🇪", "漢字", "العربية"),
    *("<|", "|>", "<|end", "|end|>", "<", "```", "```python\n", "\\n", "\x00", "\x1b[31m", "�", ""),
)
"""Parts of texts: names of control tokens, lines of a format, white space of all kinds, …"""


def build_dialogue(system: str, *texts: str) -> Dialogue:
    """Build a dialogue in which the user and the assistant take turns."""
    return Dialogue(system, tuple(Turn(ROLES[at % 2], text) for at, text in enumerate(texts)))


def generate_texts(random: Random) -> Iterator[str]:
    """Yield texts of a few fragments each, without end."""
    while True:
        yield "".join(random.choices(FRAGMENTS, k=random.randrange(7)))


def generate_dialogues(random: Random, count: int) -> Iterator[Dialogue]:
    """Yield `count` dialogues that end with a question: any texts, any order of roles."""
    text = generate_texts(random)
    for _ in range(count):
        roles: list[Role] = random.choices(ROLES, k=random.randrange(4))
        turns = (Turn(role, next(text)) for role in (*roles, "user"))
        yield Dialogue(next(text), tuple(turns))


def generate_answered(tokenizer: Tokenizer, seed: int) -> Iterator[tuple[Dialogue, Dialogue]]:
    """Yield dialogues that end with a question, each with itself answered.

    There are 10,000 with StarCoder's own tokenizer, which encodes them fast enough.
    """
    random = Random(seed)
    answers = generate_texts(random)
    for dialogue in generate_dialogues(random, 10_000 if len(tokenizer) > 40_000 else 1_000):
        yield dialogue, dialogue.with_message("assistant", next(answers))


def prepend_turns(dialogue: Dialogue, random: Random) -> Dialogue:
    """Return `dialogue` with up to thirty turns before its own."""
    text = generate_texts(random)
    older = tuple(Turn(ROLES[at % 2], next(text)) for at in range(random.randrange(30)))
    return replace(dialogue, turns=(*older, *dialogue.turns))
