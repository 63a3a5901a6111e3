"""A class as it stands after some turns of a conversation, and its source."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from string import Template
from typing import Any

from train.demo.tasks.family import Check
from train.demo.tasks.load_yaml import table
from train.demo.tasks.phrasing import with_article

TYPES = {
    **dict.fromkeys("name title color word city user letter owner".split(), "str"),
    **dict.fromkeys("age price size speed weight score level power year count".split(), "int"),
}
"""What an attribute holds; `object` where it could be anything."""


@dataclass(frozen=True, slots=True)
class Method:
    """A method of our table, with the name and the attribute that the question gave it."""

    op: str
    name: str
    about: str = ""


@dataclass(frozen=True, slots=True)
class Made:
    """A class as it stands after some turns."""

    kind: str
    name: str
    attributes: tuple[str, ...] = ()
    methods: tuple[Method, ...] = ()
    named: bool = True
    documented: bool = False
    hinted: bool = False
    removed: tuple[str, ...] = ()

    @property
    def facts(self) -> Any:
        """The table's entry of this kind of class."""
        return table("later_classes")["kinds"][self.kind]

    @property
    def doc(self) -> str:
        """What the class is, as a sentence."""
        thing = self.kind if self.kind in ("stack", "queue") else words_of(self.name)
        return f"{counted(thing).capitalize()}."

    @property
    def code(self) -> str:
        """The source of the whole class."""
        parts = [f'    """{self.doc}"""'] if self.documented else []
        parts.append(self._init())
        parts += [self._method(method) for method in self.methods]
        return f"class {self.name}:\n" + "\n\n".join(parts)

    @property
    def check(self) -> Check:
        """What must hold of any answer that gives the class as it stands."""
        held = tuple((f"{self.fill('$new')}.{a}", str(i)) for i, a in self._numbered())
        probes = tuple(
            (self.fill(test, method), self.fill(want, method))
            for method in self.methods
            for test, want in (op_of(method)["probe"],)
        )
        has = ('"""',) * self.documented + ("-> None",) * self.hinted
        return Check(probes=held + probes, name=self.name, named=self.named, has=has)

    @property
    def added(self) -> tuple[Method, ...]:
        """The methods that a follow-up asked for."""
        return tuple(method for method in self.methods if "kinds" in op_of(method))

    def fill(self, text: str, method: Method | None = None, **more: str) -> str:
        """Text of the table with its `$names` filled in; `$f` stays."""
        a = (method.about if method else "") or (self.attributes or ("",))[0]
        names = [m.name for m in self.methods] or [""]
        slots = {
            "cls": self.name,
            "v": words_of(self.name).replace(" ", "_"),
            "m": method.name if method else "",
            "a": a,
            "type": TYPES.get(a, "object"),
            "value": str(self.attributes.index(a) + 1) if a else "",
            "put": names[0],
            "get": names[min(1, len(names) - 1)],
            "first": names[0],
            "new": f"$f({', '.join(str(i) for i, _ in self._numbered())})",
            "else": f"$f({', '.join('9' for _ in self.attributes)})",
        }
        return Template(text).safe_substitute({**slots, **self._lists(), **more})

    def _numbered(self) -> list[tuple[int, str]]:
        return list(enumerate(self.attributes, start=1))

    def _lists(self) -> dict[str, str]:
        """The attributes written in all the ways that methods need."""
        ways: dict[str, tuple[str, Callable[[int, str], str]]] = {
            "shown": (", ", lambda i, a: f"{{self.{a}}}"),
            "shown_repr": (", ", lambda i, a: f"{{self.{a}!r}}"),
            "selves": (", ", lambda i, a: f"self.{a}"),
            "same": (" and ", lambda i, a: f"self.{a} == other.{a}"),
            "pairs": (", ", lambda i, a: f'"{a}": self.{a}'),
            "given": (", ", lambda i, a: f'"{a}": {i}'),
            "values": (", ", lambda i, a: str(i)),
            "printed": (" ", lambda i, a: str(i)),
        }
        numbered = self._numbered()
        return {
            name: between.join(way(i, a) for i, a in numbered)
            for name, (between, way) in ways.items()
        }

    def _init(self) -> str:
        fields, starts = self.facts["fields"], self.facts["starts"]
        body = [f"self.{a} = {a}" for a in self.attributes]
        for field, start in starts.items():
            hint = f": {fields[field]}" if self.hinted and start == "[]" else ""
            body.append(f"self.{field}{hint} = {start}")
        params = {a: TYPES.get(a, "object") for a in self.attributes}
        return self._def("__init__", params, "None", body)

    def _method(self, method: Method) -> str:
        op = op_of(method)
        params = {
            self.fill(name, method): self.fill(hint, method)
            for name, hint in op.get("params", {}).items()
        }
        returns = self.fill(op.get("returns", "None"), method)
        return self._def(method.name, params, returns, [self.fill(x, method) for x in op["body"]])

    def _def(self, name: str, params: dict[str, str], returns: str, body: Sequence[str]) -> str:
        given = [f"{param}: {hint}" if self.hinted else param for param, hint in params.items()]
        arrow = f" -> {returns}" if self.hinted else ""
        lines = "\n".join(f"        {line}" for line in body)
        return f"    def {name}({', '.join(('self', *given))}){arrow}:\n{lines}"


def op_of(method: Method) -> Any:
    """The table's entry of a method."""
    return table("later_classes")["methods"][method.op]


def words_of(name: str) -> str:
    """The words of a CamelCase name, in lower case."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).lower()


def counted(noun: str) -> str:
    """`a user`, `an age`, and plurals as they are."""
    if noun.endswith("s") and not noun.endswith("ss"):
        return noun
    return with_article(noun)
