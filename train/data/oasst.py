"""OpenAssistant message trees: nested, one tree per row, or flat, one message per row.

Format of the oasst1 export: message_id, parent_id, text, role (prompter or assistant), lang,
deleted, review_result, synthetic, rank (0 is the best of its siblings) and, for a tree, tree_state.
A refused message takes its replies with it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from train.data.filters import Filters
from train.data.row_fields import (
    LocatedRow,
    RefusedRow,
    ReportRefusal,
    Row,
    check_order,
    parse_role,
    parse_text,
)
from train.data.trees import ROOT, Message, Tree, build_tree

_FindReplies = Callable[[LocatedRow], Sequence[LocatedRow]]


def is_tree(row: Row) -> bool:
    """Return whether a row is a tree: a root message under `prompt`."""
    return isinstance(row.get("prompt"), dict) and "replies" in row["prompt"]


def is_message(row: Row) -> bool:
    """Return whether a row is one flat message of a tree."""
    return "message_id" in row and "text" in row and "role" in row


def parse_trees(rows: Iterable[LocatedRow], filters: Filters, refuse: ReportRefusal) -> list[Tree]:
    """Return the trees of nested rows after filtering."""
    parsed = (_parse_tree(row, where, filters, refuse) for where, row in rows)
    return [tree for tree in parsed if tree is not None]


def _parse_tree(row: Row, where: str, filters: Filters, refuse: ReportRefusal) -> Tree | None:
    """Return the tree of a nested row after filtering, or None if nothing is left.

    Args:
        row: The row: a root message under `prompt`, with `replies` at every level.
        where: Location of the row.
        filters: Messages to keep.
        refuse: Called with the reason and location of everything that is dropped.
    """
    known: set[str] = set()

    def replies(located: LocatedRow) -> list[LocatedRow]:
        listed = located[1].get("replies") or []
        if not isinstance(listed, Sequence) or not all(isinstance(one, dict) for one in listed):
            refuse("replies that are not a list of messages", located[0])
            return []
        found = []
        for one in listed:
            name = str(one.get("message_id"))
            if "message_id" in one and name in known:
                refuse("a duplicate message id", f"{where} {name}")
                continue
            known.add(name)
            found.append((f"{where} {name}", one))
        return found

    root = row["prompt"]
    known.add(str(root.get("message_id")))
    state = row.get("tree_state", root.get("tree_state"))
    return _filter_tree((where, root), state, replies, filters, refuse)


def build_trees(rows: Iterable[LocatedRow], filters: Filters, refuse: ReportRefusal) -> list[Tree]:
    """Return the trees of flat messages after filtering, in the order of their roots."""
    known: dict[str, LocatedRow] = {}
    for where, row in rows:
        name = row["message_id"]
        if not isinstance(name, str) or not name:
            refuse("a message without an id", where)
        elif name in known:
            refuse("a duplicate message id", where)
        else:
            known[name] = (where, row)
    below: dict[str, list[LocatedRow]] = {}
    for located in known.values():
        below.setdefault(_parent_id(located), []).append(located)
    # What no root leads to, an orphan or a cycle, must be reported rather than lost silently.
    reached: set[str] = set()

    def replies(located: LocatedRow) -> list[LocatedRow]:
        reached.add(located[1]["message_id"])
        return below.get(located[1]["message_id"], [])

    roots = below.get("", [])
    kept = [
        _filter_tree(root, root[1].get("tree_state"), replies, filters, refuse) for root in roots
    ]
    for name, located in known.items():
        if name not in reached:
            refuse(_unreachable_reason(name, known), located[0])
    return [one for one in kept if one is not None]


def _parent_id(located: LocatedRow) -> str:
    return str(located[1].get("parent_id") or "")


def _unreachable_reason(name: str, known: Mapping[str, LocatedRow]) -> str:
    """Return the reason that no root leads to a message."""
    seen = set[str]()
    while name in known and name not in seen:
        seen.add(name)
        name = _parent_id(known[name])
    return "a cycle of parents" if name in seen else "a missing parent"


def _filter_tree(
    root: LocatedRow, state: object, replies: _FindReplies, filters: Filters, refuse: ReportRefusal
) -> Tree | None:
    """Return the tree below `root` after filtering, not trimmed yet.

    Args:
        root: The first message.
        state: OpenAssistant's state of the tree.
        replies: Lookup of the replies to a message.
        filters: Messages to keep.
        refuse: Called with the reason and location of everything that is dropped.
    """
    if filters.states and isinstance(state, str) and state not in filters.states:
        refuse(f"a tree in the state {state[:40]!r}", root[0])
        # Walked although the tree is dropped: its messages are accounted for, not unreachable.
        _list_descendants(root, replies)
        return None
    messages: list[Message] = []
    # An explicit stack: trees are data, and may be deeper than Python's recursion limit.
    pending: list[tuple[LocatedRow, int, bool]] = [(root, ROOT, False)]
    while pending:
        located, parent, ranked = pending.pop()
        try:
            messages.append(_parse_message(located[1], parent, messages, ranked, filters))
        except RefusedRow as refused:
            refuse(str(refused), located[0])
            for where in _list_descendants(located, replies):
                refuse("a reply to a refused message", where)
            continue
        at = len(messages) - 1
        answers = replies(located)
        # Ranks compare siblings: where none has one, the filter has nothing to go by and passes.
        any_ranked = any(_read_rank(raw) is not None for _, raw in answers)
        pending += [(answer, at, any_ranked) for answer in reversed(answers)]
    return build_tree(messages, where=root[0]) if messages else None


def _list_descendants(located: LocatedRow, replies: _FindReplies) -> list[str]:
    """Return the locations of everything below a message."""
    found: list[str] = []
    pending = list(replies(located))
    while pending:
        one = pending.pop()
        found.append(one[0])
        pending += replies(one)
    return found


def _parse_message(
    raw: Row, parent: int, messages: Sequence[Message], ranked: bool, filters: Filters
) -> Message:
    """Return one message, or raise `RefusedRow` with the reason it is filtered out.

    Args:
        raw: The message as exported.
        parent: Index of its parent in `messages`.
        messages: Messages of the tree so far.
        ranked: True if any of its siblings has a rank.
        filters: Messages to keep.
    """
    role = parse_role(raw.get("role"))
    if role == "system":
        raise RefusedRow("a system turn in a tree")
    text = parse_text(raw.get("text"))
    if not filters.accepts_language(raw.get("lang")):
        raise RefusedRow("another language")
    if raw.get("deleted") and not filters.deleted:
        raise RefusedRow("deleted")
    if raw.get("review_result") is False and not filters.rejected:
        raise RefusedRow("rejected in review")
    if raw.get("synthetic") and not filters.synthetic:
        raise RefusedRow("synthetic")
    if filters.max_rank is not None and ranked:
        rank = _read_rank(raw)
        if rank is None or rank > filters.max_rank:
            raise RefusedRow("a rank that is too low")
    check_order(role, None if parent == ROOT else messages[parent].role)
    if not text.strip():
        raise RefusedRow(f"an empty {role} turn")
    return Message(role, text, parent)


def _read_rank(raw: Row) -> int | None:
    rank = raw.get("rank")
    return int(rank) if isinstance(rank, int | float) and rank == rank else None
