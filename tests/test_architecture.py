"""Architecture rules: which package may import which, and what is deliberately absent from each."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Literal, get_args

import pytest

from starchat_tui.chat import commands
from starchat_tui.chat.shared_commands import SHARED_HANDLERS
from starchat_tui.cli.repl import Repl
from starchat_tui.config import settings
from starchat_tui.dialogue import MODES
from starchat_tui.ui.app import COMMAND_HANDLERS

ROOT = Path(__file__).parent.parent
PRODUCT = "starchat_tui"

MAY_IMPORT = {
    # From the bottom up: a package imports only packages of the lines above its own.
    "errors": "",
    "dialogue": "",
    "codeblocks": "",
    "sanitize": "",
    "config": "dialogue errors",
    "templates": "config dialogue errors sanitize",
    "client": "config dialogue errors",
    "sandbox": "config errors",
    "execution": "codeblocks config errors sandbox sanitize",
    "models": "client config dialogue errors templates",
    "chat": "client codeblocks config dialogue errors execution models sandbox sanitize templates",
    "terminal": "client codeblocks config dialogue errors execution sandbox sanitize",
    "engine": "client config errors models sanitize templates",
    "ui": "chat codeblocks dialogue errors execution sandbox sanitize terminal",
    "cli": "chat client codeblocks config dialogue engine errors execution models sandbox sanitize "
    "templates terminal ui",
    "__main__": "cli",
}
INNER_ORDER = {
    # Inside a package, bottom up as well; a module that lies flat is above all but the last line.
    "starchat_tui.engine": ("models", "cache", "serving"),
    "starchat_tui.sandbox": ("guest", "environments", "isolation", "host"),
    "starchat_tui.ui": ("widgets", "screens"),
    "train": ("modeling", "data", "runtime", "publish", "demo"),
}
TRAIN_MAY_IMPORT = {"cli", "client", "config", "dialogue", "errors", "sandbox", "sanitize"}
TRAIN_MAY_IMPORT |= {"templates"}
"""What `train` uses of the product: of `cli` only the error boundary."""
MOST_LAYERS = 8
MOST_ROOT_MODULES = 18
MOST_EDGES = 90
MOST_REPEATED_STEMS = 5

OWNERS = {
    "torch": {"engine", "train"},
    "transformers": {"engine", "train"},
    "accelerate": {"engine", "train"},
    "peft": {"engine", "train"},
    "starlette": {"engine"},
    "uvicorn": {"engine"},
    "httpx2": {"client"},
    "textual": {"ui"},
    "prompt_toolkit": {"cli"},
    "sqlite3": {"chat", "train"},
}
"""Libraries that only these packages import."""
TOKEN_SPELLERS = {"templates"}
"""Packages that spell control tokens; all others ask them."""
BUBBLEWRAP_SPELLERS = {"sandbox/isolation/bubblewrap"}
ENVIRONMENT_READERS = {"cli", "config"}
"""Packages that read the environment and the settings, once, and pass them down."""
BROAD_HANDLERS = {
    "cli/error_boundary",
    "ui/app",
    "ui/driver",
    "engine/models/load_errors",
    "engine/serving/scheduler",
    "templates/jinja_worker",
    "templates/tokenizer",
    "templates/tokenizer_checks",
    "sandbox/host/kernel_process",
    "sandbox/guest/describe/figure_description",
    "sandbox/guest/hints/finder",
    "sandbox/guest/loop",
    "sandbox/guest/tracebacks",
    "train/demo/evaluation/code_worker",
    "train/demo/tasks/functions/mutants",
}
"""May catch any exception: error boundaries, libraries that raise bare `Exception`, tested code."""
TRIVIAL_BRANCHES = 7
"""Branches and loops that a module may have without a test file of its name."""
LONGEST_FUNCTION = 70
LONGEST_MODULE = 400

MODULES = sorted([*(ROOT / PRODUCT).rglob("*.py"), *(ROOT / "train").rglob("*.py")])
PRODUCT_MODULES = [path for path in MODULES if PRODUCT in path.relative_to(ROOT).parts]
TRAIN_MODULES = [path for path in MODULES if path not in PRODUCT_MODULES]


def name_of(path: Path) -> str:
    """`ui/app` for `starchat_tui/ui/app.py`; `train/…` keeps its folder."""
    relative = path.relative_to(ROOT).with_suffix("")
    return "/".join(relative.parts[1:] if relative.parts[0] == PRODUCT else relative.parts)


def package_of(path: Path) -> str:
    """The top-level package of a module; a module at the root is one of its own."""
    return name_of(path).split("/")[0]


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


@cache
def imports_of(path: Path) -> tuple[str, ...]:
    """The dotted names of everything `path` imports, also inside functions, and by string."""
    return tuple(name for node in ast.walk(tree_of(path)) for name in names_in(node, path))


def names_in(node: ast.AST, path: Path) -> Iterator[str]:
    """The dotted names that one node of `path` imports."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        assert not node.level, f"{path}: relative imports hide the package they name"
        yield from (f"{node.module}.{alias.name}" for alias in node.names)
    elif isinstance(node, ast.Call):
        called = ast.unparse(node.func)
        if called.endswith(("import_module", "__import__")):
            assert isinstance(node.args[0], ast.Constant), f"{path}: an import of an unknown name"
            yield str(node.args[0].value)


def packages_imported(path: Path) -> set[str]:
    """The packages of the product that a module imports, its own left out."""
    dotted = (name.split(".") for name in imports_of(path))
    named = {parts[1] for parts in dotted if parts[0] == PRODUCT and len(parts) > 1}
    return named - {package_of(path), "__version__"}


def modules_imported(path: Path) -> set[Path]:
    """The files of this repository that a module imports."""
    found = set()
    for name in imports_of(path):
        parts = name.split(".")
        for end in (len(parts), len(parts) - 1):
            for suffix in (".py", "/__init__.py"):
                file = ROOT / ("/".join(parts[:end]) + suffix)
                if end and file in MODULES:
                    found.add(file)
    return found - {path}


def functions_of(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def strings_of(path: Path) -> Iterator[tuple[int, str]]:
    """Every string constant with its line, docstrings left out: they describe."""
    docstrings = {
        id(node.value)
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Constant) and id(node) not in docstrings:
            text = node.value.decode("latin-1") if isinstance(node.value, bytes) else node.value
            if isinstance(text, str):
                yield node.lineno, text


def test_the_table_lists_every_package_and_no_other() -> None:
    on_disk = {package_of(path) for path in PRODUCT_MODULES} - {"__init__"}
    assert on_disk == set(MAY_IMPORT)
    assert len(on_disk) <= MOST_ROOT_MODULES


def test_the_table_has_no_upward_import() -> None:
    order = list(MAY_IMPORT)
    for package, below in MAY_IMPORT.items():
        assert set(below.split()) <= set(order[: order.index(package)]), package


def test_a_package_imports_only_packages_below_it() -> None:
    upward = [
        f"{name_of(path)} imports {sorted(named)}"
        for path in PRODUCT_MODULES
        if (named := packages_imported(path) - set(MAY_IMPORT.get(package_of(path), "").split()))
    ]
    assert not upward, upward


def test_the_table_promises_no_import_that_nobody_uses() -> None:
    used: dict[str, set[str]] = {package: set() for package in MAY_IMPORT}
    for path in PRODUCT_MODULES:
        if package_of(path) in used:
            used[package_of(path)] |= packages_imported(path)
    unused = {
        package: sorted(left)
        for package, below in MAY_IMPORT.items()
        if (left := set(below.split()) - used[package])
    }
    assert not unused, unused


def test_the_import_graph_stays_shallow_and_sparse() -> None:
    layer: dict[str, int] = {}
    for package, below in MAY_IMPORT.items():
        layer[package] = 1 + max((layer[one] for one in below.split()), default=0)
    edges = sum(len(below.split()) for below in MAY_IMPORT.values())
    assert max(layer.values()) <= MOST_LAYERS, layer
    assert edges <= MOST_EDGES


@pytest.mark.parametrize("parent", INNER_ORDER)
def test_a_subpackage_imports_only_subpackages_below_it(parent: str) -> None:
    order = INNER_ORDER[parent]
    folder = ROOT / parent.replace(".", "/")
    on_disk = {path.parent.name for path in folder.glob("*/__init__.py")}
    assert on_disk == set(order)
    for position, subpackage in enumerate(order):
        above = tuple(f"{parent}.{name}." for name in order[position + 1 :])
        for path in (folder / subpackage).rglob("*.py"):
            upward = [name for name in imports_of(path) if f"{name}.".startswith(above)]
            assert not upward, f"{name_of(path)} imports {upward}"


def test_no_module_is_in_an_import_cycle() -> None:
    done: set[Path] = set()

    def visit(path: Path, chain: tuple[Path, ...]) -> None:
        assert path not in chain, " -> ".join(map(name_of, (*chain[chain.index(path) :], path)))
        if path not in done:
            for other in modules_imported(path):
                visit(other, (*chain, path))
            done.add(path)

    for module in MODULES:
        visit(module, ())
    assert done == set(MODULES)


def test_file_names_are_unique() -> None:
    """An editor's file finder shows one file for a name; `__main__` and `__init__` are Python's."""
    stems = [path.stem for path in MODULES if not path.stem.startswith("__")]
    repeated = sorted({stem for stem in stems if stems.count(stem) > 1})
    assert len(repeated) <= MOST_REPEATED_STEMS, repeated


def test_heavy_libraries_stay_in_their_packages() -> None:
    astray = [
        f"{name_of(path)} imports {name}"
        for path in MODULES
        for name in imports_of(path)
        if package_of(path) not in OWNERS.get(name.split(".")[0], {package_of(path)})
    ]
    assert not astray, astray


def test_training_uses_the_lower_packages_and_the_product_never_uses_training() -> None:
    for path in TRAIN_MODULES:
        beyond = packages_imported(path) - TRAIN_MAY_IMPORT
        assert not beyond, f"{name_of(path)} imports {sorted(beyond)}"
        cli = [name for name in imports_of(path) if name.startswith(f"{PRODUCT}.cli.")]
        assert all(".cli.error_boundary" in name for name in cli), f"{name_of(path)}: {cli}"
    for path in PRODUCT_MODULES:
        upward = [name for name in imports_of(path) if name.split(".")[0] == "train"]
        assert not upward, f"{name_of(path)} imports {upward}"


def test_the_fine_tune_never_names_the_demo_models() -> None:
    named = [
        f"{name_of(path)} line {line}: {text!r}"
        for path in TRAIN_MODULES
        if not name_of(path).startswith("train/demo/")
        for line, text in [*strings_of(path), *((0, name) for name in imports_of(path))]
        if re.search(r"\btrain[./]demo\b", text)
    ]
    assert not named, named


def spelled(pattern: str, allowed: set[str]) -> list[str]:
    """Places where a string outside the `allowed` packages and modules matches."""
    return [
        f"{name_of(path)} line {line}: {text!r}"
        for path in MODULES
        if not {name_of(path), package_of(path)} & allowed
        for line, text in strings_of(path)
        if re.search(pattern, text)
    ]


def test_only_the_templates_spell_a_control_token() -> None:
    found = spelled(r"<\||\|>", TOKEN_SPELLERS)
    assert not found, found


def test_only_one_module_spells_a_bubblewrap_flag() -> None:
    flags = r"^(bwrap|--(ro-)?bind(-try)?|--unshare-\w+|--die-with-parent|--tmpfs)$"
    found = spelled(flags, BUBBLEWRAP_SPELLERS)
    assert not found, found


def test_a_widget_knows_neither_the_app_nor_the_session() -> None:
    for path in PRODUCT_MODULES:
        if not name_of(path).startswith(("ui/widgets/", "ui/screens/")):
            continue
        above = (f"{PRODUCT}.ui.app", f"{PRODUCT}.ui.run_controller", f"{PRODUCT}.chat.session")
        upward = [name for name in imports_of(path) if name.startswith(above)]
        assert not upward, f"{name_of(path)} imports {upward}"
        for node in ast.walk(tree_of(path)):
            reached = isinstance(node, ast.Attribute) and ast.unparse(node) == "self.app"
            assert not reached, f"{name_of(path)} line {node.lineno} uses the app"


def test_printed_text_passes_through_sanitize() -> None:
    unsafe = [
        name_of(path)
        for path in PRODUCT_MODULES
        if package_of(path) not in ("engine", "__main__", "sandbox")
        and name_of(path) != "terminal/supervisor"
        if any(
            isinstance(node, ast.Call) and ast.unparse(node.func) == "print"
            for node in ast.walk(tree_of(path))
        )
        if "sanitize" not in packages_imported(path)
    ]
    assert not unsafe, f"print without `sanitize`: {unsafe}"


def test_settings_are_read_at_the_entry_point() -> None:
    read = [
        f"{name_of(path)} line {node.lineno}: {ast.unparse(node)}"
        for path in PRODUCT_MODULES
        if package_of(path) not in ENVIRONMENT_READERS
        for node in ast.walk(tree_of(path))
        if (isinstance(node, ast.Attribute) and node.attr in ("environ", "getenv"))
        or (isinstance(node, ast.Call) and ast.unparse(node.func) == "settings.load")
    ]
    assert not read, read


def test_any_exception_is_caught_at_the_boundaries_only() -> None:
    broad = [
        f"{name_of(path)} line {node.lineno}"
        for path in MODULES
        if name_of(path) not in BROAD_HANDLERS
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.ExceptHandler) and catches_all(node)
    ]
    assert not broad, broad


def catches_all(handler: ast.ExceptHandler) -> bool:
    """Return whether a handler takes any exception and keeps it; one that re-raises does not."""
    kind = "Exception" if handler.type is None else ast.unparse(handler.type)
    raised = any(isinstance(one, ast.Raise) and one.exc is None for one in handler.body)
    return bool(re.search(r"\b(Base)?Exception\b", kind)) and not raised


def test_modules_hold_no_state() -> None:
    changed = [
        f"{name_of(path)} line {node.lineno}"
        for path in MODULES
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.Global)
    ]
    assert not changed, f"`global`: {changed}"


CHOICES = {
    name: frozenset(get_args(alias)) - {""}
    for name, alias in vars(settings).items()
    if getattr(alias, "__origin__", None) is Literal
} | {"Mode": frozenset(MODES)}
DECLARED_IN = {"config/settings", "dialogue"}


def test_every_choice_is_declared_once() -> None:
    """A list of all values of a choice outside its declaration is a second declaration."""
    assert {"Quantization", "ImageProtocol", "SandboxLevel", "Mode"} <= set(CHOICES)
    again = [
        f"{name_of(path)} line {node.lineno}: {name}"
        for path in PRODUCT_MODULES
        if name_of(path) not in DECLARED_IN
        for node in ast.walk(tree_of(path))
        for name, values in CHOICES.items()
        if values <= constants_listed(node)
    ]
    assert not again, again


def constants_listed(node: ast.AST) -> set[str]:
    """The strings that a tuple, list, set or `Literal[…]` lists."""
    if isinstance(node, ast.Tuple | ast.List | ast.Set):
        return {
            one.value
            for one in node.elts
            if isinstance(one, ast.Constant) and isinstance(one.value, str)
        }
    return set()


def test_modules_stay_readable() -> None:
    lengths = {name_of(path): path.read_text(encoding="utf-8").count("\n") for path in MODULES}
    long = {name: lines for name, lines in lengths.items() if lines > LONGEST_MODULE}
    assert not long, f"more than {LONGEST_MODULE} lines: {long}"


def test_functions_stay_readable() -> None:
    lengths = {
        f"{name_of(path)} {node.name}": (node.end_lineno or 0) - node.lineno + 1
        for path in MODULES
        for node in functions_of(path)
    }
    long = {name: lines for name, lines in lengths.items() if lines > LONGEST_FUNCTION}
    assert not long, f"more than {LONGEST_FUNCTION} lines: {long}"


def test_every_function_is_annotated() -> None:
    bare = [
        f"{name_of(path)} line {node.lineno}: {node.name}"
        for path in MODULES
        for node in functions_of(path)
        if node.returns is None or not all(map(has_annotation, arguments_of(node)))
    ]
    assert not bare, bare


def arguments_of(node: ast.FunctionDef | ast.AsyncFunctionDef) -> list[ast.arg]:
    """The named arguments of a function, of all three kinds."""
    return [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]


def has_annotation(argument: ast.arg) -> bool:
    """Return whether an argument has a type, or needs none."""
    return argument.annotation is not None or argument.arg in ("self", "cls")


def test_annotations_are_never_evaluated() -> None:
    for path in MODULES:
        code = [node for node in tree_of(path).body if not isinstance(node, ast.Expr)]
        if any(functions_of(path)):
            first = ast.unparse(code[0])
            assert first == "from __future__ import annotations", name_of(path)


BRANCHES = (
    *(ast.If, ast.IfExp, ast.BoolOp, ast.For, ast.AsyncFor, ast.While, ast.comprehension),
    *(ast.Try, ast.With, ast.AsyncWith, ast.Match),
)


def test_modules_with_logic_have_a_test_file_of_their_name() -> None:
    """`__main__` is tested by `test_command.py`."""
    untested = []
    for path in MODULES:
        folder = ROOT / "tests" / Path(name_of(path)).parent
        stem = "command" if path.stem == "__main__" else path.stem
        branches = sum(isinstance(node, BRANCHES) for node in ast.walk(tree_of(path)))
        if branches > TRIVIAL_BRANCHES and not (folder / f"test_{stem}.py").exists():
            untested.append(f"{name_of(path)}: {branches} branches")
    assert not untested, untested


def modules_loaded_by(statements: str) -> set[str]:
    """The modules in memory after a fresh interpreter ran `statements`."""
    program = f"{statements}\nimport sys; print(*sys.modules)"
    # Coverage would measure the new process too, with modules of its own.
    kept = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")}
    ran = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=False,
        env={**kept, "PYTHONPATH": str(ROOT)},
    )
    assert ran.returncode == 0, ran.stderr
    return set(ran.stdout.split())


def test_no_front_end_loads_torch() -> None:
    program = ["import sys"]
    for path in PRODUCT_MODULES:
        if package_of(path) in ("engine", "__main__") or "/guest" in name_of(path):
            continue
        module = f"{PRODUCT}.{name_of(path).replace('/', '.')}".removesuffix(".__init__")
        program.append(f"import {module}")
        program.append(f"assert not {{'torch', 'transformers'}} & set(sys.modules), {module!r}")
    assert f"{PRODUCT}.ui.app" in modules_loaded_by("\n".join(program))


def test_the_version_loads_nothing_heavy() -> None:
    statements = """
import contextlib, io, sys
from starchat_tui.__main__ import main
sys.argv = ["starchat", "--version"]
with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):
    main()
"""
    heavy = {"torch", "transformers", "textual", "tokenizers", "httpx2", "sqlite3", "asyncio"}
    assert not heavy & modules_loaded_by(statements)


def test_every_slash_command_has_a_handler_in_every_front_end() -> None:
    names = {command.name for command in commands.COMMANDS}
    shared = set(SHARED_HANDLERS)
    for own in (set(COMMAND_HANDLERS), set(Repl.COMMAND_HANDLERS)):
        assert own | shared == names
        assert not own & shared, "a second handler"
