"""SQL queries that change from turn to turn: conditions, order, counts, deletion."""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from train.demo.tasks.classes.class_state import with_article_unless_plural
from train.demo.tasks.family import Check, Drawer, Exchange, Family, TaskSampler, format_answer
from train.demo.tasks.functions.function_families import end_with_thanks
from train.demo.tasks.languages.snippets import RESERVED, make_sql_check
from train.demo.tasks.load_yaml import load_table
from train.demo.tasks.phrasing import NOUNS, PEOPLE, phrase_question

GROUP = "follow-up sql"
OPENINGS = {"where": 1.6, "aged": 1.0, "names": 1.4, "all": 1.0, "columns": 1.0, "sort": 1.0}
FOLLOW_UPS = {
    "where": 4,
    "unless": 1,
    "sort": 3,
    "alphabet": 2,
    "descending": 4,
    "highest": 2,
    "limit": 3,
    "columns": 3,
    "star": 2,
    "count": 3,
    "largest": 1,
    "smallest": 1,
    "sum": 1,
    "delete": 2,
}
"""Follow-ups, and their weights."""
SIGNS: dict[str, Callable[[Any, Any], bool]] = {
    ">": operator.gt,
    "<": operator.lt,
    ">=": operator.ge,
    "<=": operator.le,
    "!=": operator.ne,
}
AGGREGATES: dict[str, tuple[str, Callable[[list[int]], int]]] = {
    "largest": ("MAX", max),
    "smallest": ("MIN", min),
    "sum": ("SUM", sum),
}
UNCOUNTABLE_NOUNS = frozenset("data temperature sugar coffee paper light".split())
"""Nouns without a plural."""
NUMBERS = "price age score amount size weight total_cost level points year".split()
MAX_TRIES = 60
"""Draws of a follow-up that fits, before a conversation ends."""
Row = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Query:
    """Query on a table of two columns, after some turns."""

    table: str
    text: str
    number: str
    rows: tuple[Row, ...]
    columns: tuple[str, ...] = ()
    """Selected columns; all of them if empty."""
    conditions: tuple[tuple[str, str, int | str], ...] = ()
    order: str = ""
    descending: bool = False
    limit: int = 0
    aggregate: str = ""
    """`count` or a key of `AGGREGATES`."""
    deletes: bool = False

    @property
    def sql(self) -> str:
        """The statement."""
        parts = [
            "DELETE" if self.deletes else f"SELECT {self._render_selection()}",
            f"FROM {self.table}",
        ]
        if self.conditions:
            tests = (
                f"{column} {sign} {_format_literal(value)}"
                for column, sign, value in self.conditions
            )
            parts.append("WHERE " + " AND ".join(tests))
        if self.order:
            parts.append(f"ORDER BY {self.order}" + " DESC" * self.descending)
        if self.limit:
            parts.append(f"LIMIT {self.limit}")
        return " ".join(parts) + ";"

    @property
    def result(self) -> list[tuple[object, ...]]:
        """Rows that the statement gives, or that a deletion leaves."""
        selected = [row for row in self.rows if self._matches(row)]
        if self.deletes:
            return [row for row in self.rows if row not in selected]
        if self.aggregate == "count":
            return [(len(selected),)]
        if self.aggregate:
            return (
                [(AGGREGATES[self.aggregate][1]([number for _, number in selected]),)]
                if selected
                else []
            )
        if self.order:
            at = self._find_column(self.order)
            selected.sort(key=lambda row: row[at], reverse=self.descending)
        columns = [self._find_column(column) for column in self.columns] or [0, 1]
        cells: list[tuple[object, ...]] = [tuple(row[at] for at in columns) for row in selected]
        return cells[: self.limit] if self.limit else cells

    @property
    def slots(self) -> dict[str, object]:
        """Values for the slots of questions."""
        article = with_article_unless_plural(self.number)
        names = {"t": self.table, "c": self.text, "cs": pluralize(self.text)}
        return {**names, "v": self.number, "av": article}

    @property
    def check(self) -> Check:
        """Check that a statement gives the right rows."""
        after = f"SELECT * FROM {self.table}" if self.deletes else ""
        return make_sql_check((self.table, self.text, self.number), self.rows, self.result, after)

    def _render_selection(self) -> str:
        if self.aggregate:
            return (
                "COUNT(*)"
                if self.aggregate == "count"
                else f"{AGGREGATES[self.aggregate][0]}({self.number})"
            )
        return ", ".join(self.columns) or "*"

    def _find_column(self, column: str) -> int:
        return (self.text, self.number).index(column)

    def _matches(self, row: Row) -> bool:
        tests = (
            (SIGNS[sign], row[self._find_column(c)], value) for c, sign, value in self.conditions
        )
        return all(test(cell, value) for test, cell, value in tests)


@dataclass(frozen=True, slots=True)
class Change:
    """Query after a turn, with the slots of the question and the key of the answer's sentence."""

    query: Query
    slots: tuple[tuple[str, object], ...] = ()
    before: str = ""
    asks: str = ""


def families() -> tuple[Family, ...]:
    """Return a family for each kind of first query."""
    return (
        *(
            Family(f"later_sql_{n}", "sql", _make_drawer(n), weight, stage="finetune")
            for n, weight in OPENINGS.items()
        ),
        Family("later_sql_count", "sql", _make_drawer("count"), 1.0, stage="finetune"),
    )


def pluralize(noun: str) -> str:
    """Return the plural of a noun of the lexicon."""
    if noun.endswith("y") and noun[-2] not in "aeiou":
        return noun[:-1] + "ies"
    return noun if noun.endswith("s") else noun + "s"


def _format_literal(value: int | str) -> str:
    return f"'{value}'" if isinstance(value, str) else str(value)


def _choose_phrasing(sampler: TaskSampler, part: str, name: str) -> str:
    return sampler.choose_phrasing(tuple(load_table("sql")["queries"][part][name]))


def _make_drawer(name: str) -> Drawer:
    def draw(sampler: TaskSampler) -> tuple[Exchange, ...]:
        change = _draw_first(sampler, name)
        question = phrase_question(
            sampler, _choose_phrasing(sampler, "first", name), **_collect_slots(change)
        )
        exchanges = [_build_exchange(question, change, "sql")]
        now = change.query
        for _ in range(sampler.rng.choices((1, 2, 3), (40, 40, 20))[0]):
            if now.deletes:
                break
            found = _draw_follow_up(sampler, now)
            if found is None:
                break
            then, change = found
            question = phrase_question(
                sampler, _choose_phrasing(sampler, "then", then), **_collect_slots(change)
            )
            exchanges.append(_build_exchange(question, change, GROUP))
            now = change.query
        return end_with_thanks(sampler, *exchanges)

    return draw


def _collect_slots(change: Change) -> dict[str, object]:
    return {**change.query.slots, **dict(change.slots)}


def _build_exchange(question: str, change: Change, group: str) -> Exchange:
    before = load_table("sql")["queries"]["before"][change.before]
    return Exchange(
        question, format_answer(before, change.query.sql, language="sql"), change.query.check, group
    )


def _draw_table(sampler: TaskSampler, *, aged: bool) -> Query:
    """Draw a table with rows, of which one text occurs twice, and select all of it."""
    rng = sampler.rng
    known = [
        entry for entry in load_table("sql")["queries"]["tables"] if not aged or entry[2] == "age"
    ]
    if aged or sampler.chance(0.55):
        name, text, number = rng.choice(known)
    else:
        nouns = [noun for noun in NOUNS if noun not in RESERVED | UNCOUNTABLE_NOUNS]
        one, text = rng.sample(nouns, 2)
        name = pluralize(one)
        number = rng.choice([column for column in NUMBERS if column not in (one, text)])
    words = rng.sample([word.lower() for word in (*PEOPLE, *NOUNS)], 8)
    # A repeated text tells `COUNT` from the number of different texts.
    words.insert(rng.randint(2, 8), words[0])
    rows = tuple(zip(words, rng.sample(range(1, 100), len(words)), strict=True))
    return Query(name, text, number, rows)


def _draw_first(sampler: TaskSampler, name: str) -> Change:
    query = _draw_table(sampler, aged=name == "aged")
    if name in ("columns", "names"):
        query = replace(query, columns=(query.text,))
    if name == "sort":
        return Change(replace(query, order=query.number), before="sort")
    if name in ("all", "columns"):
        return Change(query, before=name)
    aggregate = "count" if name == "count" else ""
    # A condition that keeps all rows or none could not be told from a wrong one.
    while not 0 < len((change := _add_condition(sampler, query)).query.result) < len(query.rows):
        pass
    return replace(
        change,
        query=replace(change.query, aggregate=aggregate),
        before="count" if aggregate else "where",
    )


def _add_condition(sampler: TaskSampler, query: Query) -> Change:
    """Add a condition on the number column."""
    rng, data = sampler.rng, load_table("sql")["queries"]
    sign = rng.choice((">", ">", ">", "<", "<", ">=", "<="))
    k = rng.randint(5, 95)
    cmp = rng.choice(data["compare"][sign])
    is_ = cmp if cmp == sign else f"is {cmp}"
    aged = rng.choice(data["aged"][sign]).format(k=k)
    slots = (("k", k), ("cmp", cmp), ("is", is_), ("sign", sign), ("aged", aged))
    new = replace(query, conditions=(*query.conditions, (query.number, sign, k)))
    if query.conditions:
        return Change(new, slots, "and", "and")
    return Change(new, slots, "where", "where")


def _draw_follow_up(sampler: TaskSampler, now: Query) -> tuple[str, Change] | None:
    """Draw a follow-up that changes the result and leaves some rows; None if none is found."""
    for _ in range(MAX_TRIES):
        name = sampler.rng.choices(tuple(FOLLOW_UPS), tuple(FOLLOW_UPS.values()))[0]
        change = _apply_change(sampler, now, name)
        if change and change.query.sql != now.sql and _is_informative(now, change.query):
            return change.asks or name, change
    return None


def _is_informative(now: Query, new: Query) -> bool:
    if new.deletes:
        return 0 < len(new.result) < len(new.rows)
    return bool(new.result) and new.result != now.result and new.result != [(0,)]


def _apply_change(sampler: TaskSampler, now: Query, name: str) -> Change | None:
    """Apply the follow-up called `name`; None if it makes no sense after this query."""
    if name == "where":
        signs = {sign[0] for column, sign, _ in now.conditions if column == now.number}
        change = _add_condition(sampler, now) if len(now.conditions) < 2 and not now.limit else None
        return change if change and change.query.conditions[-1][1][0] not in signs else None
    if name == "unless":
        return _exclude_text(sampler, now)
    if name == "delete":
        deleted = Query(now.table, now.text, now.number, now.rows, (), now.conditions, deletes=True)
        return Change(deleted, before=name) if now.conditions and not now.limit else None
    if name == "count" or name in AGGREGATES:
        if now.limit:
            return None
        return Change(replace(now, aggregate=name, order="", descending=False), before=name)
    return None if now.aggregate else _change_view(sampler, now, name)


def _exclude_text(sampler: TaskSampler, now: Query) -> Change | None:
    if now.limit or len(now.conditions) != 1:
        return None
    word = sampler.rng.choice([text for text, _ in now.rows])
    new = replace(now, conditions=(*now.conditions, (now.text, "!=", word)))
    return Change(new, (("w", word),), "and")


def _change_view(sampler: TaskSampler, now: Query, name: str) -> Change | None:
    """Change the order, the number of rows or the columns."""
    texts = now.columns == (now.text,)
    if name == "sort" and not now.limit:
        return Change(replace(now, order=now.number, descending=False), before="sort")
    if name == "highest" and not now.limit:
        return Change(replace(now, order=now.number, descending=True), before="descending")
    if name == "alphabet" and texts and not now.limit:
        return Change(replace(now, order=now.text, descending=False), before="sort")
    if name == "descending" and now.order and not now.descending:
        return Change(replace(now, descending=True), before="descending")
    if name == "limit" and not now.limit and (most := len(now.result) - 1) > 0:
        n = sampler.rng.randint(min(2, most), most)
        return Change(replace(now, limit=n), (("n", n),), "limit")
    if name == "columns" and not now.columns:
        return Change(replace(now, columns=(now.text,)), before="columns")
    if name == "star" and texts and now.order != now.text:
        return Change(replace(now, columns=()), before="all")
    return None
