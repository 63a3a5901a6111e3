"""A session with a scripted engine and scripted kernels."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from starchat_tui.chat.session import Session
from starchat_tui.chat.store import ConversationStore
from starchat_tui.client.protocol import Sampling
from starchat_tui.config.settings import Settings
from starchat_tui.models.resolver import ModelResolver
from tests.chat.conversations import MakeSession
from tests.fakes import byte_tokenizer
from tests.scripted import ScriptedEngine, ScriptedKernelFactory


@pytest.fixture
def engine() -> ScriptedEngine:
    return ScriptedEngine()


@pytest.fixture
def factory() -> ScriptedKernelFactory:
    return ScriptedKernelFactory()


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return tmp_path / "chats.db"


@pytest.fixture
def make_session(
    tmp_path: Path, database: Path, engine: ScriptedEngine, factory: ScriptedKernelFactory
) -> MakeSession:
    tokenizer = tmp_path / "tokenizer.json"
    tokenizer.write_text(json.dumps(byte_tokenizer()))
    settings = Settings(url="http://x", tokenizer=str(tokenizer), window=30_000)

    def create() -> Session:
        return Session(
            ConversationStore.open(database),
            engine,
            ModelResolver(settings, engine),
            sampling=Sampling(),
            kernel_manager=factory.create_manager(),
        )

    return create
