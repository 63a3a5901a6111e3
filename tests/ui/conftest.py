"""A real session with a scripted engine, the app around it, and ways to look at its screen."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from starchat_tui.chat.session import Session
from starchat_tui.chat.store import ConversationStore
from starchat_tui.client.protocol import Sampling
from starchat_tui.models.resolver import ModelResolver
from starchat_tui.settings import Settings
from starchat_tui.terminal.image_detection import ImageSettings
from starchat_tui.ui.app import StarChatApp
from starchat_tui.ui.options import ChatOptions
from starchat_tui.ui.widgets.image import HALF_BLOCKS
from tests.fakes import byte_tokenizer
from tests.scripted import ScriptedEngine, ScriptedKernelFactory

WINDOW = 30_000
"""Bytes, since the tokenizer makes a token of each; half holds the few-shot prompt's beginning."""
NOW = 1_700_000_000.0

Make = Callable[..., StarChatApp]


@pytest.fixture
def engine() -> ScriptedEngine:
    return ScriptedEngine()


@pytest.fixture
def history(tmp_path: Path) -> ConversationStore:
    return ConversationStore.open(tmp_path / "chats.db")


@pytest.fixture
def workshop() -> ScriptedKernelFactory:
    return ScriptedKernelFactory()


@pytest.fixture
def make_session(
    tmp_path: Path,
    engine: ScriptedEngine,
    history: ConversationStore,
    workshop: ScriptedKernelFactory,
) -> Callable[..., Session]:
    tokenizer = tmp_path / "tokenizer.json"
    tokenizer.write_text(json.dumps(byte_tokenizer()))

    def made(*, window: int = WINDOW, max_tokens: int = 200) -> Session:
        settings = Settings(tokenizer=str(tokenizer), window=window)
        voices = ModelResolver(settings, engine)
        return Session(
            history,
            engine,
            voices,
            sampling=Sampling(max_tokens=max_tokens),
            kernel_manager=workshop.create_manager(),
        )

    return made


@pytest.fixture
def session(make_session: Callable[..., Session]) -> Session:
    return make_session()


@pytest.fixture
def typed(tmp_path: Path) -> Path:
    return tmp_path / "state" / "history.jsonl"


@pytest.fixture
def make(session: Session, typed: Path) -> Make:
    def made(
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
            input_history=typed,
            draft=typed.with_name("draft.md"),
            plots=typed.with_name("plots"),
            images=images,
            get_advice=lambda: "This machine (24 GB and no GPU) fits `starchat --model some-model`",
            clock=clock,
        )
        return StarChatApp(session, options)

    return made


@pytest.fixture
def app(make: Make) -> StarChatApp:
    return make()
