"""`starchat prompt` from outside."""

from __future__ import annotations

import json

from tests.cli.shell import Shell


def test_prompt_prints_text_and_ids(shell: Shell) -> None:
    done = shell.run("prompt", "-m", str(shell.model), "--json", "Why <|end|>?")
    found = json.loads(done.stdout)
    text = "<|system|>\n<|end|>\n<|user|>\nWhy <|end|>?<|end|>\n<|assistant|>\n"
    assert found["text"] == text
    assert len(found["ids"]) == found["prompt_tokens"]
    assert found["lookalikes"] == 1
