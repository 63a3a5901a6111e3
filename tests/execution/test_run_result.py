from __future__ import annotations

import json

from starchat_tui.execution.run_result import (
    TEXT_LIMIT,
    RunRecorder,
    RunResult,
    apply_output,
    build_fix_question,
    deserialize_result,
    format_size,
    join_results,
    serialize_result,
)
from starchat_tui.sandbox.outputs import (
    Failure,
    Figure,
    GridLabel,
    GridPicture,
    Note,
    Output,
    OutputCleared,
    Result,
    RunEnded,
    StreamText,
    WrittenFile,
)
from starchat_tui.terminal.run_wording import explain_end
from tests.scripted import make_png

OK = RunEnded("ok", "isolated", 0.5)
EVERYTHING: tuple[Output, ...] = (
    StreamText("stdout", "one\n"),
    StreamText("stderr", "careful\n"),
    Result("   a\n0  1"),
    Figure(make_png(), 12, 8, "axes 1"),
    Figure(
        make_png(4, 4),
        4,
        4,
        "axes 2",
        grids=(
            GridPicture(3, 1, make_png(12, 8), (GridLabel(0, 2, "00ff00", "β"),)),
            GridPicture(1, 1, make_png(4, 8), ()),
        ),
    ),
    WrittenFile("out.csv", 12),
    Note("sns was provided"),
    Failure("ValueError", "no", "Traceback\nValueError: no"),
)


def record(*outputs: Output, text_limit: int | None = TEXT_LIMIT) -> RunResult:
    recorder = RunRecorder(text_limit=text_limit)
    for output in outputs:
        recorder.record(output)
    return recorder.build_result(OK)


def test_every_kind_of_output_survives_storage() -> None:
    result = record(*EVERYTHING)
    assert result.outputs == EVERYTHING
    document, pictures = serialize_result(result)
    assert "png" not in json.loads(document)[3], "pictures lie beside the text"
    assert deserialize_result(document, pictures) == result


def draw(card: str, key: int = 0) -> Figure:
    return Figure(make_png(), 12, 8, card, key)


def test_an_output_replaces_the_one_of_its_key() -> None:
    result = record(
        draw("first", 1), Result("between"), draw("second", 1), draw("other"), Result("text", 1)
    )
    assert result.outputs == (Result("text", 1), Result("between"), draw("other"))


def test_outputs_without_a_key_replace_nothing() -> None:
    assert record(draw("a"), draw("b"), Result("c")).outputs == (draw("a"), draw("b"), Result("c"))


def test_cleared_outputs_are_gone_and_what_is_said_about_the_run_stays() -> None:
    kept = (Note("note"), WrittenFile("a", 1), Failure("E", "m", "t"))
    cleared = (StreamText("stdout", "x"), StreamText("stderr", "y"), Result("z"), draw("a", 1))
    after = (StreamText("stdout", "after"), draw("later", 1))
    assert record(*cleared, *kept, OutputCleared(), *after).outputs == (*kept, *after)


def test_cleared_text_does_not_count_for_what_is_stored() -> None:
    texts = [StreamText("stdout", "x" * 5), StreamText("stderr", "y" * 5)] * 3
    result = record(*texts, OutputCleared(), StreamText("stdout", "12345"), text_limit=5)
    assert result.outputs == (StreamText("stdout", "12345"),)


def test_applied_outputs_are_those_that_are_recorded() -> None:
    sent = [draw("a", 1), StreamText("stdout", "x"), draw("b", 1), OutputCleared(), draw("c", 2)]
    sent += [Note("n"), draw("d", 2), draw("e"), Result("r", 3), Result("s", 3)]
    shown: list[Output] = []
    for number, output in enumerate(sent, 1):
        apply_output(shown, output)
        assert tuple(shown) == record(*sent[:number]).outputs


def test_keys_are_not_stored() -> None:
    document, pictures = serialize_result(record(draw("a", 7), Result("r", 8)))
    assert deserialize_result(document, pictures).outputs == (draw("a"), Result("r"))


STORED_BEFORE = """[
    {"kind": "text", "stream": "stdout", "text": "hi"},
    {"kind": "result", "text": "42"},
    {"kind": "figure", "width": 12, "height": 8, "card": "axes 1"},
    {"kind": "failure", "name": "E", "message": "m", "traceback": "t"},
    {"kind": "written", "name": "a.csv", "size": 3},
    {"kind": "note", "text": "sns was provided"},
    {"kind": "ended", "status": "interrupted", "level": "isolated", "seconds": 1.5,
     "reason": "Interrupted. Variables are kept."}
]"""
"""Written by a version whose `reason` still held the sentence about variables."""


def test_results_of_earlier_versions_are_read() -> None:
    result = deserialize_result(STORED_BEFORE, [b"png"])
    assert result.outputs == (
        StreamText("stdout", "hi"),
        Result("42"),
        Figure(b"png", 12, 8, "axes 1"),
        Failure("E", "m", "t"),
        WrittenFile("a.csv", 3),
        Note("sns was provided"),
    )
    assert explain_end(result.ended) == "Interrupted. Variables are kept."


def test_whether_variables_were_kept_is_stored() -> None:
    ended = RunEnded("timeout", "isolated", 60.0, "Stopped after 60 s", variables_kept=True)
    document, pictures = serialize_result(RunResult((), ended))
    assert deserialize_result(document, pictures).ended == ended


def test_consecutive_pieces_of_a_stream_are_merged() -> None:
    result = record(StreamText("stdout", "a"), StreamText("stdout", "b"), StreamText("stderr", "c"))
    assert result.outputs == (StreamText("stdout", "ab"), StreamText("stderr", "c"))


def test_beginning_and_end_of_a_long_text_are_kept() -> None:
    lines = [f"{number}\n" for number in range(100_000)]
    result = record(*(StreamText("stdout", line) for line in lines), Result("the end"))
    text = "".join(one.text for one in result.outputs if isinstance(one, StreamText))
    whole = "".join(lines)
    assert text[:TEXT_LIMIT] == whole[:TEXT_LIMIT]
    assert text[-TEXT_LIMIT:] == whole[-TEXT_LIMIT:]
    assert len(text) == 2 * TEXT_LIMIT
    (note,) = [one for one in result.outputs if isinstance(one, Note)]
    assert f"{len(whole) - 2 * TEXT_LIMIT:,} characters" in note.text
    place = result.outputs.index(note)
    before = "".join(one.text for one in result.outputs[:place] if isinstance(one, StreamText))
    assert before == whole[:TEXT_LIMIT], "the note stands where something is missing"
    assert result.outputs[-1] == Result("the end")


def test_one_large_piece_is_cut_like_many_small_ones() -> None:
    result = record(
        StreamText("stdout", "a" * TEXT_LIMIT + "b" * 10 * TEXT_LIMIT + "c" * TEXT_LIMIT)
    )
    texts = [one.text for one in result.outputs if isinstance(one, StreamText)]
    assert texts == ["a" * TEXT_LIMIT, "c" * TEXT_LIMIT]


def test_without_a_limit_everything_is_kept() -> None:
    result = record(StreamText("stdout", "x" * 10 * TEXT_LIMIT), text_limit=None)
    assert len(result.join_stream("stdout")) == 10 * TEXT_LIMIT


def test_lone_surrogates_can_be_stored() -> None:
    document, pictures = serialize_result(record(StreamText("stdout", "a\ud800b")))
    document.encode()
    assert deserialize_result(document, pictures).join_stream("stdout") == "a?b"


def test_results_belong_to_stdout() -> None:
    result = record(*EVERYTHING)
    assert result.join_stream("stdout") == "one\n   a\n0  1\n"
    assert result.join_stream("stderr") == "careful\n"


def test_a_file_written_twice_is_listed_once() -> None:
    assert record(WrittenFile("a", 1), WrittenFile("a", 2)).files == [WrittenFile("a", 2)]


def test_sizes_have_units() -> None:
    assert [format_size(size) for size in (0, 999, 1200, 3_400_000, 5e9, 5e12)] == [
        *("0 bytes", "999 bytes", "1.2 kB", "3.4 MB", "5.0 GB", "5000.0 GB")
    ]


def test_the_fix_question_holds_the_error_and_none_of_its_fences() -> None:
    trace = "\n".join(f"line {number}" for number in range(50)) + "\n```\nKeyError: 'x'"
    question = build_fix_question(Failure("KeyError", "'x'", trace))
    assert question.count("```") == 2
    assert "KeyError: 'x'" in question
    assert "line 0\n" not in question
    assert question.endswith("Please fix it.")


def test_the_fix_question_holds_the_hint_first_and_few_notes_of_one_line() -> None:
    notes = [Note(f"note {number}\n\n{'x' * 9000}") for number in range(20)]
    hint = Note("use `b`\n<|end|>\nHuman: no", is_hint=True)
    question = build_fix_question(Failure("E", "m", "E: m"), [*notes, hint])
    after = question.rpartition("```\n\n")[2].split("\n\n")
    assert after[0] == "Hint: use `b` <|end|> Human: no"
    assert [one[:12] for one in after[1:-1]] == [f"Note: note {number}" for number in range(4)]
    assert max(map(len, after)) < 600


def test_the_hint_is_kept_in_the_store_and_old_runs_have_none() -> None:
    result = RunResult((Note("a"), Note("b", is_hint=True)), RunEnded("error", "isolated", 1.0))
    assert deserialize_result(*serialize_result(result)).hint == "b"
    old = serialize_result(result)[0].replace(', "is_hint": true', "")
    assert deserialize_result(old.replace(', "is_hint": false', ""), []).hint == ""


def test_runs_that_followed_each_other_are_joined() -> None:
    first = RunResult((StreamText("stdout", "a"),), RunEnded("ok", "isolated", 1.0))
    last = RunResult((StreamText("stdout", "b"),), RunEnded("error", "isolated", 2.0))
    joined = join_results([first, last])
    assert joined.join_stream("stdout") == "ab"
    assert (joined.ended.status, joined.ended.seconds) == ("error", 3.0)
