from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.train.random_trees import write_jsonl
from train.data.filters import Filters
from train.data.load import LoadedTrees, load_trees
from train.data.row_fields import RefusedRow
from train.data.schemas import EXPECTED_ROWS, SCHEMAS, find_schema
from train.train_errors import DataError

WHERE = "f:1"


def user(text: str = "q", **more: Any) -> dict[str, Any]:
    return {"role": "user", "content": text, **more}


def assistant(text: str = "a", **more: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": text, **more}


def messages(*turns: Any) -> dict[str, Any]:
    return {"messages": list(turns)}


def raise_refusal(reason: str, where: str) -> None:
    assert where == WHERE
    raise RefusedRow(reason)


def list_turns(row: dict[str, Any]) -> list[tuple[str, str]]:
    schema = find_schema(row)
    assert schema is not None
    (tree,) = schema.parse([(WHERE, row)], Filters(), raise_refusal)
    message = [("system", tree.system)] if tree.system else []
    return [*message, *((one.role, one.text) for one in tree.messages)]


SYSTEM = {"role": "system", "content": "s"}
EXCHANGE = [("user", "q"), ("assistant", "a")]
FITTING: list[tuple[dict[str, Any], list[tuple[str, str]]]] = [
    (messages(user(), assistant()), EXCHANGE),
    (
        messages({"role": "system", "content": "s"}, user(), assistant()),
        [("system", "s"), *EXCHANGE],
    ),
    (messages(user(), assistant(), user("thanks")), [*EXCHANGE, ("user", "thanks")]),
    (
        {"prompt": "first words", "prompt_id": "x", "messages": [user(), assistant()]},
        EXCHANGE,
    ),
    (messages({"role": "prompter", "content": "q"}, assistant()), EXCHANGE),
    (messages(user(), {"role": "assistant", "content": [{"type": "text", "text": "a"}]}), EXCHANGE),
    (
        {"conversations": [{"from": "human", "value": "q"}, {"from": "gpt", "value": "a"}]},
        EXCHANGE,
    ),
    (
        {
            "id": "1",
            "conversations": [
                {"from": "system", "value": "s"},
                {"from": "human", "value": "q"},
                {"from": "gpt", "value": "a"},
            ],
        },
        [("system", "s"), *EXCHANGE],
    ),
    ({"system": "s", **messages(user(), assistant())}, [("system", "s"), *EXCHANGE]),
    ({"prompt": "q", "completion": "a"}, EXCHANGE),
    ({"prompt": [user()], "completion": [assistant()]}, EXCHANGE),
    (messages(user(" q\n"), assistant("\ta ")), [("user", " q\n"), ("assistant", "\ta ")]),
]


TREE: dict[str, Any] = {
    "prompt": {"message_id": "o", "role": "prompter", "text": "q", "replies": []}
}
MESSAGE: dict[str, Any] = {"message_id": "m", "parent_id": None, "role": "prompter", "text": "q"}


def test_every_schema_of_the_table_has_an_example_here_and_is_named_in_errors() -> None:
    examples: list[dict[str, Any]] = [TREE, MESSAGE, *(row for row, _ in FITTING)]
    detected = {schema.name for row in examples if (schema := find_schema(row))}
    assert detected == {schema.name for schema in SCHEMAS}
    assert all(name in EXPECTED_ROWS for name in detected)


@pytest.mark.parametrize(("row", "wanted"), FITTING)
def test_every_schema_is_detected(row: dict[str, Any], wanted: list[tuple[str, str]]) -> None:
    assert list_turns(row) == wanted


REFUSED: list[tuple[dict[str, Any], str]] = [
    (messages(), "no turns"),
    (messages({"role": "system", "content": "s"}), "no turns"),
    (messages(assistant(), user()), "the assistant begins"),
    (messages(user(), user(), assistant()), "two user turns in a row"),
    (messages(user(), assistant(), assistant()), "two assistant turns in a row"),
    (messages(user(), {"role": "system", "content": "s"}, assistant()), "a system turn after"),
    (messages(user(), {"role": "tool", "content": "x"}), "unknown role 'tool'"),
    (messages(user(), {"content": "x"}), "unknown role 'None'"),
    (messages(user(), {"role": {"a": 1}, "content": "x"}), "unknown role"),
    (messages(user(), {"role": "assistant"}), "a text is not a text"),
    (messages(user(), assistant(None)), "a text is not a text"),  # type: ignore[arg-type]
    (messages(user(), assistant([{"type": "image_url"}])), "a text is not a text"),  # type: ignore[arg-type]
    (messages(user(), assistant([])), "a text is not a text"),  # type: ignore[arg-type]
    (messages(user(), assistant(" \n")), "an empty assistant turn"),
    (messages(user(""), assistant()), "an empty user turn"),
    (messages("q", "a"), "a turn is not an object"),
    ({"messages": "text"}, "the turns are not a list"),
    ({"messages": None}, "the turns are not a list"),
    ({"messages": {"role": "user"}}, "the turns are not a list"),
    ({"conversations": 3}, "the turns are not a list"),
    ({"prompt": None, "completion": "a"}, "a text is not a text"),
    ({"prompt": "q", "completion": 1}, "a text is not a text"),
    ({"prompt": "q", "completion": ""}, "an empty assistant turn"),
    ({"system": 3, **messages(user(), assistant())}, "a text is not a text"),
    ({"lang": "de", **messages(user(), assistant())}, "another language"),
]


@pytest.mark.parametrize(("row", "reason"), REFUSED)
def test_a_row_that_does_not_fit_is_refused_with_a_reason(row: dict[str, Any], reason: str) -> None:
    with pytest.raises(RefusedRow, match=reason.replace("'", ".")):
        list_turns(row)


@pytest.mark.parametrize(
    "row",
    [
        {},
        {"text": "only"},
        {"instruction": "i", "output": "o"},
        {"prompt": "alone"},
        {"message_id": "x", "text": "no role"},
    ],
)
def test_other_schemas_are_not_known(row: dict[str, Any]) -> None:
    assert find_schema(row) is None


def read(tmp_path: Path, *rows: Any) -> LoadedTrees:
    return load_trees(write_jsonl(tmp_path / "rows.jsonl", *rows))


def test_weight_zero_is_context_only(tmp_path: Path) -> None:
    row = messages(user(), assistant("draft", weight=0), user("again"), assistant("final"))
    (tree,) = read(tmp_path, row).trees
    assert [one.is_learned for one in tree.messages] == [False, False, False, True]


def test_of_a_prompt_with_turns_only_the_completion_is_learned(tmp_path: Path) -> None:
    row = {"prompt": [user(), assistant("old"), user("more")], "completion": [assistant("new")]}
    (tree,) = read(tmp_path, row).trees
    assert [one.text for one in tree.messages if one.is_learned] == ["new"]


def test_schemas_may_be_mixed_and_refusals_are_counted(tmp_path: Path) -> None:
    found = read(
        tmp_path,
        messages(user("1"), assistant()),
        {"conversations": [{"from": "human", "value": "2"}, {"from": "gpt", "value": "a"}]},
        {"prompt": "3", "completion": "a"},
        {**MESSAGE, "text": "4"},
        {"message_id": "n", "parent_id": "m", "role": "assistant", "text": "a"},
        {"prompt": {"message_id": "o", "role": "prompter", "text": "5", "replies": []}},
        messages(user("6")),
        {"instruction": "7"},
    )
    assert found.rows == 8
    assert sorted(tree.messages[0].text for tree in found.trees) == ["1", "2", "3", "4"]
    assert found.count_reasons() == {"no assistant turn to learn": 2, "no known schema": 1}
    places = {one.where.rsplit(":")[-1] for one in found.refused}
    assert places == {"6", "7", "8"}


def test_rows_that_share_a_beginning_become_a_tree(tmp_path: Path) -> None:
    rows = [messages(user(), assistant(str(at))) for at in range(3)]
    rows.append(messages(user(), assistant("0"), user("more"), assistant("yes")))
    rows.append(messages(user(), assistant("0"), user("thanks")))
    (tree,) = read(tmp_path, *rows).trees
    assert len(tree.messages) == 6
    assert [one.dialogue_count for one in tree.messages] == [0, 2, 0, 1, 1, 1]


def test_an_empty_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no rows"):
        read(tmp_path)


def test_an_unknown_schema_lists_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="known schema") as caught:
        read(tmp_path, {"instruction": "i", "output": "o"})
    assert "conversations" in caught.value.hint


def test_data_without_assistant_turns_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="nothing to learn") as caught:
        read(tmp_path, messages(user()), messages(user("x")))
    assert "no assistant turn to learn: 2" in caught.value.hint
