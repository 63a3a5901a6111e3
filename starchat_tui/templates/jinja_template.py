"""Chat templates that come with a model, for one that was not fine-tuned on StarChat's format.

They are those of transformers (https://huggingface.co/docs/transformers/chat_templating_writing):
Jinja with the variables and functions named there. A template is rendered with a random placeholder
for each message, and the result is split at the placeholders: only what the template itself writes
may hold control tokens, never the text of a user or a model.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from starchat_tui.dialogue import Dialogue, Turn
from starchat_tui.errors import ConfigError
from starchat_tui.templates.jinja_process import JinjaProcess
from starchat_tui.templates.template import Piece, Stops
from starchat_tui.templates.tokenizer import Tokenizer

_PROBE = Dialogue("s", (Turn("user", "u"), Turn("assistant", "a"), Turn("user", "u")))


@dataclass(frozen=True, slots=True)
class _Message:
    """One message as the template gets it."""

    role: str
    text: str
    turn: Turn | None = None
    """Turn whose generated ids may stand for the text."""


class JinjaTemplate:
    """Rendering by the model's own chat template."""

    def __init__(
        self,
        tokenizer: Tokenizer,
        chat_template: str,
        *,
        special: Mapping[str, str] | None = None,
        ends: Iterable[int] = (),
        name: str = "",
    ) -> None:
        """Compile the template; raise `ConfigError` if that fails or a plain dialogue is refused.

        Args:
            tokenizer: The model's tokenizer.
            chat_template: The Jinja source.
            special: Texts of `bos_token`, `eos_token` … for the template.
            ends: Ids that end an answer, besides those that the template writes after one.
            name: Name of the model, for errors.
        """
        self.tokenizer = tokenizer
        self._special = dict(special or {})
        self._ends = tuple(ends)
        self._process = JinjaProcess(chat_template, self._special, name=name)
        self._accepts_system = self._probe_system()

    @classmethod
    def from_config(
        cls,
        tokenizer: Tokenizer,
        chat_template: str,
        tokenizer_config: Mapping[str, Any],
        generation_config: Mapping[str, Any],
        *,
        name: str = "",
    ) -> JinjaTemplate:
        """Create the template of a model from its configuration.

        Args:
            tokenizer: The model's tokenizer.
            chat_template: The Jinja source; empty to take the one in `tokenizer_config`.
            tokenizer_config: Content of tokenizer_config.json.
            generation_config: Content of generation_config.json.
            name: Name of the model, for errors.
        """
        ends = generation_config.get("eos_token_id") or ()
        return cls(
            tokenizer,
            chat_template or select_template(tokenizer_config.get("chat_template")),
            special=read_special_tokens(tokenizer_config),
            ends=(ends,) if isinstance(ends, int) else tuple(map(int, ends)),
            name=name,
        )

    def render(self, dialogue: Dialogue, *, add_generation_prompt: bool = False) -> Iterator[Piece]:
        """Yield the dialogue in order.

        Neighbouring turns of one role are joined, because most templates insist on alternation.
        """
        messages = self._list_messages(dialogue)
        parts = [
            *self._split_at_messages([message.role for message in messages], add_generation_prompt)
        ]
        if len(parts) <= len(messages):
            raise self._process.create_error("leaves out a message")
        starts_text = True
        for literal, index in parts:
            # A space before a text is part of the text's first token, as in `FewShotTemplate`.
            markup = literal.removesuffix(" ")
            for run, control in self.tokenizer.split_control_tokens(markup):
                yield Piece(
                    run if control else self._add_leading_space(run, starts_text), control=control
                )
                starts_text = control
            if index is not None:
                message = messages[index]
                text = self._add_leading_space(literal[len(markup) :] + message.text, starts_text)
                yield Piece(text, learned=message.role == "assistant", turn=message.turn)
                starts_text = False

    def _add_leading_space(self, text: str, starts_text: bool) -> str:
        needs_space = starts_text and not text.startswith(" ")
        return (self.tokenizer.leading_space if needs_space else "") + text

    def get_stops(self) -> Stops:
        """Return what the template writes after an answer, the end of sequence, and `ends`."""
        control, text = self._answer_end
        names = (*control, self._special.get("eos_token", ""))
        ids = [self.tokenizer.get_control_id(name) for name in names if name]
        return Stops(tuple(dict.fromkeys((*ids, *self._ends))), text)

    def clean_answer(self, text: str) -> str:
        """Return the generated text without white space around it."""
        return text.strip()

    def count_quoted_lines(self, dialogue: Dialogue) -> int:
        """Return 0: text cannot spell control tokens, so nothing has to be quoted."""
        return 0

    def count_shared_tokens(self, system: str) -> int:
        """Return 0: a conversation begins with the user's own text."""
        return 0

    @cached_property
    def _answer_end(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Control token, or else text, that follows an answer: one of the two is empty."""
        roles = [message.role for message in self._list_messages(_PROBE)]
        answer = roles.index("assistant")
        before = {index: literal for literal, index in self._split_at_messages(roles, False)}
        for text, control in self.tokenizer.split_control_tokens(before.get(answer + 1, "")):
            if control:
                return (text,), ()
            if text.strip():
                return (), (text.rstrip(),)
        return (), ()

    def _list_messages(self, dialogue: Dialogue) -> list[_Message]:
        system = dialogue.system.strip()
        messages = [_Message("system", system)] if system and self._accepts_system else []
        for turn in dialogue.turns:
            source = turn if turn.role == "assistant" else None
            message = _Message(turn.role, turn.text.strip(), source)
            if messages and messages[-1].role == message.role:
                message = _Message(message.role, f"{messages.pop().text}\n\n{message.text}")
            messages.append(message)
        # A template without a system role gets the system prompt in the first question.
        asked = next((at for at, message in enumerate(messages) if message.role == "user"), None)
        if system and not self._accepts_system and asked is not None:
            messages[asked] = _Message("user", f"{system}\n\n{messages[asked].text}")
        return messages

    def _split_at_messages(
        self, roles: list[str], add_generation_prompt: bool
    ) -> Iterator[tuple[str, int | None]]:
        """Yield what the template writes before each message, with its index; None at the end."""
        # Nineteen random digits: a placeholder cannot occur in a template by chance or on purpose.
        nonce = str(secrets.randbelow(10**18) + 10**18)
        messages = [
            {"role": role, "content": f"{nonce}{index:06d}"} for index, role in enumerate(roles)
        ]
        rendered = self._process.render(messages, add_generation_prompt)
        done = 0
        for found in re.finditer(rf"{nonce}(\d{{6}})", rendered):
            yield rendered[done : found.start()], int(found[1])
            done = found.end()
        yield rendered[done:], None

    def _probe_system(self) -> bool:
        """Return whether the template renders a system message; raise if it refuses a question."""
        try:
            parts = [*self._split_at_messages(["system", "user"], True)]
        except ConfigError:
            parts = [*self._split_at_messages(["user"], True)]
        return len(parts) == 3


def select_template(found: object) -> str:
    """Return the `chat_template` of a tokenizer_config.json: a string, or the default of a list."""
    if isinstance(found, str):
        return found
    if isinstance(found, list):
        named = {entry.get("name"): entry.get("template") for entry in found}
        return str(named.get("default") or next(iter(named.values()), ""))
    return ""


def read_special_tokens(config: Mapping[str, Any]) -> dict[str, str]:
    """Return `bos_token`, `eos_token` … of a tokenizer_config.json, each as its text."""
    found: dict[str, str] = {}
    for name, token in config.items():
        text = token.get("content") if isinstance(token, dict) else token
        if name.endswith("_token") and isinstance(text, str):
            found[name] = text
    return found
