"""Trees as token arrays: who attends whom, at which position, and what is learned how much.

One integer a token says who sees it: `exits[j]` is the index at which the subtree of its message
ends, and token i attends token j where `j <= i < exits[j]`. So a message sees the messages above it
and nothing of its siblings. A position is a depth: tokens of the path above. A row of separate
dialogues is the special case in which every token's exit is the end of its dialogue.

Two objectives. `leaves`: each token weighs as much as there are dialogues that go through it, which
is what training on every dialogue alone does, loss and gradient. `once`: each token weighs 1, so
that a question with many answers does not count for many questions.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from starchat_tui.dialogue import Turn
from starchat_tui.templates.template import IGNORED, ChatML, Piece
from starchat_tui.templates.template import encode as piece_ids
from starchat_tui.templates.tokenizer import Vocabulary
from train.data.trees import ROOT, Tree, paths

Weights = Literal["leaves", "once"]
Ints = NDArray[np.int32]
Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Encoded:
    """A tree, or a packed row of them, as arrays [T] of one length."""

    ids: Ints
    labels: Ints
    """The id where the token is learned, `IGNORED` elsewhere; not shifted."""
    positions: Ints
    exits: Ints
    """The index behind the last token that attends this one."""
    weights: Floats
    """What the token counts in the loss; 0 where it is not learned."""

    def __len__(self) -> int:
        """The number of tokens."""
        return len(self.ids)

    @property
    def learned(self) -> int:
        """The number of tokens that are learned."""
        return int((self.labels != IGNORED).sum())


@dataclass(frozen=True, slots=True, eq=False)
class Parts:
    """What trees became under a block length."""

    encoded: tuple[Encoded, ...]
    cut: int
    """Tokens that no block had room for: the ends of dialogues that are longer than it."""
    lost: tuple[str, ...]
    """Where the trees stand of which nothing that is learned fits the block."""


def encode(tree: Tree, vocabulary: Vocabulary, *, weights: Weights = "leaves") -> Encoded:
    """The whole tree as arrays [T], in ChatML, each message encoded alone."""
    written = _Written(tree, vocabulary)
    return written.flat(_Group(tuple(range(len(tree.messages)))), set(), weights)


def lengths(tree: Tree, vocabulary: Vocabulary) -> tuple[int, int]:
    """The tokens of the tree, each message once, and of all its dialogues, each by itself."""
    written = _Written(tree, vocabulary)
    alone = (
        one.ends * (written.before[at] + written.sizes[at]) for at, one in enumerate(tree.messages)
    )
    return written.tokens, sum(alone)


def encode_parts(
    tree: Tree, vocabulary: Vocabulary, *, block: int, weights: Weights = "leaves"
) -> Parts:
    """The tree in parts of at most `block` tokens.

    A tree that is too long is divided at the replies to its root, which every part repeats; a reply
    whose subtree is still too long, at its own replies. A dialogue longer than `block` is cut where
    the block ends. Summed over the parts, a token has the weight it has in the whole tree.
    """
    written = _Written(tree, vocabulary)
    encoded: list[Encoded] = []
    seen: set[int] = set()
    left = written.tokens
    for group in written.groups(block):
        part = written.flat(group, seen, weights, block)
        if part.learned:
            encoded.append(part)
            left -= max(0, len(part) - written.repeated(group, seen))
            seen.update(group.indices)
    return Parts(tuple(encoded), left, () if encoded else (tree.where,))


def encode_all(
    trees: Iterable[Tree],
    vocabulary: Vocabulary,
    *,
    block: int,
    weights: Weights = "leaves",
    alone: bool = False,
) -> Parts:
    """Every tree in parts of at most `block` tokens; `alone`, each of its dialogues by itself."""
    whole = (one for tree in trees for one in (paths(tree) if alone else (tree,)))
    parts = [encode_parts(one, vocabulary, block=block, weights=weights) for one in whole]
    return Parts(
        tuple(one for part in parts for one in part.encoded),
        sum(part.cut for part in parts),
        tuple(where for part in parts for where in part.lost),
    )


@dataclass(frozen=True, slots=True)
class _Group:
    """Messages that make one part: a path, and the subtrees below its end."""

    indices: tuple[int, ...]
    """In order, closed upward."""
    ended: int | None = None
    """Where the last message is cut off from the rest: the dialogues that went on below it."""


class _Written:
    """A tree whose messages are written as ids, with what follows from their lengths."""

    def __init__(self, tree: Tree, vocabulary: Vocabulary) -> None:
        layout = ChatML(vocabulary)
        self.tree = tree
        self.opening = _ids(layout.opening(tree.system), vocabulary, learned=False)
        self.spans = [
            _ids(layout.turn(Turn(one.role, one.text)), vocabulary, learned=one.taught)
            for one in tree.messages
        ]
        self.sizes = [len(ids) for ids, _ in self.spans]
        self.before: list[int] = []
        """Tokens on the path above each message."""
        for one in tree.messages:
            above = one.parent
            self.before.append(
                len(self.opening[0]) if above == ROOT else self.before[above] + self.sizes[above]
            )
        self.below = _summed(tree, self.sizes)
        """Tokens of each message's subtree, its own included."""
        self.passing = _summed(tree, [one.ends for one in tree.messages])
        """Dialogues that go through each message."""

    @property
    def tokens(self) -> int:
        """The number of tokens, each message once."""
        return len(self.opening[0]) + sum(self.sizes)

    def groups(self, block: int) -> Iterator[_Group]:
        """The parts of the tree that fit `block`, or that are one path."""
        replies: dict[int, list[int]] = {}
        for at, one in enumerate(self.tree.messages):
            replies.setdefault(one.parent, []).append(at)
        pending = [0]
        while pending:
            at = pending.pop()
            if self.before[at] + self.below[at] <= block:
                yield _Group((*self.tree.path(at)[:-1], *self._subtree(at)))
                continue
            room = block - self.before[at] - self.sizes[at]
            if room <= 0 or at not in replies:
                yield _Group(tuple(self.tree.path(at)), self.passing[at])
                continue
            short = [reply for reply in replies[at] if self.below[reply] <= room]
            for together in _first_fit(short, self.below, room):
                subtrees = (index for reply in together for index in self._subtree(reply))
                yield _Group((*self.tree.path(at), *subtrees))
            pending += [reply for reply in replies[at] if self.below[reply] > room][::-1]

    def _subtree(self, at: int) -> range:
        left, end = self.below[at], at
        while left:
            left -= self.sizes[end]
            end += 1
        return range(at, end)

    def repeated(self, group: _Group, seen: set[int]) -> int:
        """Tokens of `group` that an earlier part has, its system turn included."""
        again = sum(self.sizes[at] for at in group.indices if at in seen)
        return again + (len(self.opening[0]) if seen else 0)

    def flat(
        self, group: _Group, seen: set[int], weights: Weights, block: int | None = None
    ) -> Encoded:
        """The arrays of one part; what is `seen` counts only for the dialogues of this part."""
        parents = {at: self.tree.messages[at].parent for at in group.indices}
        ends = {at: 0 if at in seen else self.tree.messages[at].ends for at in group.indices}
        if group.ended is not None:
            ends[group.indices[-1]] = group.ended
        tokens = {at: self.sizes[at] for at in group.indices}
        for at in reversed(group.indices):
            if parents[at] != ROOT:
                ends[parents[at]] += ends[at]
                tokens[parents[at]] += tokens[at]
        total = len(self.opening[0]) + tokens[group.indices[0]]
        columns = _Columns()
        columns.add(self.opening, 0, total, 0)
        for at in group.indices:
            weight = ends[at] if weights == "leaves" else int(at not in seen)
            columns.add(self.spans[at], self.before[at], len(columns.ids) + tokens[at], weight)
        return columns.encoded(block if group.ended is not None else None)


class _Columns:
    """The arrays of a part while they grow."""

    def __init__(self) -> None:
        self.ids: list[int] = []
        self.labels: list[int] = []
        self.positions: list[int] = []
        self.exits: list[int] = []
        self.weights: list[float] = []

    def add(self, span: Span, position: int, leave: int, weight: float) -> None:
        """A message that begins at depth `position` and whose subtree ends at index `leave`."""
        ids, labels = span
        self.ids += ids
        self.labels += labels if weight else [IGNORED] * len(ids)
        self.positions += range(position, position + len(ids))
        self.exits += [leave] * len(ids)
        self.weights += [0.0 if label == IGNORED else weight for label in labels]

    def encoded(self, block: int | None) -> Encoded:
        """The arrays; under a block, up to the last token that is learned in it."""
        size = len(self.ids)
        if block is not None:
            learned = (at for at in reversed(range(min(block, size))) if self.labels[at] != IGNORED)
            size = next(learned, -1) + 1
        return Encoded(
            np.array(self.ids[:size], np.int32),
            np.array(self.labels[:size], np.int32),
            np.array(self.positions[:size], np.int32),
            np.minimum(np.array(self.exits[:size], np.int32), size),
            np.array(self.weights[:size], np.float32),
        )


Span = tuple[list[int], list[int]]
"""Ids and labels [T] of one message."""


def _ids(pieces: Iterable[Piece], vocabulary: Vocabulary, *, learned: bool) -> Span:
    ids: list[int] = []
    labels: list[int] = []
    for piece in pieces:
        encoded = piece_ids(piece, vocabulary)
        ids += encoded
        labels += encoded if learned and piece.learned else [IGNORED] * len(encoded)
    return ids, labels


def _summed(tree: Tree, values: Sequence[int]) -> list[int]:
    """For each message, the sum over its subtree."""
    sums = list(values)
    for at in reversed(range(len(sums))):
        parent = tree.messages[at].parent
        if parent != ROOT:
            sums[parent] += sums[at]
    return sums


def _first_fit(items: Sequence[int], sizes: Sequence[int], room: int) -> list[list[int]]:
    """The items, in order, in as few groups as come easily, none above `room`."""
    groups: list[tuple[int, list[int]]] = []
    for item in items:
        for number, (used, group) in enumerate(groups):
            if used + sizes[item] <= room:
                group.append(item)
                groups[number] = (used + sizes[item], group)
                break
        else:
            groups.append((sizes[item], [item]))
    return [group for _, group in groups]
