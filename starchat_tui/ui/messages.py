"""Messages that widgets post; only the app and the chat view act on them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from textual.message import Message

from starchat_tui.sandbox.outputs import Figure


@dataclass
class Submitted(Message):
    """The user sent a line: a question or a slash command, large pastes expanded."""

    text: str


@dataclass
class DraftChanged(Message):
    """The text in the composer changed."""

    text: str


@dataclass
class CopyRequested(Message):
    """The user wants some text in the clipboard."""

    text: str
    subject: str
    """The name of the text in the notice, such as `code block 2`."""


@dataclass
class RunRequested(Message):
    """The user wants to run a code block."""

    number: int


@dataclass
class FixRequested(Message):
    """The user wants the model to fix a code block whose run failed."""

    number: int


@dataclass
class FigureActionRequested(Message):
    """The user wants a plot enlarged, opened in another program, or saved."""

    figure: Figure
    action: Literal["enlarge", "open", "save"]


@dataclass
class LinkClicked(Message):
    """The user clicked a link in an answer."""

    url: str


@dataclass
class SiblingRequested(Message):
    """The user wants to see another answer to the same question."""

    turn: int
    step: int


@dataclass
class EarlierTurnsRequested(Message):
    """The user wants to see the turns above the ones on the screen."""


@dataclass
class ExampleChosen(Message):
    """The user chose an example question."""

    text: str


@dataclass
class NoticeRequested(Message):
    """A notice is to be shown that disappears by itself."""

    text: str


@dataclass
class BannerDismissed(Message):
    """The user dismissed the error."""
