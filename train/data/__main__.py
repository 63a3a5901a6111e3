"""The training data, from a file or a data set to batches; and a look at it, on the command line.

`python -m train.data show` prints what training reads as JSON lines, `stats` what it amounts to.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from starchat_tui.errors import Unavailable, UsageError
from starchat_tui.paths import typed
from starchat_tui.templates.tokenizer import Vocabulary
from train import command_line
from train.data.collator import Collator, Packed, Rows, rows
from train.data.encode import Encoded, encode, lengths
from train.data.load import Loaded, Refusal, load
from train.data.packing import fill
from train.data.schemas import Filters
from train.data.trees import paths

__all__ = ("Collator", "Filters", "Loaded", "Packed", "Refusal", "Rows", "load", "rows")

DEFAULT_BLOCK = 2048
"""Tokens of a row that `stats` packs where no `--block` is given."""
NAMED = 5
"""Refused rows that `stats` names for each reason; `--refused` names all."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; the exit code."""
    found = _parser().parse_args(argv)
    return int(found.run(found))


def show(found: argparse.Namespace) -> int:
    """Print encoded trees, one a line; with a block, packed rows."""
    loaded = _load(found)
    vocabulary = read_vocabulary(found.tokenizer)
    if loaded.refused:
        told = f"{len(loaded.refused)} rows or messages are refused; `stats` names them"
        print(told, file=sys.stderr)
    for one in islice(_shown(loaded, vocabulary, found), found.limit):
        document = {
            "input_ids": one.ids.tolist(),
            "labels": one.labels.tolist(),
            "position_ids": one.positions.tolist(),
            "exit": one.exits.tolist(),
            "weights": one.weights.astype(int).tolist(),
        }
        print(json.dumps(document))
    return 0


def _shown(loaded: Loaded, vocabulary: Vocabulary, found: argparse.Namespace) -> Iterator[Encoded]:
    if found.block:
        packed = rows(
            loaded.trees, vocabulary, block=found.block, weights=found.weights, alone=found.paths
        )
        yield from packed.rows
        return
    for tree in loaded.trees:
        for one in paths(tree) if found.paths else (tree,):
            yield encode(one, vocabulary, weights=found.weights)


def stats(found: argparse.Namespace) -> int:
    """Print one JSON document: counts, tokens, the share learned, the fill, what trees save."""
    loaded = _load(found)
    vocabulary = read_vocabulary(found.tokenizer)
    document = {**_counts(loaded, every=found.refused), **_tokens(loaded, vocabulary, found)}
    print(json.dumps({"dataset": found.dataset, **document}, indent=2))
    return 0


def _counts(loaded: Loaded, *, every: bool) -> dict[str, Any]:
    messages = [one for tree in loaded.trees for one in tree.messages]
    named: dict[str, dict[str, Any]] = {
        reason: {"count": count, "where": []} for reason, count in loaded.reasons().most_common()
    }
    for refusal in loaded.refused:
        places = named[refusal.reason]["where"]
        if every or len(places) < NAMED:
            places.append(refusal.where)
    return {
        "rows": loaded.rows,
        "refused": named,
        "trees": len(loaded.trees),
        "dialogues": sum(one.ends for one in messages),
        "messages": len(messages),
        "messages_learned": sum(one.taught for one in messages),
    }


def _tokens(loaded: Loaded, vocabulary: Vocabulary, found: argparse.Namespace) -> dict[str, Any]:
    """Tokens of an epoch: as trees, each dialogue alone, and as the data have them, tails and all.

    The share saved by trees is against the last, which is what is read without either step.
    """
    both = [lengths(tree, vocabulary) for tree in loaded.trees]
    trees, alone = (sum(column) for column in zip(*both, strict=True))
    given = sum(lengths(tree, vocabulary)[1] for tree in loaded.whole)
    encoded = [encode(tree, vocabulary) for tree in loaded.trees]
    learned = sum(one.learned for one in encoded)
    block = found.block or DEFAULT_BLOCK
    packed = rows(loaded.trees, vocabulary, block=block, weights=found.weights, alone=found.paths)
    return {
        "tokens": trees,
        "tokens_alone": alone,
        "tokens_given": given,
        "share_of_given": round(trees / given, 4),
        "saved_by_trees": round(1 - trees / given, 4),
        "tokens_learned": learned,
        "share_learned": round(learned / trees, 4),
        "share_learned_given": round(sum(float(one.weights.sum()) for one in encoded) / given, 4),
        "block": block,
        "rows_packed": len(packed.rows),
        "tokens_packed": sum(map(len, packed.rows)),
        "fill": round(fill(packed.rows, block), 4),
        "tokens_cut": packed.cut,
        "trees_lost": list(packed.lost),
    }


def read_vocabulary(source: str) -> Vocabulary:
    """The vocabulary of a tokenizer.json, of a folder that holds one, or of a model on the Hub.

    StarChat's four tokens are added where they are absent. Raises `ConfigError` for a damaged file,
    `UsageError` where there is none, and `Unavailable` where the Hub does not give it.
    """
    path = typed(source)
    if os.path.exists(path):
        return Vocabulary.load(path / "tokenizer.json" if os.path.isdir(path) else path)
    if source.count("/") != 1 or source.endswith(".json"):
        raise UsageError(
            f"There is no tokenizer `{source}`",
            "name a tokenizer.json, a folder that holds it, or a model as OWNER/NAME",
        )
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    try:
        return Vocabulary.load(Path(hf_hub_download(source, "tokenizer.json")))
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError, ValueError) as error:
        raise Unavailable(
            f"The tokenizer of `{source}` cannot be fetched ({type(error).__name__})",
            "look at the name and the connection, or name a tokenizer.json",
        ) from error


def _load(found: argparse.Namespace) -> Loaded:
    languages = tuple(found.language or Filters().languages)
    filters = Filters(
        languages=() if "all" in languages else languages,
        deleted=found.deleted,
        rejected=found.rejected,
        synthetic=not found.no_synthetic,
        max_rank=found.max_rank,
        states=() if found.any_state else Filters().states,
    )
    return load(found.dataset, filters=filters, split=found.split)


def _parser() -> command_line.Parser:
    parser = command_line.Parser(
        prog="python -m train.data", description=__doc__, allow_abbrev=False
    )
    commands = parser.add_subparsers(required=True, metavar="{show,stats}")
    for command, told in ((show, "what training reads"), (stats, "what it amounts to")):
        name = command.__name__
        one = commands.add_parser(name, help=told, description=command.__doc__, allow_abbrev=False)
        one.set_defaults(run=command)
        _add_flags(one)
        if command is show:
            one.add_argument(
                "--limit", type=command_line.positive, metavar="N", help="at most N lines"
            )
        else:
            one.add_argument("--refused", action="store_true", help="name every refused row")
    return parser


def _add_flags(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--tokenizer", required=True, metavar="T", help="a tokenizer.json, its folder, a Hub id")
    add("--dataset", required=True, metavar="D", help="a file, a folder, or a data set of the Hub")
    add("--split", default="train", help="of a data set of the Hub")
    add("--block", type=command_line.positive, metavar="N", help="pack rows of N tokens")
    add(
        "--weights", choices=("leaves", "once"), default="leaves", help="what a shared token counts"
    )
    add("--paths", action="store_true", help="each dialogue alone, not as trees")
    add("--language", action="append", default=None, metavar="CODE", help="repeatable; or `all`")
    add(
        "--max-rank", type=int, metavar="N", help="the worst rank of a reply that stays, 0 the best"
    )
    add("--no-synthetic", action="store_true", help="without what a model wrote")
    add("--deleted", action="store_true", help="with what was deleted")
    add("--rejected", action="store_true", help="with what reviewers rejected")
    add("--any-state", action="store_true", help="with trees that were not ready for export")


if __name__ == "__main__":
    sys.exit(command_line.told(main))
