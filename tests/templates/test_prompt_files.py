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

from starchat_tui.errors import ConfigError
from starchat_tui.templates import prompt_files
from starchat_tui.templates.template import FewShot
from starchat_tui.templates.tokenizer import Vocabulary

OURS = ("ta", "hhh", "starchat")
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


def turns(example: str) -> list[tuple[str, str]]:
    """The turns of one few-shot dialogue: who speaks, and what."""
    empty, *parts = TURN.split(example)
    assert empty == ""
    return [(who, text) for who, text in zip(parts[::2], parts[1::2], strict=True)]


def code(example: str, language: str = "python") -> list[str]:
    """The assistant's code blocks of one dialogue."""
    said = "\n\n".join(text for who, text in turns(example) if who == "Assistant")
    return [block for name, block in BLOCK.findall(said) if name == language]


EXAMPLES = [
    (name, example) for name in ("ta", "hhh") for example in prompt_files.few_shot(name).examples
]
every_example = pytest.mark.parametrize(
    "example", [one for _, one in EXAMPLES], ids=[f"{name}: {one[7:47]}" for name, one in EXAMPLES]
)


class TestOurs:
    @every_example
    def test_roles_take_turns(self, example: str) -> None:
        roles = [who for who, _ in turns(example)]
        assert roles == ["Human", "Assistant"] * (len(roles) // 2)
        assert all(text.strip() == text and text for _, text in turns(example))

    @every_example
    def test_code_stands_in_fences_that_name_their_language(self, example: str) -> None:
        assert example.count("```") == 2 * len(BLOCK.findall(example))
        assert all(name for name, _ in BLOCK.findall(example))

    @every_example
    def test_lines_fit_a_screen_of_code(self, example: str) -> None:
        assert all(len(line) <= 100 for block in code(example) for line in block.splitlines())

    @every_example
    def test_python_compiles(self, example: str) -> None:
        assert all(ast.parse(block).body for block in code(example))

    def test_every_subject_is_there(self) -> None:
        questions = [
            turns(example)[0][1] + example for example in prompt_files.few_shot("ta").examples
        ]
        for subject, words in TOPICS.items():
            assert any(words in question for question in questions), subject
        assert len(questions) >= 10

    def test_the_shortest_stand_first(self) -> None:
        sizes = [len(example) for example in prompt_files.few_shot("ta").examples]
        assert max(sizes[:3]) < sum(sizes) / len(sizes) / 2

    def test_the_preamble_is_short_and_says_who_answers(self) -> None:
        preamble = prompt_files.few_shot("ta").preamble
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
        vocabulary = Vocabulary.load(shared_data / "starcoder-vocabulary" / "tokenizer.json")
        assert least <= len(vocabulary.text_ids(prompt_files.text_of(name).strip())) <= most

    def test_no_text_holds_the_layout_in_its_middle(self) -> None:
        for _, example in EXAMPLES:
            for _, text in turns(example):
                assert not re.search(r"^(Human:|Assistant:|-----)", text, re.MULTILINE)


class TestCode:
    """What the few-shot answers claim about their code is true."""

    @every_example
    def test_it_runs_and_prints_what_it_says(
        self, example: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        needed = {name for block in code(example) for name in _imported(block)}
        absent = sorted(name for name in needed if importlib.util.find_spec(name) is None)
        if absent:
            pytest.skip(f"only compiled here: needs {', '.join(absent)}")
        monkeypatch.setenv("MPLBACKEND", "Agg")
        space: dict[str, Any] = {"__name__": "example"}
        for block in code(example):
            printed = io.StringIO()
            with contextlib.redirect_stdout(printed):
                exec(compile(block, "example", "exec"), space)  # our own prompt file
            assert printed.getvalue().splitlines() == PROMISED.findall(block)

    def test_durations(self) -> None:
        first, test, second = code(_example("duration"))
        space = _ran(first)
        assert space["parse_duration"]("1h30m") == 5400
        cases = re.search(r"\[\(.*?\)\],", test, re.DOTALL)
        assert cases
        for text, seconds in ast.literal_eval(cases[0].rstrip(",")):
            assert space["parse_duration"](text) == seconds
        space = _ran(second)
        assert space["parse_duration"]("2d1h30m") == 2 * 86400 + 5400
        for wrong in ("10x", "", "h", "1h x"):
            with pytest.raises(ValueError, match="not a duration"):
                space["parse_duration"](wrong)

    def test_the_basket(self) -> None:
        (mended,) = code(_example("basket"))
        add = _ran(mended)["add"]
        assert [add("apple"), add("apple"), add("pear", ["fig"])] == [
            ["apple"],
            ["apple"],
            ["fig", "pear"],
        ]
        question = BLOCK.findall(turns(_example("basket"))[0][1])[0][1]
        broken = _ran(question)["add"]
        assert broken("a") is broken("b")

    def test_even_numbers(self) -> None:
        is_even = _ran(code(_example("is even"))[0])["is_even"]
        assert [number for number in range(-3, 4) if is_even(number)] == [-2, 0, 2]

    @pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed")
    def test_the_translation(self) -> None:
        (script,) = code(_example("JavaScript"), "javascript")
        call = f"{script}\nconsole.log(JSON.stringify(wordLengths(' a  bcd ')))"
        ran = subprocess.run(["node", "-e", call], capture_output=True, text=True, check=True)
        assert ran.stdout.strip() == '{"a":1,"bcd":3}'

    def test_the_query(self) -> None:
        sqlite3 = pytest.importorskip("sqlite3")
        (query,) = code(_example("SQL"), "sql")
        with contextlib.closing(sqlite3.connect(":memory:")) as base:
            base.executescript(
                "CREATE TABLE customers (id, name); CREATE TABLE orders (customer_id);"
                "INSERT INTO customers VALUES (1, 'a'), (2, 'b');"
                "INSERT INTO orders VALUES (1), (NULL);"
            )
            assert base.execute(query).fetchall() == [(2, "b")]

    def test_the_pipeline(self, tmp_path: Path) -> None:
        (command,) = [block for _, block in BLOCK.findall(_example("shell command"))]
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
            _example("My shop")
        )


def _example(words: str) -> str:
    (found,) = [
        example for example in prompt_files.few_shot("ta").examples if words in example[:200]
    ]
    return found


def _ran(block: str) -> dict[str, Any]:
    space: dict[str, Any] = {}
    exec(compile(block, "example", "exec"), space)  # our own prompt file
    return space


def _imported(block: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(block)):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield str(node.module).split(".")[0]


class TestFinding:
    def test_ours_by_name(self) -> None:
        for name in OURS:
            assert prompt_files.text_of(name).strip()

    def test_a_file(self, tmp_path: Path) -> None:
        path = tmp_path / "mine.txt"
        path.write_bytes("\ufeffP\r\n\r\n-----\r\n\r\nHuman: é\r\n\r\nAssistant: b\r\n".encode())
        assert prompt_files.few_shot(str(path)) == FewShot("P", ("Human: é\n\nAssistant: b",))

    def test_a_file_in_the_home(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("HOME", str(tmp_path))
        (tmp_path / "mine.md").write_text("mine")
        assert prompt_files.text_of("~/mine.md") == "mine"

    def test_a_file_that_lies_about_does_not_replace_ours(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        Path("ta").write_text("a stranger's")
        assert prompt_files.text_of("ta") != "a stranger's"
        assert prompt_files.text_of("./ta") == "a stranger's"

    @pytest.mark.parametrize(
        ("name", "repo", "file", "kind"),
        [
            ("datasets/owner/data/TA_prompt.txt", "owner/data", "TA_prompt.txt", "dataset"),
            ("owner/model/deep/p.md", "owner/model", "deep/p.md", "model"),
        ],
    )
    def test_a_published_one(
        self,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        name: str,
        repo: str,
        file: str,
        kind: str,
    ) -> None:
        asked: list[tuple[str, str, str]] = []
        (tmp_path / "found").write_text("theirs")

        def download(repo: str, file: str, *, repo_type: str) -> str:
            asked.append((repo, file, repo_type))
            return str(tmp_path / "found")

        monkeypatch.setattr("huggingface_hub.hf_hub_download", download)
        assert prompt_files.text_of(name) == "theirs"
        assert asked == [(repo, file, kind)]

    def test_a_published_one_without_a_connection(self) -> None:
        with pytest.raises(ConfigError, match="cannot be fetched") as raised:
            prompt_files.text_of("datasets/owner/data/none.txt")
        assert raised.value.hint

    @pytest.mark.parametrize(
        "name", ["nothing", "", "./nothing.md", "/no/such.md", "x" * 300, "a\0b", "~nobody/x.md"]
    )
    def test_an_unknown_one_names_those_there_are(self, name: str) -> None:
        with pytest.raises(ConfigError, match="No prompt called") as raised:
            prompt_files.text_of(name)
        assert "hhh, starchat, ta" in raised.value.hint

    def test_a_file_that_is_no_text(self, tmp_path: Path) -> None:
        (tmp_path / "x.md").write_bytes(b"\xff\xfe\x00")
        with pytest.raises(ConfigError, match="cannot be read") as raised:
            prompt_files.text_of(str(tmp_path / "x.md"))
        assert "UTF-8" in raised.value.hint


class TestParse:
    def test_preamble_and_dialogues(self) -> None:
        wanted = ("Human: a\n\nAssistant: b", "Human: c\nAssistant: d")
        text = f"P\nq\n\n-----\n\n{wanted[0]}\n-----  \n\n{wanted[1]}\n\n-----\n"
        assert prompt_files.parse(text) == FewShot("P\nq", wanted)

    def test_only_a_preamble(self) -> None:
        assert prompt_files.parse("P\n") == FewShot("P", ())

    def test_longer_or_indented_dashes_do_not_divide(self) -> None:
        assert prompt_files.parse("P\n\n------\n -----\n").examples == ()

    @pytest.mark.parametrize("example", ["hello", "Assistant: b", "Human: a", "User: a"])
    def test_a_dialogue_without_roles_is_named(self, example: str) -> None:
        text = f"P\n-----\nHuman: a\nAssistant: b\n-----\n{example}"
        with pytest.raises(ConfigError, match="Dialogue 2 of `mine`") as raised:
            prompt_files.parse(text, "mine")
        assert raised.value.hint

    @pytest.mark.parametrize("text", ["", "\n-----\nHuman: a\nAssistant: b"])
    def test_no_preamble(self, text: str) -> None:
        with pytest.raises(ConfigError, match="no preamble"):
            prompt_files.parse(text)
