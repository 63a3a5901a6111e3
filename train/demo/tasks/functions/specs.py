"""Specifications of functions, and functions as written in a conversation."""

from __future__ import annotations

import re
from dataclasses import dataclass
from random import Random
from string import Template
from typing import Any

from train.demo.tasks.family import Check
from train.demo.tasks.load_yaml import load_table
from train.demo.tasks.phrasing import to_sentence

Calls = tuple[tuple[str, str], ...]
SUBJECTS = ("lists", "numbers", "strings", "classics")
TYPED_NAMES = {
    "list": "numbers values items data xs nums elements things entries scores prices row".split(),
    "str": "text s word string line sentence name message phrase txt".split(),
    "dict": "mapping table d data counts info record lookup".split(),
    "other": "n x number value k a b num m p q t size limit first second left right".split(),
}


@dataclass(frozen=True, slots=True)
class FunctionSpec:
    """Specification of one function.

    Bodies are templates: $a $b $c the parameters, $f the name, $k a drawn value.
    """

    name: str
    group: str
    asks: tuple[str, ...]
    """Descriptions, each as "add up all numbers in a list"; {k} stands for the drawn value."""
    params: tuple[tuple[str, str], ...]
    """Name and type of each parameter."""
    returns: str
    body: str
    why: str
    """One line on how it works."""
    calls: Calls
    """Arguments, and the literal that each call must equal; f-strings over k if k is drawn."""
    others: tuple[tuple[str, str, str], ...] = ()
    """Other implementations: manner ("without slicing"), body, why."""
    cost: str = "It takes O(n) time: every element is visited once."
    imports: str = ""
    draws: tuple[int, int] | None = None
    """Range of $k."""

    def draw_value(self, rng: Random) -> int:
        """Draw a value of $k; 0 if there is none."""
        return rng.randint(*self.draws) if self.draws else 0

    def expand_calls(self, k: int) -> Calls:
        """Return the calls and their results for a drawn value."""
        if not self.draws:
            return self.calls
        return tuple(
            (_fill_fstring(args, k), _fill_fstring(result, k)) for args, result in self.calls
        )


@dataclass(frozen=True, slots=True)
class WrittenFunction:
    """Function as written in a conversation, with the changes so far."""

    spec: FunctionSpec
    name: str
    params: tuple[str, ...]
    k: int
    body: str
    why: str
    named: bool = False
    hinted: bool = False
    documented: bool = False
    signature: str = ""
    """Parameters as written, if they have default values."""

    def fill_template(self, template: str) -> str:
        """Fill a template with this function's names and value."""
        letters = dict(zip("abcd", self.params, strict=False))
        return Template(template).safe_substitute(letters, f=self.name, k=self.k)

    @property
    def purpose(self) -> str:
        """Purpose of the function, as "add up all numbers in a list"."""
        return self.spec.asks[0].replace("{k}", str(self.k))

    @property
    def code(self) -> str:
        """Complete source."""
        types = [kind for _, kind in self.spec.params]
        pairs = zip(self.params, types, strict=True)
        params = ", ".join(f"{name}: {kind}" if self.hinted else name for name, kind in pairs)
        params = self.signature or params
        returns = f" -> {self.spec.returns}" if self.hinted else ""
        lines = [f"def {self.name}({params}){returns}:"]
        if self.documented:
            lines.append(f'    """{to_sentence(self.purpose)}"""')
        lines += [
            "    " + line if line else ""
            for line in self.fill_template(self.body).strip().splitlines()
        ]
        head = f"{self.spec.imports}\n\n\n" if self.spec.imports else ""
        return head + "\n".join(lines)

    @property
    def calls(self) -> Calls:
        """Calls that must work, and their results."""
        return self.spec.expand_calls(self.k)

    def make_check(self, *has: str) -> Check:
        """Return the check of any source of this function; `has` must be in the code."""
        probes = tuple((f"$f({args})", result) for args, result in self.calls)
        return Check(probes=probes, name=self.name, named=self.named, has=has)


def load_functions() -> tuple[FunctionSpec, ...]:
    """Load every function of the tables."""
    return tuple(_parse_function(entry) for subject in SUBJECTS for entry in load_table(subject))


def _parse_function(entry: dict[str, Any]) -> FunctionSpec:
    others = tuple((o["manner"], o["body"], o["why"]) for o in entry.get("others", ()))
    calls = tuple((args, result) for args, result in entry["calls"])
    return FunctionSpec(
        **{
            **entry,
            "asks": tuple(entry["asks"]),
            "params": tuple(entry["params"].items()),
            "calls": calls,
            "others": others,
            "draws": tuple(entry["draws"]) if "draws" in entry else None,
        }
    )


def _fill_fstring(template: str, k: int) -> str:
    """Evaluate an f-string of our own tables over k."""
    return str(eval("f" + repr(template), {"k": k}))


def draw_params(rng: Random, spec: FunctionSpec, taken: str) -> tuple[str, ...]:
    """Draw different parameter names that are usual for their types."""
    names: list[str] = []
    # A parameter must not take the name of a variable in any of the bodies.
    used = set(re.findall(r"\w+", spec.body + "".join(body for _, body, _ in spec.others)))
    for default, kind in spec.params:
        pool = TYPED_NAMES.get(kind.split("[")[0], TYPED_NAMES["other"])
        choices = [n for n in pool if n not in {*names, taken, *used}]
        names.append(rng.choice(choices) if choices and rng.random() < 0.8 else default)
    return tuple(names) if len(set(names)) == len(names) else tuple(p for p, _ in spec.params)
