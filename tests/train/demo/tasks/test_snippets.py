"""Code in shell, SQL, JavaScript and C is run; what the machine cannot run is left out, counted."""

from __future__ import annotations

import shutil
from random import Random

import pytest

from train.demo import synthesize
from train.demo.evaluation import check as checking
from train.demo.evaluation.check import check_all
from train.demo.tasks.family import LANGUAGES, Check, Draw, Exchange, Sample, fenced
from train.demo.tasks.languages.snippets import families

SPOILT = {
    "shell": [("head -n", "tail -n"), ("wc -l", "wc -w"), ("echo", "true"), ("cp ", "mv ")],
    "sql": [("SELECT", "SELECT 0,"), (" > ", " < "), ("INSERT INTO", "REPLACE INTO x"), (";", "'")],
    "javascript": [("return", "return 0 *"), ("return", "return !")],
    "c": [("return", "return 1 +")],
    "python": [("return ", "return 1, ")],
}
"""Changes that break an answer in each language."""


def drawn(each: int = 3) -> list[Exchange]:
    found: list[Exchange] = []
    for family in families():
        for turn in range(each):
            dice = Draw(Random(f"{family.name} {turn}"), turn % 2 == 1)
            found += family.sample(dice).exchanges
    return [exchange for exchange in found if exchange.check.runs]


def needed(language: str) -> None:
    tool = LANGUAGES[language]
    if tool and not shutil.which(tool):
        pytest.skip(f"{tool} is not on this machine, so nothing in {language} is taught here")


@pytest.mark.parametrize("language", LANGUAGES)
def test_reference_answers_run_and_broken_ones_do_not(language: str) -> None:
    needed(language)
    found = [exchange for exchange in drawn() if exchange.check.language == language]
    assert found
    right = check_all((exchange.answer, exchange.check) for exchange in found)
    wrong = [e.question for e, v in zip(found, right, strict=True) if v]
    # A drawn name may be a word that C reserves: such a dialogue is refused by this very check.
    assert not [question for question in wrong if "goto" not in question]
    broken = [
        (exchange.answer.replace(old, new), exchange.check)
        for exchange in found
        for old, new in SPOILT[language]
        if old in exchange.answer
    ]
    verdicts = check_all(broken)
    assert len([verdict for verdict in verdicts if verdict]) >= 0.8 * len(broken) > 0


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
    needed(language)
    check = Check(language=language, stdout=stdout)
    (found,) = check_all([(fenced(code, language), check)])
    assert found.startswith(verdict)
    assert bool(found) == bool(verdict)


def test_a_program_without_end_is_ended() -> None:
    check = Check(language="shell", stdout="")
    (found,) = check_all([(fenced("while true; do :; done", "shell"), check)])
    # Its clock or its processor time ran out first.
    assert found.startswith(("took too long or died", "RuntimeError: exit code -9"))


def test_files_lie_beside_the_code_and_are_gone_for_the_next() -> None:
    reading = Check(files=(("notes.txt", "a\n"),), stdout="a")
    looking = Check(stdout="[]")
    codes = ['print(open("notes.txt").read())', 'import os\nprint(os.listdir("."))']
    pairs = [(fenced(code), check) for code, check in zip(codes, (reading, looking), strict=True)]
    assert check_all(pairs) == ["", ""]


def test_what_the_machine_cannot_check_is_left_out_and_counted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(checking, "_found", lambda tool: tool != "node")
    script = Check(language="javascript", stdout="1")
    samples = [
        Sample("a", (Exchange("q", fenced("console.log(1)", "javascript"), script, "javascript"),)),
        Sample("b", (Exchange("q", fenced("print(1)"), Check(stdout="1"), "scripts"),)),
    ]
    monkeypatch.setattr(
        synthesize, "draw_samples", lambda *_, later=False, **__: iter(() if later else samples)
    )
    made = synthesize.make(seed=1, count=2, later=0, scored=0)
    assert [sample.family for sample in made.sides["train"]] == ["b"]
    assert synthesize.summary(made)["unchecked"] == {"node": 1}
