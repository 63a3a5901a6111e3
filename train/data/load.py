"""Where trees to learn from come from, whatever the schema, and what was refused on the way."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from train.data import oasst, sources
from train.data.schemas import Filters, Refused, dialogue, schema_of
from train.data.trees import Tree, merged, trimmed
from train.train_errors import DataError

UNTAUGHT = "no assistant turn to learn"
UNKNOWN = "no known schema"


class Refusal(NamedTuple):
    """A row or a message that is not learned from."""

    reason: str
    where: str


@dataclass(frozen=True, slots=True)
class Loaded:
    """Trees to learn from, and everything that was refused."""

    trees: list[Tree]
    refused: list[Refusal]
    whole: list[Tree]
    """The same before useless tails were cut and dialogues with a common beginning joined."""
    rows: int
    """Rows read."""

    def reasons(self) -> Counter[str]:
        """How many rows or messages were refused for each reason."""
        return Counter(one.reason for one in self.refused)


def load(source: str, *, filters: Filters | None = None, split: str = "train") -> Loaded:
    """The trees of a file, a folder, or `split` of a data set on the Hub, the schema recognised.

    Useless tails are cut, and dialogues that begin with the same message become one tree. Raises
    `DataError` where a row is malformed or nothing is left, and what `reading.rows` raises.
    """
    filters = filters or Filters()
    refused: list[Refusal] = []

    def refuse(reason: str, where: str) -> None:
        refused.append(Refusal(reason, where))

    nested: list[Tree] = []
    alone: list[Tree] = []
    flat: list[sources.Placed] = []
    count = 0
    for where, row in sources.rows(source, split=split):
        count += 1
        schema = schema_of(row)
        if schema is None:
            refuse(UNKNOWN, where)
        elif schema == "oasst message":
            flat.append((where, row))
        elif schema == "oasst tree":
            found = oasst.tree(row, where, filters, refuse)
            nested += [found] if found else []
        else:
            try:
                alone.append(dialogue(row, schema, where, filters))
            except Refused as reason:
                refuse(str(reason), where)
    nested += oasst.trees(flat, filters, refuse)
    trees = [*_taught(nested, refuse), *merged(_taught(alone, refuse))]
    loaded = Loaded(trees, refused, [*nested, *alone], count)
    if not trees:
        raise _nothing(source, loaded)
    return loaded


def _taught(trees: Iterable[Tree], refuse: oasst.Refuse) -> list[Tree]:
    kept = []
    for tree in trees:
        found = trimmed(tree)
        if found is None:
            refuse(UNTAUGHT, tree.where)
        else:
            kept.append(found)
    return kept


def _nothing(source: str, loaded: Loaded) -> DataError:
    if not loaded.rows:
        return DataError(f"`{source}` has no rows", sources.EXPECTED)
    reasons = loaded.reasons()
    if set(reasons) == {UNKNOWN}:
        return DataError(f"No row of `{source}` has a known schema", sources.EXPECTED)
    told = "; ".join(f"{reason}: {count}" for reason, count in reasons.most_common(5))
    return DataError(f"Nothing in `{source}` is left to learn from", f"refused are {told}")
