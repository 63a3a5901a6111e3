"""Short programs and classes whose names and numbers come from the question."""

from __future__ import annotations

from collections.abc import Callable

from train.demo.tasks.family import Check, Draw, Drawer, Exchange, Family, answer
from train.demo.tasks.functions.followups import followed
from train.demo.tasks.lexicon import THINGS
from train.demo.tasks.load_yaml import phrases
from train.demo.tasks.phrasing import NOUNS, PEOPLE, ask, identifier
from train.demo.tasks.programs.given_values import (
    numbers_of,
    print_evens,
    print_list,
    printing,
    reducing,
    sort_these,
    squares,
)

Maker = Callable[[Draw], Exchange]


def families() -> tuple[Family, ...]:
    """Every kind of short program."""
    makers: dict[str, Maker] = {
        "print_range": _print_range,
        "print_text": _print_text,
        "print_list": print_list,
        "sort_these": sort_these,
        "sum_these": reducing("sum_these"),
        "largest_of_these": reducing("largest_of_these"),
        "squares": squares,
        "make_pairs": _make_pairs,
        "greet": _greet,
        "while_loop": _while_loop,
        "times_table": _times_table,
        "variables": _variables,
        "arithmetic": _arithmetic,
        "random_number": _random_number,
        "if_else": _if_else,
        "reverse_these": reducing("reverse_these"),
        "length_of": reducing("length_of"),
        "print_evens": print_evens,
        "append_item": _append_item,
        "lambda": _lambda,
        "try_except": _try_except,
        "input_name": _input_name,
        "constant": _constant,
    }
    return tuple(Family(name, "scripts", drawer(maker)) for name, maker in makers.items())


def drawer(maker: Maker) -> Drawer:
    """How a family draws from a maker of one exchange: more turns may follow."""

    def draw(dice: Draw) -> tuple[Exchange, ...]:
        return followed(dice, maker(dice))

    return draw


def _print_range(dice: Draw) -> Exchange:
    low = dice.rng.choice((0, 1, 1, 1, 5, 10, dice.rng.randint(0, 90)))
    high = low + dice.rng.randint(2, 30)
    question = ask(
        dice,
        dice.phrase(phrases("print_range")),
        a=low,
        b=high,
    )
    code = f"for i in range({low}, {high + 1}):\n    print(i)"
    return printing(
        question,
        "This loop prints each number:",
        code,
        "\n".join(map(str, range(low, high + 1))),
        "`range` stops before its second argument.",
    )


def _print_text(dice: Draw) -> Exchange:
    text = " ".join(
        dice.rng.choices(
            (*NOUNS, *PEOPLE, "hello", "world", "good", "morning", "Hello"),
            k=dice.rng.randint(1, 3),
        )
    )
    if dice.chance(0.3):
        text = dice.rng.choice(("Hello, world!", "Hello World", "hello world", "Hello, World!"))
    if dice.chance(0.5):
        n = dice.rng.randint(2, 20)
        question = ask(
            dice,
            dice.phrase(phrases("print_text_again")),
            t=text,
            n=n,
        )
        return printing(
            question,
            f"The loop runs {n} times:",
            f'for _ in range({n}):\n    print("{text}")',
            "\n".join([text] * n),
        )
    question = ask(
        dice,
        dice.phrase(phrases("print_text")),
        t=text,
    )
    return printing(question, "Use `print`:", f'print("{text}")', text)


def _make_pairs(dice: Draw) -> Exchange:
    keys = dice.rng.sample(sorted({*THINGS, *PEOPLE}), dice.rng.randint(2, 5))
    pairs = [(key, dice.rng.randint(0, 99)) for key in keys]
    name = identifier(dice.rng)
    told = ", ".join(f"{a} {b}" if dice.chance(0.5) else f"{a}: {b}" for a, b in pairs)
    question = ask(
        dice,
        dice.phrase(phrases("make_pairs")),
        n=name,
        p=told,
    )
    literal = "{" + ", ".join(f'"{a}": {b}' for a, b in pairs) + "}"
    check = Check(probes=((name, literal),), stdout=str(dict(pairs)))
    return Exchange(
        question,
        answer("Here is the dictionary:", f"{name} = {literal}\nprint({name})"),
        check,
        "scripts",
    )


def _greet(dice: Draw) -> Exchange:
    name, word = (
        identifier(dice.rng),
        dice.rng.choice(("Hello", "Hi", "Welcome", "Good morning", "Hey", "Bye")),
    )
    question = ask(
        dice,
        dice.phrase(phrases("greet")),
        f=name,
        w=word,
    )
    code = f'def {name}(name):\n    return f"{word}, {{name}}!"'
    check = Check(probes=(("$f('Ada')", f"'{word}, Ada!'"),), name=name, named=True)
    return Exchange(
        question,
        answer(
            "This function greets a person by name:",
            code,
            "The f-string puts the name into the text.",
        ),
        check,
        "scripts",
    )


def _while_loop(dice: Draw) -> Exchange:
    a, n = dice.rng.randint(0, 9), dice.rng.randint(11, 40)
    question = ask(
        dice,
        dice.phrase(phrases("while_loop")),
        a=a,
        n=n,
    )
    code = f"i = {a}\nwhile i <= {n}:\n    print(i)\n    i += 1"
    return printing(
        question,
        "The loop runs as long as the condition holds:",
        code,
        "\n".join(map(str, range(a, n + 1))),
    )


def _times_table(dice: Draw) -> Exchange:
    k = dice.rng.randint(2, 99)
    question = ask(
        dice,
        dice.phrase(phrases("times_table")),
        k=k,
    )
    code = f'for i in range(1, 11):\n    print({k}, "x", i, "=", {k} * i)'
    return printing(
        question,
        f"This prints the table of {k}:",
        code,
        "\n".join(f"{k} x {i} = {k * i}" for i in range(1, 11)),
    )


def _variables(dice: Draw) -> Exchange:
    name, value = identifier(dice.rng), dice.rng.randint(0, 9999)
    question = ask(
        dice,
        dice.phrase(phrases("variables")),
        f=name,
        v=value,
    )
    check = Check(probes=((name, str(value)),), stdout=str(value))
    return Exchange(
        question, answer("Use `=` to assign:", f"{name} = {value}\nprint({name})"), check, "scripts"
    )


def _arithmetic(dice: Draw) -> Exchange:
    symbol, words = dice.rng.choice(
        (
            ("+", ("plus", "+", "added to")),
            ("-", ("minus", "-")),
            ("*", ("times", "*", "multiplied by", "x")),
            ("//", ("divided by", "/", "over")),
        )
    )
    a, b = dice.rng.randint(1, 999), dice.rng.randint(1, 99)
    symbol = "/" if symbol == "//" else symbol
    question = ask(
        dice,
        dice.phrase(phrases("arithmetic")),
        a=a,
        b=b,
        o=dice.rng.choice(words),
    )
    return printing(
        question,
        "Let Python compute it:",
        f"print({a} {symbol} {b})",
        str(eval(f"{a} {symbol} {b}")),
    )


def _random_number(dice: Draw) -> Exchange:
    a = dice.rng.choice((0, 1, 1, dice.rng.randint(0, 50)))
    b = a + dice.rng.randint(2, 100)
    question = ask(
        dice,
        dice.phrase(phrases("random_number")),
        a=a,
        b=b,
    )
    code = f"import random\n\nnumber = random.randint({a}, {b})\nprint(number)"
    check = Check(probes=((f"{a} <= number <= {b}", "True"),), has=(f"randint({a}, {b})",))
    return Exchange(
        question, answer("Use `random.randint`, which includes both ends:", code), check, "scripts"
    )


def _if_else(dice: Draw) -> Exchange:
    name, k = identifier(dice.rng), dice.rng.randint(2, 99)
    yes, no = dice.rng.choice(
        (
            ("big", "small"),
            ("high", "low"),
            ("adult", "child"),
            ("pass", "fail"),
            ("hot", "cold"),
            ("yes", "no"),
            ("old", "new"),
            ("rich", "poor"),
        )
    )
    question = ask(
        dice,
        dice.phrase(phrases("if_else")),
        f=name,
        k=k,
        y=yes,
        n=no,
    )
    code = f'def {name}(x):\n    if x >= {k}:\n        return "{yes}"\n    return "{no}"'
    check = Check(
        probes=((f"$f({k})", f"'{yes}'"), (f"$f({k - 1})", f"'{no}'")), name=name, named=True
    )
    return Exchange(question, answer("An `if` chooses between the two:", code), check, "scripts")


def _append_item(dice: Draw) -> Exchange:
    values, new, name = numbers_of(dice.rng, 2, 5), dice.rng.randint(0, 99), identifier(dice.rng)
    question = ask(
        dice,
        dice.phrase(phrases("append_item")),
        v=new,
        n=name,
        l=values,
    )
    code = f"{name} = {values}\n{name}.append({new})\nprint({name})"
    return printing(question, "Use `append`:", code, str([*values, new]))


def _lambda(dice: Draw) -> Exchange:
    name, k = identifier(dice.rng), dice.rng.randint(2, 99)
    op, word = dice.rng.choice(
        (("+", "adds {k} to"), ("*", "multiplies by {k}"), ("-", "subtracts {k} from"))
    )
    question = ask(
        dice,
        dice.phrase(phrases("lambda")).replace("{word}", word),
        f=name,
        k=k,
    )
    check = Check(
        probes=(("$f(5)", str(eval(f"5 {op} {k}"))),), name=name, named=True, has=("lambda",)
    )
    return Exchange(
        question,
        answer(
            "A lambda is a small function without a name of its own:",
            f"{name} = lambda x: x {op} {k}",
        ),
        check,
        "scripts",
    )


def _try_except(dice: Draw) -> Exchange:
    name = identifier(dice.rng)
    default = dice.rng.choice(("0", "None", "-1", "1"))
    question = ask(
        dice,
        dice.phrase(phrases("try_except")),
        f=name,
        d=default,
    )
    tried = "    try:\n        return int(text)\n    except ValueError:"
    code = f"def {name}(text):\n{tried}\n        return {default}"
    check = Check(probes=(("$f('12')", "12"), ("$f('x')", default)), name=name, named=True)
    return Exchange(
        question,
        answer("`int` raises a `ValueError` for text that is no number:", code),
        check,
        "scripts",
    )


def _input_name(dice: Draw) -> Exchange:
    word = dice.rng.choice(("name", "city", "color", "animal", "food", "language", "team", "song"))
    question = ask(
        dice,
        dice.phrase(phrases("input_name")),
        w=word,
    )
    code = f'{word} = input("What is your {word}? ")\nprint("Your {word} is", {word})'
    check = Check(
        setup='input = lambda prompt="": "Zebra"', stdout=f"Your {word} is Zebra", has=("input(",)
    )
    return Exchange(
        question, answer("`input` waits for a line from the user:", code), check, "scripts"
    )


def _constant(dice: Draw) -> Exchange:
    name, value = (
        identifier(dice.rng),
        dice.rng.choice((dice.rng.randint(0, 999), dice.rng.randint(0, 9))),
    )
    question = ask(
        dice,
        dice.phrase(phrases("constant")),
        f=name,
        v=value,
    )
    check = Check(probes=(("$f()", str(value)),), name=name, named=True)
    return Exchange(
        question,
        answer(f"This function always returns {value}:", f"def {name}():\n    return {value}"),
        check,
        "scripts",
    )
