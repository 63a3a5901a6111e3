"""A model's own chat template (Jinja), for a causal model that was not trained on StarChat's.

The template is rendered with a mark in place of each text, and the result is split at the marks:
what the template wrote may hold control tokens, what a person or a model wrote cannot.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any, NoReturn

from starchat_tui.dialogue import Dialogue, Turn
from starchat_tui.errors import ConfigError
from starchat_tui.templates.template import Piece, Stops
from starchat_tui.templates.tokenizer import Vocabulary

if TYPE_CHECKING:
    from jinja2 import Template as Compiled

_TRACKED = re.compile(r"\{%(-?)\s*(end)?generation\s*(-?)%\}")
"""The tag some templates put around what training learns; Jinja itself does not know it."""
_HINT = "use the model as a base model with `--mode ta`"
_PROBE = Dialogue("s", (Turn("user", "u"), Turn("assistant", "a"), Turn("user", "u")))


@dataclass(frozen=True, slots=True)
class _Text:
    """One message: its stripped text, and the turn whose ids may stand for it."""

    role: str
    text: str
    turn: Turn | None = None


class HubTemplate:
    """A dialogue as the model's own chat template writes it."""

    def __init__(
        self,
        vocabulary: Vocabulary,
        chat_template: str,
        *,
        special: Mapping[str, str] | None = None,
        ends: Iterable[int] = (),
    ) -> None:
        """`special` names tokens as `bos_token`, `eos_token` …; `ends` are further ids that stop.

        Raises `ConfigError` where the template does not compile or refuses a plain dialogue.
        """
        self.vocabulary = vocabulary
        self._special = dict(special or {})
        self._ends = tuple(ends)
        self._compiled = _compiled(chat_template)
        self._takes_system = self._renders_system()

    @classmethod
    def of_config(
        cls,
        vocabulary: Vocabulary,
        chat_template: str,
        tokenizer: Mapping[str, Any],
        generation: Mapping[str, Any],
    ) -> HubTemplate:
        """The template of a model with these two configs, read from its JSON files."""
        ends = generation.get("eos_token_id") or ()
        return cls(
            vocabulary,
            chat_template or named_template(tokenizer.get("chat_template")),
            special=special_tokens(tokenizer),
            ends=(ends,) if isinstance(ends, int) else tuple(map(int, ends)),
        )

    def pieces(self, dialogue: Dialogue, *, ask: bool = False) -> Iterator[Piece]:
        """The dialogue in order; neighbours of one role are joined, as most templates demand."""
        texts = self._texts(dialogue)
        parts = [*self._split([text.role for text in texts], ask=ask)]
        if len(parts) <= len(texts):
            raise ConfigError("The model's chat template leaves out a text", _HINT)
        fresh = True
        for literal, index in parts:
            # A space before a text belongs to its first token, as in `TechnicalAssistant`.
            kept = literal.removesuffix(" ")
            for run, control in self.vocabulary.split(kept):
                yield Piece(run if control else self._led(run, fresh), control=control)
                fresh = control
            if index is not None:
                text = self._led(literal[len(kept) :] + texts[index].text, fresh)
                yield Piece(text, learned=texts[index].role == "assistant", turn=texts[index].turn)
                fresh = False

    def _led(self, text: str, fresh: bool) -> str:
        lead = self.vocabulary.lead if fresh and not text.startswith(" ") else ""
        return lead + text

    def stops(self) -> Stops:
        """What the template writes after an answer, the end of sequence, and `ends`."""
        control, text = self._closing
        names = (*control, self._special.get("eos_token", ""))
        ids = [self.vocabulary.control_id(name) for name in names if name]
        return Stops(tuple(dict.fromkeys((*ids, *self._ends))), text)

    def answer(self, text: str) -> str:
        """The generated text without white space around it."""
        return text.strip()

    def quoted(self, dialogue: Dialogue) -> int:
        """None: the template's layout cannot be written in text."""
        return 0

    def shared(self, system: str) -> int:
        """None: a conversation begins with the user's own text."""
        return 0

    @cached_property
    def _closing(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """The control token, or else the text, that follows an answer."""
        roles = [text.role for text in self._texts(_PROBE)]
        answer = roles.index("assistant")
        after = {index: literal for literal, index in self._split(roles, ask=False)}
        for text, control in self.vocabulary.split(after.get(answer + 1, "")):
            if control:
                return (text,), ()
            if text.strip():
                return (), (text.rstrip(),)
        return (), ()

    def _texts(self, dialogue: Dialogue) -> list[_Text]:
        system = dialogue.system.strip()
        texts = [_Text("system", system)] if system and self._takes_system else []
        for turn in dialogue.turns:
            said = _Text(turn.role, turn.text.strip(), turn if turn.role == "assistant" else None)
            if texts and texts[-1].role == said.role:
                said = _Text(said.role, f"{texts.pop().text}\n\n{said.text}")
            texts.append(said)
        asked = next((at for at, text in enumerate(texts) if text.role == "user"), None)
        if system and not self._takes_system and asked is not None:
            texts[asked] = _Text("user", f"{system}\n\n{texts[asked].text}")
        return texts

    def _split(self, roles: list[str], *, ask: bool) -> Iterator[tuple[str, int | None]]:
        """What the template writes before each text, with the text's index; None at the end."""
        nonce = str(secrets.randbelow(10**18) + 10**18)
        messages = [
            {"role": role, "content": f"{nonce}{index:06d}"} for index, role in enumerate(roles)
        ]
        rendered = self._render(messages, ask=ask)
        done = 0
        for found in re.finditer(rf"{nonce}(\d{{6}})", rendered):
            yield rendered[done : found.start()], int(found[1])
            done = found.end()
        yield rendered[done:], None

    def _render(self, messages: list[dict[str, str]], *, ask: bool) -> str:
        from jinja2 import TemplateError

        try:
            return self._compiled.render(
                messages=messages, add_generation_prompt=ask, tools=None, **self._special
            )
        except (TemplateError, TypeError, ValueError, LookupError) as error:
            raise ConfigError(
                f"The model's chat template refuses the dialogue ({error})", _HINT
            ) from error

    def _renders_system(self) -> bool:
        try:
            parts = [*self._split(["system", "user"], ask=True)]
        except ConfigError:
            parts = [*self._split(["user"], ask=True)]
        return len(parts) == 3


def named_template(found: object) -> str:
    """What a tokenizer's config calls its chat template: a text, or the default of several."""
    if isinstance(found, str):
        return found
    if isinstance(found, list):
        named = {entry.get("name"): entry.get("template") for entry in found}
        return str(named.get("default") or next(iter(named.values()), ""))
    return ""


def special_tokens(config: Mapping[str, Any]) -> dict[str, str]:
    """`bos_token`, `eos_token` … of `tokenizer_config.json`, each as its text."""
    found: dict[str, str] = {}
    for name, token in config.items():
        text = token.get("content") if isinstance(token, dict) else token
        if name.endswith("_token") and isinstance(text, str):
            found[name] = text
    return found


def _compiled(source: str) -> Compiled:
    from jinja2 import TemplateError
    from jinja2.ext import loopcontrols
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    room = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[loopcontrols]
    )
    room.globals |= {"raise_exception": _refuse, "strftime_now": _now}
    try:
        return room.from_string(_TRACKED.sub(_untracked, source))
    except TemplateError as error:
        raise ConfigError(f"The model's chat template does not compile ({error})", _HINT) from error


def _untracked(tag: re.Match[str]) -> str:
    return f"{{%{tag[1]} {'endif' if tag[2] else 'if true'} {tag[3]}%}}"


def _refuse(message: str) -> NoReturn:
    from jinja2 import TemplateError

    raise TemplateError(message)


def _now(form: str) -> str:
    return datetime.now().strftime(form)
