"""Training trees of any source and schema, and the rows that were refused."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from train.data import sources
from train.data.filters import Filters
from train.data.row_fields import LocatedRow, ReportRefusal
from train.data.schemas import EXPECTED_ROWS, Schema, find_schema
from train.data.trees import Tree, merge_trees, trim_tree
from train.train_errors import DataError

NOTHING_LEARNED = "no assistant turn to learn"
UNKNOWN_SCHEMA = "no known schema"


class Refusal(NamedTuple):
    """A row or message that is not learned from."""

    reason: str
    where: str


@dataclass(frozen=True, slots=True)
class LoadedTrees:
    """Trees to learn from, and everything that was refused."""

    trees: list[Tree]
    refused: list[Refusal]
    untrimmed: list[Tree]
    """The same trees before trimming and merging."""
    rows: int
    """Number of rows read."""

    def count_reasons(self) -> Counter[str]:
        """Return how many rows or messages were refused, by reason."""
        return Counter(one.reason for one in self.refused)


def load_trees(source: str, *, filters: Filters | None = None, split: str = "train") -> LoadedTrees:
    """Load the trees of a file, a folder, or `split` of a Hub dataset, and detect the schema.

    Turns that contribute no loss are trimmed, and dialogues that begin with the same message are
    merged. Raises `DataError` if a row is malformed or nothing is left, and the errors of
    `sources.read_rows`.
    """
    chosen = filters or Filters()
    refused: list[Refusal] = []

    def refuse(reason: str, where: str) -> None:
        refused.append(Refusal(reason, where))

    trees_of_rows: list[Tree] = []
    dialogues: list[Tree] = []
    # Rows of the schemas in which one tree has several rows; they are parsed at the end.
    scattered: dict[Schema, list[LocatedRow]] = {}

    def add_trees(schema: Schema, rows: Iterable[LocatedRow]) -> None:
        found = schema.parse(rows, chosen, refuse)
        (trees_of_rows if schema.has_trees else dialogues).extend(found)

    count = 0
    for where, row in sources.read_rows(source, split=split):
        count += 1
        schema = find_schema(row)
        if schema is None:
            refuse(UNKNOWN_SCHEMA, where)
        elif schema.spans_rows:
            scattered.setdefault(schema, []).append((where, row))
        else:
            add_trees(schema, [(where, row)])
    for schema, rows in scattered.items():
        add_trees(schema, rows)
    # Only dialogues are merged: siblings of a real tree stay distinct even if their texts agree.
    trees = [*_trim_trees(trees_of_rows, refuse), *merge_trees(_trim_trees(dialogues, refuse))]
    loaded = LoadedTrees(trees, refused, [*trees_of_rows, *dialogues], count)
    if not trees:
        raise _empty_error(source, loaded)
    return loaded


def _trim_trees(trees: Iterable[Tree], refuse: ReportRefusal) -> list[Tree]:
    trimmed = []
    for tree in trees:
        found = trim_tree(tree)
        if found is None:
            refuse(NOTHING_LEARNED, tree.where)
        else:
            trimmed.append(found)
    return trimmed


def _empty_error(source: str, loaded: LoadedTrees) -> DataError:
    if not loaded.rows:
        return DataError(f"`{source}` has no rows", EXPECTED_ROWS)
    reasons = loaded.count_reasons()
    if set(reasons) == {UNKNOWN_SCHEMA}:
        return DataError(f"No row of `{source}` has a known schema", EXPECTED_ROWS)
    counts = "; ".join(f"{reason}: {count}" for reason, count in reasons.most_common(5))
    return DataError(f"`{source}` contains nothing to learn from", f"refused: {counts}")
