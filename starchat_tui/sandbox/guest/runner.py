"""The first thing that runs behind the wall: bounds itself, then takes code from a pipe.

Started as a file, `python -I runner.py SETUP`; SETUP is JSON, see `Setup` in `session.py`. Nothing
of ours lies beside it but this folder, so the package it belongs to is put up in memory: its
modules keep their names, and no other module of the product can be imported.
"""

from __future__ import annotations

import json
import os
import resource
import sys
from types import ModuleType

PACKAGE = "starchat_tui.sandbox.guest"


def put_up_package(folder: str) -> None:
    """Make `PACKAGE` importable from `folder`, and its parents empty."""
    names = PACKAGE.split(".")
    for depth in range(1, len(names) + 1):
        module = ModuleType(".".join(names[:depth]))
        module.__path__ = [folder] if depth == len(names) else []
        sys.modules[module.__name__] = module


def bound(limits: dict[str, int]) -> None:
    """Set limits of `resource` by name, hard and soft alike: what is given up never comes back."""
    for name, most in limits.items():
        kind = getattr(resource, name)
        _, hard = resource.getrlimit(kind)
        most = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(kind, (most, most))


def main() -> None:
    """Serve the kernel until it hangs up."""
    setup = json.loads(sys.argv[1])
    sys.argv[1:] = []
    bound(setup.pop("resources"))
    put_up_package(os.path.dirname(os.path.abspath(__file__)))

    from starchat_tui.sandbox.guest.loop import serve

    serve(setup)


if __name__ == "__main__":
    main()
