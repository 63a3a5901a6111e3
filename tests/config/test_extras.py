"""Optional dependencies that are not installed."""

from __future__ import annotations

import pytest

from starchat_tui.config import extras
from starchat_tui.config.extras import find_missing_extra, require_extra
from starchat_tui.errors import MissingExtra


def test_a_missing_module_names_the_command_that_installs_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    known = {"local": ("The local engine", ("json", "no_such_module"))}
    monkeypatch.setattr(extras, "EXTRAS", known)
    with pytest.raises(MissingExtra, match="The local engine needs `no_such_module`") as caught:
        require_extra("local")
    assert "pip install 'starchat-tui[local]'" in caught.value.hint
    assert "--url" in caught.value.hint


def test_installed_modules_are_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extras, "EXTRAS", {"plots": ("Running code", ("json", "ast"))})
    require_extra("plots")
    monkeypatch.setattr(extras, "EXTRAS", {"plots": ("Running code", ("json", "no_such_module"))})
    with pytest.raises(MissingExtra):
        require_extra("plots")


@pytest.mark.parametrize(
    ("module", "extra"), [("torch", "local"), ("torch.nn", "local"), ("PIL", "plots")]
)
def test_a_failed_import_is_explained_by_its_extra(module: str, extra: str) -> None:
    found = find_missing_extra(ImportError("No module", name=module))
    assert found is not None
    assert f"starchat-tui[{extra}]" in found.hint


@pytest.mark.parametrize("name", ["tomllib", "", None])
def test_another_failed_import_is_not_explained(name: str | None) -> None:
    assert find_missing_extra(ImportError("No module", name=name)) is None
