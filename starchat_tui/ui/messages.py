"""What widgets say happened; only the app acts on it."""

from __future__ import annotations

from dataclasses import dataclass

from textual.message import Message


@dataclass
class Submitted(Message):
    """A line was sent from the composer, large pastes unfolded."""

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
