"""Program that renders chat templates, run as the process that it is."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

from starchat_tui.templates import jinja_worker


def run_worker(*requests: dict[str, Any]) -> list[dict[str, str]]:
    lines = "".join(json.dumps(request) + "\n" for request in requests)
    done = subprocess.run(
        [sys.executable, "-I", jinja_worker.__file__],
        input=lines,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert not done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def build_request(*contents: str, generation: bool = False) -> dict[str, Any]:
    messages = [{"role": "user", "content": content} for content in contents]
    return {"messages": messages, "add_generation_prompt": generation}


def test_each_request_is_answered_in_order() -> None:
    source = "{{ bos_token }}{{ messages[0].content }}{% if add_generation_prompt %}>{% endif %}"
    start = {"source": source, "special": {"bos_token": "<s>"}}
    answers = run_worker(start, build_request("a"), build_request("b", generation=True))
    assert answers == [{}, {"rendered": "<s>a"}, {"rendered": "<s>b>"}]


def test_a_template_that_does_not_compile_ends_the_process() -> None:
    answers = run_worker({"source": "{% if", "special": {}}, build_request("a"))
    assert len(answers) == 1
    assert "unexpected" in answers[0]["error"].lower()


def test_an_error_leaves_the_process_alive() -> None:
    source = "{% if messages | length > 1 %}{{ 1 / 0 }}{% endif %}ok"
    answers = run_worker(
        {"source": source, "special": {}}, build_request("a", "b"), build_request("a")
    )
    assert answers == [{}, {"error": "ZeroDivisionError: division by zero"}, {"rendered": "ok"}]


def test_what_training_learns_is_marked_for_transformers_only() -> None:
    source = "{% generation %}x{% endgeneration %}{%- generation -%} y {%- endgeneration -%}"
    assert run_worker({"source": source, "special": {}}, build_request("a"))[1] == {
        "rendered": "xy"
    }
