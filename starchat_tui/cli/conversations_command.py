"""`starchat ls`, `show`, `export`, `rm` and `recover`: the stored conversations."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Sequence

from starchat_tui.chat import export
from starchat_tui.chat.store import ConversationStore, Summary
from starchat_tui.chat.store_recovery import recover_database
from starchat_tui.cli import arguments
from starchat_tui.cli.stdout import escape_json_for_stdout, print_json, print_text
from starchat_tui.config.paths import find_paths
from starchat_tui.errors import UsageError
from starchat_tui.sanitize import sanitize_text

_ID_HELP = "beginning of an id, or `last`"


def list_conversations(argv: Sequence[str]) -> int:
    """Print one line per conversation, newest first."""
    parser = arguments.create_subcommand_parser("ls")
    parser.add_argument("words", nargs="*", help="words that the conversation contains")
    parser.add_argument("--json", action="store_true", help="print one JSON object per line")
    parser.add_argument(
        "-l",
        "--limit",
        type=int,
        default=200,
        metavar="N",
        help="list at most N (default: 200; 0: all)",
    )
    flags = parser.parse_args(argv)
    store, words = _open_store(), " ".join(flags.words)
    found = store.list_summaries(words, limit=flags.limit or -1)
    for summary in found:
        print(_format_json(summary) if flags.json else _format_line(summary))
    if len(found) == flags.limit:
        more = len(store.list_summaries(words, limit=-1)) - len(found)
        if more:
            print(f"… {more:,} more: `-l 0` lists all", file=sys.stderr)
    return 0


def _open_store() -> ConversationStore:
    return ConversationStore.open(find_paths(os.environ).database)


def _format_line(summary: Summary) -> str:
    day = time.strftime("%Y-%m-%d %H:%M", time.localtime(summary.updated))
    title = sanitize_text(summary.title).replace("\n", " ").replace("\t", " ")
    count = f"{summary.questions} question{'' if summary.questions == 1 else 's'}"
    model = sanitize_text(os.path.basename(summary.model.rstrip("/")) or summary.mode)
    return f"{summary.id}  {day}  {count:>13}  {model:<14}  {title}"


def _format_json(summary: Summary) -> str:
    keys = ("id", "title", "mode", "model", "questions", "updated")
    document = {key: getattr(summary, key) for key in keys}
    return escape_json_for_stdout(json.dumps(document, ensure_ascii=False))


def show_conversation(argv: Sequence[str]) -> int:
    """Print the turns of one conversation."""
    parser = arguments.create_subcommand_parser("show")
    parser.add_argument("id", nargs="?", default="last", help=_ID_HELP)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    flags = parser.parse_args(argv)
    store = _open_store()
    conversation = store.find_conversation(flags.id)
    path = store.load_path(conversation.id)
    if flags.json:
        print_json(export.export_conversation(conversation, path, "json"))
        return 0
    for stored in path:
        state = "" if stored.state == "done" else f" ({stored.state})"
        print_text(f"## {stored.turn.role}{state}\n\n{stored.turn.text}\n")
    return 0


def export_conversations(argv: Sequence[str]) -> int:
    """Print conversations in one of the export formats."""
    parser = arguments.create_subcommand_parser("export")
    parser.add_argument("ids", nargs="*", metavar="id", help=_ID_HELP)
    parser.add_argument("--all", action="store_true", help="export every conversation")
    parser.add_argument(
        "--format", choices=export.FORMATS, default="markdown", help="`messages`: a training row"
    )
    flags = parser.parse_args(argv)
    store = _open_store()
    for conversation in [store.find_conversation(name) for name in _select_ids(flags, store)]:
        path = store.load_path(conversation.id)
        # One conversation without an answer must not end the export of all others.
        if flags.all and flags.format == "messages" and not export.to_messages(conversation, path):
            print(f"{conversation.id} has no answer and is left out", file=sys.stderr)
            continue
        print_text(export.export_conversation(conversation, path, flags.format))
    return 0


def _select_ids(flags: argparse.Namespace, store: ConversationStore) -> list[str]:
    if flags.all and flags.ids:
        raise UsageError("--all and the id of a conversation cannot be combined", "leave one out")
    ids = [one.id for one in store.list_summaries(limit=-1)] if flags.all else flags.ids
    ids = ids or ([] if flags.all else ["last"])
    if flags.format == "notebook" and len(ids) > 1:
        raise UsageError("A notebook holds one conversation", "export one at a time")
    return list(ids)


def delete_conversations(argv: Sequence[str]) -> int:
    """Delete conversations."""
    parser = arguments.create_subcommand_parser("rm")
    parser.add_argument("ids", nargs="+", metavar="id", help=_ID_HELP)
    parser.add_argument("-y", "--yes", action="store_true", help="delete without asking")
    flags = parser.parse_args(argv)
    store = _open_store()
    # All ids are looked up first, so that a wrong one deletes nothing.
    conversations = [store.find_conversation(name) for name in flags.ids]
    # A script has nobody to ask, and named the conversations itself.
    if not flags.yes and sys.stdin.isatty() and sys.stderr.isatty():
        for conversation in conversations:
            print(f"{conversation.id} {sanitize_text(conversation.title)}", file=sys.stderr)
        print("Delete for good? [y/N] ", end="", file=sys.stderr, flush=True)
        if sys.stdin.readline().strip().lower() not in ("y", "yes"):
            print("nothing was deleted", file=sys.stderr)
            return 0
    for conversation in conversations:
        store.delete_conversation(conversation.id)
        print(f"deleted {conversation.id} {sanitize_text(conversation.title)}", file=sys.stderr)
    return 0


def recover_conversations(argv: Sequence[str]) -> int:
    """Replace a damaged database by what can be read of it."""
    arguments.create_subcommand_parser("recover").parse_args(argv)
    found = recover_database(find_paths(os.environ).database)
    lost = f"; {found.lost_rows:,} rows are lost" if found.lost_rows else ""
    print(
        f"recovered {found.conversations:,} conversations with {found.turns:,} turns{lost}\n"
        f"the damaged database is kept as {sanitize_text(str(found.damaged_file))}",
        file=sys.stderr,
    )
    return 0
