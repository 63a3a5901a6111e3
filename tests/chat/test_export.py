"""Export of conversations in every format."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from starchat_tui.chat.export import export_conversation
from starchat_tui.chat.store import ConversationStore, State
from starchat_tui.codeblocks import parse_code_blocks
from starchat_tui.errors import UsageError
from tests.chat.conversations import store_conversation

ANSWER = "Like this:\n\n```python\nprint(1)\n```\n\nor\n\n```sh\nls\n```\n\nThat is all."


@pytest.fixture
def store() -> ConversationStore:
    return ConversationStore.in_memory()


def export_as(store: ConversationStore, name: str, form: str) -> str:
    return export_conversation(store.find_conversation(name), store.load_path(name), form)


def load_export(store: ConversationStore, name: str, form: str) -> Any:
    return json.loads(export_as(store, name, form))


def test_markdown(store: ConversationStore) -> None:
    name = store_conversation(
        store, ("q", "done"), (ANSWER, "stopped"), system="be kind", title="a\ntitle"
    )
    assert export_as(store, name, "markdown") == (
        f"# a title\n\n## system\n\nbe kind\n\n## user\n\nq\n\n## assistant (stopped)\n\n{ANSWER}"
    )


def test_markdown_closes_an_unfinished_block(store: ConversationStore) -> None:
    name = store_conversation(
        store, ("q", "done"), ("a\n\n```python\nx = '```'\ny", "cut"), ("next", "done")
    )
    text = export_as(store, name, "markdown")
    assert text.endswith("## user\n\nnext")
    assert [(one.code, one.complete) for one in parse_code_blocks(text)] == [
        ("x = '```'\ny\n", True)
    ]


def test_json_is_one_line(store: ConversationStore) -> None:
    name = store_conversation(store, ("q\u2028\x85", "done"), ("ü☃", "cut"), system="s")
    assert "\n" not in export_as(store, name, "json")
    document = load_export(store, name, "json")
    assert (document["id"], document["title"], document["system"]) == (name, "a title", "s")
    assert [turn["text"] for turn in document["turns"]] == ["q\u2028\x85", "ü☃"]
    assert [turn["state"] for turn in document["turns"]] == ["done", "cut"]


def assert_is_notebook(document: dict[str, Any]) -> None:
    """Check what nbformat 4.5 requires of a notebook like ours."""
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


def test_notebook_has_python_in_code_cells(store: ConversationStore) -> None:
    name = store_conversation(
        store, ("q", "done"), (ANSWER, "done"), ("thanks", "done"), system="s"
    )
    document = load_export(store, name, "notebook")
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
    store: ConversationStore, language: str
) -> None:
    name = store_conversation(store, ("q", "done"), (f"```{language}\n1 + 1\n```", "done"))
    cells = load_export(store, name, "notebook")["cells"]
    assert ("code", ["1 + 1"]) in [(cell["cell_type"], cell["source"]) for cell in cells]


def test_notebook_of_hostile_answers_is_valid(store: ConversationStore) -> None:
    answers = ["```python", "```py\n```", "", "~~~~python\n```\n~~~\n", "- ```python\n  x\n  ```"]
    turns: list[tuple[str, State]] = []
    for answer in answers:
        turns += [("```", "done"), (answer, "failed")]
    assert_is_notebook(load_export(store, store_conversation(store, *turns), "notebook"))
    assert_is_notebook(load_export(store, store_conversation(store), "notebook"))


def test_incomplete_answer_has_weight_zero(store: ConversationStore) -> None:
    name = store_conversation(
        store,
        *(("q", "done"), ("a", "done"), ("more", "done"), ("half", "stopped")),
        *(("again", "done"), ("whole", "done"), ("unanswered", "done")),
        system="s",
    )
    row = load_export(store, name, "messages")
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


def test_empty_answer_is_left_out_with_its_question(store: ConversationStore) -> None:
    name = store_conversation(store, ("q", "done"), (" ", "failed"), ("p", "done"), ("a", "done"))
    row = load_export(store, name, "messages")
    assert [turn["content"] for turn in row["messages"]] == ["p", "a"]


def test_row_without_an_answer_is_an_error(store: ConversationStore) -> None:
    for turns in ([], [("q", "done")], [("q", "done"), ("", "partial")]):
        with pytest.raises(UsageError, match="has an answer"):
            export_as(store, store_conversation(store, *turns), "messages")  # type: ignore[arg-type]


def test_training_reads_the_row(store: ConversationStore, tmp_path: Path) -> None:
    from train.data.load import load_trees

    name = store_conversation(
        store, ("q", "done"), ("a", "cut"), ("r", "done"), ("\x1b[31m b", "done"), system="s"
    )
    source = tmp_path / "rows.jsonl"
    source.write_text(export_as(store, name, "messages") + "\n", encoding="utf-8")
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
