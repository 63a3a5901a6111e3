"""What widgets say happened; only the app acts on it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from textual.message import Message

from starchat_tui.sandbox.outputs import Figure


@dataclass
class Submitted(Message):
    """The next turn: what the composer sent, large pastes unfolded, or an error to mend."""

    text: str


@dataclass
class DraftChanged(Message):
    """The composer's text changed."""

    text: str


@dataclass
class CopyRequested(Message):
    """The reader asked for a code block in the clipboard."""

    code: str
    what: str
    """What it is, for the notice."""


@dataclass
class RunRequested(Message):
    """The reader asked to run a code block."""

    number: int


@dataclass
class FixRequested(Message):
    """The reader asked that the model mend a code block whose run failed."""

    number: int


@dataclass
class FigureWanted(Message):
    """The reader wants a plot larger, in another program, or in a file."""

    figure: Figure
    how: Literal["enlarge", "open", "save"]


@dataclass
class LinkOpened(Message):
    """The reader clicked a link in an answer."""

    url: str


@dataclass
class EarlierRequested(Message):
    """The reader asked for the turns above the ones on the screen."""


@dataclass
class ExampleChosen(Message):
    """The reader clicked an example question."""

    text: str


@dataclass
class BannerClosed(Message):
    """The reader dismissed the error."""
