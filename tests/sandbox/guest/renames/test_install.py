"""Installation of renames: for user code only, once in a run, and never with `--strict`."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from types import ModuleType

import pytest

from starchat_tui.sandbox.guest.import_hooks import ImportHooks
from starchat_tui.sandbox.guest.renames.declarations import (
    ChangedCall,
    RemovedMember,
    RemovedModule,
    RemovedName,
)
from starchat_tui.sandbox.guest.renames.install import (
    RENAMES,
    RenameInstaller,
    is_user_code,
)
from starchat_tui.sandbox.host.kernel import SandboxKernel
from tests.sandbox.kernels import open_kernel, run_code


@pytest.mark.bwrap
async def test_strict_leaves_the_libraries_alone() -> None:
    async with open_kernel(strict=True) as kernel:
        await run_code(kernel, "import numpy as np, pandas as pd, matplotlib.pyplot as plt")
        for code in ("np.float", "pd.Series([1]).iteritems()", "plt.gcf().gca(projection='3d')"):
            run = await run_code(kernel, code)
            assert (run.end.status, run.figures) == ("error", []), code
            assert not any(note.startswith("compat:") for note in run.notes)


@pytest.mark.bwrap
async def test_a_loop_is_reported_once_and_a_later_run_again(kernel: SandboxKernel) -> None:
    note = ["compat: np.float → float (changed in NumPy 1.24)"]
    assert (await run_code(kernel, "import numpy\nfor i in range(9): numpy.float")).notes == note
    assert (await run_code(kernel, "numpy.float")).notes == note


@pytest.mark.bwrap
async def test_what_was_never_there_fails_as_before(kernel: SandboxKernel) -> None:
    run = await run_code(kernel, "import numpy\nnumpy.lineSpace")
    assert run.failure.message == "module 'numpy' has no attribute 'lineSpace'"
    run = await run_code(kernel, "import pandas\npandas.DataFrame({'a': [1]}).appendix")
    assert run.failure.message == "'DataFrame' object has no attribute 'appendix'"
    assert (await run_code(kernel, "import pandas.tools.other")).failure.name == (
        "ModuleNotFoundError"
    )


@pytest.mark.bwrap
async def test_a_column_comes_before_a_method_that_is_gone(kernel: SandboxKernel) -> None:
    run = await run_code(kernel, "print(pd.DataFrame({'append': [1], 'mad': [2]}).mad.tolist())")
    assert (run.out, run.notes) == ("[2]\n", ["compat: pd → import pandas as pd"])


@pytest.mark.bwrap
async def test_libraries_do_not_see_what_is_provided(kernel: SandboxKernel) -> None:
    code = """
import inspect, numpy as np, pandas as pd, matplotlib.pyplot as plt
frame = pd.DataFrame({"a": [1]})
members = dict(inspect.getmembers(frame)).keys() | set(dir(pd.DataFrame)) | set(dir(plt.gca()))
print({"append", "iteritems", "set_axis_bgcolor", "applymap"} & members)
print(inspect.getattr_static(frame, "append", None), "float" in dir(np))
plt.close("all")
"""
    run = await run_code(kernel, code)
    assert run.out.splitlines()[0] == "set()"
    assert run.out.splitlines()[1] == "None False"


def test_user_code_is_told_from_libraries() -> None:
    assert is_user_code(compile("1", "<ipython-input-1-abc>", "exec"))
    assert is_user_code(compile("1", "/cell/helper.py", "exec"))
    assert not is_user_code(compile("1", "/env/lib/python3.11/site-packages/x.py", "exec"))
    assert not is_user_code(compile("1", importlib.util.__file__, "exec"))
    assert not is_user_code(compile("1", "<frozen importlib._bootstrap>", "exec"))


def test_a_library_that_still_has_the_old_form_is_left_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def old(labels: str = "") -> str:
        return labels

    library = ModuleType("library")
    library.__version__ = "1.2.9"  # type: ignore[attr-defined]
    library.old, library.name = old, 5  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "library", library)
    hooks, notes = ImportHooks(), list[str]()

    def rename(original: object, args: list[object], named: dict[str, object]) -> None:
        pytest.fail("adapted")

    RenameInstaller(hooks, notes.append).install(
        [
            ChangedCall("library", "", ("old",), "library 1.3", rename),
            RemovedName("library", "name", "library 1.0", "math.pi"),
            RemovedName("library", "gone", "library 1.0", "math.pi"),
        ]
    )
    assert library.old is old
    assert library.name == 5
    assert notes == []
    assert round(library.gone, 2) == 3.14
    assert notes == ["compat: library.gone → math.pi (changed in library 1.0)"]


def test_a_library_that_is_not_installed_stays_absent() -> None:
    moved = RemovedModule("absent_library.outer.inner", "absent 1.0", "math")
    RenameInstaller(ImportHooks(), list[str]().append).install([moved])
    with pytest.raises(ModuleNotFoundError, match=r"^No module named 'absent_library'$"):
        importlib.import_module("absent_library.outer.inner")


def test_every_rename_says_since_when() -> None:
    assert len(RENAMES) > 150
    for rename in RENAMES:
        assert rename.since.rpartition(" ")[2].replace(".", "").isdigit(), rename
        if isinstance(rename, RemovedName):
            assert rename.shown or isinstance(rename.target, str), rename
    seen = [
        (one.module, getattr(one, "owner", ""), one.name)
        for one in RENAMES
        if isinstance(one, RemovedName | RemovedMember)
    ]
    assert len(seen) == len(set(seen))
    assert any(isinstance(one, RemovedModule) for one in RENAMES)
