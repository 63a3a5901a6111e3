"""First step of a root host to the sandbox: switch to user nobody, then run bubblewrap.

Run as a program of its own: `python -I -S drop_privileges.py FD PROGRAM …`. FD holds JSON: `user`,
and `private_folders`, which only root may enter, each with the paths below it that have to be
readable all the same. In a mount namespace of its own, each is covered by an empty folder with just
those paths in it. It imports no other module of StarChat, which may be installed in such a folder.

It replaces itself by bubblewrap, so that no process of root's stays in between: PR_SET_PDEATHSIG is
only delivered if the parent may signal the child, and bubblewrap run by root gives that up.
"""

from __future__ import annotations

import ctypes
import json
import os
import sys

_CLONE_NEWNS = 0x20000
_MS_BIND, _MS_PRIVATE_REC = 0x1000, 0x4C000
"""MS_BIND, and MS_PRIVATE with MS_REC (linux/mount.h)."""
_SIZE = "mode=755,size=1m"
_libc = ctypes.CDLL(None, use_errno=True)


def main() -> None:
    """Cover the private folders, switch to the user, and execute the program."""
    with open(int(sys.argv[1]), "rb") as file:
        plan = json.load(file)
    if plan["private_folders"]:
        _check_result(_libc.unshare(_CLONE_NEWNS), "unshare")
        # Mounts propagate by default: without this they would appear in the host's namespace too.
        _mount("none", "/", None, _MS_PRIVATE_REC)
    for private, readable in plan["private_folders"].items():
        _hide_folder(private, readable)
    # In this order: after setresuid the groups could not be changed any more, and root's group
    # would stay.
    os.setgroups([])
    os.setresgid(*[plan["user"]] * 3)
    os.setresuid(*[plan["user"]] * 3)
    os.execv(sys.argv[2], sys.argv[2:])


def _hide_folder(private: str, readable: list[str]) -> None:
    """Mount an empty folder over `private`, and bind into it the paths that have to be readable."""
    # Opened first: once the folder is covered, its paths no longer lead there.
    sources = {path: os.open(path, os.O_PATH) for path in readable}
    _mount("tmpfs", private, "tmpfs", 0, _SIZE)
    for path, source in sources.items():
        if os.path.isdir(f"/proc/self/fd/{source}"):
            os.makedirs(path, 0o755)
        else:
            os.makedirs(os.path.dirname(path), 0o755, exist_ok=True)
            os.close(os.open(path, os.O_CREAT | os.O_WRONLY))
        _mount(f"/proc/self/fd/{source}", path, None, _MS_BIND)
        os.close(source)


def _mount(source: str, target: str, kind: str | None, flags: int, options: str = "") -> None:
    words = [word.encode() if word is not None else None for word in (source, target, kind)]
    result = _libc.mount(*words, ctypes.c_ulong(flags), options.encode() or None)
    _check_result(result, f"mount on {target}")


def _check_result(result: int, what: str) -> None:
    if result < 0:
        number = ctypes.get_errno()
        sys.exit(f"drop_privileges: {what}: {os.strerror(number)}")


if __name__ == "__main__":
    os.umask(0o022)
    main()
