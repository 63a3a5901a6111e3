"""Environments on the disk: found by name or path, created as a whole or not at all, removed."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from starchat_tui.config.paths import expand_user_path
from starchat_tui.errors import Interrupted, Unavailable, UsageError
from starchat_tui.sandbox.environments.inspection import inspect_environment
from starchat_tui.sandbox.environments.installer import Installation, IsCancelled, Report
from starchat_tui.sandbox.environments.interpreter import Interpreter
from starchat_tui.sandbox.environments.known import RECIPES, EnvironmentRecipe, find_recipe
from starchat_tui.sandbox.environments.python_search import find_python

MARKER = "environment.json"
"""File that a complete environment has: it is written last, before the folder gets its name."""
_LOCK_POLL_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class InstalledEnvironment:
    """An environment that StarChat has created."""

    recipe: EnvironmentRecipe
    folder: Path
    python: str
    """Version of its Python."""
    size: int
    """In bytes."""
    is_outdated: bool
    """True if the pins have changed since it was created."""


class EnvironmentStore:
    """The environments of one user, in a folder of their own."""

    def __init__(self, root: Path, environ: Mapping[str, str]) -> None:
        """Create the store; `environ` is what the installers run with."""
        self.root = root
        self._environ = environ

    def find_interpreter(self, choice: str) -> Interpreter | None:
        """Return the interpreter of an environment by name or path.

        Returns None for a known environment that does not exist yet; raises `UsageError` for
        anything else that cannot run code.
        """
        recipe = find_recipe(choice)
        if recipe is None:
            interpreter = inspect_environment(self.resolve_path(choice))
            require_ipython(interpreter)
            return interpreter
        if self.find_installed(recipe) is None:
            return None
        folder = self.root / recipe.name
        found = inspect_environment(folder)
        # By its name: the path of the folder says less.
        return Interpreter(
            found.python, found.folders, found.links, found.version, found.libraries, recipe.name
        )

    def resolve_path(self, choice: str) -> Path:
        """Return the path that a choice names; raise `UsageError` for a mistyped name."""
        path = expand_user_path(choice)
        if "/" not in choice and not os.path.lexists(path):
            names = ", ".join(RECIPES)
            raise UsageError(
                f"No environment `{choice}`", f"use {names}, or the path of a virtual environment"
            )
        return Path(os.path.abspath(path))

    def find_installed(self, recipe: EnvironmentRecipe) -> InstalledEnvironment | None:
        """Return a complete environment; None if it does not exist."""
        folder = self.root / recipe.name
        try:
            marker = json.loads((folder / MARKER).read_text("utf-8"))
            python, size, digest = str(marker["python"]), int(marker["size"]), marker["lock"]
        except (OSError, ValueError, KeyError, TypeError):
            return None
        outdated = digest != recipe.compute_digest()
        return InstalledEnvironment(recipe, folder, python, size, outdated)

    def create(
        self,
        recipe: EnvironmentRecipe,
        report: Report,
        is_cancelled: IsCancelled = lambda: False,
    ) -> InstalledEnvironment:
        """Create an environment, or return it if it is there with the present pins.

        Two processes that want the same one at a time get one: the second waits for the first.

        Args:
            recipe: The environment.
            report: Receives texts about the progress.
            is_cancelled: Asked again and again; True ends the work and removes what there is of it.

        Raises:
            Interrupted: It was cancelled.
            Unavailable: It could not be created; the hint says what helps.
        """
        with self._lock(recipe, report, is_cancelled):
            found = self.find_installed(recipe)
            if found is not None and not found.is_outdated:
                return found
            python = find_python(recipe, self._environ)
            if difference := recipe.describe_python(python.version):
                report(difference)
            folder = self.root / f".creating-{recipe.name}"
            # What an interrupted creation left: it was killed, else it had cleaned up itself.
            shutil.rmtree(folder, ignore_errors=True)
            log = self.root / f"{recipe.name}.log"
            log.unlink(missing_ok=True)
            work = Installation(
                recipe,
                python.path,
                python.version,
                folder,
                log,
                self._environ,
                report,
                is_cancelled,
            )
            try:
                installer = work.run()
                version = f"{python.version[0]}.{python.version[1]}"
                self._complete(recipe, folder, {"python": version, "installer": installer})
            except BaseException:
                shutil.rmtree(folder, ignore_errors=True)
                raise
            log.unlink(missing_ok=True)
        created = self.find_installed(recipe)
        if created is None:
            raise Unavailable(
                f"The environment {recipe.name} vanished while it was created",
                f"`starchat env create {recipe.name}` creates it again",
            )
        return created

    def _complete(self, recipe: EnvironmentRecipe, folder: Path, facts: Mapping[str, str]) -> None:
        """Mark a new environment as complete, and put it in the place of an older one."""
        target = self.root / recipe.name
        _replace_in_scripts(folder / "bin", str(folder), str(target))
        marker = {**facts, "lock": recipe.compute_digest(), "size": measure_folder(folder)}
        (folder / MARKER).write_text(json.dumps(marker), "utf-8")
        inspect_environment(folder)
        if os.path.lexists(target):
            self._discard(target)
        folder.rename(target)

    def remove(self, name: str) -> Path:
        """Remove an environment and return its folder; raise `UsageError` if there is none."""
        recipe = find_recipe(name)
        if recipe is None:
            raise UsageError(
                f"StarChat has created no environment `{name}`",
                f"it creates {' and '.join(RECIPES)}; others are yours to remove",
            )
        folder = self.root / recipe.name
        with self._lock(recipe, lambda _: None, lambda: False):
            if not os.path.lexists(folder):
                raise UsageError(
                    f"The environment {name} does not exist", "`starchat env list` shows which do"
                )
            self._discard(folder)
        return folder

    def _discard(self, folder: Path) -> None:
        """Remove a folder; under another name first, so that half of it is never found."""
        old = folder.with_name(f".removing-{folder.name}")
        try:
            shutil.rmtree(old, ignore_errors=True)
            folder.rename(old)
        except OSError as error:
            raise Unavailable(
                f"`{folder}` cannot be removed ({error.strerror})", "remove it by hand"
            ) from error
        shutil.rmtree(old, ignore_errors=True)

    @contextmanager
    def _lock(
        self, recipe: EnvironmentRecipe, report: Report, is_cancelled: IsCancelled
    ) -> Iterator[None]:
        """Hold the lock of an environment; the kernel releases it if this process is killed."""
        try:
            self.root.mkdir(mode=0o755, parents=True, exist_ok=True)
            file = os.open(self.root / f".{recipe.name}.lock", os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise Unavailable(
                f"`{self.root}` cannot be written ({error.strerror})",
                "set STARCHAT_ENVIRONMENTS to a folder of your own",
            ) from error
        try:
            is_told = False
            while not _try_lock(file):
                if is_cancelled():
                    raise Interrupted("The environment was not created", "it was cancelled")
                if not is_told:
                    report("waiting for another StarChat that creates it")
                    is_told = True
                time.sleep(_LOCK_POLL_SECONDS)
            yield
        finally:
            os.close(file)


def _try_lock(file: int) -> bool:
    with suppress(BlockingIOError):
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    return False


def require_ipython(interpreter: Interpreter) -> None:
    """Raise `UsageError` with the command that helps if an environment has no IPython."""
    missing = [name for name in ("IPython", "matplotlib") if not interpreter.has_module(name)]
    if "IPython" in missing:
        plots = ", and no Matplotlib, which draws" if "matplotlib" in missing else ""
        raise UsageError(
            f"The environment `{interpreter.name}` has no IPython, which runs the code{plots}",
            f"install it: `{build_install_command(interpreter, missing)}`",
        )


def build_install_command(interpreter: Interpreter, modules: list[str]) -> str:
    """Return the command that installs packages into the environment of an interpreter."""
    names = " ".join(name.lower() for name in modules)
    if interpreter.has_module("pip"):
        return f"{interpreter.python} -m pip install {names}"
    return f"uv pip install --python {interpreter.python} {names}"


def _replace_in_scripts(folder: Path, old: str, new: str) -> None:
    """Change the path in the first lines of scripts, which name the interpreter of a folder."""
    for path in folder.iterdir():
        if path.is_symlink() or not path.is_file() or path.stat().st_size > 1 << 20:
            continue
        data = path.read_bytes()
        if old.encode() in data:
            path.write_bytes(data.replace(old.encode(), new.encode()))


def measure_folder(folder: Path) -> int:
    """Return the bytes that the files of a folder have, links not followed."""
    total = 0
    for where, _, names in os.walk(folder):
        for name in names:
            with suppress(OSError):
                total += os.lstat(os.path.join(where, name)).st_size
    return total


def describe_creation(store: EnvironmentStore, recipe: EnvironmentRecipe) -> str:
    """Return what is about to be created, before it is: its size and its place."""
    return (
        f"creating the environment {recipe.name}, {recipe.summary}: about {recipe.megabytes} MB"
        f" in {store.root / recipe.name}"
    )
