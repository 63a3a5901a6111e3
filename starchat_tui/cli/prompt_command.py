"""`starchat prompt`: print exactly what would be sent for a question."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from starchat_tui.cli import arguments
from starchat_tui.cli.factory import create_engine, read_system_text
from starchat_tui.cli.invocation import Invocation
from starchat_tui.cli.stdout import print_json, print_text
from starchat_tui.dialogue import Dialogue
from starchat_tui.models.resolver import ModelResolver
from starchat_tui.templates.prompt_preview import format_preview


def show_prompt(argv: Sequence[str]) -> int:
    """Print the rendered prompt; the model is not run."""
    parser = arguments.create_subcommand_parser("prompt")
    parser.add_argument("words", nargs="+", metavar="question", help="the question to render")
    parser.add_argument("--json", action="store_true", help="print one JSON object, with the ids")
    parser.add_argument(
        "--max-tokens", type=int, metavar="N", help="tokens reserved for the answer"
    )
    arguments.add_model_flags(parser)
    invocation = Invocation.from_flags(parser.parse_args(argv))
    flags, settings = invocation.flags, invocation.settings
    resolver = ModelResolver(settings, create_engine(settings, invocation.paths))
    model = asyncio.run(resolver.resolve(resolver.choose_initial_mode()))
    dialogue = Dialogue(read_system_text(settings)).with_message("user", " ".join(flags.words))
    text = format_preview(
        model.template,
        dialogue,
        window=model.window,
        reserve=min(settings.max_tokens, model.reserve),
        as_json=flags.json,
    )
    if flags.json:
        print_json(text)
    else:
        print_text(text)
    return 0
