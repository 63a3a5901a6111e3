"""Classes whose names, attributes and methods come from the question."""

from __future__ import annotations

from train.demo.tasks.data_formats import spoken
from train.demo.tasks.family import Check, Draw, Exchange, Family, answer
from train.demo.tasks.functions.bugs import ATTRIBUTES, NOUN_CLASSES
from train.demo.tasks.load_yaml import phrases
from train.demo.tasks.phrasing import NOUNS, ask, identifier
from train.demo.tasks.programs.scripts import Maker, drawer

TYPES = {"name": "str", "title": "str", "color": "str"}


def families() -> tuple[Family, ...]:
    """Every kind of class."""
    makers: dict[str, Maker] = {
        "class": _class,
        "dataclass": _dataclass,
        "class_method": _class_method,
        "counter": _counter,
        "stack": _stack,
        "queue": _queue,
        "inherit": _inherit,
        "account": _account,
    }
    return tuple(Family(name, "classes", drawer(maker), 1.3) for name, maker in makers.items())


def _shape(dice: Draw, least: int = 1, most: int = 4) -> tuple[str, list[str]]:
    cls = dice.rng.choice(NOUN_CLASSES) if dice.chance(0.6) else dice.rng.choice(NOUNS).title()
    return cls, dice.rng.sample(
        sorted({*ATTRIBUTES, *NOUNS[:30]} - {cls.lower()}), dice.rng.randint(least, most)
    )


def _init(cls: str, attributes: list[str]) -> str:
    sets = "\n".join(f"        self.{name} = {name}" for name in attributes)
    return f"class {cls}:\n    def __init__(self, {', '.join(attributes)}):\n{sets}"


def _class(dice: Draw) -> Exchange:
    cls, attributes = _shape(dice)
    question = ask(
        dice,
        dice.phrase(phrases("class")),
        c=cls,
        a=spoken(attributes),
    )
    values = list(range(1, len(attributes) + 1))
    probes = tuple(
        (f"$f({', '.join(map(str, values))}).{name}", str(value))
        for name, value in zip(attributes, values, strict=True)
    )
    check = Check(probes=probes, name=cls, named=True)
    return Exchange(
        question,
        answer(f"The class `{cls}` keeps its values in `self`:", _init(cls, attributes)),
        check,
        "classes",
    )


def _dataclass(dice: Draw) -> Exchange:
    cls, attributes = _shape(dice)
    question = ask(
        dice,
        dice.phrase(phrases("dataclass")),
        c=cls,
        a=spoken(attributes),
    )
    fields = "\n".join(f"    {name}: {TYPES.get(name, 'int')}" for name in attributes)
    code = f"from dataclasses import dataclass\n\n\n@dataclass\nclass {cls}:\n{fields}"
    values = ", ".join("1" for _ in attributes)
    check = Check(
        probes=tuple((f"$f({values}).{name}", "1") for name in attributes),
        name=cls,
        named=True,
        has=("@dataclass",),
    )
    return Exchange(
        question, answer("The decorator writes `__init__` for you:", code), check, "classes"
    )


def _class_method(dice: Draw) -> Exchange:
    cls, (attribute,) = _shape(dice, 1, 1)
    method = dice.rng.choice(("show", "speak", "describe", "hello", "info", identifier(dice.rng)))
    question = ask(
        dice,
        dice.phrase(phrases("class_method")),
        c=cls,
        a=attribute,
        m=method,
    )
    code = f"{_init(cls, [attribute])}\n\n    def {method}(self):\n        return self.{attribute}"
    check = Check(probes=((f"$f(5).{method}()", "5"),), name=cls, named=True)
    return Exchange(
        question, answer(f"The method `{method}` returns the {attribute}:", code), check, "classes"
    )


def _counter(dice: Draw) -> Exchange:
    cls, method = (
        dice.rng.choice(("Counter", "Clicker", "Tally", "Score", "Meter")),
        dice.rng.choice(("increment", "add", "up", "count", "tick")),
    )
    question = ask(
        dice,
        dice.phrase(phrases("counter")),
        c=cls,
        m=method,
    )
    body = f"    def {method}(self):\n        self.value += 1\n        return self.value"
    code = f"class {cls}:\n    def __init__(self):\n        self.value = 0\n\n{body}"
    check = Check(
        probes=((f"(lambda c: (c.{method}(), c.{method}()))($f())", "(1, 2)"),),
        name=cls,
        named=True,
    )
    return Exchange(question, answer(f"Each call of `{method}` adds one:", code), check, "classes")


def _pile(
    dice: Draw, cls: str, take: str, order: str, asks: tuple[str, ...], before: str
) -> Exchange:
    put, get = ("push", "pop") if cls == "Stack" else ("put", "get")
    code = (
        f"class {cls}:\n    def __init__(self):\n        self.items = []\n\n"
        f"    def {put}(self, item):\n"
        f"        self.items.append(item)\n\n    def {get}(self):\n        return self.items.{take}"
    )
    probe = f"(lambda s: (s.{put}(1), s.{put}(2), s.{get}()))($f())"
    check = Check(probes=((probe, f"(None, None, {order})"),), name=cls)
    return Exchange(ask(dice, dice.phrase(asks)), answer(before, code), check, "classes")


def _stack(dice: Draw) -> Exchange:
    return _pile(
        dice,
        "Stack",
        "pop()",
        "2",
        phrases("stack"),
        "The last item that was pushed is popped first:",
    )


def _queue(dice: Draw) -> Exchange:
    return _pile(
        dice,
        "Queue",
        "pop(0)",
        "1",
        phrases("queue"),
        "The first item that was put in comes out first:",
    )


def _inherit(dice: Draw) -> Exchange:
    base, child = dice.rng.sample(NOUN_CLASSES, 2)
    method, word = dice.rng.choice(("speak", "run", "show", "play", "work")), dice.rng.choice(NOUNS)
    question = ask(
        dice,
        dice.phrase(phrases("inherit")),
        c=base,
        d=child,
        m=method,
        w=word,
    )
    body = f'    def {method}(self):\n        return "{word}"'
    code = f"class {base}:\n    pass\n\n\nclass {child}({base}):\n{body}"
    check = Check(
        probes=((f"$f().{method}()", f"'{word}'"), (f"issubclass($f, {base})", "True")),
        name=child,
        named=True,
    )
    return Exchange(question, answer(f"`{child}` inherits from `{base}`:", code), check, "classes")


def _account(dice: Draw) -> Exchange:
    cls = dice.rng.choice(("Account", "BankAccount", "Wallet", "Purse", "Savings"))
    question = ask(
        dice,
        dice.phrase(phrases("account")),
        c=cls,
    )
    code = (
        f"class {cls}:\n    def __init__(self):\n        self.balance = 0\n\n"
        "    def deposit(self, amount):\n        self.balance += amount\n\n"
        "    def withdraw(self, amount):\n        if amount > self.balance:\n"
        '            raise ValueError("not enough money")\n        self.balance -= amount'
    )
    check = Check(
        probes=(("(lambda a: (a.deposit(5), a.withdraw(2), a.balance))($f())", "(None, None, 3)"),),
        name=cls,
        named=True,
    )
    return Exchange(
        question,
        answer("The balance changes with each deposit and withdrawal:", code),
        check,
        "classes",
    )
