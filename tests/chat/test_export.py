from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest

from starchat_tui.chat.export import FORMATS, export_conversation
from starchat_tui.chat.store import ConversationStore, State
from starchat_tui.cli import subcommands
from starchat_tui.codeblocks import parse_code_blocks
from starchat_tui.dialogue import Turn
from starchat_tui.errors import UsageError

ANSWER = "Like this:\n\n```python\nprint(1)\n```\n\nor\n\n```sh\nls\n```\n\nThat is all."


@pytest.fixture
def history() -> ConversationStore:
    return ConversationStore.in_memory()


def kept(
    history: ConversationStore, *turns: tuple[str, State], system: str = "", title: str = "a title"
) -> str:
    """A conversation of texts and states; the user and the assistant take turns."""
    name = history.create_conversation(title, mode="chat", model="m", system=system)
    parent = None
    for at, (text, state) in enumerate(turns):
        turn = Turn("assistant" if at % 2 else "user", text, (1, 2), "v")
        parent = history.add_turn(name, turn, parent=parent, state=state, model="m")
    return name


def export(history: ConversationStore, name: str, form: str) -> str:
    return export_conversation(history.find_conversation(name), history.load_path(name), form)


def loaded(history: ConversationStore, name: str, form: str) -> Any:
    return json.loads(export(history, name, form))


def test_markdown_is_headings_and_texts(history: ConversationStore) -> None:
    name = kept(history, ("q", "done"), (ANSWER, "stopped"), system="be kind", title="a\ntitle")
    assert export(history, name, "markdown") == (
        f"# a title\n\n## system\n\nbe kind\n\n## user\n\nq\n\n## assistant (stopped)\n\n{ANSWER}"
    )


def test_a_code_block_that_was_cut_off_is_closed(history: ConversationStore) -> None:
    name = kept(history, ("q", "done"), ("a\n\n```python\nx = '```'\ny", "cut"), ("next", "done"))
    text = export(history, name, "markdown")
    assert text.endswith("## user\n\nnext")
    assert [(one.code, one.complete) for one in parse_code_blocks(text)] == [
        ("x = '```'\ny\n", True)
    ]


def test_json_is_all_that_is_kept_on_one_line(history: ConversationStore) -> None:
    name = kept(history, ("q\u2028\x85", "done"), ("ü☃", "cut"), system="s")
    assert "\n" not in export(history, name, "json")
    document = loaded(history, name, "json")
    assert (document["id"], document["title"], document["system"]) == (name, "a title", "s")
    assert [turn["text"] for turn in document["turns"]] == ["q\u2028\x85", "ü☃"]
    assert [turn["state"] for turn in document["turns"]] == ["done", "cut"]


def assert_is_notebook(document: dict[str, Any]) -> None:
    """What nbformat 4.5 asks of a notebook like ours."""
    assert (document["nbformat"], document["nbformat_minor"]) == (4, 5)
    assert set(document) == {"cells", "metadata", "nbformat", "nbformat_minor"}
    identities = [cell["id"] for cell in document["cells"]]
    assert len(set(identities)) == len(identities)
    for cell in document["cells"]:
        assert re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", cell["id"])
        assert all(isinstance(line, str) for line in cell["source"])
        if cell["cell_type"] == "code":
            assert cell["execution_count"] is None
            assert cell["outputs"] == []
        else:
            assert set(cell) == {"cell_type", "id", "metadata", "source"}


def test_a_notebook_has_the_python_in_cells_of_its_own(history: ConversationStore) -> None:
    name = kept(history, ("q", "done"), (ANSWER, "done"), ("thanks", "done"), system="s")
    document = loaded(history, name, "notebook")
    assert_is_notebook(document)
    cells = [(cell["cell_type"], "".join(cell["source"])) for cell in document["cells"]]
    assert cells == [
        ("markdown", "# a title"),
        ("markdown", "**system:** s"),
        ("markdown", "**user:** q"),
        ("markdown", "Like this:"),
        ("code", "print(1)"),
        ("markdown", "or\n\n```sh\nls\n```\n\nThat is all."),
        ("markdown", "**user:** thanks"),
    ]


@pytest.mark.parametrize("language", ["jupyter", "ipython", "py"])
def test_every_python_block_becomes_a_notebook_cell(
    history: ConversationStore, language: str
) -> None:
    name = kept(history, ("q", "done"), (f"```{language}\n1 + 1\n```", "done"))
    cells = loaded(history, name, "notebook")["cells"]
    assert ("code", ["1 + 1"]) in [(cell["cell_type"], cell["source"]) for cell in cells]


def test_a_notebook_of_hostile_answers_is_a_notebook(history: ConversationStore) -> None:
    answers = ["```python", "```py\n```", "", "~~~~python\n```\n~~~\n", "- ```python\n  x\n  ```"]
    turns: list[tuple[str, State]] = []
    for answer in answers:
        turns += [("```", "done"), (answer, "failed")]
    assert_is_notebook(loaded(history, kept(history, *turns), "notebook"))
    assert_is_notebook(loaded(history, kept(history), "notebook"))


def test_a_row_teaches_what_came_to_its_end(history: ConversationStore) -> None:
    name = kept(
        history,
        *(("q", "done"), ("a", "done"), ("more", "done"), ("half", "stopped")),
        *(("again", "done"), ("whole", "done"), ("unanswered", "done")),
        system="s",
    )
    row = loaded(history, name, "messages")
    assert row["messages"] == [
        {"role": "system", "content": "s"},
        {"role": "user", "content": "q"},
        {"role": "assistant", "content": "a"},
        {"role": "user", "content": "more"},
        {"role": "assistant", "content": "half", "weight": 0},
        {"role": "user", "content": "again"},
        {"role": "assistant", "content": "whole"},
    ]
    assert (row["id"], row["model"], row["mode"]) == (name, "m", "chat")


def test_an_empty_answer_leaves_with_its_question(history: ConversationStore) -> None:
    name = kept(history, ("q", "done"), (" ", "failed"), ("p", "done"), ("a", "done"))
    row = loaded(history, name, "messages")
    assert [turn["content"] for turn in row["messages"]] == ["p", "a"]


def test_a_row_without_an_answer_is_none(history: ConversationStore) -> None:
    for turns in ([], [("q", "done")], [("q", "done"), ("", "partial")]):
        with pytest.raises(UsageError, match="has an answer"):
            export(history, kept(history, *turns), "messages")  # type: ignore[arg-type]


def test_a_row_is_what_training_reads(history: ConversationStore, tmp_path: Path) -> None:
    from train.data.load import load_trees

    name = kept(
        history, ("q", "done"), ("a", "cut"), ("r", "done"), ("\x1b[31m b", "done"), system="s"
    )
    source = tmp_path / "rows.jsonl"
    source.write_text(export(history, name, "messages") + "\n", encoding="utf-8")
    found = load_trees(str(source))
    (tree,) = found.trees
    assert not found.refused
    assert tree.system == "s"
    assert [(one.text, one.is_learned) for one in tree.messages] == [
        ("q", False),
        ("a", False),
        ("r", False),
        ("\x1b[31m b", True),
    ]


# The subcommand.


@pytest.fixture
def stored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ConversationStore:
    monkeypatch.setenv("STARCHAT_HOME", str(tmp_path))
    from starchat_tui.paths import find_paths

    return ConversationStore.open(find_paths(os.environ).database)


def told(capsys: pytest.CaptureFixture[str], *argv: str) -> tuple[str, str]:
    assert subcommands.run("export", argv) == 0
    return capsys.readouterr()


@pytest.mark.parametrize("form", FORMATS)
def test_the_last_conversation_goes_to_stdout(
    stored: ConversationStore, capsys: pytest.CaptureFixture[str], form: str
) -> None:
    kept(stored, ("old", "done"), ("old answer", "done"))
    name = kept(stored, ("q", "done"), ("a", "done"))
    out, err = told(capsys, "--format", form)
    assert out == export(stored, name, form) + "\n"
    assert err == ""


def test_all_of_them_are_a_data_set(
    stored: ConversationStore, capsys: pytest.CaptureFixture[str]
) -> None:
    for number in range(3):
        kept(stored, (f"q{number}", "done"), ("a", "done"))
    silent = kept(stored, ("q", "done"))
    out, err = told(capsys, "--all", "--format", "messages")
    assert len([json.loads(line) for line in out.splitlines()]) == 3
    assert silent in err


def test_what_excludes_each_other_is_told(stored: ConversationStore) -> None:
    names = [kept(stored, ("q", "done"), ("a", "done")) for _ in range(2)]
    for argv in (["--all", names[0]], ["--format", "notebook", *names], ["--format", "pdf"]):
        with pytest.raises(UsageError) as caught:
            subcommands.run("export", argv)
        assert caught.value.hint
    with pytest.raises(UsageError, match="No conversation"):
        subcommands.run("export", ["zzzz"])
