"""Who answers in a mode: a model's name, the template its prompts are written in, its window."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from starchat_tui import models, prompts
from starchat_tui.dialogue import MODES, Mode
from starchat_tui.errors import ConfigError, ModelUnavailable
from starchat_tui.foreign import HubTemplate
from starchat_tui.settings import Settings
from starchat_tui.template import ChatML, TechnicalAssistant, Template
from starchat_tui.vocabulary import Vocabulary
from starchat_tui.wire import Delta, ModelCard, Progress, Request


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

    def first_mode(self) -> Mode:
        """The mode the user chose, or the one the model is made for."""
        for mode in MODES:
            if self._settings.mode == mode:
                return mode
        if self._settings.url:
            return "chat"
        return _native_mode(models.resolve(self._settings.model))

    def model_name(self, mode: Mode) -> str:
        """The name of the model that answers in `mode`, before anything is loaded."""
        chosen = self._settings.chat_model if mode == "chat" else self._settings.ta_model
        if chosen or self._settings.url:
            return chosen or self._settings.model
        model = models.resolve(self._settings.model)
        return model.partner if model.partner and model.mode != mode else model.name

    async def voice(self, mode: Mode) -> Voice:
        """The voice of `mode`; raises a `StarChatError` where its tokenizer cannot be had."""
        if mode not in self._found:
            self._found[mode] = await self._find(mode)
        return self._found[mode]

    async def _find(self, mode: Mode) -> Voice:
        if self._settings.url:
            return await self._remote(mode)
        model = models.resolve(self.model_name(mode))
        name = model.engine_name
        window = self._settings.window or models.window(model)
        if mode == "chat" and not self._settings.tokenizer:
            return Voice(mode, name, _chat_template(model), _known(window, name), model.demo)
        tokenizer = self._settings.tokenizer or models.local_file(model, "tokenizer.json")
        return self._voice(mode, name, Path(tokenizer), window, demo=model.demo)

    async def _remote(self, mode: Mode) -> Voice:
        cards = await self._engine.models()
        card = _chosen(cards, self.model_name(mode), self._settings.url)
        if not self._settings.tokenizer:
            raise ConfigError(
                f"The tokenizer of `{card.name}` is not known here",
                "name it with `--tokenizer FILE` (the model's tokenizer.json)",
            )
        window = self._settings.window or card.window
        return self._voice(mode, card.name, Path(self._settings.tokenizer), window, demo=False)

    def _voice(self, mode: Mode, name: str, tokenizer: Path, window: int, *, demo: bool) -> Voice:
        # Only a layout with the four tokens needs them; a base model has no rows for them.
        vocabulary = Vocabulary.load(tokenizer.expanduser(), grow=mode == "chat")
        template: Template = ChatML(vocabulary)
        if mode == "ta":
            few_shot = prompts.few_shot(self._settings.prompt)
            template = TechnicalAssistant(vocabulary, few_shot, window=_known(window, name))
        return Voice(mode, name, template, _known(window, name), demo)


def _known(window: int, name: str) -> int:
    if window <= 0:
        raise ConfigError(f"The window of `{name}` is not known", "say it: `--window TOKENS`")
    return window


def _chat_template(model: models.Model) -> Template:
    """StarChat's layout where the model's tokenizer has its tokens, else the model's own."""
    vocabulary = Vocabulary.load(models.local_file(model, "tokenizer.json"), grow=False)
    if vocabulary.chats:
        return ChatML(vocabulary)
    written = models.chat_template(model)
    if not written:
        raise ConfigError(
            f"`{model.name}` was not fine-tuned for chat",
            "use it with `--mode ta`, or name a chat model with `--chat-model`",
        )
    return HubTemplate.of_config(
        vocabulary,
        written,
        models.optional_json(model, "tokenizer_config.json"),
        models.optional_json(model, "generation_config.json"),
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


def _native_mode(model: models.Model) -> Mode:
    if model.mode is not None:
        return model.mode
    vocabulary = Vocabulary.load(models.local_file(model, "tokenizer.json"), grow=False)
    return "chat" if vocabulary.chats or models.chat_template(model) else "ta"
