"""The generator: what it teaches is right, checks can fail, nothing leaks across the split."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path
from random import Random

import pytest

from train.demo import synthesize
from train.demo.evaluation.check import check_all, code_of, missing, read_only
from train.demo.near_duplicates import THRESHOLD, shingles
from train.demo.tasks.family import Check, Draw, Exchange, Sample, held_out, is_held_out
from train.demo.tasks.functions.specs import functions
from train.demo.tasks.load_yaml import DATA, phrases, table
from train.demo.tasks.phrasing import ask, identifier, third_person
from train.demo.tasks.registry import HELD_OUT, draw_samples, families, later_families


def drawn(*, each: int = 2, seed: int = 11) -> list[Sample]:
    return [
        family.sample(Draw(Random(f"{seed} {family.name} {turn}"), held_out_phrasing))
        for family in (*families(), *later_families())
        for held_out_phrasing in (False, True)
        for turn in range(each)
    ]


def exchanges(samples: Iterable[Sample]) -> list[Exchange]:
    return [exchange for sample in samples for exchange in sample.exchanges]


@pytest.mark.slow
def test_every_familys_reference_answers_pass_their_checks() -> None:
    listed = [e for e in exchanges(drawn(each=1)) if not missing(e.check)]
    verdicts = check_all(((e.answer, e.check) for e in listed), workers=2, trusted=True)
    assert {e.question: v for e, v in zip(listed, verdicts, strict=True) if v} == {}
    assert {"bugs", "plots", "classes", "follow-up", "talk", "tests", "sql"} <= {
        e.group for e in listed
    }


def test_there_are_at_least_a_hundred_families_with_names_of_their_own() -> None:
    names = [family.name for family in (*families(), *later_families())]
    assert len(names) == len(set(names)) >= 100
    assert set(names) >= HELD_OUT
    assert len(HELD_OUT) >= len(names) // 10


def test_another_answer_of_the_same_form_fails() -> None:
    """Shuffled among the functions of a subject, reference answers are wrong nearly always."""
    specs = [spec for spec in functions() if len(spec.params) == 1 and not spec.draws]
    listed = [
        exchanges([f.sample(Draw(Random(1)))])[0]
        for f in families()
        if f.name in {spec.name for spec in specs}
    ]
    pairs = [(other.answer, e.check) for e, other in pairwise(listed)]
    wrong = [verdict for verdict in check_all(pairs) if verdict]
    assert len(wrong) >= 0.95 * len(pairs)


@pytest.mark.parametrize(
    ("code", "verdict"),
    [
        ("def f(x):\n    return x + 1", ""),
        ("def g(x):\n    return x + 1", ""),
        ("def f(x):\n    return x", "$f(1) is 1, not 2"),
        ("def f(x):\n    return float(x + 1)", "$f(1) is 2.0, not 2"),
        ("def f(x)\n    return x", "SyntaxError"),
        ("raise SystemExit", "SystemExit"),
        ("def f(x):\n    while True: pass", "took too long or died"),
        ("import os\nos._exit(0)", "took too long or died"),
        ("def f(x):\n    return 'x' * 10**10", "MemoryError"),
    ],
)
def test_code_is_run_and_its_results_compared(code: str, verdict: str) -> None:
    check = Check(probes=(("$f(1)", "2"),), name="f")
    (found,) = check_all([(f"```python\n{code}\n```", check)])
    assert found.startswith(verdict)
    assert bool(found) == bool(verdict)


def test_a_name_that_the_question_fixed_must_be_used() -> None:
    check = Check(probes=(("$f(1)", "2"),), name="f", named=True)
    (found,) = check_all([("```python\ndef g(x):\n    return x + 1\n```", check)])
    assert "NameError" in found


def test_one_jobs_damage_does_not_reach_the_next() -> None:
    vandal = "```python\nimport builtins\nbuiltins.len = lambda x: 0\nprint(1)\n```"
    honest = "```python\nprint(len([1, 2]))\n```"
    checks = [(vandal, Check(stdout="1")), (honest, Check(stdout="2"))]
    assert check_all(checks) == ["", ""]


def test_an_answer_without_code_is_wrong_where_code_is_asked_for() -> None:
    assert read_only("Use `sum`.", Check(stdout="1")) == "no code"


def test_a_fence_that_never_closes_still_counts_as_code() -> None:
    assert code_of("x\n```python\nprint(1)") == "print(1)"


@pytest.mark.slow
def test_nothing_scored_was_trained_or_is_near_it() -> None:
    made = synthesize.make(seed=3, count=400, later=100, scored=30)
    taught = [*made.sides["train"], *made.sides["later"]]
    trained = {synthesize.key(sample) for sample in taught}
    known = [shingles(sample.exchanges[0].question) for sample in taught]
    for side in synthesize.SCORED:
        assert made.sides[side]
        assert not trained & {synthesize.key(sample) for sample in made.sides[side]}
        for sample in made.sides[side]:
            mine = shingles(sample.exchanges[0].question)
            assert max(len(mine & one) / len(mine | one) for one in known) < THRESHOLD
    assert not HELD_OUT & {sample.family for sample in taught}
    assert {sample.family for sample in made.sides["family"]} <= HELD_OUT
    later = {family.name for family in later_families()}
    assert not later & {sample.family for sample in made.sides["train"]}
    assert {sample.family for sample in made.sides["later"]} <= later
    assert all(later & {s.family for s in made.sides[side]} for side in ("values", "phrasing"))


def test_of_any_four_phrasings_one_is_never_trained() -> None:
    few, many = ("a", "b", "c"), ("a", "b", "c", "d")
    assert held_out(few) == {text for text in few if is_held_out(text)}
    assert len(held_out(many)) >= 1
    for name in ("hints", "given_test", "tiny", "wrap"):
        assert held_out(phrases(name)) < set(phrases(name))
        assert held_out(phrases(name))


def test_held_out_phrasings_are_only_drawn_on_their_side() -> None:
    both = tuple(phrases("plain"))
    assert 0 < sum(map(is_held_out, both)) < len(both) / 3
    for side in (False, True):
        found = {Draw(Random(n), side).phrase(both) for n in range(200)}
        assert {is_held_out(text) for text in found} == {side}


def test_the_same_seed_draws_the_same_conversations() -> None:
    def draw(seed: int) -> list[Sample]:
        return list(draw_samples(seed, 40, held_out_phrasing=False, held_out_families=False))

    assert draw(1) == draw(1) != draw(2)


def test_what_pre_training_reads_does_not_change_with_the_later_families() -> None:
    """A changed corpus is another tokenizer and another model: it must be meant."""
    drawn = draw_samples(1, 2000, held_out_phrasing=False, held_out_families=False)
    told = "".join(f"{e.question}\n{e.answer}\n" for sample in drawn for e in sample.exchanges)
    assert hashlib.sha256(told.encode()).hexdigest()[:12] == "16be21a579ba"


def test_what_must_be_copied_is_never_misspelt() -> None:
    for seed in range(300):
        dice = Draw(Random(seed))
        name = identifier(dice.rng)
        assert name in ask(dice, "Write a function called {f} that returns something.", f=name)


def test_samples_survive_the_file(tmp_path: Path) -> None:
    samples = drawn(each=1)
    path = tmp_path / "samples.jsonl"
    synthesize.save(samples, path)
    assert synthesize.load(path) == samples


@pytest.mark.parametrize(
    ("verb", "third"),
    [
        ("add up", "adds up"),
        ("search it", "searches it"),
        ("copy it", "copies it"),
        ("do it", "does it"),
        ("play it", "plays it"),
    ],
)
def test_verbs_are_inflected(verb: str, third: str) -> None:
    assert third_person(verb) == third


def test_every_table_can_be_read() -> None:
    for path in DATA.glob("*.yaml"):
        assert table(path.stem)
