"""Inspect training data.

`python -m train.data show` prints the examples as JSON lines, `stats` their statistics.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from itertools import islice

from starchat_tui.cli import error_boundary
from starchat_tui.templates.tokenizer import Tokenizer
from train.data.encode import EncodedTree, encode_tree
from train.data.filters import Filters
from train.data.load import LoadedTrees, load_trees
from train.data.rows import pack_trees
from train.data.summary import DEFAULT_BLOCK, count_messages, measure_tokens
from train.data.trees import iterate_paths
from train.modeling.tokenizer_files import read_tokenizer
from train.number_flags import positive_integer


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return the exit code."""
    arguments = _create_parser().parse_args(argv)
    return int(arguments.run(arguments))


def show(arguments: argparse.Namespace) -> int:
    """Print encoded trees as JSON lines; with `--block`, packed rows."""
    loaded = _load_dataset(arguments)
    tokenizer = read_tokenizer(arguments.tokenizer)
    if loaded.refused:
        count = len(loaded.refused)
        print(f"{count} rows or messages are refused; `stats` lists them", file=sys.stderr)
    for one in islice(_encode_trees(loaded, tokenizer, arguments), arguments.limit):
        document = {
            "input_ids": one.ids.tolist(),
            "labels": one.labels.tolist(),
            "position_ids": one.positions.tolist(),
            "exit": one.exits.tolist(),
            "weights": one.weights.astype(int).tolist(),
        }
        print(json.dumps(document))
    return 0


def _encode_trees(
    loaded: LoadedTrees, tokenizer: Tokenizer, arguments: argparse.Namespace
) -> Iterator[EncodedTree]:
    if arguments.block:
        packed = pack_trees(
            loaded.trees,
            tokenizer,
            block=arguments.block,
            weights=arguments.weights,
            alone=arguments.paths,
        )
        yield from packed.rows
        return
    for tree in loaded.trees:
        for one in iterate_paths(tree) if arguments.paths else (tree,):
            yield encode_tree(one, tokenizer, weights=arguments.weights)


def stats(arguments: argparse.Namespace) -> int:
    """Print one JSON document: counts, tokens, share learned, fill, and what trees save."""
    loaded = _load_dataset(arguments)
    tokenizer = read_tokenizer(arguments.tokenizer)
    document = {
        "dataset": arguments.dataset,
        **count_messages(loaded, every=arguments.refused),
        **measure_tokens(
            loaded,
            tokenizer,
            block=arguments.block or DEFAULT_BLOCK,
            weights=arguments.weights,
            alone=arguments.paths,
        ),
    }
    print(json.dumps(document, indent=2))
    return 0


def _load_dataset(arguments: argparse.Namespace) -> LoadedTrees:
    languages = tuple(arguments.language or Filters().languages)
    filters = Filters(
        languages=() if "all" in languages else languages,
        deleted=arguments.deleted,
        rejected=arguments.rejected,
        synthetic=not arguments.no_synthetic,
        max_rank=arguments.max_rank,
        states=() if arguments.any_state else Filters().states,
    )
    return load_trees(arguments.dataset, filters=filters, split=arguments.split)


def _create_parser() -> error_boundary.ArgumentParser:
    parser = error_boundary.ArgumentParser(
        prog="python -m train.data", description=__doc__, allow_abbrev=False
    )
    commands = parser.add_subparsers(required=True, metavar="{show,stats}")
    for command, help_text in ((show, "print examples"), (stats, "print statistics")):
        subparser = commands.add_parser(
            command.__name__, help=help_text, description=command.__doc__, allow_abbrev=False
        )
        subparser.set_defaults(run=command)
        _add_flags(subparser)
        if command is show:
            subparser.add_argument(
                "--limit", type=positive_integer, metavar="N", help="print at most N lines"
            )
        else:
            subparser.add_argument("--refused", action="store_true", help="list every refused row")
    return parser


def _add_flags(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--tokenizer", required=True, metavar="T", help="tokenizer.json, its folder, or a Hub id")
    add("--dataset", required=True, metavar="D", help="file, folder, or Hub dataset")
    add("--split", default="train", help="split of a Hub dataset")
    add("--block", type=positive_integer, metavar="N", help="pack rows of at most N tokens")
    add(
        "--weights",
        choices=("leaves", "once"),
        default="leaves",
        help="loss weight of shared tokens: number of dialogues, or 1",
    )
    add("--paths", action="store_true", help="encode each dialogue separately")
    add(
        "--language",
        action="append",
        default=None,
        metavar="CODE",
        help="languages to keep, repeatable; or `all`",
    )
    add("--max-rank", type=int, metavar="N", help="worst rank of a reply to keep, 0 the best")
    add("--no-synthetic", action="store_true", help="drop messages written by a model")
    add("--deleted", action="store_true", help="keep deleted messages")
    add("--rejected", action="store_true", help="keep messages that reviewers rejected")
    add("--any-state", action="store_true", help="keep trees that were not ready for export")


if __name__ == "__main__":
    sys.exit(error_boundary.report_errors(main, program="train"))
