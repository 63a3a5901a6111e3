"""SQL queries that grow turn by turn: a condition, an order, a count, and the rows deleted."""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from train.demo.tasks.classes.class_state import counted
from train.demo.tasks.family import Check, Draw, Drawer, Exchange, Family, answer
from train.demo.tasks.functions.function_families import thanked
from train.demo.tasks.languages.snippets import RESERVED, sql_check
from train.demo.tasks.load_yaml import table
from train.demo.tasks.phrasing import NOUNS, PEOPLE, ask

GROUP = "follow-up sql"
FIRSTS = {"where": 1.6, "aged": 1.0, "names": 1.4, "all": 1.0, "columns": 1.0, "sort": 1.0}
THENS = {
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
"""Follow-ups, and how often each is tried."""
SIGNS: dict[str, Callable[[Any, Any], bool]] = {
    ">": operator.gt,
    "<": operator.lt,
    ">=": operator.ge,
    "<=": operator.le,
    "!=": operator.ne,
}
FOLDS: dict[str, tuple[str, Callable[[list[int]], int]]] = {
    "largest": ("MAX", max),
    "smallest": ("MIN", min),
    "sum": ("SUM", sum),
}
ODD = frozenset("data temperature sugar coffee paper light".split())
"""Nouns with no plural."""
NUMBERS = "price age score amount size weight total_cost level points year".split()
TRIES = 60
"""Draws of a follow-up that may not fit, before a conversation ends."""
Row = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Query:
    """A query on a table of two columns, as it stands after some turns."""

    table: str
    text: str
    number: str
    rows: tuple[Row, ...]
    columns: tuple[str, ...] = ()
    """None of them is the star."""
    conditions: tuple[tuple[str, str, int | str], ...] = ()
    order: str = ""
    descending: bool = False
    limit: int = 0
    fold: str = ""
    """`count` or a key of `FOLDS`."""
    deletes: bool = False

    @property
    def sql(self) -> str:
        """The statement."""
        parts = ["DELETE" if self.deletes else f"SELECT {self._what()}", f"FROM {self.table}"]
        if self.conditions:
            tests = (
                f"{column} {sign} {_literal(value)}" for column, sign, value in self.conditions
            )
            parts.append("WHERE " + " AND ".join(tests))
        if self.order:
            parts.append(f"ORDER BY {self.order}" + " DESC" * self.descending)
        if self.limit:
            parts.append(f"LIMIT {self.limit}")
        return " ".join(parts) + ";"

    @property
    def result(self) -> list[tuple[object, ...]]:
        """The rows that the statement gives; those that it leaves where it deletes."""
        kept = [row for row in self.rows if self._keeps(row)]
        if self.deletes:
            return [row for row in self.rows if row not in kept]
        if self.fold == "count":
            return [(len(kept),)]
        if self.fold:
            return [(FOLDS[self.fold][1]([number for _, number in kept]),)] if kept else []
        if self.order:
            at = self._at(self.order)
            kept.sort(key=lambda row: row[at], reverse=self.descending)
        places = [self._at(column) for column in self.columns] or [0, 1]
        given: list[tuple[object, ...]] = [tuple(row[at] for at in places) for row in kept]
        return given[: self.limit] if self.limit else given

    @property
    def slots(self) -> dict[str, object]:
        """What the questions may name."""
        article = counted(self.number)
        names = {"t": self.table, "c": self.text, "cs": plural(self.text)}
        return {**names, "v": self.number, "av": article}

    @property
    def check(self) -> Check:
        """That the statement gives the right rows."""
        after = f"SELECT * FROM {self.table}" if self.deletes else ""
        return sql_check((self.table, self.text, self.number), self.rows, self.result, after)

    def _what(self) -> str:
        if self.fold:
            return "COUNT(*)" if self.fold == "count" else f"{FOLDS[self.fold][0]}({self.number})"
        return ", ".join(self.columns) or "*"

    def _at(self, column: str) -> int:
        return (self.text, self.number).index(column)

    def _keeps(self, row: Row) -> bool:
        tests = ((SIGNS[sign], row[self._at(c)], value) for c, sign, value in self.conditions)
        return all(test(cell, value) for test, cell, value in tests)


@dataclass(frozen=True, slots=True)
class Change:
    """The query after a turn, and what the question and the answer say of it."""

    query: Query
    slots: tuple[tuple[str, object], ...] = ()
    before: str = ""
    asks: str = ""


def families() -> tuple[Family, ...]:
    """A family for each way to begin."""
    return (
        *(Family(f"later_sql_{n}", "sql", _drawer(n), weight) for n, weight in FIRSTS.items()),
        Family("later_sql_count", "sql", _drawer("count"), 1.0),
    )


def plural(noun: str) -> str:
    """The plural of a noun of our lists."""
    if noun.endswith("y") and noun[-2] not in "aeiou":
        return noun[:-1] + "ies"
    return noun if noun.endswith("s") else noun + "s"


def _literal(value: int | str) -> str:
    return f"'{value}'" if isinstance(value, str) else str(value)


def _phrase(dice: Draw, part: str, name: str) -> str:
    return dice.phrase(tuple(table("later_queries")[part][name]))


def _drawer(name: str) -> Drawer:
    def draw(dice: Draw) -> tuple[Exchange, ...]:
        change = _first(dice, name)
        question = ask(dice, _phrase(dice, "first", name), **_slots(change))
        exchanges = [_exchange(question, change, "sql")]
        now = change.query
        for _ in range(dice.rng.choices((1, 2, 3), (40, 40, 20))[0]):
            if now.deletes:
                break
            found = _then(dice, now)
            if found is None:
                break
            then, change = found
            question = ask(dice, _phrase(dice, "then", then), **_slots(change))
            exchanges.append(_exchange(question, change, GROUP))
            now = change.query
        return thanked(dice, *exchanges)

    return draw


def _slots(change: Change) -> dict[str, object]:
    return {**change.query.slots, **dict(change.slots)}


def _exchange(question: str, change: Change, group: str) -> Exchange:
    before = table("later_queries")["before"][change.before]
    return Exchange(
        question, answer(before, change.query.sql, language="sql"), change.query.check, group
    )


def _started(dice: Draw, *, aged: bool) -> Query:
    """A table with rows, all of it selected; one text stands there twice."""
    rng = dice.rng
    known = [entry for entry in table("later_queries")["tables"] if not aged or entry[2] == "age"]
    if aged or dice.chance(0.55):
        name, text, number = rng.choice(known)
    else:
        nouns = [noun for noun in NOUNS if noun not in RESERVED | ODD]
        one, text = rng.sample(nouns, 2)
        name = plural(one)
        number = rng.choice([column for column in NUMBERS if column not in (one, text)])
    words = rng.sample([word.lower() for word in (*PEOPLE, *NOUNS)], 8)
    words.insert(rng.randint(2, 8), words[0])
    rows = tuple(zip(words, rng.sample(range(1, 100), len(words)), strict=True))
    return Query(name, text, number, rows)


def _first(dice: Draw, name: str) -> Change:
    query = _started(dice, aged=name == "aged")
    if name in ("columns", "names"):
        query = replace(query, columns=(query.text,))
    if name == "sort":
        return Change(replace(query, order=query.number), before="sort")
    if name in ("all", "columns"):
        return Change(query, before=name)
    fold = "count" if name == "count" else ""
    while not 0 < len((change := _condition(dice, query)).query.result) < len(query.rows):
        pass
    return replace(
        change, query=replace(change.query, fold=fold), before="count" if fold else "where"
    )


def _condition(dice: Draw, query: Query) -> Change:
    """One condition more on the number column."""
    rng, data = dice.rng, table("later_queries")
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


def _then(dice: Draw, now: Query) -> tuple[str, Change] | None:
    """A follow-up whose query gives other rows than the one before, and some; None without one."""
    for _ in range(TRIES):
        name = dice.rng.choices(tuple(THENS), tuple(THENS.values()))[0]
        change = _change(dice, now, name)
        if change and change.query.sql != now.sql and _tells(now, change.query):
            return change.asks or name, change
    return None


def _tells(now: Query, new: Query) -> bool:
    if new.deletes:
        return 0 < len(new.result) < len(new.rows)
    return bool(new.result) and new.result != now.result and new.result != [(0,)]


def _change(dice: Draw, now: Query, name: str) -> Change | None:
    """The follow-up called so; None where it makes no sense after this query."""
    if name == "where":
        signs = {sign[0] for column, sign, _ in now.conditions if column == now.number}
        change = _condition(dice, now) if len(now.conditions) < 2 and not now.limit else None
        return change if change and change.query.conditions[-1][1][0] not in signs else None
    if name == "unless":
        return _unless(dice, now)
    if name == "delete":
        deleted = Query(now.table, now.text, now.number, now.rows, (), now.conditions, deletes=True)
        return Change(deleted, before=name) if now.conditions and not now.limit else None
    if name == "count" or name in FOLDS:
        if now.limit:
            return None
        return Change(replace(now, fold=name, order="", descending=False), before=name)
    return None if now.fold else _shown(dice, now, name)


def _unless(dice: Draw, now: Query) -> Change | None:
    if now.limit or len(now.conditions) != 1:
        return None
    word = dice.rng.choice([text for text, _ in now.rows])
    new = replace(now, conditions=(*now.conditions, (now.text, "!=", word)))
    return Change(new, (("w", word),), "and")


def _shown(dice: Draw, now: Query, name: str) -> Change | None:
    """Another order, another number of rows, other columns."""
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
        n = dice.rng.randint(min(2, most), most)
        return Change(replace(now, limit=n), (("n", n),), "limit")
    if name == "columns" and not now.columns:
        return Change(replace(now, columns=(now.text,)), before="columns")
    if name == "star" and texts and now.order != now.text:
        return Change(replace(now, columns=()), before="all")
    return None
