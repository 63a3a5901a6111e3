"""Content of the packaged prompts in `prompts/`: their format, their claims, their code."""

from __future__ import annotations

import ast
import contextlib
import importlib.util
import io
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from starchat_tui.templates import prompt_files
from starchat_tui.templates.tokenizer import Tokenizer

TURN = re.compile(r"(?:^|\n\n)(Human|Assistant): ")
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PROMISED = re.compile(r"^print\(.*\)  # (.+)$", re.MULTILINE)
TOPICS = {
    "write": "Write a",
    "test": "write a test",
    "explain": "What does this",
    "debug": "Every basket",
    "translate": "translate this to JavaScript",
    "false premise": "integers overflow",
    "matplotlib": "with matplotlib",
    "pandas": "with pandas",
    "seaborn": "seaborn",
    "map": "geopandas",
    "unsure": "frobnicate",
}


def split_turns(example: str) -> list[tuple[str, str]]:
    """Return the role and the text of each turn of a few-shot example."""
    empty, *parts = TURN.split(example)
    assert empty == ""
    return [(role, text) for role, text in zip(parts[::2], parts[1::2], strict=True)]


def list_code(example: str, language: str = "python") -> list[str]:
    """Return the assistant's code blocks of one example."""
    answers = "\n\n".join(text for role, text in split_turns(example) if role == "Assistant")
    return [block for name, block in BLOCK.findall(answers) if name == language]


EXAMPLES = [
    (name, example)
    for name in ("ta", "hhh")
    for example in prompt_files.load_few_shot_prompt(name).examples
]
every_example = pytest.mark.parametrize(
    "example", [one for _, one in EXAMPLES], ids=[f"{name}: {one[7:47]}" for name, one in EXAMPLES]
)


class TestFormat:
    @every_example
    def test_roles_take_turns(self, example: str) -> None:
        roles = [role for role, _ in split_turns(example)]
        assert roles == ["Human", "Assistant"] * (len(roles) // 2)
        assert all(text.strip() == text and text for _, text in split_turns(example))

    @every_example
    def test_code_stands_in_fences_that_name_their_language(self, example: str) -> None:
        assert example.count("```") == 2 * len(BLOCK.findall(example))
        assert all(name for name, _ in BLOCK.findall(example))

    @every_example
    def test_lines_fit_a_screen_of_code(self, example: str) -> None:
        assert all(len(line) <= 100 for block in list_code(example) for line in block.splitlines())

    @every_example
    def test_python_compiles(self, example: str) -> None:
        assert all(ast.parse(block).body for block in list_code(example))

    def test_every_subject_is_there(self) -> None:
        questions = [
            split_turns(example)[0][1] + example
            for example in prompt_files.load_few_shot_prompt("ta").examples
        ]
        for subject, words in TOPICS.items():
            assert any(words in question for question in questions), subject
        assert len(questions) >= 10

    def test_the_shortest_stand_first(self) -> None:
        sizes = [len(example) for example in prompt_files.load_few_shot_prompt("ta").examples]
        assert max(sizes[:3]) < sum(sizes) / len(sizes) / 2

    def test_the_preamble_is_short_and_describes_the_model(self) -> None:
        preamble = prompt_files.load_few_shot_prompt("ta").preamble
        assert len(preamble.split()) < 230
        virtues = ("helpful", "polite", "honest", "sophisticated", "emotionally aware", "humble")
        facts = (
            "15.5 billion",
            "8,192",
            "multi-query",
            "80",
            "35 billion",
            "OpenRAIL-M",
            "BigCode",
        )
        assert [word for word in (*virtues, *facts) if word not in preamble] == []

    @pytest.mark.parametrize(
        ("name", "least", "most"), [("ta", 2500, 4000), ("hhh", 1000, 1500), ("starchat", 40, 150)]
    )
    def test_size_in_starcoders_tokens(
        self, shared_data: Path, name: str, least: int, most: int
    ) -> None:
        tokenizer = Tokenizer.load(shared_data / "starcoder-vocabulary" / "tokenizer.json")
        assert least <= len(tokenizer.encode(prompt_files.read_prompt_text(name).strip())) <= most

    def test_no_text_contains_a_line_of_the_format(self) -> None:
        for _, example in EXAMPLES:
            for _, text in split_turns(example):
                assert not re.search(r"^(Human:|Assistant:|-----)", text, re.MULTILINE)


class TestCode:
    """The claims of the few-shot answers about their code are true."""

    @every_example
    def test_code_prints_what_its_comments_say(
        self, example: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        needed = {name for block in list_code(example) for name in _list_imports(block)}
        absent = sorted(name for name in needed if importlib.util.find_spec(name) is None)
        if absent:
            pytest.skip(f"only compiled here: needs {', '.join(absent)}")
        monkeypatch.setenv("MPLBACKEND", "Agg")
        space: dict[str, Any] = {"__name__": "example"}
        for block in list_code(example):
            printed = io.StringIO()
            with contextlib.redirect_stdout(printed):
                exec(compile(block, "example", "exec"), space)  # our own prompt file
            assert printed.getvalue().splitlines() == PROMISED.findall(block)

    def test_durations(self) -> None:
        first, test, second = list_code(_find_example("duration"))
        space = _run_block(first)
        assert space["parse_duration"]("1h30m") == 5400
        cases = re.search(r"\[\(.*?\)\],", test, re.DOTALL)
        assert cases
        for text, seconds in ast.literal_eval(cases[0].rstrip(",")):
            assert space["parse_duration"](text) == seconds
        space = _run_block(second)
        assert space["parse_duration"]("2d1h30m") == 2 * 86400 + 5400
        for wrong in ("10x", "", "h", "1h x"):
            with pytest.raises(ValueError, match="not a duration"):
                space["parse_duration"](wrong)

    def test_the_basket(self) -> None:
        (fixed,) = list_code(_find_example("basket"))
        add = _run_block(fixed)["add"]
        assert [add("apple"), add("apple"), add("pear", ["fig"])] == [
            ["apple"],
            ["apple"],
            ["fig", "pear"],
        ]
        question = BLOCK.findall(split_turns(_find_example("basket"))[0][1])[0][1]
        broken = _run_block(question)["add"]
        assert broken("a") is broken("b")

    def test_even_numbers(self) -> None:
        is_even = _run_block(list_code(_find_example("is even"))[0])["is_even"]
        assert [number for number in range(-3, 4) if is_even(number)] == [-2, 0, 2]

    @pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed")
    def test_the_translation(self) -> None:
        (script,) = list_code(_find_example("JavaScript"), "javascript")
        call = f"{script}\nconsole.log(JSON.stringify(wordLengths(' a  bcd ')))"
        ran = subprocess.run(["node", "-e", call], capture_output=True, text=True, check=True)
        assert ran.stdout.strip() == '{"a":1,"bcd":3}'

    def test_the_query(self) -> None:
        sqlite3 = pytest.importorskip("sqlite3")
        (query,) = list_code(_find_example("SQL"), "sql")
        with contextlib.closing(sqlite3.connect(":memory:")) as base:
            base.executescript(
                "CREATE TABLE customers (id, name); CREATE TABLE orders (customer_id);"
                "INSERT INTO customers VALUES (1, 'a'), (2, 'b');"
                "INSERT INTO orders VALUES (1), (NULL);"
            )
            assert base.execute(query).fetchall() == [(2, "b")]

    def test_the_pipeline(self, tmp_path: Path) -> None:
        (command,) = [block for _, block in BLOCK.findall(_find_example("shell command"))]
        (tmp_path / "access.log").write_text("a 1\nb 1\na 2\nc 1\nb 2\na 3\nd 1\nc 2\n")
        ran = subprocess.run(
            command, shell=True, cwd=tmp_path, capture_output=True, text=True, check=True
        )
        assert [line.split() for line in ran.stdout.splitlines()] == [
            ["3", "a"],
            ["2", "c"],
            ["2", "b"],
        ]

    def test_the_sales(self) -> None:
        coffee, tea = (120, 95, 143), (80, 102, 77)
        assert [sum(month) for month in zip(coffee, tea, strict=True)] == [200, 197, 220]
        assert "March, with 220 cups, just ahead of January with 200 and February with 197" in (
            _find_example("My shop")
        )


def _find_example(words: str) -> str:
    (found,) = [
        example
        for example in prompt_files.load_few_shot_prompt("ta").examples
        if words in example[:200]
    ]
    return found


def _run_block(block: str) -> dict[str, Any]:
    space: dict[str, Any] = {}
    exec(compile(block, "example", "exec"), space)  # our own prompt file
    return space


def _list_imports(block: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(block)):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield str(node.module).split(".")[0]
