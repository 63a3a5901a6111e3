"""Root's first step to the wall: become nobody, who can read the interpreter; then run bubblewrap.

Run as a program of its own: `python -I -S become.py FD PROGRAM …`, where FD holds JSON: `user`, and
`covers`, folders that only root may enter and what in them has to be read all the same. In a mount
namespace of its own each is covered by an empty folder with just that in it. Imports nothing of
ours. No process of root's stays in between: the signal that a parent's end sends (PR_SET_PDEATHSIG)
is only delivered where the parent may signal the child, and bubblewrap as root gives that up.
"""

from __future__ import annotations

import ctypes
import json
import os
import sys

_NEW_MOUNTS = 0x20000
_BIND, _PRIVATE = 0x1000, 0x4C000
"""MS_BIND, and MS_PRIVATE with MS_REC (linux/mount.h)."""
_SIZE = "mode=755,size=1m"
_libc = ctypes.CDLL(None, use_errno=True)


def main() -> None:
    """Cover, become, and turn into the program."""
    with open(int(sys.argv[1]), "rb") as file:
        plan = json.load(file)
    if plan["covers"]:
        _checked(_libc.unshare(_NEW_MOUNTS), "unshare")
        _mount("none", "/", None, _PRIVATE)
    for closed, within in plan["covers"].items():
        _cover(closed, within)
    os.setgroups([])
    os.setresgid(*[plan["user"]] * 3)
    os.setresuid(*[plan["user"]] * 3)
    os.execv(sys.argv[2], sys.argv[2:])


def _cover(closed: str, within: list[str]) -> None:
    """Put an empty folder over `closed`, and into it what has to be read."""
    sources = {path: os.open(path, os.O_PATH) for path in within}
    _mount("tmpfs", closed, "tmpfs", 0, _SIZE)
    for path, source in sources.items():
        if os.path.isdir(f"/proc/self/fd/{source}"):
            os.makedirs(path, 0o755)
        else:
            os.makedirs(os.path.dirname(path), 0o755, exist_ok=True)
            os.close(os.open(path, os.O_CREAT | os.O_WRONLY))
        _mount(f"/proc/self/fd/{source}", path, None, _BIND)
        os.close(source)


def _mount(source: str, target: str, kind: str | None, flags: int, options: str = "") -> None:
    words = [word.encode() if word is not None else None for word in (source, target, kind)]
    result = _libc.mount(*words, ctypes.c_ulong(flags), options.encode() or None)
    _checked(result, f"mount on {target}")


def _checked(result: int, what: str) -> None:
    if result < 0:
        number = ctypes.get_errno()
        sys.exit(f"become: {what}: {os.strerror(number)}")


if __name__ == "__main__":
    os.umask(0o022)
    main()
