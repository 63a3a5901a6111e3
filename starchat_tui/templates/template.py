"""A dialogue as token ids: ChatML for a fine-tuned model, a few-shot prompt for a base model.

ChatML as StarChat was trained on it (a format: it must match to the byte):

    <|system|>\\n{system}<|end|>\\n
    <|user|>\\n{text}<|end|>\\n<|assistant|>\\n{text}<|end|>\\n …

Inference and training call the same `pieces`, each piece is encoded alone, and the answer begins a
piece of its own; so the prompt is, id for id, a prefix of the row that training sees.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cache
from itertools import accumulate, chain, pairwise
from typing import Protocol

from starchat_tui.dialogue import Dialogue, Turn
from starchat_tui.errors import ConfigError, PromptTooLong
from starchat_tui.templates.tokenizer import CHAT_TOKENS, Vocabulary

IGNORED = -100
"""The label of a token that training does not learn (PyTorch's `ignore_index`)."""
KEPT_SHARE = 0.6
"""The share of the window that is still full after old turns left, at most."""
KEPT_ROOM = 0.8
"""The same as a share of the room that the answer leaves: some turns fit until the next cut."""

_SYSTEM, _USER, _ASSISTANT, _END = CHAT_TOKENS
_DIVIDER = "-----"
_CLOSING = f"\n\n{_DIVIDER}"
_MARKED_LINE = re.compile(r"^(?=[ \t]*(?:Human:|Assistant:|-----))", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Piece:
    """A run of text, or one control token; `learned` says whether training learns it."""

    text: str
    control: bool = False
    learned: bool = False
    turn: Turn | None = None
    """The turn whose generated ids may stand for this text."""


@dataclass(frozen=True, slots=True)
class FewShot:
    """A few-shot prompt: a preamble and example dialogues, divided by lines of dashes."""

    preamble: str
    examples: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Stops:
    """What ends an answer: token ids, and texts that are not part of it."""

    ids: tuple[int, ...]
    texts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Prompt:
    """What is sent to the engine, and what was left out of it."""

    ids: tuple[int, ...]
    stops: Stops
    dropped: int
    """Oldest turns that no longer fit the window."""
    quoted: int
    """Lines that were quoted because they looked like the layout."""
    window: int
    shared: int = 0
    """The first of `ids` that every conversation of this mode begins with, from a prompt file."""


class Template(Protocol):
    """A way of writing dialogues down."""

    vocabulary: Vocabulary

    def pieces(self, dialogue: Dialogue, *, ask: bool = False) -> Iterator[Piece]:
        """The dialogue in order; with `ask`, up to where the next answer begins."""

    def stops(self) -> Stops:
        """What ends an answer."""

    def answer(self, text: str) -> str:
        """The generated text as it is kept."""

    def quoted(self, dialogue: Dialogue) -> int:
        """How many lines are quoted because they look like the layout."""

    def shared(self, system: str) -> int:
        """Tokens of a prompt file that every conversation begins with."""


class ChatML:
    """StarChat's layout, for a model that was fine-tuned on it."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self.vocabulary = vocabulary

    def pieces(self, dialogue: Dialogue, *, ask: bool = False) -> Iterator[Piece]:
        """The system turn, which is there even when it is empty, and the turns."""
        yield from self.opening(dialogue.system)
        yield from chain.from_iterable(map(self.turn, dialogue.turns))
        if ask:
            yield from self.asking()

    def opening(self, system: str) -> Iterator[Piece]:
        """The system turn."""
        yield from (Piece(_SYSTEM, control=True), Piece("\n"), Piece(system), *_CLOSED)

    def turn(self, turn: Turn) -> Iterator[Piece]:
        """One turn; the assistant's words and its end token are what training learns."""
        if turn.role == "user":
            yield from (Piece(_USER, control=True), Piece("\n"), Piece(turn.text), *_CLOSED)
            return
        yield from self.asking()
        yield Piece(turn.text, learned=True, turn=turn)
        yield from (Piece(_END, control=True, learned=True), Piece("\n"))

    def asking(self) -> Iterator[Piece]:
        """`<|assistant|>` and its newline."""
        yield from (Piece(_ASSISTANT, control=True), Piece("\n"))

    def stops(self) -> Stops:
        """The end token, and the end of text."""
        return Stops((self.vocabulary.end_id, self.vocabulary.end_of_text_id))

    def answer(self, text: str) -> str:
        """The generated text, unchanged."""
        return text

    def quoted(self, dialogue: Dialogue) -> int:
        """None: control tokens cannot be written in text."""
        return 0

    def shared(self, system: str) -> int:
        """None: a conversation begins with the user's own text."""
        return 0


_CLOSED = (Piece(_END, control=True), Piece("\n"))


class TechnicalAssistant:
    """A few-shot prompt, for a base model that never saw a chat.

    Every piece begins where StarCoder's pre-tokenizer splits anyway, so the pieces' ids are those
    of the whole text: the base model sees what it saw in pre-training.
    """

    def __init__(self, vocabulary: Vocabulary, prompt: FewShot, *, window: int) -> None:
        self.vocabulary = vocabulary
        self.offered = len(prompt.examples)
        """The number of example dialogues there are; `prompt.examples` are those that fit."""
        self.prompt = fitted(prompt, vocabulary, room=window // 2)

    def pieces(self, dialogue: Dialogue, *, ask: bool = False) -> Iterator[Piece]:
        """The few-shot prompt, then the dialogue as if it were one more of its examples."""
        yield from self.opening(dialogue.system)
        yield from chain.from_iterable(map(self.turn, dialogue.turns))
        if ask:
            yield from self.asking()

    def opening(self, system: str) -> Iterator[Piece]:
        """The preamble, the user's own system text, and the example dialogues."""
        yield from (Piece(name, control=True) for name in self.vocabulary.begin)
        yield Piece(self.prompt.preamble)
        if system.strip():
            yield Piece(f"\n\n{quote(system.strip())}")
        yield from map(Piece, map(_example, self.prompt.examples))
        yield Piece(_CLOSING)

    def turn(self, turn: Turn) -> Iterator[Piece]:
        """`Human:` or `Assistant:` and the text, lines that look like the layout quoted."""
        text = quote(turn.text.strip())
        spaced = f" {text}" if text else ""
        if turn.role == "user":
            yield Piece(f"\n\nHuman:{spaced}")
            return
        yield from self.asking()
        yield Piece(spaced, learned=True, turn=turn)

    def asking(self) -> Iterator[Piece]:
        """`Assistant:`, without the space that begins the answer's first token."""
        yield Piece("\n\nAssistant:")

    def stops(self) -> Stops:
        """The next role line, the divider, and the end of text."""
        return Stops((self.vocabulary.end_of_text_id,), ("\nHuman:", f"\n{_DIVIDER}"))

    def answer(self, text: str) -> str:
        """The generated text without the layout's white space."""
        return text.strip()

    def quoted(self, dialogue: Dialogue) -> int:
        """How many lines looked like a divider or a role line."""
        texts = (dialogue.system, *(turn.text for turn in dialogue.turns))
        return sum(len(_MARKED_LINE.findall(text.strip())) for text in texts)

    def shared(self, system: str) -> int:
        """The few-shot prompt; none of it behind a system text, which is the user's own."""
        return 0 if system.strip() else len(_ids(self.opening(""), self.vocabulary))


def quote(text: str) -> str:
    """`text` with `> ` before each line that looks like a divider or a role line."""
    return _MARKED_LINE.sub("> ", text)


def _example(text: str) -> str:
    return f"\n\n{_DIVIDER}\n\n{text}"


def fitted(prompt: FewShot, vocabulary: Vocabulary, *, room: int) -> FewShot:
    """The preamble and the most whole examples, in their order, that fit `room` tokens."""
    left = room - len(vocabulary.text_ids(prompt.preamble)) - len(vocabulary.text_ids(_CLOSING))
    if left < 0:
        raise ConfigError(
            f"The few-shot prompt's preamble is {room - left} tokens, and {room} have room",
            "shorten it, choose another with `--prompt`, or use a model with a larger window",
        )
    sizes = [len(vocabulary.text_ids(_example(example))) for example in prompt.examples]
    shortest = sorted(range(len(sizes)), key=sizes.__getitem__)
    totals = accumulate(sizes[index] for index in shortest)
    kept = sorted(index for index, total in zip(shortest, totals, strict=True) if total <= left)
    return FewShot(prompt.preamble, tuple(prompt.examples[index] for index in kept))


def pieces(dialogue: Dialogue, template: Template) -> Iterator[Piece]:
    """The dialogue in order, written as `template` writes it."""
    return template.pieces(dialogue)


def encode(piece: Piece, vocabulary: Vocabulary) -> list[int]:
    """The ids of one piece, encoded alone; an answer keeps the ids it was generated as."""
    if piece.control:
        return [vocabulary.control_id(piece.text)]
    if piece.turn is not None and piece.turn.vocabulary == vocabulary.fingerprint:
        return vocabulary.aligned(piece.turn.ids, piece.text)
    return vocabulary.text_ids(piece.text)


def _ids(parts: Iterable[Piece], vocabulary: Vocabulary) -> list[int]:
    return [token for piece in parts for token in encode(piece, vocabulary)]


def prompt_ids(dialogue: Dialogue, template: Template) -> list[int]:
    """The ids that ask for the next answer; a prefix of `training_ids` of the dialogue with it."""
    return _ids(template.pieces(dialogue, ask=True), template.vocabulary)


def training_ids(dialogue: Dialogue, vocabulary: Vocabulary) -> tuple[list[int], list[int]]:
    """ChatML ids [T] and labels [T]: the assistant's words and end tokens, the rest `IGNORED`."""
    ids: list[int] = []
    labels: list[int] = []
    for piece in pieces(dialogue, ChatML(vocabulary)):
        encoded = encode(piece, vocabulary)
        ids += encoded
        labels += encoded if piece.learned else [IGNORED] * len(encoded)
    return ids, labels


def fit(dialogue: Dialogue, template: Template, *, window: int, reserve: int) -> Prompt:
    """The prompt of `dialogue` that leaves `reserve` tokens of `window` for the answer.

    Where it does not fit, whole turns leave from the front until `KEPT_SHARE` of the window is
    full. The turns are replayed in order, so the cut stays where it is from one question to the
    next (positions are learned: a cut that moved each turn would void the prefix cache each time).
    Raises `PromptTooLong` where the last question alone is too long.
    """
    room = window - reserve
    first, ids = 0, prompt_ids(dialogue, template)
    if len(ids) > room:
        goal = int(min(window * KEPT_SHARE, room * KEPT_ROOM))
        for first in _cuts(dialogue, template, room, goal):
            ids = prompt_ids(dialogue.since(first), template)
            if len(ids) <= room:
                break
        else:
            raise PromptTooLong(
                f"The prompt is {len(ids)} tokens and leaves no room for {reserve} of answer "
                f"in a window of {window}",
                "shorten the question or what is piped in, or lower `--max-tokens`",
            )
    quoted = template.quoted(dialogue.since(first))
    shared = template.shared(dialogue.system)
    return Prompt(tuple(ids), template.stops(), first, quoted, window, shared)


def _cuts(dialogue: Dialogue, template: Template, room: int, goal: int) -> list[int]:
    """Indices of the first turn that may stay, the best first; all but 0 are the user's turns."""
    turns = dialogue.turns
    frame, size = _measured(dialogue, template)
    begins = sorted({0, *(index for index, turn in enumerate(turns) if turn.role == "user")})
    questions = [size(turns[at : at + 1]) for at in begins]
    exchanges = [size(turns[start:end]) for start, end in pairwise([*begins, len(turns)])]
    before = [0, *accumulate(exchanges)]
    kept = 0
    for number, newest in [*enumerate(questions), (len(begins) - 1, exchanges[-1])]:
        end = before[number] + newest + frame
        if end - before[kept] > room:
            fits = (later for later in range(kept + 1, number) if end - before[later] <= goal)
            kept = next(fits, number)
    return begins[kept:]


def _measured(
    dialogue: Dialogue, template: Template
) -> tuple[int, Callable[[tuple[Turn, ...]], int]]:
    """How many tokens stand around the turns, and a function that counts those of turns."""

    @cache
    def length(piece: Piece) -> int:
        return len(encode(piece, template.vocabulary))

    def size(turns: tuple[Turn, ...]) -> int:
        return sum(map(length, template.pieces(replace(dialogue, turns=turns), ask=True)))

    exchange = (Turn("user", "?"), Turn("assistant", "."))
    frame = 2 * size(exchange) - size(exchange * 2)
    return frame, lambda turns: size(turns) - frame
