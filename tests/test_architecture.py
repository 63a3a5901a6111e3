"""The house: which room may name which, and what is deliberately absent from each."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parent.parent
PACKAGE = "starchat_tui"

MAY_IMPORT = {
    # From the ground up: a room names rooms above its own line only.
    "__init__": "",
    "errors": "",
    "dialogue": "",
    "fences": "",
    "clean": "",
    "guard": "",
    "flags": "errors",
    "wire": "errors",
    "paths": "errors",
    "settings": "errors paths",
    "sandbox": "clean errors settings",
    "sixel": "",
    "picture": "errors sixel",
    "plots": "errors paths",
    "outcome": "clean sandbox",
    "running": "errors fences paths sandbox",
    "vocabulary": "clean errors",
    "template": "dialogue errors vocabulary",
    "foreign": "dialogue errors template vocabulary",
    "prompts": "errors paths template",
    "models": "dialogue errors foreign paths",
    "recall": "",
    "clipboard": "clean",
    "paint": "clean fences",
    "client": "errors wire",
    "child": "client errors paths settings wire",
    "history": "clean dialogue errors",
    "voice": "dialogue errors foreign models paths prompts settings template vocabulary wire",
    "events": "dialogue errors wire",
    "answer": "dialogue errors events history voice wire",
    "session": "answer dialogue errors events history outcome running sandbox template voice wire",
    "wiring": "child client history models prompts running sandbox session settings voice wire",
    "commands": "clean dialogue errors paths",
    "show": "clean dialogue errors history template vocabulary voice wire",
    "export": "dialogue errors fences history",
    "ask": "clean errors events fences paint session wire",
    "speaking": "clean errors outcome picture plots sandbox",
    "run": "ask clean errors fences outcome running sandbox session speaking",
    "repl_runs": "ask clean commands errors fences outcome plots running sandbox session speaking",
    "repl": "ask clean clipboard commands dialogue errors events paint recall repl_runs session",
    "engine": "clean errors models settings vocabulary wire",
    "ui": "clean clipboard commands dialogue errors events fences history outcome picture plots "
    "recall running sandbox session wire",
    "doctor": "child clean clipboard errors models paths sandbox settings vocabulary",
    "subcommands": "ask child clean client dialogue doctor engine errors export flags history "
    "models run session settings show voice wire wiring",
    "__main__": "ask clean errors flags guard models recall repl run running session settings "
    "subcommands ui wiring",
}
TRAIN_MAY_IMPORT = {"clean", "errors", "dialogue", "paths", "template", "vocabulary", "prompts"}
TRAIN_MAY_IMPORT |= {"client", "sandbox", "wire"}
"""Of the package, and for evaluation the last three; nothing of it imports `train`."""

HOMES = {
    "torch": {"engine", "train"},
    "transformers": {"engine", "train"},
    "accelerate": {"engine", "train"},
    "peft": {"engine", "train"},
    "starlette": {"engine"},
    "uvicorn": {"engine"},
    "httpx2": {"client"},
    "textual": {"ui"},
    "prompt_toolkit": {"repl", "repl_runs"},
    "sqlite3": {"history", "train"},
}
"""Libraries that only these rooms import."""
TOKEN_SPELLERS = {"template", "vocabulary"}
BUBBLEWRAP_SPELLERS = {"sandbox/jail"}
ENVIRONMENT_READERS = {"settings", "__main__", "subcommands"}
DOORS = {"__main__", "ui/app"}
BLIND = DOORS | {"engine/worker", "vocabulary", "train/demo/runner", "train/demo/tasks/mutants"}
BLIND |= {"sandbox/life"} | {
    f"sandbox/inside/{module}" for module in ("cards", "session", "tracebacks")
}
"""May catch anything: libraries raise bare `Exception`, and code under test what it likes."""
OWN_WORDS = {"guard"}
"""Print what only they have written."""
LONGEST_FUNCTION = 70
LONGEST_MODULE = 400

MODULES = sorted([*(ROOT / PACKAGE).rglob("*.py"), *(ROOT / "train").rglob("*.py")])
OURS = [path for path in MODULES if PACKAGE in path.relative_to(ROOT).parts]


def name_of(path: Path) -> str:
    """`ui/app` for `starchat_tui/ui/app.py`; `train/…` keeps its folder."""
    relative = path.relative_to(ROOT).with_suffix("")
    return "/".join(relative.parts[1:] if relative.parts[0] == PACKAGE else relative.parts)


def room_of(path: Path) -> str:
    """The room a module belongs to: a folder, or a module that lies flat."""
    return name_of(path).split("/")[0]


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


@cache
def imported(path: Path) -> tuple[str, ...]:
    """The dotted names of everything `path` imports, also late, inside functions, and by string."""
    return tuple(name for node in ast.walk(tree_of(path)) for name in names_of(node, path))


def names_of(node: ast.AST, path: Path) -> Iterator[str]:
    """What one node of `path` imports."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        assert not node.level, f"{path}: relative imports hide the room they name"
        yield from (f"{node.module}.{alias.name}" for alias in node.names)
    elif isinstance(node, ast.Call):
        called = ast.unparse(node.func)
        if called.endswith(("import_module", "__import__")):
            assert isinstance(node.args[0], ast.Constant), f"{path}: an import of an unknown name"
            yield str(node.args[0].value)


def rooms_named(path: Path) -> set[str]:
    """The rooms of the package that a module imports, its own left out."""
    dotted = (name.split(".") for name in imported(path))
    named = {parts[1] for parts in dotted if parts[0] == PACKAGE and len(parts) > 1}
    return named - {room_of(path), "__version__"}


def modules_named(path: Path) -> set[Path]:
    """The files of this repository that a module imports."""
    found = set()
    for name in imported(path):
        parts = name.split(".")
        for end in (len(parts), len(parts) - 1):
            for suffix in (".py", "/__init__.py"):
                file = ROOT / ("/".join(parts[:end]) + suffix)
                if end and file in MODULES:
                    found.add(file)
    return found - {path}


def functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def strings(path: Path) -> Iterator[tuple[int, str]]:
    """Every string constant with its line; docstrings describe, they do not spell."""
    described = {
        id(node.value)
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Constant) and id(node) not in described:
            text = node.value.decode("latin-1") if isinstance(node.value, bytes) else node.value
            if isinstance(text, str):
                yield node.lineno, text


def test_the_table_names_every_room_and_no_other() -> None:
    on_disk = {room_of(path) for path in OURS}
    assert on_disk <= set(MAY_IMPORT), f"rooms missing from the table: {on_disk - set(MAY_IMPORT)}"
    assert not set(MAY_IMPORT) - on_disk, f"rooms only in the table: {set(MAY_IMPORT) - on_disk}"


def test_the_table_has_floors() -> None:
    floors = list(MAY_IMPORT)
    for room, below in MAY_IMPORT.items():
        assert set(below.split()) <= set(floors[: floors.index(room)]), f"an arrow up from {room}"


def test_a_room_names_only_rooms_below_it() -> None:
    up = [
        f"{name_of(path)} names {sorted(named)}"
        for path in OURS
        if (named := rooms_named(path) - set(MAY_IMPORT.get(room_of(path), "").split()))
    ]
    assert not up, up


def test_no_module_is_in_a_circle() -> None:
    done: set[Path] = set()

    def visit(path: Path, way: tuple[Path, ...]) -> None:
        assert path not in way, " -> ".join(map(name_of, (*way[way.index(path) :], path)))
        if path not in done:
            for other in modules_named(path):
                visit(other, (*way, path))
            done.add(path)

    for module in MODULES:
        visit(module, ())
    assert done == set(MODULES)


def test_heavy_libraries_stay_in_their_rooms() -> None:
    astray = [
        f"{name_of(path)} imports {name}"
        for path in MODULES
        for name in imported(path)
        if room_of(path) not in HOMES.get(name.split(".")[0], {room_of(path)})
    ]
    assert not astray, astray


def test_training_and_the_product_meet_in_a_few_rooms() -> None:
    for path in MODULES:
        if room_of(path) == "train":
            beyond = rooms_named(path) - TRAIN_MAY_IMPORT
            assert not beyond, f"{name_of(path)} names {sorted(beyond)}"
        else:
            up = [name for name in imported(path) if name.split(".")[0] == "train"]
            assert not up, f"{name_of(path)} names {up}"


def spelled(pattern: str, allowed: set[str]) -> list[str]:
    """Where a string outside `allowed` modules matches."""
    return [
        f"{name_of(path)} line {line}: {text!r}"
        for path in MODULES
        if name_of(path) not in allowed
        for line, text in strings(path)
        if re.search(pattern, text)
    ]


def test_only_two_rooms_spell_a_control_token() -> None:
    found = spelled(r"<\||\|>", TOKEN_SPELLERS)
    assert not found, found


def test_only_the_jail_spells_a_bubblewrap_flag() -> None:
    flags = r"^(bwrap|--(ro-)?bind(-try)?|--unshare-\w+|--die-with-parent|--tmpfs)$"
    found = spelled(flags, BUBBLEWRAP_SPELLERS)
    assert not found, found


def test_a_widget_knows_neither_the_app_nor_the_session() -> None:
    for path in OURS:
        if room_of(path) != "ui" or name_of(path) == "ui/app":
            continue
        above = (f"{PACKAGE}.ui.app", f"{PACKAGE}.session")
        up = [name for name in imported(path) if name.startswith(above)]
        assert not up, f"{name_of(path)} names {up}"
        for node in ast.walk(tree_of(path)):
            reached = isinstance(node, ast.Attribute) and ast.unparse(node) == "self.app"
            assert not reached, f"{name_of(path)} line {node.lineno} reaches for the app"


def test_what_is_printed_passes_through_clean() -> None:
    unclean = [
        name_of(path)
        for path in OURS
        if room_of(path) != "engine" and name_of(path) not in OWN_WORDS
        if any(
            isinstance(node, ast.Call) and ast.unparse(node.func) == "print"
            for node in ast.walk(tree_of(path))
        )
        if "clean" not in rooms_named(path)
    ]
    assert not unclean, f"print without `clean`: {unclean}"


def test_settings_are_read_at_the_door() -> None:
    read = [
        f"{name_of(path)} line {node.lineno}: {ast.unparse(node)}"
        for path in OURS
        if name_of(path) not in ENVIRONMENT_READERS
        for node in ast.walk(tree_of(path))
        if (isinstance(node, ast.Attribute) and node.attr in ("environ", "getenv"))
        or (isinstance(node, ast.Call) and ast.unparse(node.func) == "settings.load")
    ]
    assert not read, read


def test_what_is_not_foreseen_is_caught_at_the_doors_only() -> None:
    blind = [
        f"{name_of(path)} line {node.lineno}"
        for path in MODULES
        if name_of(path) not in BLIND
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.ExceptHandler) and catches_all(node)
    ]
    assert not blind, blind


def catches_all(handler: ast.ExceptHandler) -> bool:
    """Whether a handler takes whatever comes and keeps it: one that raises it again does not."""
    kind = "Exception" if handler.type is None else ast.unparse(handler.type)
    again = any(isinstance(one, ast.Raise) and one.exc is None for one in handler.body)
    return bool(re.search(r"\b(Base)?Exception\b", kind)) and not again


def test_modules_hold_no_state() -> None:
    changed = [
        f"{name_of(path)} line {node.lineno}"
        for path in MODULES
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.Global)
    ]
    assert not changed, f"`global`: {changed}"


def test_modules_stay_readable() -> None:
    lengths = {name_of(path): path.read_text(encoding="utf-8").count("\n") for path in MODULES}
    long = {name: lines for name, lines in lengths.items() if lines > LONGEST_MODULE}
    assert not long, f"more than {LONGEST_MODULE} lines: {long}"


def test_functions_stay_readable() -> None:
    lengths = {
        f"{name_of(path)} {node.name}": (node.end_lineno or 0) - node.lineno + 1
        for path in MODULES
        for node in functions(path)
    }
    long = {name: lines for name, lines in lengths.items() if lines > LONGEST_FUNCTION}
    assert not long, f"more than {LONGEST_FUNCTION} lines: {long}"


def test_every_function_is_annotated() -> None:
    bare = [
        f"{name_of(path)} line {node.lineno}: {node.name}"
        for path in MODULES
        for node in functions(path)
        if node.returns is None or not all(map(annotated, arguments_of(node)))
    ]
    assert not bare, bare


def arguments_of(node: ast.FunctionDef | ast.AsyncFunctionDef) -> list[ast.arg]:
    """The arguments of a function by name, in any of the three ways."""
    return [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]


def annotated(argument: ast.arg) -> bool:
    """Whether an argument says its type, or needs none."""
    return argument.annotation is not None or argument.arg in ("self", "cls")


def test_annotations_are_never_evaluated() -> None:
    for path in MODULES:
        code = [node for node in tree_of(path).body if not isinstance(node, ast.Expr)]
        if any(functions(path)):
            first = ast.unparse(code[0])
            assert first == "from __future__ import annotations", name_of(path)


def loaded_by(statements: str) -> set[str]:
    """The modules in memory after a fresh interpreter ran `statements`."""
    program = f"{statements}\nimport sys; print(*sys.modules)"
    ran = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert ran.returncode == 0, ran.stderr
    return set(ran.stdout.split())


def test_no_face_loads_torch() -> None:
    faces = [room for room in MAY_IMPORT if room not in ("__init__", "engine")]
    program = ["import sys", f"import {PACKAGE}.ui.app"]
    for face in faces:
        program.append(f"import {PACKAGE}.{face}")
        program.append(f"assert not {{'torch', 'transformers'}} & set(sys.modules), {face!r}")
    assert f"{PACKAGE}.ui.app" in loaded_by("\n".join(program))


def test_the_version_loads_nothing_heavy() -> None:
    statements = """
import contextlib, io, sys
from starchat_tui.__main__ import main
sys.argv = ["starchat", "--version"]
with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):
    main()
"""
    heavy = {"torch", "transformers", "textual", "tokenizers", "httpx2", "sqlite3", "asyncio"}
    assert not heavy & loaded_by(statements)
