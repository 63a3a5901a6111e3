"""Classes whose names, attributes and methods come from the question."""

from __future__ import annotations

from train.demo.tasks.data_formats import join_words
from train.demo.tasks.family import Check, Exchange, Family, TaskSampler, format_answer
from train.demo.tasks.load_yaml import load_phrases
from train.demo.tasks.phrasing import (
    ATTRIBUTES,
    CLASS_NAMES,
    NOUNS,
    draw_identifier,
    phrase_question,
)
from train.demo.tasks.programs.scripts import Maker, make_drawer

TYPES = {"name": "str", "title": "str", "color": "str"}


def families() -> tuple[Family, ...]:
    """Return a family for each kind of class."""
    makers: dict[str, Maker] = {
        "class": _draw_class,
        "dataclass": _draw_dataclass,
        "class_method": _draw_class_method,
        "counter": _draw_counter,
        "stack": _draw_stack,
        "queue": _draw_queue,
        "inherit": _draw_inheritance,
        "account": _draw_account,
    }
    return tuple(Family(name, "classes", make_drawer(maker), 1.3) for name, maker in makers.items())


def _draw_shape(sampler: TaskSampler, least: int = 1, most: int = 4) -> tuple[str, list[str]]:
    cls = (
        sampler.rng.choice(CLASS_NAMES)
        if sampler.chance(0.6)
        else sampler.rng.choice(NOUNS).title()
    )
    return cls, sampler.rng.sample(
        sorted({*ATTRIBUTES, *NOUNS[:30]} - {cls.lower()}), sampler.rng.randint(least, most)
    )


def _render_init(cls: str, attributes: list[str]) -> str:
    sets = "\n".join(f"        self.{name} = {name}" for name in attributes)
    return f"class {cls}:\n    def __init__(self, {', '.join(attributes)}):\n{sets}"


def _draw_class(sampler: TaskSampler) -> Exchange:
    cls, attributes = _draw_shape(sampler)
    question = phrase_question(
        sampler,
        sampler.choose_phrasing(load_phrases("class")),
        c=cls,
        a=join_words(attributes),
    )
    values = list(range(1, len(attributes) + 1))
    probes = tuple(
        (f"$f({', '.join(map(str, values))}).{name}", str(value))
        for name, value in zip(attributes, values, strict=True)
    )
    check = Check(probes=probes, name=cls, named=True)
    return Exchange(
        question,
        format_answer(
            f"The class `{cls}` keeps its values in `self`:", _render_init(cls, attributes)
        ),
        check,
        "classes",
    )


def _draw_dataclass(sampler: TaskSampler) -> Exchange:
    cls, attributes = _draw_shape(sampler)
    question = phrase_question(
        sampler,
        sampler.choose_phrasing(load_phrases("dataclass")),
        c=cls,
        a=join_words(attributes),
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
        question, format_answer("The decorator writes `__init__` for you:", code), check, "classes"
    )


def _draw_class_method(sampler: TaskSampler) -> Exchange:
    cls, (attribute,) = _draw_shape(sampler, 1, 1)
    method = sampler.rng.choice(
        ("show", "speak", "describe", "hello", "info", draw_identifier(sampler.rng))
    )
    question = phrase_question(
        sampler,
        sampler.choose_phrasing(load_phrases("class_method")),
        c=cls,
        a=attribute,
        m=method,
    )
    body = f"    def {method}(self):\n        return self.{attribute}"
    code = f"{_render_init(cls, [attribute])}\n\n{body}"
    check = Check(probes=((f"$f(5).{method}()", "5"),), name=cls, named=True)
    return Exchange(
        question,
        format_answer(f"The method `{method}` returns the {attribute}:", code),
        check,
        "classes",
    )


def _draw_counter(sampler: TaskSampler) -> Exchange:
    cls, method = (
        sampler.rng.choice(("Counter", "Clicker", "Tally", "Score", "Meter")),
        sampler.rng.choice(("increment", "add", "up", "count", "tick")),
    )
    question = phrase_question(
        sampler,
        sampler.choose_phrasing(load_phrases("counter")),
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
    return Exchange(
        question, format_answer(f"Each call of `{method}` adds one:", code), check, "classes"
    )


def _draw_container(
    sampler: TaskSampler, cls: str, take: str, order: str, asks: tuple[str, ...], before: str
) -> Exchange:
    put, get = ("push", "pop") if cls == "Stack" else ("put", "get")
    code = (
        f"class {cls}:\n    def __init__(self):\n        self.items = []\n\n"
        f"    def {put}(self, item):\n"
        f"        self.items.append(item)\n\n    def {get}(self):\n        return self.items.{take}"
    )
    probe = f"(lambda s: (s.{put}(1), s.{put}(2), s.{get}()))($f())"
    check = Check(probes=((probe, f"(None, None, {order})"),), name=cls)
    return Exchange(
        phrase_question(sampler, sampler.choose_phrasing(asks)),
        format_answer(before, code),
        check,
        "classes",
    )


def _draw_stack(sampler: TaskSampler) -> Exchange:
    return _draw_container(
        sampler,
        "Stack",
        "pop()",
        "2",
        load_phrases("stack"),
        "The last item that was pushed is popped first:",
    )


def _draw_queue(sampler: TaskSampler) -> Exchange:
    return _draw_container(
        sampler,
        "Queue",
        "pop(0)",
        "1",
        load_phrases("queue"),
        "The first item that was put in comes out first:",
    )


def _draw_inheritance(sampler: TaskSampler) -> Exchange:
    base, child = sampler.rng.sample(CLASS_NAMES, 2)
    method, word = (
        sampler.rng.choice(("speak", "run", "show", "play", "work")),
        sampler.rng.choice(NOUNS),
    )
    question = phrase_question(
        sampler,
        sampler.choose_phrasing(load_phrases("inherit")),
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
    return Exchange(
        question, format_answer(f"`{child}` inherits from `{base}`:", code), check, "classes"
    )


def _draw_account(sampler: TaskSampler) -> Exchange:
    cls = sampler.rng.choice(("Account", "BankAccount", "Wallet", "Purse", "Savings"))
    question = phrase_question(
        sampler,
        sampler.choose_phrasing(load_phrases("account")),
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
        format_answer("The balance changes with each deposit and withdrawal:", code),
        check,
        "classes",
    )
