"""A print program's predicted output is what Python prints."""

from __future__ import annotations

import contextlib
import io

import pytest

from train.demo.tasks.programs.printed_lines import PrintProgram


@pytest.mark.parametrize(
    "program",
    [
        PrintProgram("hello"),
        PrintProgram("hello", upper=True),
        PrintProgram("hello", times=3),
        PrintProgram("hello", times=3, numbered=True, upper=True),
    ],
)
def test_the_predicted_output_is_what_python_prints(program: PrintProgram) -> None:
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        exec(program.code, {})
    assert out.getvalue() == program.output + "\n"
