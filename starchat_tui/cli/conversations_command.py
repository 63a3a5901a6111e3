"""`starchat ls`, `show`, `export` and `rm`: the stored conversations."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Sequence

from starchat_tui.chat import export
from starchat_tui.chat.store import ConversationStore, Summary
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
        "-l", "--limit", type=int, default=200, metavar="N", help="list at most N (default: 200)"
    )
    flags = parser.parse_args(argv)
    for summary in _open_store().list_summaries(" ".join(flags.words), limit=flags.limit):
        print(_format_json(summary) if flags.json else _format_line(summary))
    return 0


def _open_store() -> ConversationStore:
    return ConversationStore.open(find_paths(os.environ).database)


def _format_line(summary: Summary) -> str:
    day = time.strftime("%Y-%m-%d %H:%M", time.localtime(summary.updated))
    title = sanitize_text(summary.title).replace("\n", " ").replace("\t", " ")
    return f"{summary.id}  {day}  {summary.turns:>3} turns  {summary.mode:<4}  {title}"


def _format_json(summary: Summary) -> str:
    keys = ("id", "title", "mode", "model", "turns", "updated")
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
    flags = parser.parse_args(argv)
    store = _open_store()
    # All ids are looked up first, so that a wrong one deletes nothing.
    for conversation in [store.find_conversation(name) for name in flags.ids]:
        store.delete_conversation(conversation.id)
        print(f"deleted {conversation.id} {sanitize_text(conversation.title)}", file=sys.stderr)
    return 0
