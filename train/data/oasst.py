"""OpenAssistant's message trees: nested, a tree a row, or flat, a message a row with its parent.

Fields: message_id, parent_id, text, role (prompter or assistant), lang, deleted, review_result,
synthetic, rank (0 is the best of its siblings), and of the tree, tree_state. A message that is
refused takes its replies with it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from train.data.schemas import Filters, Refused, follows, role_of, text_of
from train.data.sources import Placed
from train.data.trees import ROOT, Message, Tree, grown

Refuse = Callable[[str, str], None]
"""Notes a reason and a place."""
Raw = Mapping[str, Any]
_Replies = Callable[[Placed], Sequence[Placed]]


def tree(row: Raw, where: str, filters: Filters, refuse: Refuse) -> Tree | None:
    """The tree of a nested row as the filters leave it; None where nothing is left."""
    known: set[str] = set()

    def replies(placed: Placed) -> list[Placed]:
        listed = placed[1].get("replies") or []
        if not isinstance(listed, Sequence) or not all(isinstance(one, dict) for one in listed):
            refuse("replies that are not a list of messages", placed[0])
            return []
        found = []
        for one in listed:
            name = str(one.get("message_id"))
            if "message_id" in one and name in known:
                refuse("a message id that is there already", f"{where} {name}")
                continue
            known.add(name)
            found.append((f"{where} {name}", one))
        return found

    root = row["prompt"]
    known.add(str(root.get("message_id")))
    state = row.get("tree_state", root.get("tree_state"))
    return _kept((where, root), state, replies, filters, refuse)


def trees(rows: Iterable[Placed], filters: Filters, refuse: Refuse) -> list[Tree]:
    """The trees that flat messages make, in the order of their roots."""
    known: dict[str, Placed] = {}
    for where, row in rows:
        name = row["message_id"]
        if not isinstance(name, str) or not name:
            refuse("a message without an id", where)
        elif name in known:
            refuse("a message id that is there already", where)
        else:
            known[name] = (where, row)
    below: dict[str, list[Placed]] = {}
    for placed in known.values():
        below.setdefault(_parent(placed), []).append(placed)
    reached: set[str] = set()

    def replies(placed: Placed) -> list[Placed]:
        reached.add(placed[1]["message_id"])
        return below.get(placed[1]["message_id"], [])

    roots = below.get("", [])
    kept = [_kept(root, root[1].get("tree_state"), replies, filters, refuse) for root in roots]
    for name, placed in known.items():
        if name not in reached:
            refuse(_stray(name, known), placed[0])
    return [one for one in kept if one is not None]


def _parent(placed: Placed) -> str:
    return str(placed[1].get("parent_id") or "")


def _stray(name: str, known: Mapping[str, Placed]) -> str:
    """Why no root leads to a message."""
    seen = set[str]()
    while name in known and name not in seen:
        seen.add(name)
        name = _parent(known[name])
    return "parents that go in a circle" if name in seen else "a parent that is not there"


def _kept(
    root: Placed, state: object, replies: _Replies, filters: Filters, refuse: Refuse
) -> Tree | None:
    """What the filters leave of a tree, its useless tails still on it."""
    if filters.states and isinstance(state, str) and state not in filters.states:
        refuse(f"a tree in the state {state[:40]!r}", root[0])
        _below(root, replies)
        return None
    messages: list[Message] = []
    pending: list[tuple[Placed, int, bool]] = [(root, ROOT, False)]
    while pending:
        placed, parent, ranked = pending.pop()
        try:
            messages.append(_message(placed[1], parent, messages, ranked, filters))
        except Refused as refused:
            refuse(str(refused), placed[0])
            for where in _below(placed, replies):
                refuse("a reply to a refused message", where)
            continue
        at = len(messages) - 1
        answers = replies(placed)
        among = any(_rank(raw) is not None for _, raw in answers)
        pending += [(answer, at, among) for answer in reversed(answers)]
    return grown(messages, where=root[0]) if messages else None


def _below(placed: Placed, replies: _Replies) -> list[str]:
    """Where everything below a message stands."""
    found: list[str] = []
    pending = list(replies(placed))
    while pending:
        one = pending.pop()
        found.append(one[0])
        pending += replies(one)
    return found


def _message(
    raw: Raw, parent: int, messages: Sequence[Message], ranked: bool, filters: Filters
) -> Message:
    """A message as the filters want it, below `parent`; `ranked` says its siblings have ranks."""
    role = role_of(raw.get("role"))
    if role == "system":
        raise Refused("a system turn in a tree")
    text = text_of(raw.get("text"))
    if not filters.speaks(raw.get("lang")):
        raise Refused("another language")
    if raw.get("deleted") and not filters.deleted:
        raise Refused("deleted")
    if raw.get("review_result") is False and not filters.rejected:
        raise Refused("rejected in review")
    if raw.get("synthetic") and not filters.synthetic:
        raise Refused("synthetic")
    if filters.max_rank is not None and ranked:
        rank = _rank(raw)
        if rank is None or rank > filters.max_rank:
            raise Refused("a rank that is too low")
    follows(role, None if parent == ROOT else messages[parent].role)
    if not text.strip():
        raise Refused(f"an empty {role} turn")
    return Message(role, text, parent)


def _rank(raw: Raw) -> int | None:
    rank = raw.get("rank")
    return int(rank) if isinstance(rank, int | float) and rank == rank else None
