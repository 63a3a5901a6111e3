"""Trees as token arrays: ids, labels, positions, attention extents and loss weights.

One integer per token describes the attention mask: `exits[j]` is the index at which the subtree of
its message ends, and token i attends to token j if `j <= i < exits[j]`. So a message sees the
messages above it and none of its siblings. A position is a depth: the number of tokens on the path
above. A row of separate dialogues is the special case in which every exit is the end of the
dialogue.

There are two objectives. `leaves`: a token weighs as much as the number of dialogues that pass
through it, which gives the loss and gradient of training on every dialogue separately. `once`:
every token weighs 1, so a question with many answers does not count as many questions.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from starchat_tui.dialogue import Turn
from starchat_tui.templates.chatml import ChatMLTemplate
from starchat_tui.templates.template import IGNORE_INDEX, Piece
from starchat_tui.templates.template import encode_piece as piece_ids
from starchat_tui.templates.tokenizer import Tokenizer
from train.data.trees import ROOT, Tree, iterate_paths

Weights = Literal["leaves", "once"]
Ints = NDArray[np.int32]
Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class EncodedTree:
    """A tree, or a packed row of trees, as arrays [T]."""

    ids: Ints
    labels: Ints
    """The id if the token is learned, else `IGNORE_INDEX`; not shifted."""
    positions: Ints
    """Depth of each token: the number of tokens on the path above it."""
    exits: Ints
    """Index after the last token that attends to this one."""
    weights: Floats
    """Weight of the token in the loss; 0 if it is not learned."""

    def __len__(self) -> int:
        """Return the number of tokens."""
        return len(self.ids)

    @property
    def learned_count(self) -> int:
        """Number of learned tokens."""
        return int((self.labels != IGNORE_INDEX).sum())


@dataclass(frozen=True, slots=True, eq=False)
class EncodedParts:
    """Trees divided to fit a block length."""

    encoded: tuple[EncodedTree, ...]
    cut: int
    """Tokens dropped at the ends of dialogues that are longer than the block."""
    lost: tuple[str, ...]
    """Locations of trees of which no learned token fits the block."""


def encode_tree(tree: Tree, tokenizer: Tokenizer, *, weights: Weights = "leaves") -> EncodedTree:
    """Encode a whole tree as arrays [T] in ChatML, each message tokenized separately."""
    written = _TokenizedTree(tree, tokenizer)
    return written.flatten(_Group(tuple(range(len(tree.messages)))), set(), weights)


def count_tokens(tree: Tree, tokenizer: Tokenizer) -> tuple[int, int]:
    """Return the tokens of a tree with each message once, and of all its dialogues separately."""
    written = _TokenizedTree(tree, tokenizer)
    alone = (
        one.dialogue_count * (written.before[at] + written.sizes[at])
        for at, one in enumerate(tree.messages)
    )
    return written.token_count, sum(alone)


def encode_parts(
    tree: Tree, tokenizer: Tokenizer, *, block: int, weights: Weights = "leaves"
) -> EncodedParts:
    """Encode a tree in parts of at most `block` tokens.

    A tree that is too long is divided at the replies to its root, which every part repeats; a reply
    whose subtree is still too long is divided at its own replies. A dialogue longer than `block` is
    truncated. Summed over the parts, every token has the weight it has in the whole tree.
    """
    written = _TokenizedTree(tree, tokenizer)
    encoded: list[EncodedTree] = []
    seen: set[int] = set()
    left = written.token_count
    for group in written.split_into_groups(block):
        part = written.flatten(group, seen, weights, block)
        if part.learned_count:
            encoded.append(part)
            left -= max(0, len(part) - written.count_repeated(group, seen))
            seen.update(group.indices)
    return EncodedParts(tuple(encoded), left, () if encoded else (tree.where,))


def encode_all(
    trees: Iterable[Tree],
    tokenizer: Tokenizer,
    *,
    block: int,
    weights: Weights = "leaves",
    alone: bool = False,
) -> EncodedParts:
    """Encode trees in parts of at most `block` tokens.

    Args:
        trees: Trees to encode.
        tokenizer: Tokenizer with the four control tokens.
        block: Most tokens of a part.
        weights: Objective, `leaves` or `once`.
        alone: Encode each dialogue separately instead of as trees.
    """
    whole = (one for tree in trees for one in (iterate_paths(tree) if alone else (tree,)))
    parts = [encode_parts(one, tokenizer, block=block, weights=weights) for one in whole]
    return EncodedParts(
        tuple(one for part in parts for one in part.encoded),
        sum(part.cut for part in parts),
        tuple(where for part in parts for where in part.lost),
    )


@dataclass(frozen=True, slots=True)
class _Group:
    """Messages of one part: a path, and subtrees below its end."""

    indices: tuple[int, ...]
    """Message indices in order; the parent of each is among them."""
    ended: int | None = None
    """Dialogues that continue below the last message, if it is cut off from them; else None."""


class _TokenizedTree:
    """A tree with its messages tokenized, and the sums that follow from their lengths."""

    def __init__(self, tree: Tree, tokenizer: Tokenizer) -> None:
        layout = ChatMLTemplate(tokenizer)
        self.tree = tree
        self.opening = _encode_pieces(layout.render_opening(tree.system), tokenizer, learned=False)
        self.spans = [
            _encode_pieces(
                layout.render_turn(Turn(one.role, one.text)), tokenizer, learned=one.is_learned
            )
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
        self.below = _sum_over_subtrees(tree, self.sizes)
        """Tokens of each message's subtree, its own included."""
        self.passing = _sum_over_subtrees(tree, [one.dialogue_count for one in tree.messages])
        """Dialogues that pass through each message."""

    @property
    def token_count(self) -> int:
        """Number of tokens, each message once."""
        return len(self.opening[0]) + sum(self.sizes)

    def split_into_groups(self, block: int) -> Iterator[_Group]:
        """Yield parts of the tree that fit `block` or are a single path."""
        replies: dict[int, list[int]] = {}
        for at, one in enumerate(self.tree.messages):
            replies.setdefault(one.parent, []).append(at)
        pending = [0]
        while pending:
            at = pending.pop()
            if self.before[at] + self.below[at] <= block:
                yield _Group((*self.tree.path_to(at)[:-1], *self._subtree_range(at)))
                continue
            # Too long: the parts below repeat the path to this message, so that is taken off first.
            room = block - self.before[at] - self.sizes[at]
            if room <= 0 or at not in replies:
                yield _Group(tuple(self.tree.path_to(at)), self.passing[at])
                continue
            short = [reply for reply in replies[at] if self.below[reply] <= room]
            for together in _group_first_fit(short, self.below, room):
                subtrees = (index for reply in together for index in self._subtree_range(reply))
                yield _Group((*self.tree.path_to(at), *subtrees))
            # Reversed: the stack is popped from its end, and parts keep the order of the data.
            pending += [reply for reply in replies[at] if self.below[reply] > room][::-1]

    def _subtree_range(self, at: int) -> range:
        # Depth-first order makes a subtree contiguous: its end is where its tokens are used up.
        left, end = self.below[at], at
        while left:
            left -= self.sizes[end]
            end += 1
        return range(at, end)

    def count_repeated(self, group: _Group, seen: set[int]) -> int:
        """Count the tokens of `group` that an earlier part has, the system turn included."""
        again = sum(self.sizes[at] for at in group.indices if at in seen)
        return again + (len(self.opening[0]) if seen else 0)

    def flatten(
        self, group: _Group, seen: set[int], weights: Weights, block: int | None = None
    ) -> EncodedTree:
        """Encode one part as arrays.

        Args:
            group: Messages of the part.
            seen: Messages of earlier parts; here they count only for the dialogues of this part.
            weights: Objective, `leaves` or `once`.
            block: Length at which a part that is a single path is truncated.
        """
        parents = {at: self.tree.messages[at].parent for at in group.indices}
        # A message that an earlier part has already counted there for the dialogues of that part.
        ends = {
            at: 0 if at in seen else self.tree.messages[at].dialogue_count for at in group.indices
        }
        if group.ended is not None:
            ends[group.indices[-1]] = group.ended
        # Children come after their parents, so one backward pass sums counts and sizes upward.
        tokens = {at: self.sizes[at] for at in group.indices}
        for at in reversed(group.indices):
            if parents[at] != ROOT:
                ends[parents[at]] += ends[at]
                tokens[parents[at]] += tokens[at]
        total = len(self.opening[0]) + tokens[group.indices[0]]
        columns = _ColumnBuilder()
        columns.add_span(self.opening, 0, total, 0)
        for at in group.indices:
            # Every dialogue below repeats this message: weighting it by their number gives the loss
            # and gradient of training on each of them.
            weight = ends[at] if weights == "leaves" else int(at not in seen)
            columns.add_span(self.spans[at], self.before[at], len(columns.ids) + tokens[at], weight)
        return columns.build(block if group.ended is not None else None)


class _ColumnBuilder:
    """Arrays of a part under construction."""

    def __init__(self) -> None:
        self.ids: list[int] = []
        self.labels: list[int] = []
        self.positions: list[int] = []
        self.exits: list[int] = []
        self.weights: list[float] = []

    def add_span(self, span: Span, position: int, leave: int, weight: float) -> None:
        """Append a message at depth `position` whose subtree ends at index `leave`."""
        ids, labels = span
        self.ids += ids
        # A weight of 0 marks a message whose loss an earlier part has, repeated here as context.
        self.labels += labels if weight else [IGNORE_INDEX] * len(ids)
        # A position is a depth: siblings share positions, as in the dialogues on their own.
        self.positions += range(position, position + len(ids))
        self.exits += [leave] * len(ids)
        self.weights += [0.0 if label == IGNORE_INDEX else weight for label in labels]

    def build(self, block: int | None) -> EncodedTree:
        """Return the arrays; with a block, truncated after the last learned token within it."""
        size = len(self.ids)
        if block is not None:
            learned = (
                at for at in reversed(range(min(block, size))) if self.labels[at] != IGNORE_INDEX
            )
            size = next(learned, -1) + 1
        return EncodedTree(
            np.array(self.ids[:size], np.int32),
            np.array(self.labels[:size], np.int32),
            np.array(self.positions[:size], np.int32),
            np.minimum(np.array(self.exits[:size], np.int32), size),
            np.array(self.weights[:size], np.float32),
        )


Span = tuple[list[int], list[int]]
"""Ids and labels [T] of one message."""


def _encode_pieces(pieces: Iterable[Piece], tokenizer: Tokenizer, *, learned: bool) -> Span:
    ids: list[int] = []
    labels: list[int] = []
    for piece in pieces:
        # Piece by piece, never as one string: merges across a boundary would give ids that no
        # prompt can have, and typed control tokens would become real ones.
        encoded = piece_ids(piece, tokenizer)
        ids += encoded
        labels += encoded if learned and piece.learned else [IGNORE_INDEX] * len(encoded)
    return ids, labels


def _sum_over_subtrees(tree: Tree, values: Sequence[int]) -> list[int]:
    """Return, for each message, the sum of `values` over its subtree."""
    sums = list(values)
    for at in reversed(range(len(sums))):
        parent = tree.messages[at].parent
        if parent != ROOT:
            sums[parent] += sums[at]
    return sums


def _group_first_fit(items: Sequence[int], sizes: Sequence[int], room: int) -> list[list[int]]:
    """Group the items, in order, first fit, so that no group exceeds `room`."""
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
