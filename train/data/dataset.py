"""Training and evaluation rows of a run, filled up to whole steps."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from starchat_tui.errors import ConfigError
from starchat_tui.templates.template import IGNORE_INDEX
from starchat_tui.templates.tokenizer import Tokenizer
from train.config import Config
from train.data import rows
from train.data.encode import Weights
from train.data.filters import Filters
from train.data.load import load_trees
from train.data.packing import PackedRow
from train.data.split import exclude_overlap, split_trees
from train.data.trees import Tree
from train.train_errors import DataError

OVERLAP = "held out, but begins like a training tree"


@dataclass(frozen=True, slots=True)
class TrainingData:
    """Packed rows, and statistics of their sources."""

    rows: list[PackedRow]
    """Training rows, filled up to whole steps with rows that contribute no loss."""
    held_out: list[PackedRow]
    trees: int
    held_out_trees: int
    tokens: int
    learned: int
    refused: Counter[str]
    """Rows or messages that are not learned from, by reason."""
    cut: int
    """Tokens dropped because they do not fit the block."""
    fingerprint: str
    """Hash of the training rows; another one means other data."""


def prepare_data(config: Config, tokenizer: Tokenizer, *, window: int, step: int) -> TrainingData:
    """Load, encode and pack the data of a configuration.

    Args:
        config: The configuration.
        tokenizer: Tokenizer with the four control tokens.
        window: Positions that the model has.
        step: Rows per optimizer step over all processes.

    Raises:
        DataError: There is nothing to learn.
        ConfigError: A dialogue is longer than the window.
    """
    trees, held_out, refused = _load_trees(config)
    weights: Weights = config.weights
    packed = rows.pack_trees(
        trees, tokenizer, block=config.block, weights=weights, alone=config.paths
    )
    measured: list[PackedRow] = []
    if held_out:
        # Weights of 1 whatever the objective, so that the loss of different runs is comparable.
        measured = rows.pack_trees(held_out, tokenizer, block=config.block, weights="once").rows
    _check_window([*packed.rows, *measured], window)
    # Otherwise accelerate would repeat rows to fill the last step.
    fillers = -len(packed.rows) % step
    return TrainingData(
        rows=[*packed.rows, *[_create_filler(tokenizer.end_of_text_id)] * fillers],
        held_out=measured,
        trees=len(trees),
        held_out_trees=len(held_out),
        tokens=sum(map(len, packed.rows)),
        learned=sum(row.learned_count for row in packed.rows),
        refused=refused,
        cut=packed.cut,
        fingerprint=_compute_fingerprint(packed.rows),
    )


def _load_trees(config: Config) -> tuple[list[Tree], list[Tree], Counter[str]]:
    filters = Filters(
        languages=config.languages,
        synthetic=config.synthetic,
        max_rank=config.ranks - 1 if config.ranks else None,
    )
    loaded = [load_trees(source, filters=filters) for source in config.dataset]
    refused = sum((one.count_reasons() for one in loaded), Counter[str]())
    trees = [tree for one in loaded for tree in one.trees]
    if config.eval_dataset:
        measured = [load_trees(source, filters=filters) for source in config.eval_dataset]
        given = [tree for one in measured for tree in one.trees]
        held_out = exclude_overlap(given, trees)
        if not held_out:
            raise DataError(
                "Every dialogue of `eval_dataset` begins like one of `dataset`",
                "evaluate on other dialogues, or remove it: `eval_share` holds out trees",
            )
        refused[OVERLAP] += len(given) - len(held_out)
        return trees, held_out, +refused
    if not config.eval_share:
        return trees, [], refused
    return *split_trees(trees, config.seed, config.eval_share), refused


def _check_window(rows: Sequence[PackedRow], window: int) -> None:
    longest = max(int(row.positions.max()) for row in rows) + 1
    if longest > window:
        raise ConfigError(
            f"A dialogue has {longest:,} tokens, and the model reads at most {window:,}",
            f"truncate dialogues with `--block {window}`",
        )


def _create_filler(token: int) -> PackedRow:
    """Return a row of one token without loss, so that no row is read twice to fill a step."""
    ones = np.ones(1, np.int32)
    return PackedRow(ones * token, ones * IGNORE_INDEX, ones * 0, ones, np.zeros(1, np.float32))


def _compute_fingerprint(rows: Sequence[PackedRow]) -> str:
    # Over encoded rows: it changes with the files, filters, seed and tokenizer alike.
    digest = hashlib.sha256()
    for row in rows:
        for column in (row.ids, row.labels, row.exits, row.weights):
            digest.update(column.tobytes())
    return digest.hexdigest()[:16]
