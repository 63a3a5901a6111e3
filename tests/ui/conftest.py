"""A real session with a scripted engine, the app around it, and ways to look at its screen."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from starchat_tui.chat.session import Session
from starchat_tui.chat.store import ConversationStore
from starchat_tui.client.protocol import Sampling
from starchat_tui.config.settings import Settings
from starchat_tui.models.resolver import ModelResolver
from starchat_tui.terminal.image_detection import ImageSettings
from starchat_tui.ui.app import StarChatApp
from starchat_tui.ui.options import ChatOptions
from starchat_tui.ui.widgets.image import HALF_BLOCKS
from tests.fakes import byte_tokenizer
from tests.scripted import ScriptedEngine, ScriptedKernelFactory

WINDOW = 30_000
"""Bytes, since the tokenizer makes a token of each; half holds the few-shot prompt's beginning."""
NOW = 1_700_000_000.0

CreateApp = Callable[..., StarChatApp]


@pytest.fixture
def engine() -> ScriptedEngine:
    return ScriptedEngine()


@pytest.fixture
def store(tmp_path: Path) -> ConversationStore:
    return ConversationStore.open(tmp_path / "chats.db")


@pytest.fixture
def kernel_factory() -> ScriptedKernelFactory:
    return ScriptedKernelFactory()


@pytest.fixture
def make_session(
    tmp_path: Path,
    engine: ScriptedEngine,
    store: ConversationStore,
    kernel_factory: ScriptedKernelFactory,
) -> Callable[..., Session]:
    tokenizer = tmp_path / "tokenizer.json"
    tokenizer.write_text(json.dumps(byte_tokenizer()))

    def create(*, window: int = WINDOW, max_tokens: int = 200) -> Session:
        settings = Settings(tokenizer=str(tokenizer), window=window)
        voices = ModelResolver(settings, engine)
        return Session(
            store,
            engine,
            voices,
            sampling=Sampling(max_tokens=max_tokens),
            kernel_manager=kernel_factory.create_manager(),
        )

    return create


@pytest.fixture
def session(make_session: Callable[..., Session]) -> Session:
    return make_session()


@pytest.fixture
def history_file(tmp_path: Path) -> Path:
    return tmp_path / "state" / "history.jsonl"


@pytest.fixture
def create_app(session: Session, history_file: Path) -> CreateApp:
    def create(
        *,
        session: Session = session,
        demo: bool = True,
        theme: str = "dark",
        first_question: str = "",
        clock: Callable[[], float] = lambda: NOW,
        images: ImageSettings = HALF_BLOCKS,
    ) -> StarChatApp:
        options = ChatOptions(
            theme=theme,
            is_demo=demo,
            first_question=first_question,
            input_history=history_file,
            draft=history_file.with_name("draft.md"),
            plots=history_file.with_name("plots"),
            images=images,
            get_advice=lambda: "This machine (24 GB and no GPU) fits `starchat --model some-model`",
            clock=clock,
        )
        return StarChatApp(session, options)

    return create


@pytest.fixture
def app(create_app: CreateApp) -> StarChatApp:
    return create_app()
