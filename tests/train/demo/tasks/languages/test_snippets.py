"""Code in shell, SQL, JavaScript and C passes its checks, and broken code does not."""

from __future__ import annotations

import shutil
from random import Random

import pytest

from train.demo.evaluation.check import check_answers
from train.demo.tasks.family import LANGUAGES, Exchange, TaskSampler
from train.demo.tasks.languages.snippets import families

SPOILT = {
    "shell": [("head -n", "tail -n"), ("wc -l", "wc -w"), ("echo", "true"), ("cp ", "mv ")],
    "sql": [("SELECT", "SELECT 0,"), (" > ", " < "), ("INSERT INTO", "REPLACE INTO x"), (";", "'")],
    "javascript": [("return", "return 0 *"), ("return", "return !")],
    "c": [("return", "return 1 +")],
    "python": [("return ", "return 1, ")],
}
"""Changes that break an answer in each language."""


def draw_exchanges(each: int = 3) -> list[Exchange]:
    found: list[Exchange] = []
    for family in families():
        for turn in range(each):
            sampler = TaskSampler(Random(f"{family.name} {turn}"), turn % 2 == 1)
            found += family.sample(sampler).exchanges
    return [exchange for exchange in found if exchange.check.needs_execution]


def skip_without_program(language: str) -> None:
    tool = LANGUAGES[language]
    if tool and not shutil.which(tool):
        pytest.skip(f"{tool} is not on this machine, so nothing in {language} is taught here")


@pytest.mark.parametrize("language", LANGUAGES)
def test_reference_answers_run_and_broken_ones_do_not(language: str) -> None:
    skip_without_program(language)
    found = [exchange for exchange in draw_exchanges() if exchange.check.language == language]
    assert found
    right = check_answers((exchange.answer, exchange.check) for exchange in found)
    wrong = [e.question for e, v in zip(found, right, strict=True) if v]
    # A drawn name may be a word that C reserves: such a dialogue is refused by this very check.
    assert not [question for question in wrong if "goto" not in question]
    broken = [
        (exchange.answer.replace(old, new), exchange.check)
        for exchange in found
        for old, new in SPOILT[language]
        if old in exchange.answer
    ]
    verdicts = check_answers(broken)
    assert len([verdict for verdict in verdicts if verdict]) >= 0.8 * len(broken) > 0
