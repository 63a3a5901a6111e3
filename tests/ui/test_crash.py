"""An error in any part of the real program: the terminal, the draft, the exit code, the report."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.scripted_server import WORDS, serve_answers
from tests.ui.chat_process import open_chat

RAISE = """
def fail(*arguments, **keywords):
    raise RuntimeError("injected")
"""
AFTER_START = "import threading, starchat_tui.ui.app as app_module\nApp = app_module.StarChatApp\n"
"""The causes, each by the code that puts it into the program; F1 sets it off."""
CAUSES = {
    "a handler of a key": "App.action_help = fail",
    "a handler of a message": "App.on_copy_requested = fail\nApp.action_help = lambda app: "
    "app.post_message(app_module.CopyRequested('text', 'a text'))",
    "a worker": "async def work(): fail()\n"
    "App.action_help = lambda app: app.chat_view.run_in_background(work, group='x')",
    "a thread worker": "App.action_help = lambda app: app.run_worker(fail, thread=True)",
    "a timer": "App.action_help = lambda app: app.set_timer(0.01, fail)",
    "the compositor": "from textual._compositor import Compositor\n"
    "def help(app):\n    Compositor.reflow = Compositor.render_update = fail\n"
    "    app.refresh(layout=True)\nApp.action_help = help",
    "the rendering of a widget": "def help(app):\n"
    "    type(app.chat_view.composer).render_line = fail\n    app.chat_view.composer.refresh()\n"
    "App.action_help = help",
    "composing a screen": "from starchat_tui.ui.screens.dialogs import TextDialog\n"
    "TextDialog.compose = fail",
    "the thread of the input": "import starchat_tui.ui.driver as driver\n"
    "App.action_help = lambda app: setattr(driver.ChatDriver, '_is_readable', fail)",
    "the thread of the output": "class Broken:\n"
    "    def __init__(self, file): self.file = file\n"
    "    def flush(self): pass\n"
    "    def write(self, text): writer._file = self.file; fail()\n"
    "def help(app):\n    global writer\n    writer = app._driver._file\n"
    "    writer._file = Broken(writer._file)\n    app.refresh(layout=True)\n"
    "App.action_help = help",
    "leaving": "App.on_unmount = fail\nApp.action_help = lambda app: app.exit()",
    "exhausted memory": "def help(app): raise MemoryError\nApp.action_help = help",
    "endless recursion": "def help(app): help(app)\nApp.action_help = help",
}
STARTS = {
    "composing": "App.compose = fail",
    "mounting": "App.on_mount = fail",
    "the constructor": "App.__init__ = fail",
    "the session": "import starchat_tui.cli.factory as factory\nfactory.create_session = fail",
    "the query of the terminal": "import starchat_tui.terminal.image_detection as detection\n"
    "detection.detect_images = fail",
    "the driver": "import starchat_tui.ui.driver as driver\n"
    "driver.ChatDriver.start_application_mode = fail",
    "the style sheet": "from textual.css.stylesheet import Stylesheet\nStylesheet.parse = fail",
}


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with serve_answers() as address:
        yield address


@pytest.mark.slow
@pytest.mark.parametrize("cause", CAUSES)
def test_an_error_ends_the_chat_in_order(cause: str, url: str, empty_home: Path) -> None:
    program = RAISE + AFTER_START + CAUSES[cause]
    with open_chat(empty_home / "starchat", url=url, program=program) as chat:
        chat.wait_for("Enter send")
        chat.send("a question\r")
        chat.wait_for("first token")
        chat.send("keep this")
        chat.wait_for("keep this")
        chat.send("\x1bOP")
        code = chat.wait_for_exit()
        assert code == 1, chat.shown[-600:].decode(errors="replace")
        assert chat.is_restored
        assert chat.read_draft() == "keep this"
        check_report(chat.shown, chat.read_log(), cause)
    with closing(sqlite3.connect(empty_home / "starchat" / "data" / "chats.db")) as database:
        turns = database.execute("SELECT text, state FROM turn").fetchall()
    assert turns == [("a question", "done"), ("".join(WORDS), "done")]


@pytest.mark.slow
def test_after_an_error_the_conversation_continues(url: str, empty_home: Path) -> None:
    program = RAISE + AFTER_START + CAUSES["a handler of a key"]
    with open_chat(empty_home / "starchat", url=url, program=program) as chat:
        chat.wait_for("Enter send")
        chat.send("a question\r")
        chat.wait_for(WORDS[5])
        chat.send("keep this\x1bOP")
        assert chat.wait_for_exit() == 1
    with open_chat(empty_home / "starchat", "-c", url=url) as chat:
        for kept in ("a question", WORDS[5], "keep this"):
            chat.wait_for(kept)


@pytest.mark.slow
@pytest.mark.parametrize("cause", STARTS)
def test_an_error_in_the_start_is_reported(cause: str, url: str, empty_home: Path) -> None:
    program = RAISE + AFTER_START + STARTS[cause]
    with open_chat(empty_home / "starchat", url=url, program=program) as chat:
        assert chat.wait_for_exit() == 1
        check_report(chat.shown, chat.read_log(), cause)


def check_report(shown: bytes, log: str, cause: str) -> None:
    """Assert that there is one sentence with the name of the log, and a traceback only there."""
    after = shown.rpartition(b"\x1b[?1049l")[2].decode(errors="replace")
    assert "starchat: " in after, cause
    assert "errors.log" in after
    assert b"Traceback" not in shown
    assert "Traceback" in log
    assert "injected" in log or cause in ("exhausted memory", "endless recursion")
