"""Dialogue trees: several dialogues that begin alike, each message once.

A dialogue is a tree with one path. Messages lie flat and in depth-first order, a parent before its
replies and every subtree in one run, so that nothing here recurses and depth has no limit.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from starchat_tui.dialogue import Dialogue, Role, Turn

ROOT = -1
"""The parent of a tree's first message."""


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a tree."""

    role: Role
    text: str
    parent: int = ROOT
    """The index of the message it replies to."""
    ends: int = 0
    """How many dialogues of the data end here, those included whose useless tail was cut."""
    learned: bool = True
    """Whether training may learn it; only the assistant's messages are ever learned."""

    @property
    def taught(self) -> bool:
        """Whether training learns it."""
        return self.learned and self.role == "assistant"


@dataclass(frozen=True, slots=True)
class Tree:
    """A system text, and messages in depth-first order; the first is the root."""

    messages: tuple[Message, ...]
    system: str = ""
    where: str = ""
    """Where it was read: `file:line`, or the name of a Hub dataset with a row number."""

    def path(self, index: int) -> list[int]:
        """The indices from the root to message `index`."""
        way = [index]
        while self.messages[way[-1]].parent != ROOT:
            way.append(self.messages[way[-1]].parent)
        return way[::-1]

    def dialogue(self, index: int) -> Dialogue:
        """The dialogue that ends with message `index`."""
        along = (self.messages[at] for at in self.path(index))
        return Dialogue(self.system, tuple(Turn(one.role, one.text) for one in along))


def chain(messages: Sequence[Message], *, system: str = "", where: str = "") -> Tree:
    """One dialogue as a tree."""
    last = len(messages) - 1
    linked = (replace(one, parent=at - 1, ends=int(at == last)) for at, one in enumerate(messages))
    return Tree(tuple(linked), system, where)


def grown(messages: Sequence[Message], *, system: str = "", where: str = "") -> Tree:
    """A tree whose every leaf is the end of one dialogue."""
    answered = {one.parent for one in messages}
    ended = (replace(one, ends=int(at not in answered)) for at, one in enumerate(messages))
    return Tree(tuple(ended), system, where)


def trimmed(tree: Tree) -> Tree | None:
    """The tree without what nothing is learned from; None where that is all of it.

    A dialogue whose last turns were cut ends, from then on, where it leaves the rest; one in which
    nothing is learned is none.
    """
    needed = [one.taught for one in tree.messages]
    ends = [one.ends for one in tree.messages]
    for at in reversed(range(len(tree.messages))):
        parent = tree.messages[at].parent
        if needed[at] and parent != ROOT:
            needed[parent] = True
        elif parent != ROOT:
            ends[parent] += ends[at]
    if not needed or not needed[0]:
        return None
    kept = [at for at, keep in enumerate(needed) if keep]
    taught = {ROOT: False}
    for at in kept:
        taught[at] = tree.messages[at].taught or taught[tree.messages[at].parent]
    return _selected(tree, kept, [count if taught.get(at) else 0 for at, count in enumerate(ends)])


def _selected(tree: Tree, kept: Sequence[int], ends: Sequence[int]) -> Tree:
    """The messages `kept`, in order and closed upward, with new `ends`."""
    place = {ROOT: ROOT, **{old: new for new, old in enumerate(kept)}}
    messages = (
        replace(tree.messages[old], parent=place[tree.messages[old].parent], ends=ends[old])
        for old in kept
    )
    return replace(tree, messages=tuple(messages))


def paths(tree: Tree) -> Iterator[Tree]:
    """Each dialogue of the tree alone; equal dialogues are one that `ends` more than once."""
    for at, one in enumerate(tree.messages):
        if one.ends:
            along = [tree.messages[index] for index in tree.path(at)]
            alone = chain(along, system=tree.system, where=tree.where)
            last = replace(alone.messages[-1], ends=one.ends)
            yield replace(alone, messages=(*alone.messages[:-1], last))


def merged(trees: Iterable[Tree]) -> list[Tree]:
    """Trees that begin with the same message as one, in the order of their first rows."""
    same: dict[tuple[str, Role, str, bool], list[Tree]] = {}
    for tree in trees:
        root = tree.messages[0]
        same.setdefault((tree.system, root.role, root.text, root.learned), []).append(tree)
    return [group[0] if len(group) == 1 else _joined(group) for group in same.values()]


def _joined(group: Sequence[Tree]) -> Tree:
    """Trees with an equal root, as one; equal replies to the same message are one."""
    known: dict[tuple[int, Role, str, bool], int] = {}
    nodes: list[Message] = []
    replies: dict[int, list[int]] = {ROOT: []}
    for tree in group:
        place = {ROOT: ROOT}
        for at, one in enumerate(tree.messages):
            parent = place[one.parent]
            key = (parent, one.role, one.text, one.learned)
            if key not in known:
                known[key] = len(nodes)
                replies.setdefault(parent, []).append(len(nodes))
                nodes.append(replace(one, parent=parent, ends=0))
            place[at] = known[key]
            nodes[place[at]] = replace(nodes[place[at]], ends=nodes[place[at]].ends + one.ends)
    return replace(group[0], messages=_depth_first(nodes, replies))


def _depth_first(nodes: Sequence[Message], replies: dict[int, list[int]]) -> tuple[Message, ...]:
    """The nodes with every subtree in one run."""
    place, ordered, pending = {ROOT: ROOT}, list[Message](), replies[ROOT][::-1]
    while pending:
        at = pending.pop()
        place[at] = len(ordered)
        ordered.append(replace(nodes[at], parent=place[nodes[at].parent]))
        pending += replies.get(at, [])[::-1]
    return tuple(ordered)
