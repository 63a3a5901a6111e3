from __future__ import annotations

import json

from starchat_tui.execution.run_result import (
    KEPT,
    Gathering,
    Outcome,
    document,
    ended_text,
    fix_question,
    of_document,
    size_text,
)
from starchat_tui.sandbox.outputs import (
    Ended,
    Failure,
    Figure,
    Note,
    Output,
    Result,
    Text,
    Written,
)
from tests.scripted import drawn_png

OK = Ended("ok", "isolated", 0.5)
EVERYTHING: tuple[Output, ...] = (
    Text("stdout", "one\n"),
    Text("stderr", "careful\n"),
    Result("   a\n0  1"),
    Figure(drawn_png(), 12, 8, "axes 1"),
    Figure(drawn_png(4, 4), 4, 4, "axes 2"),
    Written("out.csv", 12),
    Note("sns was provided"),
    Failure("ValueError", "no", "Traceback\nValueError: no"),
)


def gathered(*outputs: Output, kept: int | None = KEPT) -> Outcome:
    gathering = Gathering(kept=kept)
    for output in outputs:
        gathering.take(output)
    return gathering.outcome(OK)


def test_every_kind_is_kept_and_comes_back() -> None:
    outcome = gathered(*EVERYTHING)
    assert outcome.outputs == EVERYTHING
    written, pictures = document(outcome)
    assert "png" not in json.loads(written)[3], "pictures lie beside the text"
    assert of_document(written, pictures) == outcome


def test_neighbouring_pieces_of_a_stream_become_one() -> None:
    outcome = gathered(Text("stdout", "a"), Text("stdout", "b"), Text("stderr", "c"))
    assert outcome.outputs == (Text("stdout", "ab"), Text("stderr", "c"))


def test_of_very_much_text_the_beginning_and_the_end_are_kept() -> None:
    lines = [f"{number}\n" for number in range(100_000)]
    outcome = gathered(*(Text("stdout", line) for line in lines), Result("the end"))
    text = "".join(one.text for one in outcome.outputs if isinstance(one, Text))
    whole = "".join(lines)
    assert text[:KEPT] == whole[:KEPT]
    assert text[-KEPT:] == whole[-KEPT:]
    assert len(text) == 2 * KEPT
    (note,) = [one for one in outcome.outputs if isinstance(one, Note)]
    assert f"{len(whole) - 2 * KEPT:,} characters" in note.text
    place = outcome.outputs.index(note)
    before = "".join(one.text for one in outcome.outputs[:place] if isinstance(one, Text))
    assert before == whole[:KEPT], "the note stands where something is missing"
    assert outcome.outputs[-1] == Result("the end")


def test_one_huge_piece_is_cut_as_many_small_ones_are() -> None:
    outcome = gathered(Text("stdout", "a" * KEPT + "b" * 10 * KEPT + "c" * KEPT))
    texts = [one.text for one in outcome.outputs if isinstance(one, Text)]
    assert texts == ["a" * KEPT, "c" * KEPT]


def test_without_a_bound_everything_is_kept() -> None:
    outcome = gathered(Text("stdout", "x" * 10 * KEPT), kept=None)
    assert len(outcome.stream("stdout")) == 10 * KEPT


def test_what_has_no_utf8_can_be_stored() -> None:
    written, pictures = document(gathered(Text("stdout", "a\ud800b")))
    written.encode()
    assert of_document(written, pictures).stream("stdout") == "a?b"


def test_results_belong_to_stdout() -> None:
    outcome = gathered(*EVERYTHING)
    assert outcome.stream("stdout") == "one\n   a\n0  1\n"
    assert outcome.stream("stderr") == "careful\n"


def test_a_file_written_twice_is_listed_once() -> None:
    assert gathered(Written("a", 1), Written("a", 2)).files == [Written("a", 2)]


def test_sizes_have_units() -> None:
    assert [size_text(size) for size in (0, 999, 1200, 3_400_000, 5e9, 5e12)] == [
        *("0 bytes", "999 bytes", "1.2 kB", "3.4 MB", "5.0 GB", "5000.0 GB")
    ]


def test_the_end_names_the_wall() -> None:
    assert ended_text(OK) == "ran · 0.5 s · isolated (bubblewrap)"
    assert "UNSAFE" in ended_text(Ended("ok", "unsafe", 1.0))


def test_the_question_after_a_failure_holds_the_error_and_no_fence_of_it() -> None:
    trace = "\n".join(f"line {number}" for number in range(50)) + "\n```\nKeyError: 'x'"
    question = fix_question(Failure("KeyError", "'x'", trace))
    assert question.count("```") == 2
    assert "KeyError: 'x'" in question
    assert "line 0\n" not in question
    assert question.endswith("Please fix it.")
