"""Things that code of 2023 expects: provided where they are missing, and reported to the user.

No variable of the user is overwritten, and a library function behaves differently only where it
would fail: it would need a window, a network, or a name that its library has removed. What could
mean two things is left to fail, and `hints.py` explains the error.
"""

from __future__ import annotations

import ast
import builtins
import re
import warnings
from collections.abc import Callable, Iterator
from typing import Any

from starchat_tui.sandbox.guest import countries, example_data
from starchat_tui.sandbox.guest.figures import BACKEND
from starchat_tui.sandbox.guest.fonts import FontSubstitution
from starchat_tui.sandbox.guest.import_hooks import ImportHooks
from starchat_tui.sandbox.guest.renames.install import RENAMES, RenameInstaller
from starchat_tui.sandbox.guest.renames.tables import provide_frequencies
from starchat_tui.sandbox.guest.video import provide_encoder

LIBRARY_ALIASES = {
    "np": "numpy",
    "pd": "pandas",
    "plt": "matplotlib.pyplot",
    "sns": "seaborn",
    "gpd": "geopandas",
    "mpl": "matplotlib",
}
"""Conventional aliases, which answers often use without their import."""
# Matplotlib 3.6 renamed its seaborn styles to `seaborn-v0_8-…`, and until 3.8 takes the old names.
_OLD_STYLES_REMOVED = (3, 8)
_NEEDLESS_WARNINGS = (
    "The seaborn styles shipped by Matplotlib are deprecated",
    "The geopandas.dataset module is deprecated",
)
"""Warnings of libraries about what they still do, and StarChat provides in later versions."""
_STYLE_NAME = re.compile(r"""["'](seaborn(?:-(?!v0_8)[\w-]+)?)["']""")
_GUI_BACKEND = re.compile(
    r"(?i)^(tk|qt|gtk|wx|mac|nbagg|web|ipympl|widget|notebook|module://(ipympl|matplotlib_inline))"
)
_INLINE_NAMES = ("", "inline", "agg", "auto")


class CompatLayer:
    """Provides the missing names of one kernel; with `strict`, only the way plots are shown."""

    def __init__(self, shell: Any, note: Callable[[str], None], *, strict: bool) -> None:
        """Register with an IPython shell; `note` takes a sentence for the user."""
        self._shell, self._send_note, self._strict = shell, note, strict
        self._notes: set[str] = set()
        """Notes of this run: a loop that uses a name a thousand times is told once."""
        # IPython's own `%matplotlib` would load a GUI event loop or `matplotlib_inline`.
        shell.register_magic_function(self._run_matplotlib_magic, "line", "matplotlib")
        self._fonts = FontSubstitution(self._note, strict=strict)
        self._add_import_hooks(ImportHooks())

    def _add_import_hooks(self, hooks: ImportHooks) -> None:
        """Change libraries as they are imported, by whatever module."""
        hooks.add("matplotlib.font_manager", self._fonts.watch_font_manager)
        hooks.add("matplotlib._text_helpers", self._fonts.watch_glyphs)
        hooks.add("matplotlib.animation", provide_encoder)
        if self._strict:
            return
        for message in _NEEDLESS_WARNINGS:
            warnings.filterwarnings("ignore", message)
        RenameInstaller(hooks, self._note).install(RENAMES)
        hooks.add("pandas", lambda it: provide_frequencies(it, self._note))
        hooks.add("PIL.ImageFont", self._fonts.watch_pillow)
        hooks.add("seaborn.utils", lambda it: example_data.provide_tables(it, self._note))
        hooks.add("geopandas.datasets", lambda it: countries.provide_datasets(it, self._note))

    def end_run(self) -> None:
        """Send the notes that sum up a run."""
        self._fonts.send_notes()

    def _note(self, text: str) -> None:
        if text not in self._notes:
            self._notes.add(text)
            self._send_note(text)

    def prepare_code(self, code: str) -> str:
        """Provide what `code` lacks; return the code to run instead of it."""
        # Line numbers in a traceback count from the first line of code, as the user sees it.
        code = code.lstrip("\n")
        self._notes.clear()
        self._fonts.begin_run()
        if "matplotlib.use" in code or "mpl.use" in code or "switch_backend" in code:
            self._pin_backend()
        if self._strict:
            return code
        code = self._use_offline_copies(code)
        self._provide_styles(code)
        self._provide_names(code)
        return code

    def _run_matplotlib_magic(self, line: str) -> None:
        """Run `%matplotlib …`: every backend means `inline`, because there are no windows."""
        import matplotlib

        words = line.split()
        if "-l" in words or "--list" in words:
            self._note("The only matplotlib backend in the sandbox is `inline`")
        elif words and words[0].lower() not in _INLINE_NAMES:
            self._note(
                f"The sandbox has no windows: `%matplotlib {words[0]}` shows plots like `inline`"
            )
        if matplotlib.rcParams["backend"] != BACKEND:
            matplotlib.use(BACKEND)

    def _pin_backend(self) -> None:
        """Let `matplotlib.use` and `plt.switch_backend` keep our backend instead of windows."""
        import matplotlib
        from matplotlib import pyplot

        for module, name in ((matplotlib, "use"), (pyplot, "switch_backend")):
            original = getattr(module, name)
            if not hasattr(original, "is_starchat_wrapper"):
                setattr(module, name, self._wrap_backend_setter(original))

    def _wrap_backend_setter(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def use(backend: Any, *args: Any, **kwargs: Any) -> Any:
            name = str(backend)
            # It was an argument before matplotlib 3.3.
            kwargs.pop("warn", None)
            # Agg as well: scripts choose it to save files, and their plots are shown here anyway.
            if name.lower() in _INLINE_NAMES or name == BACKEND:
                return original(BACKEND, *args, **kwargs)
            if _GUI_BACKEND.match(name):
                self._note(f"The sandbox has no windows: plots of `{name}` are shown here instead")
                return original(BACKEND, *args, **kwargs)
            return original(backend, *args, **kwargs)

        use.is_starchat_wrapper = True  # type: ignore[attr-defined]
        return use

    def _use_offline_copies(self, code: str) -> str:
        for url, path in countries.find_offline_copies(code):
            code = code.replace(url, path)
            self._note(f"compat: {url} → {path}, a copy that ships with StarChat")
        return code

    def _provide_styles(self, code: str) -> None:
        wanted = set(_STYLE_NAME.findall(code))
        if not wanted or "style" not in code:
            return
        import matplotlib
        from matplotlib import style

        if matplotlib.__version_info__[:2] < _OLD_STYLES_REMOVED:
            return
        for name in sorted(wanted):
            new_name = name.replace("seaborn", "seaborn-v0_8", 1)
            if name in style.library or new_name not in style.library:
                continue
            style.library[name] = style.library[new_name]
            self._note(f"compat: {name} → {new_name}")

    def _provide_names(self, code: str) -> None:
        """Import the libraries that `code` reads by an alias without defining it."""
        try:
            # Transformed first: magics and `!cmd` are not Python.
            tree = ast.parse(self._shell.transform_cell(code))
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return
        read: set[str] = set()
        bound: set[str] = set()
        for node in ast.walk(tree):
            if isinstance(node, ast.Name):
                (read if isinstance(node.ctx, ast.Load) else bound).add(node.id)
            else:
                bound.update(_bound_names(node))
        for name in sorted((read & set(LIBRARY_ALIASES)) - bound):
            if name in self._shell.user_ns or hasattr(builtins, name):
                continue
            try:
                exec(f"import {LIBRARY_ALIASES[name]} as {name}", self._shell.user_ns)
            except ImportError:
                # Not installed: the code raises its own `NameError`.
                continue
            self._note(f"compat: {name} → import {LIBRARY_ALIASES[name]} as {name}")


def _bound_names(node: ast.AST) -> Iterator[str]:
    """Yield the names that a node of another kind than `Name` binds."""
    if isinstance(node, ast.Import | ast.ImportFrom):
        for alias in node.names:
            yield alias.asname or alias.name.split(".")[0]
            if alias.name == "*":
                # It may bind any of them: provide none.
                yield from LIBRARY_ALIASES
    elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        yield node.name
    elif isinstance(node, ast.arg):
        yield node.arg
    elif isinstance(node, ast.ExceptHandler) and node.name:
        yield node.name
