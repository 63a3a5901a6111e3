"""Names that code of 2023 takes for granted: provided where they are missing, and told.

Nothing that exists is changed: no function of a library behaves differently, no variable of the
reader's is overwritten. Where a library itself changed, `hints.py` has a sentence.
"""

from __future__ import annotations

import ast
import builtins
import importlib
import re
import sys
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

from starchat_tui.sandbox.guest import countries
from starchat_tui.sandbox.guest.figures import BACKEND

ALIASES = {
    "np": "numpy",
    "pd": "pandas",
    "plt": "matplotlib.pyplot",
    "sns": "seaborn",
    "gpd": "geopandas",
    "mpl": "matplotlib",
}
"""What the field calls its libraries."""
_STYLE = re.compile(r"""["'](seaborn(?:-(?!v0_8)[\w-]+)?)["']""")
_WINDOWS = re.compile(
    r"(?i)^(tk|qt|gtk|wx|mac|nbagg|web|ipympl|widget|notebook|module://(ipympl|matplotlib_inline))"
)
_INLINE = ("", "inline", "agg", "auto")


class Compat:
    """What one kernel provides; where `strict`, only the plots' way to the reader."""

    def __init__(self, shell: Any, note: Callable[[str], None], *, strict: bool) -> None:
        self._shell, self._note, self._strict = shell, note, strict
        shell.register_magic_function(self._matplotlib, "line", "matplotlib")

    def prepare(self, code: str) -> str:
        """The code to run in the place of `code`, after what it lacks was provided."""
        code = code.lstrip("\n")
        if "matplotlib.use" in code or "mpl.use" in code or "switch_backend" in code:
            self._keep_backend()
        if self._strict:
            return code
        if "datasets" in code and ("geopandas" in code or "gpd" in code):
            self._provide_countries()
        code = self._offline(code)
        self._provide_styles(code)
        self._provide_names(code)
        return code

    def _matplotlib(self, line: str) -> None:
        """`%matplotlib inline`; every other word means the same, for want of windows."""
        import matplotlib

        words = line.split()
        if "-l" in words or "--list" in words:
            self._note("Of the backends of matplotlib, `inline` is available.")
        elif words and words[0].lower() not in _INLINE:
            self._note(
                f"`%matplotlib {words[0]}` shows plots as `inline` does: there are no windows."
            )
        if matplotlib.rcParams["backend"] != BACKEND:
            matplotlib.use(BACKEND)

    def _keep_backend(self) -> None:
        """A backend with windows cannot be had: `matplotlib.use` keeps ours, and says so."""
        import matplotlib
        from matplotlib import pyplot

        for module, name in ((matplotlib, "use"), (pyplot, "switch_backend")):
            real = getattr(module, name)
            if not hasattr(real, "windows"):
                setattr(module, name, self._choosing(real))

    def _choosing(self, real: Callable[..., Any]) -> Callable[..., Any]:
        def use(backend: Any, *args: Any, **kwargs: Any) -> Any:
            name = str(backend)
            if name.lower() in _INLINE or name == BACKEND:
                return real(BACKEND, *args, **kwargs)
            if _WINDOWS.match(name):
                self._note(f"The backend `{name}` has windows; plots are shown here instead.")
                return real(BACKEND, *args, **kwargs)
            return real(backend, *args, **kwargs)

        use.windows = False  # type: ignore[attr-defined]
        return use

    def _provide_countries(self) -> None:
        module = ModuleType("geopandas.datasets", "Maps that geopandas used to bring.")
        module.get_path = countries.get_path  # type: ignore[attr-defined]
        module.available = [countries.NAME]  # type: ignore[attr-defined]
        if getattr(sys.modules.get("geopandas.datasets"), "get_path", None) is countries.get_path:
            return
        sys.modules["geopandas.datasets"] = module
        importlib.import_module("geopandas").datasets = module  # type: ignore[attr-defined]
        self._note(
            f"compat: geopandas.datasets → {countries.NAME}, a copy that ships with StarChat"
        )

    def _offline(self, code: str) -> str:
        for address, path in countries.offline(code):
            code = code.replace(address, path)
            self._note(f"compat: {address} → {path}, a copy that ships with StarChat")
        return code

    def _provide_styles(self, code: str) -> None:
        wanted = set(_STYLE.findall(code))
        if not wanted or "style" not in code:
            return
        from matplotlib import style

        for name in sorted(wanted):
            today = name.replace("seaborn", "seaborn-v0_8", 1)
            if name in style.library or today not in style.library:
                continue
            style.library[name] = style.library[today]
            self._note(f"compat: {name} → {today}")

    def _provide_names(self, code: str) -> None:
        try:
            tree = ast.parse(self._shell.transform_cell(code))
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return
        read: set[str] = set()
        bound: set[str] = set()
        for node in ast.walk(tree):
            if isinstance(node, ast.Name):
                (read if isinstance(node.ctx, ast.Load) else bound).add(node.id)
            else:
                bound.update(_bound(node))
        for name in sorted((read & set(ALIASES)) - bound):
            if name in self._shell.user_ns or hasattr(builtins, name):
                continue
            try:
                exec(f"import {ALIASES[name]} as {name}", self._shell.user_ns)
            except ImportError:
                continue
            self._note(f"compat: {name} → import {ALIASES[name]} as {name}")


def _bound(node: ast.AST) -> Iterator[str]:
    """The names that a node of another kind than `Name` binds."""
    if isinstance(node, ast.Import | ast.ImportFrom):
        for alias in node.names:
            yield alias.asname or alias.name.split(".")[0]
            if alias.name == "*":
                # It may bind any: leave the code alone.
                yield from ALIASES
    elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        yield node.name
    elif isinstance(node, ast.arg):
        yield node.arg
    elif isinstance(node, ast.ExceptHandler) and node.name:
        yield node.name
