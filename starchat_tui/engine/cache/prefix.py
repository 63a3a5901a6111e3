"""What was read before is not read again: token-exact reuse of keys and values.

The live sequence is the one the model reads now. A tail that the next prompt does not share is put
into a radix tree, so a one-shot between two turns of a conversation costs the conversation nothing.
Each token is kept once in the tree; the least recently used leaves go when it outgrows its budget.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from torch import Tensor

from starchat_tui.engine.models.interface import Cache, Model, Run, cut, run_bytes

GIB = 2**30


def common(left: Sequence[int], right: Sequence[int]) -> int:
    """The length of the longest common prefix."""
    shared = min(len(left), len(right))
    if left[:shared] == right[:shared]:
        return shared
    return next(index for index in range(shared) if left[index] != right[index])


@dataclass(eq=False, slots=True)
class Node:
    """A run of tokens that follows its parent's; `used` orders nodes by their last use."""

    ids: list[int]
    run: Run
    parent: Node | None
    children: dict[int, Node] = field(default_factory=dict)
    used: int = 0


class Tree:
    """A radix tree of runs: sequences that begin alike share the nodes of their beginning."""

    def __init__(self, budget: int) -> None:
        self.budget = budget
        self.bytes = 0
        self._root = Node([], (), None)
        self._clock = 0

    def match(self, ids: Sequence[int]) -> list[tuple[int, Run]]:
        """The runs that spell the longest known prefix of `ids`, each with its length, in order."""
        found: list[tuple[int, Run]] = []
        for node, length in self._walk(list(ids)):
            found.append((length, cut(node.run, 0, length)))
        return found

    def insert(self, ids: Sequence[int], read: Callable[[int, int], Run]) -> None:
        """Keep `ids`; `read(start, stop)` gives the run of the tokens that are not known yet."""
        ids = list(ids)
        node, done = self._root, 0
        for found, length in self._walk(ids):
            done += length
            node = self._split(found, length) if length < len(found.ids) else found
        if done < len(ids):
            leaf = Node(ids[done:], read(done, len(ids)), node, used=self._clock)
            node.children[ids[done]] = leaf
            self.bytes += run_bytes(leaf.run)
        self._shrink()

    def clear(self) -> None:
        """Forget everything."""
        self._root = Node([], (), None)
        self.bytes = 0

    def _walk(self, ids: list[int]) -> Iterator[tuple[Node, int]]:
        """The nodes along `ids` with the number of their tokens that agree; marks them as used."""
        self._clock += 1
        node, done = self._root, 0
        while done < len(ids) and (child := node.children.get(ids[done])):
            length = common(child.ids, ids[done : done + len(child.ids)])
            child.used = self._clock
            # Asked before the yield: `insert` divides the node it is given.
            whole = length == len(child.ids)
            yield child, length
            if not whole:
                return
            node, done = child, done + length

    def _split(self, node: Node, length: int) -> Node:
        """Divide a node after `length` tokens; returns the first part."""
        # Copies, because a view would keep the whole run's memory when the other part has left.
        head = tuple(part.clone() for part in cut(node.run, 0, length))
        tail = tuple(part.clone() for part in cut(node.run, length, len(node.ids)))
        assert node.parent is not None
        first = Node(node.ids[:length], head, node.parent, used=node.used)
        node.parent.children[first.ids[0]] = first
        node.ids, node.run, node.parent = node.ids[length:], tail, first
        first.children[node.ids[0]] = node
        return first

    def _shrink(self) -> None:
        while self.bytes > self.budget:
            leaf = min(self._leaves(self._root), key=lambda node: node.used)
            assert leaf.parent is not None
            del leaf.parent.children[leaf.ids[0]]
            self.bytes -= run_bytes(leaf.run)

    def _leaves(self, node: Node) -> Iterator[Node]:
        for child in node.children.values():
            yield from self._leaves(child) if child.children else (child,)


class PrefixCache:
    """The live sequence of a model, and what is kept of the ones before."""

    def __init__(self, model: Model, *, budget: int = GIB) -> None:
        self._model = model
        self._cache: Cache = model.new_cache()
        self.tree = Tree(budget)
        self.ids: list[int] = []
        """The live sequence."""

    def open(self, ids: Sequence[int]) -> int:
        """Make the longest known prefix of `ids` the live sequence; returns its length in tokens.

        It is shorter than `ids`: the last token must be read for its logits.
        """
        wanted = list(ids[:-1])
        shared = common(self.ids, wanted)
        if shared < len(self.ids):
            if not self._cache.rewindable:
                self._restart()
                return 0
            self.tree.insert(self.ids, self._cache.read)
        self._rewind(shared)
        self._recall(wanted)
        return len(self.ids)

    def extend(self, ids: Sequence[int]) -> Tensor:
        """Read `ids` [T] after the live sequence; the last one's logits [V]."""
        try:
            logits = self._model.extend(ids, self._cache)
        except BaseException:
            # Some layers may have read the tokens and others not.
            self._restart()
            raise
        self.ids += ids
        return logits

    def adopt(self, ids: Sequence[int], run: Run) -> None:
        """Make `ids`, which go on from the live sequence, live; `run` is all of theirs."""
        self._cache.append(cut(run, len(self.ids), len(ids)))
        self.ids = list(ids)

    def read(self, length: int) -> Run | None:
        """The run of the first `length` live tokens; None where there are fewer, or no runs."""
        if length > len(self.ids) or not self._cache.rewindable:
            return None
        return self._cache.read(0, length)

    def clear(self) -> None:
        """Forget everything, and free its memory."""
        self._restart()
        self.tree.clear()

    def _rewind(self, length: int) -> None:
        if length < len(self.ids):
            self._cache.crop(length)
            del self.ids[length:]

    def _recall(self, wanted: list[int]) -> None:
        """Append what the tree knows of `wanted` beyond the live sequence."""
        done = 0
        for length, run in self.tree.match(wanted):
            known = max(len(self.ids) - done, 0)
            if known < length:
                self._cache.append(cut(run, known, length))
                self.ids += wanted[done + known : done + length]
            done += length

    def _restart(self) -> None:
        self._cache = self._model.new_cache()
        self.ids = []
