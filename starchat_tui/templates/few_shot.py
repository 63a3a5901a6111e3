"""Few-shot prompts, which make a base model answer like an assistant.

The format is that of BigCode's Tech Assistant prompt
(https://huggingface.co/datasets/bigcode/ta-prompt): a preamble, then dialogues of `Human:` and
`Assistant:` lines, with a line of dashes between two of them. It follows the HHH prompt of
Askell et al., "A General Language Assistant as a Laboratory for Alignment"
(https://arxiv.org/abs/2112.00861).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate, chain

from starchat_tui.dialogue import Dialogue, Turn
from starchat_tui.errors import ConfigError
from starchat_tui.templates.template import Piece, Stops, encode_pieces
from starchat_tui.templates.tokenizer import Tokenizer

_DIVIDER = "-----"
_CLOSING = f"\n\n{_DIVIDER}"
_FORMAT_LINE = re.compile(r"^(?=[ \t]*(?:Human:|Assistant:|-----))", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class FewShotPrompt:
    """A preamble and example dialogues."""

    preamble: str
    examples: tuple[str, ...]


class FewShotTemplate:
    """A few-shot prompt, continued by the dialogue as if it were one more of its examples.

    Every piece begins where StarCoder's pre-tokenizer splits anyway, so the pieces' ids are those
    of the whole text: the base model sees what it saw in pre-training.
    """

    def __init__(self, tokenizer: Tokenizer, prompt: FewShotPrompt, *, window: int) -> None:
        self.tokenizer = tokenizer
        self.total_examples = len(prompt.examples)
        """Number of examples in the file; `prompt` has those that fit half of the window."""
        self.prompt = fit_examples(prompt, tokenizer, budget=window // 2)

    def render(self, dialogue: Dialogue, *, add_generation_prompt: bool = False) -> Iterator[Piece]:
        """Yield the few-shot prompt, then the dialogue."""
        yield from self.render_opening(dialogue.system)
        yield from chain.from_iterable(map(self.render_turn, dialogue.turns))
        if add_generation_prompt:
            yield from self.render_generation_prompt()

    def render_opening(self, system: str) -> Iterator[Piece]:
        """Yield the preamble, the user's system prompt, and the examples."""
        yield from (Piece(name, control=True) for name in self.tokenizer.begin_tokens)
        yield Piece(self.prompt.preamble)
        if system.strip():
            yield Piece(f"\n\n{quote_format_lines(system.strip())}")
        yield from map(Piece, map(_format_example, self.prompt.examples))
        yield Piece(_CLOSING)

    def render_turn(self, turn: Turn) -> Iterator[Piece]:
        """Yield `Human:` or `Assistant:` and the text."""
        text = quote_format_lines(turn.text.strip())
        spaced = f" {text}" if text else ""
        if turn.role == "user":
            yield Piece(f"\n\nHuman:{spaced}")
            return
        yield from self.render_generation_prompt()
        yield Piece(spaced, learned=True, turn=turn)

    def render_generation_prompt(self) -> Iterator[Piece]:
        """Yield `Assistant:` without a space, which is part of the answer's first token."""
        yield Piece("\n\nAssistant:")

    def get_stops(self) -> Stops:
        """Return the end of text, the next line of the user, and the divider."""
        return Stops((self.tokenizer.end_of_text_id,), ("\nHuman:", f"\n{_DIVIDER}"))

    def clean_answer(self, text: str) -> str:
        """Return the generated text without the white space of the format."""
        return text.strip()

    def count_quoted_lines(self, dialogue: Dialogue) -> int:
        """Count the lines that look like a divider or begin like a turn."""
        texts = (dialogue.system, *(turn.text for turn in dialogue.turns))
        return sum(len(_FORMAT_LINE.findall(text.strip())) for text in texts)

    def count_shared_tokens(self, system: str) -> int:
        """Count the tokens of the few-shot prompt; 0 with a system prompt, which parts it."""
        if system.strip():
            return 0
        return len(encode_pieces(self.render_opening(""), self.tokenizer))


def quote_format_lines(text: str) -> str:
    """Put `> ` before each line that looks like a divider or begins like a turn."""
    return _FORMAT_LINE.sub("> ", text)


def _format_example(text: str) -> str:
    return f"\n\n{_DIVIDER}\n\n{text}"


def fit_examples(prompt: FewShotPrompt, tokenizer: Tokenizer, *, budget: int) -> FewShotPrompt:
    """Keep as many whole examples as fit into `budget` tokens beside the preamble, in order.

    Raises `ConfigError` if the preamble alone does not fit.
    """
    left = budget - len(tokenizer.encode(prompt.preamble)) - len(tokenizer.encode(_CLOSING))
    if left < 0:
        raise ConfigError(
            f"The few-shot prompt's preamble is {budget - left} tokens long, and only {budget} fit",
            "shorten it, choose another with `--prompt`, or use a model with a larger window",
        )
    sizes = [len(tokenizer.encode(_format_example(example))) for example in prompt.examples]
    # Taking the shortest first keeps the most.
    shortest = sorted(range(len(sizes)), key=sizes.__getitem__)
    totals = accumulate(sizes[index] for index in shortest)
    kept = sorted(index for index, total in zip(shortest, totals, strict=True) if total <= left)
    return FewShotPrompt(prompt.preamble, tuple(prompt.examples[index] for index in kept))
