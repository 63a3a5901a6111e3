"""Explanations of simple Python lines, in words that are mostly copied from the line."""

from __future__ import annotations

import re

from train.demo.tasks.family import Check, Exchange, TaskSampler
from train.demo.tasks.load_yaml import load_phrases
from train.demo.tasks.phrasing import phrase_question

FORMS = (
    (r"def (\w+)\(\):", "Defines the function `{0}`."),
    (r"def (\w+)\((\w+)\):", "Defines the function `{0}` with the parameter `{1}`."),
    (r"def (\w+)\((\w+, \w+)\):", "Defines the function `{0}` with the parameters `{1}`."),
    (r"for (\w+) in (.+):", "Goes through `{1}`; each element is called `{0}`."),
    (r"while (.+):", "Repeats the next lines as long as `{0}` holds."),
    (r"if (.+):", "Checks whether `{0}` holds."),
    (r"else:", "Otherwise the next line runs."),
    (r"return (.+)", "Returns `{0}`."),
    (r"print\((.+)\)", "Prints `{0}`."),
    (r"(\w+)\.append\((.+)\)", "Appends `{1}` to `{0}`."),
    (r"(\w+) \+= (.+)", "Adds `{1}` to `{0}`."),
    (r"(\w+) -= (.+)", "Subtracts `{1}` from `{0}`."),
    (r"(\w+) \*= (.+)", "Multiplies `{0}` by `{1}`."),
    (r"(\w+) = (.+)", "Sets `{0}` to `{1}`."),
    (r"import (\w+)", "Imports the module `{0}`."),
)


def explain_lines(code: str) -> list[str] | None:
    """Return a numbered sentence for each line; None if a line has an unknown form."""
    lines = [line.strip() for line in code.splitlines() if line.strip()]
    sentences = [_explain_line(line) for line in lines]
    if not all(sentences):
        return None
    return [f"{number}. {text}" for number, text in enumerate(sentences, start=1)]


def build_explanation(
    sampler: TaskSampler, code: str, *, max_lines: int, group: str
) -> Exchange | None:
    """Build a turn that explains the given code line by line; None if it is too long or unknown."""
    lines = explain_lines(code)
    if lines is None or len(lines) > max_lines:
        return None
    question = phrase_question(sampler, sampler.choose_phrasing(load_phrases("lines_of_it")))
    return Exchange(question, "\n".join(lines), Check(says=tuple(lines)), group)


def _explain_line(line: str) -> str:
    for form, text in FORMS:
        if found := re.fullmatch(form, line):
            return text.format(*found.groups())
    return ""
