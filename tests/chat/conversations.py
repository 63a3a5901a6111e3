"""Stored conversations for tests."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import aclosing

from starchat_tui.chat.session import Session
from starchat_tui.chat.store import ConversationStore, State
from starchat_tui.dialogue import Turn
from tests.scripted import ScriptedEngine

MakeSession = Callable[[], Session]
ANSWER = "```python\nimport matplotlib\n```\nand\n```python\nprint(1)\n```"


def store_conversation(
    store: ConversationStore, *turns: tuple[str, State], system: str = "", title: str = "a title"
) -> str:
    """Store a conversation of texts and states, beginning with the user; returns its id."""
    name = store.create_conversation(title, mode="chat", model="m", system=system)
    parent = None
    for at, (text, state) in enumerate(turns):
        turn = Turn("assistant" if at % 2 else "user", text, (1, 2), "v")
        parent = store.add_turn(name, turn, parent=parent, state=state, model="m")
    return name


async def ask_once(session: Session, engine: ScriptedEngine, answer: str = ANSWER) -> int:
    """Ask and return the id of the answer's turn."""
    engine.enqueue(answer)
    async with aclosing(session.ask("go")) as events:
        async for _ in events:
            pass
    return session.turns[-1].id
