"""A program that runs the app on the terminal it is started on, for tests of real terminals."""

from __future__ import annotations

from pathlib import Path

APP_SCRIPT = """
import json, sys
from pathlib import Path
from starchat_tui.chat.store import ConversationStore
from starchat_tui.chat.session import Session
from starchat_tui.config.settings import Settings
from starchat_tui.ui.app import StarChatApp
from starchat_tui.ui.options import ChatOptions
from starchat_tui.models.resolver import ModelResolver
from starchat_tui.client.protocol import Sampling
from tests.fakes import byte_tokenizer
from tests.scripted import ScriptedEngine

folder = Path(sys.argv[1])
(folder / "tokenizer.json").write_text(json.dumps(byte_tokenizer()))
engine = ScriptedEngine()
settings = Settings(tokenizer=str(folder / "tokenizer.json"), window=30_000)
resolver = ModelResolver(settings, engine)
session = Session(ConversationStore.in_memory(), engine, resolver, sampling=Sampling())
engine.enqueue(*json.loads((folder / "answer.json").read_text()))
app = StarChatApp(session, ChatOptions(is_demo=True))
if len(sys.argv) > 2:
    app.chat_view.request_next_copy = lambda: 1 / 0
try:
    app.run()
except ZeroDivisionError as error:
    print(f"raised: {error}")
sys.exit(app.return_code or 0)
"""
ROOT = Path(__file__).parent.parent.parent
