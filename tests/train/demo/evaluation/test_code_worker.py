"""The code worker runs other languages, ends endless programs and cleans up."""

from __future__ import annotations

import shutil

import pytest

from train.demo.evaluation.check import check_answers
from train.demo.tasks.family import LANGUAGES, Check, fence_code


def skip_without_program(language: str) -> None:
    tool = LANGUAGES[language]
    if tool and not shutil.which(tool):
        pytest.skip(f"{tool} is not on this machine, so nothing in {language} is taught here")


@pytest.mark.parametrize(
    ("language", "code", "stdout", "verdict"),
    [
        ("sql", "SELECT 1, NULL, 'a';", "1||a", ""),
        ("sql", "SELECT 1;", "2", "printed '1'"),
        ("sql", "SELEC 1;", "1", "OperationalError"),
        ("shell", "echo hi", "hi", ""),
        ("shell", "exit 3", "", "RuntimeError: exit code 3"),
        ("javascript", "console.log(1 + 1)", "2", ""),
        ("javascript", "oops()", "2", "RuntimeError"),
        ("c", '#include <stdio.h>\nint main(void) { puts("a"); return 0; }', "a", ""),
        ("c", "int main(void) { return x; }", "a", "RuntimeError"),
    ],
)
def test_other_languages_are_run(language: str, code: str, stdout: str, verdict: str) -> None:
    skip_without_program(language)
    check = Check(language=language, stdout=stdout)
    (found,) = check_answers([(fence_code(code, language), check)])
    assert found.startswith(verdict)
    assert bool(found) == bool(verdict)


def test_a_program_without_end_is_ended() -> None:
    check = Check(language="shell", stdout="")
    (found,) = check_answers([(fence_code("while true; do :; done", "shell"), check)])
    # Its clock or its processor time ran out first.
    assert found.startswith(("took too long or died", "RuntimeError: exit code -9"))


def test_files_lie_beside_the_code_and_are_gone_for_the_next() -> None:
    reading = Check(files=(("notes.txt", "a\n"),), stdout="a")
    looking = Check(stdout="[]")
    codes = ['print(open("notes.txt").read())', 'import os\nprint(os.listdir("."))']
    pairs = [
        (fence_code(code), check) for code, check in zip(codes, (reading, looking), strict=True)
    ]
    assert check_answers(pairs) == ["", ""]


def test_the_environment_of_the_answers_is_empty_but_for_the_path() -> None:
    code = "import os\nprint(sorted(set(os.environ) - {'PATH', 'LC_CTYPE', 'PWD', 'SHLVL', '_'}))"
    assert check_answers([(fence_code(code), Check(stdout="[]"))]) == [""]


def test_a_file_beyond_the_limit_cannot_be_written() -> None:
    code = "open('big', 'w').write('x' * 2 ** 22)\nprint('written')"
    (found,) = check_answers([(fence_code(code), Check(stdout="written"))])
    assert found.startswith(("OSError", "took too long or died"))


def test_a_verdict_is_cut_before_it_fills_the_pipe() -> None:
    (found,) = check_answers([(fence_code("raise ValueError('x' * 100_000)"), Check(stdout=""))])
    assert found.startswith("ValueError: xxx")
    assert len(found) < 2001


def test_setup_runs_before_the_answer_and_after_it_comes_more() -> None:
    check = Check(setup="x = 1", after="print(x)", stdout="2")
    assert check_answers([(fence_code("x += 1"), check)]) == [""]
