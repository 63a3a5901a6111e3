"""Small functions with drawn names and numbers, in Python and other languages."""

from __future__ import annotations

import json
from dataclasses import dataclass
from random import Random
from string import Template
from typing import Any

from train.demo.tasks.family import Check
from train.demo.tasks.functions.specs import TYPED_NAMES, Calls, FunctionSpec, WrittenFunction
from train.demo.tasks.load_yaml import load_table
from train.demo.tasks.phrasing import NOUNS, draw_identifier

LANGUAGE_TITLES = {"python": "Python", "javascript": "JavaScript", "c": "C"}


@dataclass(frozen=True, slots=True)
class TinyFunction:
    """Drawn function with its purpose, parameters, body in each language, and results."""

    name: str
    purpose: str
    params: tuple[tuple[str, str], ...]
    returns: str
    bodies: dict[str, str]
    template: str
    """Python body with $a and $b for the parameters."""
    why: str
    calls: tuple[tuple[str, str], ...]
    """Arguments in Python, and the literal that each call must equal."""

    def render(self, language: str) -> str:
        """Return the source in one language."""
        names = ", ".join(name for name, _ in self.params)
        if language == "python":
            lines = "\n".join("    " + line for line in self.bodies["python"].splitlines())
            return f"def {self.name}({names}):\n{lines}"
        if language == "c":
            names = ", ".join(f"int {name}" for name, _ in self.params)
            return f"int {self.name}({names}) {{\n    {self.bodies['c']}\n}}"
        return f"function {self.name}({names}) {{\n  {self.bodies[language]}\n}}"

    def make_check(self, language: str) -> Check:
        """Return the check of any source of this function in `language`."""
        if language == "python":
            probes = tuple((f"$f({args})", result) for args, result in self.calls)
            return Check(probes=probes, name=self.name, named=True)
        return make_language_check(language, self.name, self.calls)

    def to_written(self) -> WrittenFunction:
        """Convert the Python version for the families that change functions."""
        spec = FunctionSpec(
            name=self.name,
            group="lists",
            asks=(self.purpose,),
            params=self.params,
            returns=self.returns,
            body=self.template,
            why=self.why,
            calls=self.calls,
            cost="It takes O(n) time: every element is visited once."
            if self.params[0][1] in ("list", "str")
            else "It takes O(1) time: there is no loop.",
        )
        params = tuple(name for name, _ in self.params)
        return WrittenFunction(spec, self.name, params, 0, spec.body, self.why, named=True)


def make_language_check(language: str, name: str, calls: Calls) -> Check:
    """Return the check of a function in JavaScript or C, by its printed results."""
    values = [(eval(f"[{args}]", {}), eval(result, {})) for args, result in calls]
    given = [", ".join(map(json.dumps, args)) for args, _ in values]
    if language == "c":
        prints = "".join(f' printf("%d\\n", {name}({args}));' for args in given)
        after = f"#include <stdio.h>\nint main(void) {{{prints} return 0; }}"
        results = [str(int(result)) for _, result in values]
    else:
        after = "\n".join(f"console.log(JSON.stringify({name}({a})));" for a in given)
        results = [json.dumps(result, separators=(",", ":")) for _, result in values]
    return Check(language=language, after=after, stdout="\n".join(results), has=(name,))


def draw_tiny(rng: Random, *languages: str) -> TinyFunction:
    """Draw a function that the table has in all these languages."""
    entries = [entry for entry in load_table("tiny") if all(name in entry for name in languages)]
    return _draw_entry(rng, rng.choice(entries))


def _draw_entry(rng: Random, entry: dict[str, Any]) -> TinyFunction:
    name = draw_identifier(rng)
    kinds = list(entry["params"].values())
    pools = [TYPED_NAMES.get(kind, TYPED_NAMES["other"]) for kind in kinds]
    names = list(entry["params"])
    if rng.random() < 0.6:
        # Some of the bodies have a variable `s` of their own.
        free = [[n for n in pool if n not in {name, "s", "k"}] for pool in pools]
        names = rng.sample(free[0], 2) if len(kinds) == 2 else [rng.choice(free[0])]
    values = {"k": rng.randint(2, 99), "m": rng.randint(2, 99), "w": rng.choice(NOUNS)}
    letters = dict(zip("ab", names, strict=False)) | {k: str(v) for k, v in values.items()}

    def fill(text: str) -> str:
        return Template(text).safe_substitute(letters)

    numbers = {k: str(v) for k, v in values.items()}
    template = Template(entry["python"]).safe_substitute(numbers)
    bodies: dict[str, str] = {
        key: fill(entry[key]) for key in ("python", "javascript", "c") if key in entry
    }
    space: dict[str, Any] = {}
    lines = "\n".join("    " + line for line in bodies["python"].splitlines())
    exec(f"def f({', '.join(names)}):\n{lines}", space)  # our own table's text only
    args = [repr(eval(f"[{fill(text)}]", {}))[1:-1] for text in entry["args"]]
    calls = tuple((text, repr(eval(f"f({text})", space))) for text in args)
    params = tuple(zip(names, kinds, strict=True))
    return TinyFunction(
        name=name,
        purpose=fill(entry["does"]),
        params=params,
        returns=entry["returns"],
        bodies=bodies,
        template=template,
        why=fill(entry["why"]),
        calls=calls,
    )
