"""Dialogue trees: dialogues that share their beginnings, each message once.

A single dialogue is a tree with one path. Messages are stored flat in depth-first order, a parent
before its replies and every subtree contiguous, so that nothing recurses and depth is unlimited.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from starchat_tui.dialogue import Dialogue, Role, Turn

ROOT = -1
"""Parent index of a tree's first message."""


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a tree."""

    role: Role
    text: str
    parent: int = ROOT
    """Index of the message it replies to."""
    dialogue_count: int = 0
    """Dialogues of the data that end here, including those whose end was trimmed."""
    may_learn: bool = True
    """False for an answer that is context only."""

    @property
    def is_learned(self) -> bool:
        """True if training learns it: only messages of the assistant are."""
        return self.may_learn and self.role == "assistant"


@dataclass(frozen=True, slots=True)
class Tree:
    """System prompt, and messages in depth-first order; the first is the root."""

    messages: tuple[Message, ...]
    system: str = ""
    where: str = ""
    """Location it was read from: `file:line`, or a Hub dataset and a row number."""

    def path_to(self, index: int) -> list[int]:
        """Return the indices from the root to message `index`."""
        way = [index]
        while self.messages[way[-1]].parent != ROOT:
            way.append(self.messages[way[-1]].parent)
        return way[::-1]

    def dialogue_to(self, index: int) -> Dialogue:
        """Return the dialogue that ends with message `index`."""
        path = (self.messages[at] for at in self.path_to(index))
        return Dialogue(self.system, tuple(Turn(one.role, one.text) for one in path))


def chain_messages(messages: Sequence[Message], *, system: str = "", where: str = "") -> Tree:
    """Return one dialogue as a tree."""
    last = len(messages) - 1
    linked = (
        replace(one, parent=at - 1, dialogue_count=int(at == last))
        for at, one in enumerate(messages)
    )
    return Tree(tuple(linked), system, where)


def build_tree(messages: Sequence[Message], *, system: str = "", where: str = "") -> Tree:
    """Return a tree in which every leaf ends one dialogue."""
    answered = {one.parent for one in messages}
    ended = (
        replace(one, dialogue_count=int(at not in answered)) for at, one in enumerate(messages)
    )
    return Tree(tuple(ended), system, where)


def trim_tree(tree: Tree) -> Tree | None:
    """Return the tree without turns that contribute no loss, or None if none is left.

    A dialogue whose last turns were cut ends where it leaves the others. A dialogue without a
    learned message is dropped.
    """
    # Backward, because children follow their parents: a message is needed if anything below it is.
    needed = [one.is_learned for one in tree.messages]
    ends = [one.dialogue_count for one in tree.messages]
    for at in reversed(range(len(tree.messages))):
        parent = tree.messages[at].parent
        if needed[at] and parent != ROOT:
            needed[parent] = True
        elif parent != ROOT:
            ends[parent] += ends[at]
    if not needed or not needed[0]:
        return None
    kept = [at for at, keep in enumerate(needed) if keep]
    teaches = {ROOT: False}
    for at in kept:
        teaches[at] = tree.messages[at].is_learned or teaches[tree.messages[at].parent]
    return _select_messages(
        tree, kept, [count if teaches.get(at) else 0 for at, count in enumerate(ends)]
    )


def _select_messages(tree: Tree, kept: Sequence[int], ends: Sequence[int]) -> Tree:
    """Return the tree of the messages `kept`, parents included, with new dialogue counts."""
    new_index = {ROOT: ROOT, **{old: new for new, old in enumerate(kept)}}
    messages = (
        replace(
            tree.messages[old],
            parent=new_index[tree.messages[old].parent],
            dialogue_count=ends[old],
        )
        for old in kept
    )
    return replace(tree, messages=tuple(messages))


def iterate_paths(tree: Tree) -> Iterator[Tree]:
    """Yield each dialogue of the tree as a tree; equal dialogues are one with a count above 1."""
    for at, one in enumerate(tree.messages):
        if one.dialogue_count:
            path = [tree.messages[index] for index in tree.path_to(at)]
            alone = chain_messages(path, system=tree.system, where=tree.where)
            last = replace(alone.messages[-1], dialogue_count=one.dialogue_count)
            yield replace(alone, messages=(*alone.messages[:-1], last))


def merge_trees(trees: Iterable[Tree]) -> list[Tree]:
    """Merge trees that begin with the same message, in the order of their first rows."""
    same: dict[tuple[str, Role, str, bool], list[Tree]] = {}
    for tree in trees:
        root = tree.messages[0]
        same.setdefault((tree.system, root.role, root.text, root.may_learn), []).append(tree)
    return [group[0] if len(group) == 1 else _merge_group(group) for group in same.values()]


def _merge_group(group: Sequence[Tree]) -> Tree:
    """Merge trees with an equal root; equal replies to the same message become one."""
    known: dict[tuple[int, Role, str, bool], int] = {}
    nodes: list[Message] = []
    replies: dict[int, list[int]] = {ROOT: []}
    # A trie over (parent, role, text): the order of first occurrence is kept among siblings.
    for tree in group:
        new_index = {ROOT: ROOT}
        for at, one in enumerate(tree.messages):
            parent = new_index[one.parent]
            key = (parent, one.role, one.text, one.may_learn)
            if key not in known:
                known[key] = len(nodes)
                replies.setdefault(parent, []).append(len(nodes))
                nodes.append(replace(one, parent=parent, dialogue_count=0))
            new_index[at] = known[key]
            nodes[new_index[at]] = replace(
                nodes[new_index[at]],
                dialogue_count=nodes[new_index[at]].dialogue_count + one.dialogue_count,
            )
    return replace(group[0], messages=_order_depth_first(nodes, replies))


def _order_depth_first(
    nodes: Sequence[Message], replies: dict[int, list[int]]
) -> tuple[Message, ...]:
    """Return the nodes in depth-first order, every subtree contiguous."""
    new_index, ordered, pending = {ROOT: ROOT}, list[Message](), replies[ROOT][::-1]
    while pending:
        at = pending.pop()
        new_index[at] = len(ordered)
        ordered.append(replace(nodes[at], parent=new_index[nodes[at].parent]))
        pending += replies.get(at, [])[::-1]
    return tuple(ordered)
