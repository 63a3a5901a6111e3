"""Short programs whose names and numbers come from the question."""

from __future__ import annotations

from collections.abc import Callable

from train.demo.tasks.family import Check, Drawer, Exchange, Family, TaskSampler, format_answer
from train.demo.tasks.functions.followups import add_follow_ups
from train.demo.tasks.lexicon import THINGS
from train.demo.tasks.load_yaml import load_phrases
from train.demo.tasks.phrasing import PEOPLE, draw_identifier, phrase_question
from train.demo.tasks.programs.given_values import (
    build_printing_exchange,
    draw_integers,
    draw_print_evens,
    draw_print_list,
    draw_sort_these,
    draw_squares,
    make_reduction,
)
from train.demo.tasks.programs.printed_lines import GREETINGS, WORDS, PrintProgram

Maker = Callable[[TaskSampler], Exchange]


def families() -> tuple[Family, ...]:
    """Return a family for each kind of short program."""
    makers: dict[str, Maker] = {
        "print_range": _draw_print_range,
        "print_text": _draw_print_text,
        "print_list": draw_print_list,
        "sort_these": draw_sort_these,
        "sum_these": make_reduction("sum_these"),
        "largest_of_these": make_reduction("largest_of_these"),
        "squares": draw_squares,
        "make_pairs": _draw_make_pairs,
        "greet": _draw_greet,
        "while_loop": _draw_while_loop,
        "times_table": _draw_times_table,
        "variables": _draw_variables,
        "arithmetic": _draw_arithmetic,
        "random_number": _draw_random_number,
        "if_else": _draw_if_else,
        "reverse_these": make_reduction("reverse_these"),
        "length_of": make_reduction("length_of"),
        "print_evens": draw_print_evens,
        "append_item": _draw_append_item,
        "lambda": _draw_lambda,
        "try_except": _draw_try_except,
        "input_name": _draw_input_name,
        "constant": _draw_constant,
    }
    return tuple(Family(name, "scripts", make_drawer(maker)) for name, maker in makers.items())


def make_drawer(maker: Maker) -> Drawer:
    """Return a drawer that adds follow-up turns to a maker of one exchange."""

    def draw(sampler: TaskSampler) -> tuple[Exchange, ...]:
        return add_follow_ups(sampler, maker(sampler))

    return draw


def _draw_print_range(sampler: TaskSampler) -> Exchange:
    low = sampler.rng.choice((0, 1, 1, 1, 5, 10, sampler.rng.randint(0, 90)))
    high = low + sampler.rng.randint(2, 30)
    question = phrase_question(
        sampler,
        sampler.choose_phrasing(load_phrases("print_range")),
        a=low,
        b=high,
    )
    code = f"for i in range({low}, {high + 1}):\n    print(i)"
    return build_printing_exchange(
        question,
        "This loop prints each number:",
        code,
        "\n".join(map(str, range(low, high + 1))),
        "`range` stops before its second argument.",
    )


def _draw_print_text(sampler: TaskSampler) -> Exchange:
    text = " ".join(sampler.rng.choices(WORDS, k=sampler.rng.randint(1, 3)))
    if sampler.chance(0.3):
        text = sampler.rng.choice(GREETINGS)
    if sampler.chance(0.5):
        program = PrintProgram(text, times=sampler.rng.randint(2, 20))
        phrasings, before = (
            load_phrases("print_text_again"),
            f"The loop runs {program.times} times:",
        )
    else:
        program = PrintProgram(text)
        phrasings, before = load_phrases("print_text"), "Use `print`:"
    question = phrase_question(sampler, sampler.choose_phrasing(phrasings), t=text, n=program.times)
    return build_printing_exchange(question, before, program.code, program.output)


def _draw_make_pairs(sampler: TaskSampler) -> Exchange:
    keys = sampler.rng.sample(sorted({*THINGS, *PEOPLE}), sampler.rng.randint(2, 5))
    pairs = [(key, sampler.rng.randint(0, 99)) for key in keys]
    name = draw_identifier(sampler.rng)
    listing = ", ".join(f"{a} {b}" if sampler.chance(0.5) else f"{a}: {b}" for a, b in pairs)
    question = phrase_question(
        sampler,
        sampler.choose_phrasing(load_phrases("make_pairs")),
        n=name,
        p=listing,
    )
    literal = "{" + ", ".join(f'"{a}": {b}' for a, b in pairs) + "}"
    check = Check(probes=((name, literal),), stdout=str(dict(pairs)))
    return Exchange(
        question,
        format_answer("Here is the dictionary:", f"{name} = {literal}\nprint({name})"),
        check,
        "scripts",
    )


def _draw_greet(sampler: TaskSampler) -> Exchange:
    name, word = (
        draw_identifier(sampler.rng),
        sampler.rng.choice(("Hello", "Hi", "Welcome", "Good morning", "Hey", "Bye")),
    )
    question = phrase_question(
        sampler,
        sampler.choose_phrasing(load_phrases("greet")),
        f=name,
        w=word,
    )
    code = f'def {name}(name):\n    return f"{word}, {{name}}!"'
    check = Check(probes=(("$f('Ada')", f"'{word}, Ada!'"),), name=name, named=True)
    return Exchange(
        question,
        format_answer(
            "This function greets a person by name:",
            code,
            "The f-string puts the name into the text.",
        ),
        check,
        "scripts",
    )


def _draw_while_loop(sampler: TaskSampler) -> Exchange:
    a, n = sampler.rng.randint(0, 9), sampler.rng.randint(11, 40)
    question = phrase_question(
        sampler,
        sampler.choose_phrasing(load_phrases("while_loop")),
        a=a,
        n=n,
    )
    code = f"i = {a}\nwhile i <= {n}:\n    print(i)\n    i += 1"
    return build_printing_exchange(
        question,
        "The loop runs as long as the condition holds:",
        code,
        "\n".join(map(str, range(a, n + 1))),
    )


def _draw_times_table(sampler: TaskSampler) -> Exchange:
    k = sampler.rng.randint(2, 99)
    question = phrase_question(
        sampler,
        sampler.choose_phrasing(load_phrases("times_table")),
        k=k,
    )
    code = f'for i in range(1, 11):\n    print({k}, "x", i, "=", {k} * i)'
    return build_printing_exchange(
        question,
        f"This prints the table of {k}:",
        code,
        "\n".join(f"{k} x {i} = {k * i}" for i in range(1, 11)),
    )


def _draw_variables(sampler: TaskSampler) -> Exchange:
    name, value = draw_identifier(sampler.rng), sampler.rng.randint(0, 9999)
    question = phrase_question(
        sampler,
        sampler.choose_phrasing(load_phrases("variables")),
        f=name,
        v=value,
    )
    check = Check(probes=((name, str(value)),), stdout=str(value))
    return Exchange(
        question,
        format_answer("Use `=` to assign:", f"{name} = {value}\nprint({name})"),
        check,
        "scripts",
    )


def _draw_arithmetic(sampler: TaskSampler) -> Exchange:
    symbol, words = sampler.rng.choice(
        (
            ("+", ("plus", "+", "added to")),
            ("-", ("minus", "-")),
            ("*", ("times", "*", "multiplied by", "x")),
            ("/", ("divided by", "/", "over")),
        )
    )
    a, b = sampler.rng.randint(1, 999), sampler.rng.randint(1, 99)
    question = phrase_question(
        sampler,
        sampler.choose_phrasing(load_phrases("arithmetic")),
        a=a,
        b=b,
        o=sampler.rng.choice(words),
    )
    return build_printing_exchange(
        question,
        "Let Python compute it:",
        f"print({a} {symbol} {b})",
        str(eval(f"{a} {symbol} {b}")),
    )


def _draw_random_number(sampler: TaskSampler) -> Exchange:
    a = sampler.rng.choice((0, 1, 1, sampler.rng.randint(0, 50)))
    b = a + sampler.rng.randint(2, 100)
    question = phrase_question(
        sampler,
        sampler.choose_phrasing(load_phrases("random_number")),
        a=a,
        b=b,
    )
    code = f"import random\n\nnumber = random.randint({a}, {b})\nprint(number)"
    check = Check(probes=((f"{a} <= number <= {b}", "True"),), has=(f"randint({a}, {b})",))
    return Exchange(
        question,
        format_answer("Use `random.randint`, which includes both ends:", code),
        check,
        "scripts",
    )


def _draw_if_else(sampler: TaskSampler) -> Exchange:
    name, k = draw_identifier(sampler.rng), sampler.rng.randint(2, 99)
    yes, no = sampler.rng.choice(
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
    question = phrase_question(
        sampler,
        sampler.choose_phrasing(load_phrases("if_else")),
        f=name,
        k=k,
        y=yes,
        n=no,
    )
    code = f'def {name}(x):\n    if x >= {k}:\n        return "{yes}"\n    return "{no}"'
    check = Check(
        probes=((f"$f({k})", f"'{yes}'"), (f"$f({k - 1})", f"'{no}'")), name=name, named=True
    )
    return Exchange(
        question, format_answer("An `if` chooses between the two:", code), check, "scripts"
    )


def _draw_append_item(sampler: TaskSampler) -> Exchange:
    values, new, name = (
        draw_integers(sampler.rng, 2, 5),
        sampler.rng.randint(0, 99),
        draw_identifier(sampler.rng),
    )
    question = phrase_question(
        sampler,
        sampler.choose_phrasing(load_phrases("append_item")),
        v=new,
        n=name,
        l=values,
    )
    code = f"{name} = {values}\n{name}.append({new})\nprint({name})"
    return build_printing_exchange(question, "Use `append`:", code, str([*values, new]))


def _draw_lambda(sampler: TaskSampler) -> Exchange:
    name, k = draw_identifier(sampler.rng), sampler.rng.randint(2, 99)
    op, word = sampler.rng.choice(
        (("+", "adds {k} to"), ("*", "multiplies by {k}"), ("-", "subtracts {k} from"))
    )
    question = phrase_question(
        sampler,
        sampler.choose_phrasing(load_phrases("lambda")).replace("{word}", word),
        f=name,
        k=k,
    )
    check = Check(
        probes=(("$f(5)", str(eval(f"5 {op} {k}"))),), name=name, named=True, has=("lambda",)
    )
    return Exchange(
        question,
        format_answer(
            "A lambda is a small function without a name of its own:",
            f"{name} = lambda x: x {op} {k}",
        ),
        check,
        "scripts",
    )


def _draw_try_except(sampler: TaskSampler) -> Exchange:
    name = draw_identifier(sampler.rng)
    default = sampler.rng.choice(("0", "None", "-1", "1"))
    question = phrase_question(
        sampler,
        sampler.choose_phrasing(load_phrases("try_except")),
        f=name,
        d=default,
    )
    tried = "    try:\n        return int(text)\n    except ValueError:"
    code = f"def {name}(text):\n{tried}\n        return {default}"
    check = Check(probes=(("$f('12')", "12"), ("$f('x')", default)), name=name, named=True)
    return Exchange(
        question,
        format_answer("`int` raises a `ValueError` for text that is no number:", code),
        check,
        "scripts",
    )


def _draw_input_name(sampler: TaskSampler) -> Exchange:
    word = sampler.rng.choice(
        ("name", "city", "color", "animal", "food", "language", "team", "song")
    )
    question = phrase_question(
        sampler,
        sampler.choose_phrasing(load_phrases("input_name")),
        w=word,
    )
    code = f'{word} = input("What is your {word}? ")\nprint("Your {word} is", {word})'
    check = Check(
        setup='input = lambda prompt="": "Zebra"', stdout=f"Your {word} is Zebra", has=("input(",)
    )
    return Exchange(
        question, format_answer("`input` waits for a line from the user:", code), check, "scripts"
    )


def _draw_constant(sampler: TaskSampler) -> Exchange:
    name, value = (
        draw_identifier(sampler.rng),
        sampler.rng.choice((sampler.rng.randint(0, 999), sampler.rng.randint(0, 9))),
    )
    question = phrase_question(
        sampler,
        sampler.choose_phrasing(load_phrases("constant")),
        f=name,
        v=value,
    )
    check = Check(probes=(("$f()", str(value)),), name=name, named=True)
    return Exchange(
        question,
        format_answer(
            f"This function always returns {value}:", f"def {name}():\n    return {value}"
        ),
        check,
        "scripts",
    )
