from __future__ import annotations

import io
import os
import pty
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from starchat_tui.config.settings import ImageChoice
from starchat_tui.execution.run_result import RunResult
from starchat_tui.sandbox.outputs import (
    Failure,
    Figure,
    Note,
    Output,
    OutputCleared,
    RunEnded,
    StreamText,
    WrittenFile,
)
from starchat_tui.terminal.image_detection import ImageDetector
from starchat_tui.terminal.run_printer import RunPrinter, build_run_json, save_file
from tests.scripted import make_png

NO_IMAGES = ImageDetector("off", {})
FIGURE = Figure(make_png(40, 40), 40, 40, "axes 1: 'Bars' bars [1, 2]")


class Screen(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def print_figure(choice: ImageChoice, **environ: str) -> tuple[str, str]:
    """Return what goes to stdout and to stderr, both of them terminals."""
    out, err = Screen(), Screen()
    RunPrinter(out, err, images=ImageDetector(choice, environ)).print_output(FIGURE)
    return out.getvalue(), err.getvalue()


@pytest.mark.parametrize("term", ["xterm-kitty", "xterm-ghostty"])
def test_a_plot_is_sent_to_kitty_as_an_image(term: str) -> None:
    _, screen = print_figure("auto", TERM=term)
    assert screen.startswith("\x1b_Ga=T,f=100")
    assert "\x1b[38;2;" not in screen


def test_a_plot_is_drawn_in_half_blocks_where_nothing_better_is_known() -> None:
    _, screen = print_figure("auto", TERM="xterm-256color")
    assert "\x1b[38;2;" in screen
    assert "\x1b_G" not in screen


def test_the_setting_overrules_the_terminal() -> None:
    assert print_figure("sixel", TERM="xterm-kitty")[1].startswith("\x1bP")
    assert print_figure("off", TERM="xterm-kitty")[1] == ""


def test_the_description_of_a_plot_goes_to_stdout() -> None:
    out, _ = print_figure("off")
    assert out == "axes 1: 'Bars' bars [1, 2]\n"


@contextmanager
def sixel_terminal() -> Iterator[int]:
    """Put a terminal that has its answer ready on stdin and stdout; yield its other end.

    Not a fixture: pytest replaces both streams again between a fixture and its test.
    """
    master, slave = pty.openpty()
    kept = [os.dup(0), os.dup(1)]
    for descriptor in (0, 1):
        os.dup2(slave, descriptor)
    os.write(master, b"\x1b[6;32;16t\x1b[?62;4c")
    try:
        yield master
    finally:
        for descriptor, original in enumerate(kept):
            os.dup2(original, descriptor)
            os.close(original)
        os.close(slave)
        os.close(master)


def test_a_terminal_is_asked_for_sixels_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.tcgetpgrp", lambda _: os.getpgrp())
    detector = ImageDetector("auto", {"TERM": "xterm-256color"})
    with sixel_terminal() as terminal:
        first, second = detector.detect(), detector.detect()
        queries = os.read(terminal, 4096).count(b"\x1b[c")
    assert first is second
    assert (first.protocol, first.cell_size) == ("sixel", (16, 32))
    assert queries == 1


def test_a_terminal_of_another_process_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.tcgetpgrp", lambda _: os.getpgrp() + 1)
    with sixel_terminal():
        settings = ImageDetector("auto", {"TERM": "xterm-256color"}).detect()
    assert settings.protocol == "half"


def test_a_pipe_gets_the_description_and_no_image() -> None:
    out, err = io.StringIO(), io.StringIO()
    RunPrinter(out, err, images=ImageDetector("kitty", {})).print_output(FIGURE)
    assert (out.getvalue(), err.getvalue()) == ("axes 1: 'Bars' bars [1, 2]\n", "")


def test_an_unreadable_image_is_reported_and_described() -> None:
    out, err = Screen(), Screen()
    printer = RunPrinter(out, err, images=ImageDetector("half", {}))
    printer.print_output(Figure(b"no image", 4, 3, ""))
    assert "cannot be read" in err.getvalue()
    assert out.getvalue() == "figure, 4 × 3 pixels\n"


def test_a_note_starts_a_line_of_its_own() -> None:
    out, err = Screen(), Screen()
    printer = RunPrinter(out, err, NO_IMAGES, color=False)
    printer.print_output(StreamText("stderr", "no newline"))
    printer.print_note("a note")
    assert err.getvalue() == "no newline\na note\n"


def test_files_are_listed_before_the_end() -> None:
    out, err = io.StringIO(), io.StringIO()
    printer = RunPrinter(out, err, NO_IMAGES)
    printer.print_output(WrittenFile("a.csv", 3))
    assert err.getvalue() == ""
    printer.print_output(RunEnded("ok", "isolated", 0.5))
    assert re.fullmatch(r"wrote a\.csv \(3 .*\)\nran · 0\.5 s · .*\n", err.getvalue())


def test_saved_files_never_replace_others(tmp_path: Path) -> None:
    folder = tmp_path / "new"
    saved = [save_file(folder, "plot.png", data) for data in (b"1", b"2", b"3")]
    assert [path.name for path in saved] == ["plot.png", "plot-2.png", "plot-3.png"]
    assert [path.read_bytes() for path in saved] == [b"1", b"2", b"3"]


def test_notes_of_the_run_are_printed_where_the_summary_is_not() -> None:
    out, err = io.StringIO(), io.StringIO()
    printer = RunPrinter(out, err, images=NO_IMAGES, quiet=True)
    ended = RunEnded("error", "isolated", 0.1)
    for output in (Note("before"), Failure("E", "m", "E: m"), Note("a hint", True), ended):
        printer.print_output(output)
    printer.print_note("about the program")
    assert err.getvalue() == "before\nE: m\na hint\n"
    err = io.StringIO()
    printer = RunPrinter(out, err, images=NO_IMAGES, quiet=True, notes=False)
    for output in (Note("before"), Failure("E", "m", "E: m"), Note("a hint", True), ended):
        printer.print_output(output)
    assert err.getvalue() == "E: m\na hint\n"


def test_the_notes_are_in_the_json() -> None:
    result = RunResult(
        (Note("one"), StreamText("stdout", "x"), Note("use y", is_hint=True), Note("two")),
        RunEnded("error", "off", 0),
    )
    document = build_run_json(result)
    assert (document["notes"], document["hint"]) == (["one", "two"], "use y")


def print_to_pipe(*outputs: Output) -> tuple[str, str]:
    """Return what a run prints to two pipes."""
    out, err = io.StringIO(), io.StringIO()
    printer = RunPrinter(out, err, images=NO_IMAGES, quiet=True)
    for output in (*outputs, RunEnded("ok", "isolated", 0.1)):
        printer.print_output(output)
    return out.getvalue(), err.getvalue()


def describe(card: str, key: int = 0) -> Figure:
    return Figure(make_png(4, 4), 4, 4, card, key)


def test_of_a_plot_that_is_replaced_the_last_state_is_printed() -> None:
    out, _ = print_to_pipe(
        describe("first", 1), StreamText("stdout", "text\n"), describe("last", 1), describe("once")
    )
    assert out == "text\nonce\nlast\n"


def test_of_cleared_output_the_last_state_is_printed() -> None:
    states = [
        (
            OutputCleared(),
            StreamText("stdout", f"{n}\n"),
            StreamText("stderr", f"e{n}\n"),
            describe(f"plot {n}"),
        )
        for n in range(3)
    ]
    out, err = print_to_pipe(*(one for state in states for one in state))
    assert (out, err) == ("2\nplot 2\n", "e2\n")


def test_an_error_after_cleared_output_keeps_its_place() -> None:
    failure = Failure("E", "m", "trace")
    outputs = [OutputCleared(), StreamText("stderr", "before\n"), failure]
    assert print_to_pipe(*outputs)[1] == "before\ntrace\n"


def test_the_next_run_is_printed_at_once_again() -> None:
    out, err = io.StringIO(), io.StringIO()
    printer = RunPrinter(out, err, images=NO_IMAGES, quiet=True)
    for output in (OutputCleared(), RunEnded("ok", "isolated", 0.1), StreamText("stdout", "x")):
        printer.print_output(output)
    assert out.getvalue() == "x"
