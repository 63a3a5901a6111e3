"""Resolution of a mode to a model, with the template that renders its prompts, and its window."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Protocol

from starchat_tui.client.protocol import Delta, ModelCard, Progress, Request
from starchat_tui.config.paths import expand_user_path
from starchat_tui.config.settings import Settings, remove_credentials
from starchat_tui.dialogue import MODES, Mode
from starchat_tui.errors import ConfigError, ModelUnavailable
from starchat_tui.models import hub_files, registry
from starchat_tui.models.environments import find_model_environment
from starchat_tui.templates import prompt_files
from starchat_tui.templates.chatml import ChatMLTemplate
from starchat_tui.templates.few_shot import FewShotTemplate
from starchat_tui.templates.jinja_template import JinjaTemplate
from starchat_tui.templates.template import Template
from starchat_tui.templates.tokenizer import Tokenizer

HUB_RETRY_SECONDS = 5.0
"""Seconds for which a failed resolution stands before the Hub is asked again."""


class Engine(Protocol):
    """Source of completions: the local engine, or a server at a URL."""

    def stream(self, request: Request) -> AsyncGenerator[Delta | Progress, None]:
        """Yield the completion in pieces; raise a `StarChatError` if there is none."""

    async def list_models(self) -> list[ModelCard]:
        """Return the models that the engine offers."""


@dataclass(frozen=True, slots=True)
class ResolvedModel:
    """Everything a conversation needs to know about the model of its mode."""

    mode: Mode
    name: str
    """Name in requests to the engine."""
    template: Template
    window: int
    """Context length in tokens."""
    demo: bool
    """True for the small models that come with the package."""

    @property
    def reserve(self) -> int:
        """Maximum number of tokens of the window that are reserved for an answer."""
        return self.window // 4


class ModelResolver:
    """The models of a session, one for each mode, resolved on first use."""

    def __init__(self, settings: Settings, engine: Engine) -> None:
        self._settings = self._own_settings = settings
        self._engine = engine
        self.is_pinned = _names_model(settings)
        """True if the user named a model, so that no stored one takes its place."""
        self._resolved: dict[Mode, ResolvedModel] = {}
        self._searches: dict[Mode, asyncio.Task[ResolvedModel]] = {}

    @property
    def server(self) -> str:
        """Server that the questions go to, without the password that its URL may hold."""
        return remove_credentials(self._own_settings.url)

    def adopt_model(self, name: str) -> bool:
        """Use the model of a stored conversation; return whether it answers from now on.

        It does not where the user has named another one, or where it is not on this machine:
        nothing is downloaded because an old conversation is continued.
        """
        if self.is_pinned:
            return False
        wanted = replace(self._own_settings, model=name or self._own_settings.model)
        if wanted.model != self._settings.model:
            self._resolved.clear()
            self._searches.clear()
        self._settings = wanted if hub_files.is_available(name) else self._own_settings
        return self._settings is wanted

    def choose_initial_mode(self) -> Mode:
        """Return the mode the user chose, or the one the model is made for."""
        for mode in MODES:
            if self._settings.mode == mode:
                return mode
        if self._settings.url:
            return "chat"
        return _detect_mode(registry.find_model(self._settings.model))

    def choose_model_name(self, mode: Mode) -> str:
        """Return the name of the model for `mode`; nothing is read or loaded."""
        chosen = self._settings.chat_model if mode == "chat" else self._settings.ta_model
        if chosen or self._settings.url:
            return chosen or self._settings.model
        model = registry.find_model(self._settings.model)
        return model.partner if model.partner and model.mode != mode else model.name

    def choose_environment(self, mode: Mode) -> str:
        """Return the environment that the user chose, or the one of the model of `mode`."""
        chosen = self._settings.env
        return find_model_environment(self.choose_model_name(mode)) if chosen == "auto" else chosen

    async def resolve(self, mode: Mode) -> ResolvedModel:
        """Return the model of `mode`; raise a `StarChatError` if its files are not available."""
        if mode not in self._resolved:
            resolve = self._resolve_remote if self._settings.url else self._resolve_local
            self._resolved[mode] = await resolve(mode)
        return self._resolved[mode]

    async def _resolve_local(self, mode: Mode) -> ResolvedModel:
        model = registry.find_model(self.choose_model_name(mode))
        read = partial(self._read_local, mode, model)
        return await self._run_search(mode, read, is_local=model.is_local or model.demo)

    def _read_local(self, mode: Mode, model: registry.Model) -> ResolvedModel:
        name = model.engine_name
        window = _require_window(self._settings.window or hub_files.read_model_window(model), name)
        if self._settings.tokenizer:
            template = self._create_template(mode, self._named_tokenizer, None, window)
        else:
            tokenizer = hub_files.find_model_file(model, "tokenizer.json")
            template = self._create_template(mode, tokenizer, model, window)
        return ResolvedModel(mode, name, template, window, model.demo)

    async def _resolve_remote(self, mode: Mode) -> ResolvedModel:
        cards = await self._engine.list_models()
        card = _choose_card(cards, self.choose_model_name(mode), self._settings.url)
        if not self._settings.tokenizer:
            raise ConfigError(
                f"The tokenizer of `{card.name}` is not known here",
                "name it with `--tokenizer FILE` (the model's tokenizer.json)",
            )
        window = _require_window(self._settings.window or card.window, card.name)

        def read() -> ResolvedModel:
            template = self._create_template(mode, self._named_tokenizer, None, window)
            return ResolvedModel(mode, card.name, template, window, demo=False)

        return await self._run_search(mode, read, is_local=True)

    async def _run_search(
        self, mode: Mode, read: Callable[[], ResolvedModel], *, is_local: bool
    ) -> ResolvedModel:
        """Return the result of `read`, which runs in a thread if it may have to ask the Hub.

        Concurrent callers share one search: the composer resolves the model at every pause in
        typing. The search survives the cancellation of its first caller, and a failure stands for
        `HUB_RETRY_SECONDS`.
        """
        has_local_prompt = mode == "chat" or "/" not in self._settings.prompt
        if is_local and has_local_prompt:
            return read()
        if mode not in self._searches:
            self._searches[mode] = asyncio.create_task(self._search_in_thread(mode, read))
        return await asyncio.shield(self._searches[mode])

    async def _search_in_thread(
        self, mode: Mode, read: Callable[[], ResolvedModel]
    ) -> ResolvedModel:
        try:
            # Stored here too: the callers may all have been cancelled.
            found = self._resolved[mode] = await asyncio.to_thread(read)
            return found
        finally:
            loop = asyncio.get_running_loop()
            loop.call_later(HUB_RETRY_SECONDS, lambda: self._searches.pop(mode, None))

    @property
    def _named_tokenizer(self) -> Path:
        return expand_user_path(self._settings.tokenizer)

    def _create_template(
        self, mode: Mode, tokenizer_file: Path, model: registry.Model | None, window: int
    ) -> Template:
        """Return the template of a mode.

        Args:
            mode: `chat` takes the model's own template, `ta` the few-shot prompt of the settings.
            tokenizer_file: A tokenizer.json.
            model: The model whose file that is; None if the user named the file.
            window: Context length in tokens; the few-shot prompt is cut to fit it.
        """
        # An id that the file lacks has no row in the model's embedding: never add tokens here.
        tokenizer = Tokenizer.load(tokenizer_file, add_chat_tokens=False)
        if mode == "chat":
            return _create_chat_template(tokenizer, tokenizer_file, model)
        prompt = prompt_files.load_few_shot_prompt(self._settings.prompt)
        return FewShotTemplate(tokenizer, prompt, window=window)


def _names_model(settings: Settings) -> bool:
    """Return whether the settings name a model, or a server that decides which one answers."""
    named = settings.model != Settings().model
    return bool(named or settings.chat_model or settings.ta_model or settings.url)


def _require_window(window: int, name: str) -> int:
    if window <= 0:
        raise ConfigError(
            f"The context length of `{name}` is not known", "set it with `--window TOKENS`"
        )
    return window


def _create_chat_template(
    tokenizer: Tokenizer, tokenizer_file: Path, model: registry.Model | None
) -> Template:
    """Return the ChatML template if the tokenizer has its tokens, else the model's own."""
    if tokenizer.has_chat_tokens:
        return ChatMLTemplate(tokenizer)
    folder = str(tokenizer_file.parent.absolute())
    owner = model or registry.Model(folder, folder)
    source = hub_files.read_chat_template(owner)
    if not source and model is None:
        raise ConfigError(
            f"`{tokenizer_file}` lacks StarChat's tokens, and no chat template lies beside it",
            "put the model's tokenizer_config.json there, or use it with `--mode ta`",
        )
    if not source:
        raise ConfigError(
            f"`{owner.name}` was not fine-tuned for chat",
            "use it with `--mode ta`, or name a chat model with `--chat-model`",
        )
    return JinjaTemplate.from_config(
        tokenizer,
        source,
        hub_files.read_optional_json(owner, "tokenizer_config.json"),
        hub_files.read_optional_json(owner, "generation_config.json"),
        name=owner.name,
    )


def _choose_card(cards: list[ModelCard], wanted: str, url: str) -> ModelCard:
    """Return the card called `wanted`, or the first one if the user named no model."""
    for card in cards:
        if card.name == wanted:
            return card
    if not cards or wanted != Settings().model:
        names = ", ".join(card.name for card in cards) or "no model at all"
        raise ModelUnavailable(f"`{url}` does not offer `{wanted}`", f"it offers {names}")
    return cards[0]


def _detect_mode(model: registry.Model) -> Mode:
    if model.mode is not None:
        return model.mode
    tokenizer = Tokenizer.load(
        hub_files.find_model_file(model, "tokenizer.json"), add_chat_tokens=False
    )
    return "chat" if tokenizer.has_chat_tokens or hub_files.read_chat_template(model) else "ta"
