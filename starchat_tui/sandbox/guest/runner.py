"""Entry point inside the sandbox: sets the resource limits, then serves the kernel.

The host starts it as a file, `python -I -S runner.py SETUP`. SETUP is a JSON object: `resources`
(limits by their name in `resource`) and the keys that `loop.serve` describes.
"""

from __future__ import annotations

import importlib
import json
import os
import resource
import site
import sys
from types import ModuleType
from typing import Any

PACKAGE = "starchat_tui.sandbox.guest"
_TERMINAL = "IPython.terminal.embed"


def install_package_stub(folder: str) -> None:
    """Make `PACKAGE` importable from `folder`, under parent packages that are empty.

    The stub lives in memory because only this folder is mounted in the sandbox, without the
    packages above it. So the guest's modules have one name on both sides, the code of a cell can
    import no other module of the product, and an installed StarChat is not found by accident.
    """
    names = PACKAGE.split(".")
    for depth in range(1, len(names) + 1):
        module = ModuleType(".".join(names[:depth]))
        module.__path__ = [folder] if depth == len(names) else []
        sys.modules[module.__name__] = module


def set_resource_limits(limits: dict[str, int]) -> None:
    """Set the limits of `setrlimit(2)` given by name, such as `RLIMIT_NOFILE`."""
    for name, limit in limits.items():
        kind = getattr(resource, name)
        _, hard = resource.getrlimit(kind)
        # A hard limit that is already lower cannot be raised without privileges.
        limit = limit if hard == resource.RLIM_INFINITY else min(limit, hard)
        # Hard as well as soft: the code in a cell could raise a soft limit again.
        resource.setrlimit(kind, (limit, limit))


def defer_terminal_import() -> None:
    """Let IPython do without its terminal until the code asks for it.

    `import IPython` imports prompt_toolkit for `IPython.embed`: 0.4 s of each start in IPython 8.
    """
    deferred = ModuleType(_TERMINAL)

    def load_name(name: str) -> Any:
        # The import system itself asks for `__path__`.
        if name.startswith("__"):
            raise AttributeError(name)
        sys.modules.pop(_TERMINAL, None)
        return getattr(importlib.import_module("IPython.terminal.embed"), name)

    deferred.__getattr__ = load_name  # type: ignore[method-assign]
    # IPython takes it over as it is imported.
    deferred.embed = lambda **options: load_name("embed")(**options)  # type: ignore[attr-defined]
    sys.modules[_TERMINAL] = deferred


def import_completer() -> None:
    """Import IPython's completer without jedi, which it would only use in a terminal: 0.1 s."""
    # None makes an import fail, and the completer then does without.
    sys.modules["jedi"] = None  # type: ignore[assignment]
    try:
        importlib.import_module("IPython.core.completer")
    finally:
        del sys.modules["jedi"]


def main() -> None:
    """Serve the kernel until it closes the pipe."""
    setup = json.loads(sys.argv[1])
    # The code of a cell sees `sys.argv` of a program without arguments.
    sys.argv[1:] = []
    # First: from here on everything counts, threads of libraries included.
    set_resource_limits(setup.pop("resources"))
    # What -S left out: it makes the packages of the environment importable, and runs the code in
    # their `.pth` files and in `sitecustomize`.
    site.main()
    install_package_stub(os.path.dirname(os.path.abspath(__file__)))
    defer_terminal_import()
    import_completer()

    from starchat_tui.sandbox.guest.loop import serve

    serve(setup)


if __name__ == "__main__":
    main()
