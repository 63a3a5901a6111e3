"""Lock files that ship: exact versions, a reason each, one version for each Python."""

from __future__ import annotations

import re
from typing import get_args

import pytest
from packaging.requirements import Requirement

from starchat_tui.config.settings import KnownEnvironment
from starchat_tui.sandbox.environments.known import RECIPES, EnvironmentRecipe, find_recipe

NEEDED = set(
    "numpy pandas matplotlib seaborn scipy scikit-learn geopandas pillow plotly sympy networkx "
    "statsmodels requests tqdm openpyxl nbformat ipython".split()
)
each_recipe = pytest.mark.parametrize("recipe", RECIPES.values(), ids=lambda one: one.name)


def list_lines(recipe: EnvironmentRecipe) -> list[str]:
    lines = recipe.lock_file.read_text("utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def test_every_known_environment_has_a_recipe() -> None:
    assert set(RECIPES) == set(get_args(KnownEnvironment))
    assert find_recipe("2023") is RECIPES["2023"]
    assert find_recipe("./2023") is None


@each_recipe
def test_every_pin_is_exact_and_says_why(recipe: EnvironmentRecipe) -> None:
    for line in list_lines(recipe):
        assert re.fullmatch(r"[a-z0-9.-]+==[\w.]+( ; [^#]+)?  # \S.*", line), line


@each_recipe
def test_every_python_gets_each_package_once(recipe: EnvironmentRecipe) -> None:
    requirements = [Requirement(line.partition("  #")[0]) for line in list_lines(recipe)]
    for version in recipe.pythons:
        environment = {"python_version": "{}.{}".format(*version), "sys_platform": "linux"}
        names = [
            one.name for one in requirements if not one.marker or one.marker.evaluate(environment)
        ]
        assert sorted(names) == sorted(set(names))
        assert set(names) >= NEEDED
        assert len(names) <= recipe.count_pins()


def test_another_python_than_the_best_says_what_differs() -> None:
    assert RECIPES["2023"].describe_python((3, 11)) == ""
    assert RECIPES["current"].describe_python((3, 13)) == ""
    for version in ((3, 12), (3, 13)):
        text = RECIPES["2023"].describe_python(version)
        assert "`append`" in text
        assert "Python 3.11" in text
