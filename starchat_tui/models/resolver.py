"""Who answers in a mode: a model's name, the template its prompts are written in, its window."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol

from starchat_tui.client.protocol import Delta, ModelCard, Progress, Request
from starchat_tui.dialogue import MODES, Mode
from starchat_tui.errors import ConfigError, ModelUnavailable
from starchat_tui.models import registry
from starchat_tui.paths import typed
from starchat_tui.settings import Settings
from starchat_tui.templates import prompt_files
from starchat_tui.templates.jinja_template import HubTemplate
from starchat_tui.templates.template import ChatML, TechnicalAssistant, Template
from starchat_tui.templates.tokenizer import Vocabulary

HELD = 5.0
"""Seconds a failed look for a model's files on the Hub counts, before the Hub is asked again."""


class Engine(Protocol):
    """Answers prompts: the local engine, or a server by URL."""

    def stream(self, request: Request) -> AsyncGenerator[Delta | Progress, None]:
        """The answer in pieces; raises a `StarChatError` where there is none."""

    async def models(self) -> list[ModelCard]:
        """The models the engine offers."""


@dataclass(frozen=True, slots=True)
class Voice:
    """A model as one mode speaks to it."""

    mode: Mode
    model: str
    """Its name on the wire."""
    template: Template
    window: int
    """Context length in tokens."""
    demo: bool

    @property
    def reserve(self) -> int:
        """The tokens of the window that are kept for an answer, at most."""
        return self.window // 4


class Voices:
    """The two voices of a session, found when they are first needed."""

    def __init__(self, settings: Settings, engine: Engine) -> None:
        self._settings = settings
        self._engine = engine
        self._found: dict[Mode, Voice] = {}
        self._searches: dict[Mode, asyncio.Task[Voice]] = {}

    def first_mode(self) -> Mode:
        """The mode the user chose, or the one the model is made for."""
        for mode in MODES:
            if self._settings.mode == mode:
                return mode
        if self._settings.url:
            return "chat"
        return _native_mode(registry.resolve(self._settings.model))

    def model_name(self, mode: Mode) -> str:
        """The name of the model that answers in `mode`, before anything is loaded."""
        chosen = self._settings.chat_model if mode == "chat" else self._settings.ta_model
        if chosen or self._settings.url:
            return chosen or self._settings.model
        model = registry.resolve(self._settings.model)
        return model.partner if model.partner and model.mode != mode else model.name

    async def voice(self, mode: Mode) -> Voice:
        """The voice of `mode`; raises a `StarChatError` where its tokenizer cannot be had."""
        if mode not in self._found:
            self._found[mode] = await self._find(mode)
        return self._found[mode]

    async def _find(self, mode: Mode) -> Voice:
        if self._settings.url:
            return await self._remote(mode)
        model = registry.resolve(self.model_name(mode))
        here = model.local or model.demo
        return await self._searched(mode, partial(self._local, mode, model), here=here)

    async def _searched(self, mode: Mode, look: Callable[[], Voice], *, here: bool) -> Voice:
        """What `look` finds, looked for in a thread where it may have to ask the Hub.

        Whoever asks meanwhile waits for the same search, which goes on where the one who began it
        is called away; its failure holds for a while, since who types asks at every pause.
        """
        if here and not (mode == "ta" and "/" in self._settings.prompt):
            return look()
        if mode not in self._searches:
            self._searches[mode] = asyncio.create_task(self._search(mode, look))
        return await asyncio.shield(self._searches[mode])

    async def _search(self, mode: Mode, look: Callable[[], Voice]) -> Voice:
        try:
            found = self._found[mode] = await asyncio.to_thread(look)
            return found
        finally:
            loop = asyncio.get_running_loop()
            loop.call_later(HELD, lambda: self._searches.pop(mode, None))

    def _local(self, mode: Mode, model: registry.Model) -> Voice:
        name = model.engine_name
        window = self._settings.window or registry.window(model)
        if self._settings.tokenizer:
            tokenizer = typed(self._settings.tokenizer)
            return self._voice(mode, name, tokenizer, window, demo=model.demo)
        tokenizer = registry.local_file(model, "tokenizer.json")
        return self._voice(mode, name, tokenizer, window, demo=model.demo, model=model)

    async def _remote(self, mode: Mode) -> Voice:
        cards = await self._engine.models()
        card = _chosen(cards, self.model_name(mode), self._settings.url)
        if not self._settings.tokenizer:
            raise ConfigError(
                f"The tokenizer of `{card.name}` is not known here",
                "name it with `--tokenizer FILE` (the model's tokenizer.json)",
            )
        window = self._settings.window or card.window
        tokenizer = typed(self._settings.tokenizer)
        look = partial(self._voice, mode, card.name, tokenizer, window, demo=False)
        return await self._searched(mode, look, here=True)

    def _voice(
        self,
        mode: Mode,
        name: str,
        tokenizer: Path,
        window: int,
        *,
        demo: bool,
        model: registry.Model | None = None,
    ) -> Voice:
        """A voice from its tokenizer; `model` is what that came with, None where it was named."""
        # Ids that the file lacks are ids that its model has no rows for.
        vocabulary = Vocabulary.load(tokenizer, grow=False)
        template: Template
        if mode == "chat":
            template = _chat_template(vocabulary, tokenizer, model)
        else:
            few_shot = prompt_files.few_shot(self._settings.prompt)
            template = TechnicalAssistant(vocabulary, few_shot, window=_known(window, name))
        return Voice(mode, name, template, _known(window, name), demo)


def _known(window: int, name: str) -> int:
    if window <= 0:
        raise ConfigError(f"The window of `{name}` is not known", "say it: `--window TOKENS`")
    return window


def _chat_template(
    vocabulary: Vocabulary, tokenizer: Path, model: registry.Model | None
) -> Template:
    """StarChat's layout where the tokenizer has its tokens, else the one that lies beside it."""
    if vocabulary.chats:
        return ChatML(vocabulary)
    folder = str(tokenizer.parent.absolute())
    beside = model or registry.Model(folder, folder)
    written = registry.chat_template(beside)
    if not written and model is None:
        raise ConfigError(
            f"`{tokenizer}` lacks StarChat's tokens, and no chat template lies beside it",
            "put the model's tokenizer_config.json there, or use it with `--mode ta`",
        )
    if not written:
        raise ConfigError(
            f"`{beside.name}` was not fine-tuned for chat",
            "use it with `--mode ta`, or name a chat model with `--chat-model`",
        )
    return HubTemplate.of_config(
        vocabulary,
        written,
        registry.optional_json(beside, "tokenizer_config.json"),
        registry.optional_json(beside, "generation_config.json"),
    )


def _chosen(cards: list[ModelCard], wanted: str, url: str) -> ModelCard:
    """The card called `wanted`; the first one where the user named no model of the server."""
    for card in cards:
        if card.name == wanted:
            return card
    if not cards or wanted != Settings().model:
        names = ", ".join(card.name for card in cards) or "none at all"
        raise ModelUnavailable(f"`{url}` offers no model `{wanted}`", f"it offers {names}")
    return cards[0]


def _native_mode(model: registry.Model) -> Mode:
    if model.mode is not None:
        return model.mode
    vocabulary = Vocabulary.load(registry.local_file(model, "tokenizer.json"), grow=False)
    return "chat" if vocabulary.chats or registry.chat_template(model) else "ta"
