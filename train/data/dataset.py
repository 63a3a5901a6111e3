"""What a run learns and what it is measured on, as packed rows that come out even."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np

from starchat_tui.errors import ConfigError
from starchat_tui.templates.template import IGNORED
from train.config import Config
from train.data import collator
from train.data.encode import Weights
from train.data.load import load
from train.data.packing import Row
from train.data.schemas import Filters
from train.data.split import split, unseen
from train.data.trees import Tree
from train.modeling.vocabulary import Grown
from train.train_errors import DataError

SEEN = "to measure on, and begins as a tree that is learned"


@dataclass(frozen=True, slots=True)
class Lessons:
    """Packed rows, and what they were made of."""

    rows: list[Row]
    """Those that are learned, filled up to whole steps by rows that teach nothing."""
    held_out: list[Row]
    trees: int
    held_out_trees: int
    tokens: int
    learned: int
    refused: Counter[str]
    """Rows or messages that are not learned from, by reason."""
    cut: int
    """Tokens that no row had room for."""
    fingerprint: str
    """Of the rows: another one means other data."""


def read(config: Config, grown: Grown, *, window: int, step: int) -> Lessons:
    """The rows of a configuration, for steps of `step` rows over all processes.

    Raises `DataError` where there is nothing to learn, `ConfigError` where a dialogue is longer
    than the model's `window`.
    """
    trees, held_out, refused = _trees(config)
    weights = cast(Weights, config.weights)
    packed = collator.rows(
        trees, grown.vocabulary, block=config.block, weights=weights, alone=config.paths
    )
    measured: list[Row] = []
    if held_out:
        # Each message once, whatever the objective: so that runs can be compared.
        measured = collator.rows(
            held_out, grown.vocabulary, block=config.block, weights="once"
        ).rows
    _check_window([*packed.rows, *measured], window)
    fillers = -len(packed.rows) % step
    return Lessons(
        rows=[*packed.rows, *[_filler(grown.vocabulary.end_of_text_id)] * fillers],
        held_out=measured,
        trees=len(trees),
        held_out_trees=len(held_out),
        tokens=sum(map(len, packed.rows)),
        learned=sum(row.learned for row in packed.rows),
        refused=refused,
        cut=packed.cut,
        fingerprint=_fingerprint(packed.rows),
    )


def _trees(config: Config) -> tuple[list[Tree], list[Tree], Counter[str]]:
    filters = Filters(
        languages=config.languages,
        synthetic=config.synthetic,
        max_rank=config.ranks - 1 if config.ranks else None,
    )
    loaded = [load(source, filters=filters) for source in config.dataset]
    refused = sum((one.reasons() for one in loaded), Counter[str]())
    trees = [tree for one in loaded for tree in one.trees]
    if config.eval_dataset:
        measured = [load(source, filters=filters) for source in config.eval_dataset]
        given = [tree for one in measured for tree in one.trees]
        held_out = unseen(given, trees)
        if not held_out:
            raise DataError(
                "Every dialogue of `eval_dataset` begins as one of `dataset` does",
                "measure on other dialogues, or leave it out: `eval_share` sets trees aside",
            )
        refused[SEEN] += len(given) - len(held_out)
        return trees, held_out, +refused
    if not config.eval_share:
        return trees, [], refused
    return *split(trees, config.seed, config.eval_share), refused


def _check_window(rows: Sequence[Row], window: int) -> None:
    longest = max(int(row.positions.max()) for row in rows) + 1
    if longest > window:
        raise ConfigError(
            f"A dialogue of the data has {longest:,} tokens, and the model reads {window:,}",
            f"cut them with `--block {window}`",
        )


def _filler(token: int) -> Row:
    """A row of one token that teaches nothing: no row has to be read twice to fill a step."""
    one = np.ones(1, np.int32)
    return Row(one * token, one * IGNORED, one * 0, one, np.zeros(1, np.float32))


def _fingerprint(rows: Sequence[Row]) -> str:
    digest = hashlib.sha256()
    for row in rows:
        for column in (row.ids, row.labels, row.exits, row.weights):
            digest.update(column.tobytes())
    return digest.hexdigest()[:16]
