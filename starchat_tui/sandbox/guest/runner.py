"""Entry point inside the sandbox: sets the resource limits, then serves the kernel.

The host starts it as a file, `python -I -S runner.py SETUP`. SETUP is a JSON object: `resources`
(limits by their name in `resource`) and the keys that `loop.serve` describes.
"""

from __future__ import annotations

import json
import os
import resource
import site
import sys
from types import ModuleType

PACKAGE = "starchat_tui.sandbox.guest"


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

    from starchat_tui.sandbox.guest.loop import serve

    serve(setup)


if __name__ == "__main__":
    main()
