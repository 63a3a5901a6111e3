"""Origin of an error: the code that raised it, and the last code of the user's on the way there."""

from __future__ import annotations

import dis
import os
import sys
import traceback
from dataclasses import dataclass
from types import FrameType, ModuleType

from starchat_tui.sandbox.guest.tracebacks import get_message
from starchat_tui.sandbox.guest.workspace import find_code_folder


@dataclass(frozen=True, slots=True)
class Origin:
    """Place where an error was raised."""

    error: BaseException
    message: str
    frames: tuple[tuple[FrameType, int], ...]
    """Calls from the code of the user to the one that raised, each with its line."""
    raised_by_user: bool
    """True if a `raise` or an `assert` of the user's own code raised the error."""

    @property
    def user_frame(self) -> tuple[FrameType, int] | None:
        """Last call of the user's code, with its line; None if there is none."""
        users = [one for one in self.frames if is_user_frame(one[0])]
        return users[-1] if users else None

    @property
    def in_user_code(self) -> bool:
        """True if the last call is the user's: the error comes from it, or from compiled code."""
        return bool(self.frames) and is_user_frame(self.frames[-1][0])

    @property
    def module(self) -> str:
        """Name of the module that raised the error."""
        names = [get_module(frame) for frame, _ in self.frames]
        # It compares arguments with a signature, for another module.
        return next((name for name in reversed(names) if name != "inspect"), "")

    @property
    def entry(self) -> tuple[str, str]:
        """Module and function that the user's code called; empty if nothing in Python."""
        users = [at for at, (frame, _) in enumerate(self.frames) if is_user_frame(frame)]
        called = self.frames[users[-1] + 1 :] if users else self.frames
        return (get_module(called[0][0]), get_qualname(called[0][0])) if called else ("", "")

    def calls(self, module: str) -> bool:
        """Return whether a module, or one below it, is among the callers of what raised."""
        names = [get_module(frame) for frame, _ in self.frames]
        return any(is_inside(name, module) for name in names)


def trace_origin(error: BaseException) -> Origin:
    """Return the origin of an error."""
    walked = list(traceback.walk_tb(error.__traceback__))
    first = next((at for at, (frame, _) in enumerate(walked) if is_user_frame(frame)), 0)
    frames = tuple(walked[first:])
    raised = bool(frames) and is_user_frame(frames[-1][0]) and _raises(error)
    return Origin(error, get_message(error), frames, raised)


def _raises(error: BaseException) -> bool:
    """Return whether the last instruction of the traceback is a `raise`."""
    last = error.__traceback__
    while last is not None and last.tb_next is not None:
        last = last.tb_next
    if last is None:
        return False
    code = last.tb_frame.f_code.co_code
    return 0 <= last.tb_lasti < len(code) and code[last.tb_lasti] == dis.opmap["RAISE_VARARGS"]


def is_user_frame(frame: FrameType) -> bool:
    """Return whether a frame runs a cell, a script, or a module beside it."""
    if get_module(frame) == "__main__":
        # IPython's own runner has this name where it is started as a program.
        return not frame.f_code.co_filename.startswith("/run/guest/")
    return _is_beside_code(frame.f_code.co_filename)


def is_user_module(name: str) -> bool:
    """Return whether a module is the code of the cells, or a file beside it."""
    file = getattr(sys.modules.get(name), "__file__", None)
    return name == "__main__" or (isinstance(file, str) and _is_beside_code(file))


def _is_beside_code(path: str) -> bool:
    return os.path.abspath(path).startswith(f"{find_code_folder()}{os.sep}")


def get_module(frame: FrameType) -> str:
    """Return the name of the module that a frame belongs to."""
    return str(frame.f_globals.get("__name__", ""))


def get_qualname(frame: FrameType) -> str:
    """Return the qualified name of a frame's function; Python 3.10 has only the plain one."""
    return str(getattr(frame.f_code, "co_qualname", frame.f_code.co_name))


def is_inside(module: str, package: str) -> bool:
    """Return whether a module is the package, or one of its modules."""
    return module == package or module.startswith(f"{package}.")


def list_owners(value: object) -> list[str]:
    """Return the names by which tables know a module, or the classes of an object.

    A class goes by its top package: `pandas.DataFrame`, wherever pandas defines it.
    """
    if isinstance(value, ModuleType):
        return [str(vars(value).get("__name__", ""))]
    kinds = type(value).__mro__
    return [f"{str(kind.__module__).partition('.')[0]}.{kind.__name__}" for kind in kinds]
