"""`starchat env`: the environments that run code."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from starchat_tui.cli import arguments
from starchat_tui.cli.factory import choose_environment, create_environment_store
from starchat_tui.cli.invocation import Invocation
from starchat_tui.cli.stdout import print_text
from starchat_tui.config.config_writer import write_config_value
from starchat_tui.config.settings import find_config_file
from starchat_tui.errors import UsageError
from starchat_tui.sandbox.environments.known import RECIPES, find_recipe
from starchat_tui.sandbox.environments.listing import list_environments
from starchat_tui.sandbox.environments.store import EnvironmentStore, describe_creation
from starchat_tui.sanitize import sanitize_text

ACTIONS = ("list", "create", "use", "remove")


def manage_environments(argv: Sequence[str]) -> int:
    """List, create, choose or remove environments."""
    parser = arguments.create_subcommand_parser("env")
    parser.add_argument("action", nargs="?", choices=ACTIONS, default="list")
    parser.add_argument(
        "name",
        nargs="?",
        metavar="NAME",
        help=f"{', '.join(RECIPES)}; for `use` also the path of a virtual environment, or `auto`"
        " for the model's own",
    )
    flags = parser.parse_args(argv)
    invocation = Invocation.from_flags(flags)
    store = create_environment_store(invocation.paths, invocation.environ)
    if flags.action != "list" and flags.name is None:
        raise UsageError(
            f"`starchat env {flags.action}` needs a name", f"use one of {', '.join(RECIPES)}"
        )
    if flags.action == "create":
        _create(store, flags.name)
    elif flags.action == "remove":
        print_text(f"removed {store.remove(flags.name)}")
    elif flags.action == "use":
        print_text(_use(store, invocation, flags.name))
    else:
        print_text("\n".join(list_environments(store, choose_environment(invocation.settings))))
    return 0


def _create(store: EnvironmentStore, name: str) -> None:
    recipe = find_recipe(name)
    if recipe is None:
        raise UsageError(
            f"StarChat creates no environment `{name}`",
            f"it creates {' and '.join(RECIPES)}; `--env PATH` uses one of yours",
        )
    present = store.find_installed(recipe)
    if present is None or present.is_outdated:
        _print_progress(describe_creation(store, recipe))
    created = store.create(recipe, _print_progress)
    print_text(f"{recipe.name} is in {created.folder}")


def _print_progress(text: str) -> None:
    """Print a step on stderr; on a terminal, the many steps of a download share a line."""
    if not sys.stderr.isatty():
        if not text.startswith("downloading"):
            print(sanitize_text(text), file=sys.stderr, flush=True)
        return
    end = "\r" if text.startswith("downloading") else "\n"
    print(f"\x1b[K{sanitize_text(text)}", end=end, file=sys.stderr, flush=True)


def _use(store: EnvironmentStore, invocation: Invocation, name: str) -> str:
    """Make an environment the default of the user; return what that means."""
    recipe, choice = find_recipe(name), name
    if recipe is None and name != "auto":
        choice = str(store.resolve_path(name))
        store.find_interpreter(choice)
    file = find_config_file(invocation.environ, invocation.paths)
    write_config_value(file, "env", choice)
    shown = "the environment of its model" if choice == "auto" else choice
    lines = [f"code of new conversations runs in {shown}, as {file} says"]
    if recipe is not None and store.find_installed(recipe) is None:
        lines.append(f"its first run creates it; `starchat env create {name}` does so now")
    if "STARCHAT_ENV" in invocation.environ:
        lines.append("STARCHAT_ENV is set and counts more")
    return "\n".join(lines)
