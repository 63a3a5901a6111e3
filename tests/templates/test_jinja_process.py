"""Chat templates of hostile models: bounded, blamed by name, and harmless to this process."""

from __future__ import annotations

import gc
import os
import signal

import pytest

from starchat_tui.errors import ConfigError
from starchat_tui.templates.jinja_process import JinjaProcess

MESSAGES = [{"role": "user", "content": "Hi"}]
HOSTILE = {
    "nested loops": (
        "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
        "more than 2 s of processor time",
    ),
    "a power in C": ("{{ (9 ** 9) ** (9 ** 9) }}", "more than 2 s|memory|OverflowError"),
    "a long string": ("{{ ('a' * 3000000000) | length }}", "MiB of memory"),
    "a long string of a variable": (
        "{{ (messages[0].content * 2000000000) | length }}",
        "MiB of memory",
    ),
    "a list of lists": (
        "{% set n = namespace(l=[0]) %}{% for a in range(99) %}"
        "{% set n.l = n.l + n.l %}{% endfor %}",
        "MiB of memory",
    ),
    "padding": ("{{ '%2000000000s' % 'a' }}", "MiB of memory|OverflowError"),
    "a filter": ("{{ 'a' | center(2000000000) }}", "MiB of memory"),
    "division by zero": ("{{ 1 / 0 }}", "ZeroDivisionError"),
    "a float that overflows": ("{{ 2.0 ** 99999 }}", "OverflowError"),
    "a long range": ("{% for a in range(10 ** 9) %}{% endfor %}", "OverflowError"),
    "an endless macro": ("{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}", "without end"),
    "a long output": ("{% for a in range(9999) %}{{ 'a' * 9999 }}{% endfor %}", "99,980,001"),
    "Python's objects": ("{{ ''.__class__.__mro__ }}", "unsafe"),
    "another file": ("{% include '/etc/passwd' %}", "loader"),
    "an undefined method": ("{{ messages.foo.bar }}", "has no attribute"),
    "its own refusal": ("{{ raise_exception('no, thanks') }}", "no, thanks"),
    "a surrogate": ("{{ '\ud800' + 1 }}", "TypeError"),
    "an unfinished tag": ("{% for", "does not compile"),
    "deep nesting": ("{{ " + "(" * 5000 + "1" + ")" * 5000 + " }}", "does not compile"),
    "a constant power": ("{{ 7 ** (7 ** (7 ** 7)) }}", "does not compile|more than 2 s"),
}


@pytest.mark.parametrize(("source", "reason"), HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_template_is_blamed_by_its_models_name(source: str, reason: str) -> None:
    template = JinjaProcess(source, {}, name="evil")
    with pytest.raises(ConfigError, match=reason) as caught:
        template.render(MESSAGES, add_generation_prompt=True)
    assert "chat template of `evil`" in caught.value.message
    assert caught.value.hint


def test_a_template_that_fails_once_renders_the_next_dialogue() -> None:
    loops = "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}"
    source = "{% if messages[0].content == 'bomb' %}" + loops + "{% endif %}fine"
    template = JinjaProcess(source, {})
    with pytest.raises(ConfigError, match="processor time"):
        template.render([{"role": "user", "content": "bomb"}], add_generation_prompt=True)
    assert template.render(MESSAGES, add_generation_prompt=True) == "fine"


def test_surrogates_and_separators_come_back_as_they_are() -> None:
    text = "\ud800\u2028\n\x00é"
    template = JinjaProcess("{{ messages[0].content }}{{ eos_token }}", {"eos_token": "\udfff"})
    rendered = template.render([{"role": "user", "content": text}], add_generation_prompt=False)
    assert rendered == text + "\udfff"


def test_the_process_ends_with_its_template() -> None:
    template = JinjaProcess("{{ messages | length }}", {})
    assert template.render(MESSAGES, add_generation_prompt=True) == "1"
    process = template._process
    assert process is not None
    del template
    gc.collect()
    assert process.returncode is not None


def test_a_killed_process_is_an_error_once() -> None:
    template = JinjaProcess("{{ messages | length }}", {})
    assert template.render(MESSAGES, add_generation_prompt=True) == "1"
    assert template._process is not None
    os.kill(template._process.pid, signal.SIGKILL)
    template._process.wait()
    with pytest.raises(ConfigError, match="ended with status -9"):
        template.render(MESSAGES, add_generation_prompt=True)
    assert template.render(MESSAGES, add_generation_prompt=True) == "1"
