"""State of a class after some turns of a conversation, and its source."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from string import Template
from typing import Any

from train.demo.tasks.family import Check
from train.demo.tasks.load_yaml import load_table
from train.demo.tasks.phrasing import with_article

TYPES = {
    **dict.fromkeys("name title color word city user letter owner".split(), "str"),
    **dict.fromkeys("age price size speed weight score level power year count".split(), "int"),
}
"""Types of attributes; any other is `object`."""


@dataclass(frozen=True, slots=True)
class Method:
    """Method of the table, with the name and the attribute that the question gave it."""

    op: str
    name: str
    about: str = ""


@dataclass(frozen=True, slots=True)
class ClassState:
    """Class after some turns."""

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
        """Entry of this kind of class in data/classes.yaml."""
        return load_table("classes")["kinds"][self.kind]

    @property
    def docstring(self) -> str:
        """Docstring of the class: a sentence that names it."""
        thing = self.kind if self.kind in ("stack", "queue") else split_words(self.name)
        return f"{with_article_unless_plural(thing).capitalize()}."

    @property
    def code(self) -> str:
        """Source of the whole class."""
        parts = [f'    """{self.docstring}"""'] if self.documented else []
        parts.append(self._render_init())
        parts += [self._render_method(method) for method in self.methods]
        return f"class {self.name}:\n" + "\n\n".join(parts)

    @property
    def check(self) -> Check:
        """Check of any answer that gives the class in this state."""
        held = tuple(
            (f"{self.fill_template('$new')}.{a}", str(i)) for i, a in self._number_attributes()
        )
        probes = tuple(
            (self.fill_template(test, method), self.fill_template(want, method))
            for method in self.methods
            for test, want in (find_operation(method)["probe"],)
        )
        has = ('"""',) * self.documented + ("-> None",) * self.hinted
        return Check(probes=held + probes, name=self.name, named=self.named, has=has)

    @property
    def added_methods(self) -> tuple[Method, ...]:
        """Methods that a follow-up asked for."""
        return tuple(method for method in self.methods if "kinds" in find_operation(method))

    def fill_template(self, text: str, method: Method | None = None, **more: str) -> str:
        """Fill the `$names` of a text from the table; `$f` stays."""
        a = (method.about if method else "") or (self.attributes or ("",))[0]
        # The first two methods of a stack or a queue put and take; a record may have none.
        names = [m.name for m in self.methods] or [""]
        slots = {
            "cls": self.name,
            "v": split_words(self.name).replace(" ", "_"),
            "m": method.name if method else "",
            "a": a,
            "type": TYPES.get(a, "object"),
            "value": str(self.attributes.index(a) + 1) if a else "",
            "put": names[0],
            "get": names[min(1, len(names) - 1)],
            "first": names[0],
            "new": f"$f({', '.join(str(i) for i, _ in self._number_attributes())})",
            "else": f"$f({', '.join('9' for _ in self.attributes)})",
        }
        return Template(text).safe_substitute({**slots, **self._render_lists(), **more})

    def _number_attributes(self) -> list[tuple[int, str]]:
        return list(enumerate(self.attributes, start=1))

    def _render_lists(self) -> dict[str, str]:
        """Return the attributes in every notation that method bodies need."""
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
        numbered = self._number_attributes()
        return {
            name: between.join(way(i, a) for i, a in numbered)
            for name, (between, way) in ways.items()
        }

    def _render_init(self) -> str:
        fields, starts = self.facts["fields"], self.facts["starts"]
        body = [f"self.{a} = {a}" for a in self.attributes]
        for field, start in starts.items():
            hint = f": {fields[field]}" if self.hinted and start == "[]" else ""
            body.append(f"self.{field}{hint} = {start}")
        params = {a: TYPES.get(a, "object") for a in self.attributes}
        return self._render_def("__init__", params, "None", body)

    def _render_method(self, method: Method) -> str:
        op = find_operation(method)
        params = {
            self.fill_template(name, method): self.fill_template(hint, method)
            for name, hint in op.get("params", {}).items()
        }
        returns = self.fill_template(op.get("returns", "None"), method)
        return self._render_def(
            method.name, params, returns, [self.fill_template(x, method) for x in op["body"]]
        )

    def _render_def(
        self, name: str, params: dict[str, str], returns: str, body: Sequence[str]
    ) -> str:
        given = [f"{param}: {hint}" if self.hinted else param for param, hint in params.items()]
        arrow = f" -> {returns}" if self.hinted else ""
        lines = "\n".join(f"        {line}" for line in body)
        return f"    def {name}({', '.join(('self', *given))}){arrow}:\n{lines}"


def find_operation(method: Method) -> Any:
    """Return the table's entry of a method."""
    return load_table("classes")["methods"][method.op]


def split_words(name: str) -> str:
    """Split a CamelCase name into lower-case words."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).lower()


def with_article_unless_plural(noun: str) -> str:
    """Return `a user`, `an age`, and a plural without an article."""
    if noun.endswith("s") and not noun.endswith("ss"):
        return noun
    return with_article(noun)
