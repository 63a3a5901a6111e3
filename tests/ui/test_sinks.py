"""Every widget that shows untrusted text, with every payload that could command a terminal."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from textual.app import App, ComposeResult
from textual.containers import VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widget import Widget
from textual.widgets import Static

from starchat_tui.chat.consent import request_consent
from starchat_tui.chat.store import Summary
from starchat_tui.errors import StarChatError
from starchat_tui.sandbox.isolation.probe import Capability
from starchat_tui.sandbox.outputs import (
    Figure,
)
from starchat_tui.templates.prompt_preview import PromptPart
from starchat_tui.terminal.image_detection import ImageSettings
from starchat_tui.ui import app as app_module
from starchat_tui.ui.app import StarChatApp
from starchat_tui.ui.screens.consent_dialog import ConsentDialog
from starchat_tui.ui.screens.dialogs import LinkDialog, TextDialog
from starchat_tui.ui.screens.figure_screen import FigureScreen
from starchat_tui.ui.screens.library import ConversationLibrary
from starchat_tui.ui.screens.prompt_dialog import PromptDialog
from starchat_tui.ui.widgets.answer_view import AnswerView
from starchat_tui.ui.widgets.banner import Banner, QuestionQueue
from starchat_tui.ui.widgets.output import RunOutput
from starchat_tui.ui.widgets.status import Status, StatusLine
from starchat_tui.ui.widgets.transcript import Note as TranscriptNote
from starchat_tui.ui.widgets.transcript import Question
from starchat_tui.ui.widgets.welcome import Welcome
from tests.scripted import ScriptedEngine, make_png
from tests.sinks import NAMES, create_hostile_outputs, find_unsafe_text_on_screen
from tests.test_sanitize import PAYLOADS
from tests.ui.conftest import CreateApp
from tests.ui.screen_helpers import read_screen, send_line, wait_until_idle
from tests.waiting import wait_until

SIZE = (120, 260)


def build_answer(bad: str) -> str:
    """Return an answer that is hostile in prose, a link, a table, a quotation, code, a language."""
    return (
        f"prose {bad} [link {bad}](https://example.org/{bad}) <b>{bad}</b> &#x202E;\n\n"
        f"| a {bad} | b |\n|---|---|\n| c | {bad} |\n\n> ```\n> quoted {bad}\n> ```\n\n"
        f"# heading {bad}\n\n```py{bad}\nx = 1\n```\n\n"
        f'```python\n# comment {bad}\ny = \'{bad}\'\n"""{bad}\n{bad}"""\n```\n'
    )


class Bench(App[None]):
    """Every widget, one below the other."""

    CSS_PATH = app_module.__file__.replace("app.py", "starchat.tcss")

    def __init__(self, bad: str) -> None:
        super().__init__()
        self.bad = bad
        self.answer = AnswerView(number=1)
        self.output = RunOutput(1, ImageSettings())
        self.banner = Banner()
        self.queue = QuestionQueue()
        self.status = StatusLine()

    def compose(self) -> ComposeResult:
        with VerticalScroll():
            yield Question(f"question {self.bad}\nmore")
            yield self.answer
            yield TranscriptNote(f"note {self.bad}")
            yield self.output
            yield self.banner
            yield self.queue
            yield Welcome(
                model=f"model {self.bad}", demo=True, get_advice=lambda: f"fits {self.bad}"
            )
            yield self.status

    async def on_mount(self) -> None:
        self.banner.show_error(StarChatError(f"message {self.bad}", f"hint {self.bad}"))
        self.queue.add(f"waits {self.bad}")
        self.status.status = Status(f"m{self.bad}", f"d{self.bad}", activity=f"a{self.bad}")
        self.answer.feed(build_answer(self.bad))
        await self.answer.finish(build_answer(self.bad))
        for output in create_hostile_outputs(self.bad):
            self.output.add_output(output)
        await self.output.draw()


ALL = "".join(PAYLOADS.values()).replace("\ud800", "")
each_payload = pytest.mark.parametrize(
    "bad",
    [
        pytest.param(ALL, id="all at once"),
        *(pytest.param(PAYLOADS[name], id=name, marks=pytest.mark.slow) for name in NAMES),
    ],
)


@each_payload
async def test_every_widget_sanitizes_its_text(bad: str) -> None:
    bench = Bench(bad)
    async with bench.run_test(size=SIZE) as pilot:
        await wait_until(lambda: "reason" in read_screen(bench))
        await pilot.pause()
        for text in ("question", "prose", "comment", "card", "trace", "message", "waits", "fits"):
            assert text in read_screen(bench), text
        assert find_unsafe_text_on_screen(bench) == ""


def create_dialogs(bad: str) -> Iterator[ModalScreen[object]]:
    """Yield every dialog, hostile in each of its texts."""

    async def probe_sandbox() -> Capability:
        return Capability("isolated")

    summary = Summary("ab12", f"title {bad}", "chat", f"model {bad}", 2, 0.0)
    request = request_consent(
        f"# code {bad}\nx = '{bad}'", "ask", urls=[f"https://example.org/{bad}"]
    )
    assert request is not None
    figure = Figure(make_png(40, 40), 40, 40, f"card {bad}")
    found: list[Widget] = [
        LinkDialog(f"https://example.org/{bad}"),
        TextDialog(f"title {bad}", Content("text")),
        PromptDialog(
            f"title {bad}",
            text=[PromptPart("text", bad), PromptPart("lookalike", bad)],
            ids=[],
            rows={"stops": bad},
        ),
        ConversationLibrary(lambda words: [summary], now=0.0, query=""),
        ConsentDialog(request, probe_sandbox),
        FigureScreen(figure, ImageSettings(), 60),
    ]
    for one in found:
        assert isinstance(one, ModalScreen)
        yield one


@each_payload
async def test_every_dialog_sanitizes_its_text(bad: str) -> None:
    class Empty(App[None]):
        CSS_PATH = Bench.CSS_PATH

    app = Empty()
    async with app.run_test(size=(120, 60)) as pilot:
        for screen in create_dialogs(bad):
            app.push_screen(screen)
            await pilot.pause()
            assert app.screen is screen
            assert find_unsafe_text_on_screen(app) == "", type(screen).__name__
            app.pop_screen()


@each_payload
async def test_the_app_sanitizes_every_text(
    create_app: CreateApp, engine: ScriptedEngine, bad: str
) -> None:
    """A question, a notice, an error, a note and a draft, in the app as it is."""
    app: StarChatApp = create_app()
    engine.enqueue("yes")
    async with app.run_test(size=(120, 50), notifications=True) as pilot:
        await send_line(pilot, "go")
        await wait_until_idle(pilot)
        app.chat_view.add_note(f"note {bad}")
        app.chat_view.show_notice(f"notice {bad}")
        app.chat_view.show_error(StarChatError(f"error {bad}", bad))
        app.chat_view.composer.set_draft(f"draft {bad}")
        app.chat_view.queue.add(f"next {bad}")
        await app.chat_view.transcript.add_question(f"asked {bad}")
        await wait_until(lambda: "error" in read_screen(app) and "asked" in read_screen(app))
        assert find_unsafe_text_on_screen(app) == ""


async def test_the_check_detects_unsanitized_text() -> None:
    """The control: without `sanitize_text` the same check reports the same payloads."""

    class Careless(App[None]):
        def compose(self) -> ComposeResult:
            for bad in PAYLOADS.values():
                yield Static(Content(bad.replace("\ud800", "")), markup=False)

    app = Careless()
    async with app.run_test(size=SIZE):
        for mark in (r"\x1b", r"\u202e", r"\u200b", r"\x7f", r"\x9b"):
            assert mark in find_unsafe_text_on_screen(app), mark


SOURCES = sorted((Path(app_module.__file__).parent).rglob("*.py"))
TEXT_WIDGETS = {"Static", "Label", "Button", "Link", "Digits"}


def find_calls(path: Path) -> Iterator[ast.Call]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call):
            yield node


def disables_markup(call: ast.Call) -> bool:
    return any(
        one.arg == "markup" and isinstance(one.value, ast.Constant) and one.value.value is False
        for one in call.keywords
    )


def is_constant(call: ast.Call) -> bool:
    """Return whether the text is a constant of the source."""
    return not call.args or isinstance(call.args[0], ast.Constant)


def find_unsafe_calls(path: Path) -> Iterator[str]:
    """Yield the places where untrusted text could be read as markup, or a link opened unasked."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        where = f"{path.name} line {getattr(node, 'lineno', 0)}"
        if isinstance(node, ast.ClassDef):
            bases = {ast.unparse(base) for base in node.bases}
            for call in ast.walk(node):
                own = isinstance(call, ast.Call) and ast.unparse(call.func) == "super().__init__"
                if own and bases & TEXT_WIDGETS and not disables_markup(call):  # type: ignore[arg-type]
                    yield f"{where}: {node.name}"
        if isinstance(node, ast.Assign):
            for target in node.targets:
                titled = ast.unparse(target).endswith(("border_title", "border_subtitle"))
                if titled and not isinstance(node.value, ast.Constant):
                    yield f"{where}: a border is markup"
        if not isinstance(node, ast.Call):
            continue
        name = ast.unparse(node.func).rpartition(".")[2]
        if name in TEXT_WIDGETS and not (disables_markup(node) or is_constant(node)):
            yield f"{where}: {name}"
        if name in ("notify", "OptionList") and not disables_markup(node):
            yield f"{where}: {name}"
        if name in ("from_markup", "from_rich_text"):
            yield f"{where}: {name}"
        if name in ("Markdown", "MarkdownViewer") and "open_links=False" not in ast.unparse(node):
            yield f"{where}: {name}"


@pytest.mark.parametrize("path", SOURCES, ids=[path.name for path in SOURCES])
def test_no_text_is_parsed_as_markup(path: Path) -> None:
    assert list(find_unsafe_calls(path)) == []


def test_the_lint_finds_each_kind_of_unsafe_call(tmp_path: Path) -> None:
    source = """
class Mine(Static):
    def __init__(self, text):
        super().__init__(text)
x = Static(text)
y = Label(f"{text}")
z.notify(text)
w.border_title = text
v = Content.from_markup(text)
fine = Static("ours"), Static(text, markup=False)
"""
    path = tmp_path / "bad.py"
    path.write_text(source)
    assert len(list(find_unsafe_calls(path))) == 6


@pytest.mark.parametrize("text", ["[/foo]", "[@click=app.quit]x[/]", "[bold]x", "[link=a]b[/link]"])
async def test_markup_is_shown_as_text(text: str) -> None:
    bench = Bench(text)
    async with bench.run_test(size=SIZE):
        await wait_until(lambda: "reason" in read_screen(bench))
        assert read_screen(bench).count(text) >= 12
