"""Files of a complete model: chat template, generation config, the 2023 format."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random
from typing import Any

import pytest

from starchat_tui.dialogue import Dialogue, Turn
from starchat_tui.templates.chatml import ChatMLTemplate, encode_training_row
from starchat_tui.templates.template import IGNORE_INDEX, encode_prompt
from starchat_tui.templates.tokenizer import CHAT_TOKENS, Tokenizer
from tests.sample_dialogues import generate_dialogues
from tests.train.small_run import ROWS
from train.modeling import tokenizer_extension
from train.publish import model_files


@pytest.fixture(scope="module")
def model_folder(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("released")
    grown = tokenizer_extension.extend_tokenizer(base / "tokenizer.json", rows=ROWS)
    (folder / "config.json").write_text(json.dumps({"model_type": "gpt_bigcode"}))
    model_files.write_model_files(folder, grown, window=512, base=base)
    return folder


def build_messages(dialogue: Dialogue) -> list[dict[str, str]]:
    said = [{"role": turn.role, "content": turn.text} for turn in dialogue.turns]
    return [{"role": "system", "content": dialogue.system}, *said] if dialogue.system else said


DIALOGUES = (
    Dialogue("", (Turn("user", "How?"), Turn("assistant", "So:\n\n```python\nx = 1\n```"))),
    Dialogue("Be brief.", (Turn("user", "One"), Turn("assistant", ""), Turn("user", "Two 12"))),
    Dialogue("", (Turn("user", " a space"), Turn("assistant", "é 漢字 😀"), Turn("user", ""))),
    Dialogue("s", ()),
)


@pytest.mark.parametrize("dialogue", DIALOGUES)
def test_the_chat_template_gives_our_ids_and_labels(model_folder: Path, dialogue: Dialogue) -> None:
    from transformers import AutoTokenizer

    hub_tokenizer: Any = AutoTokenizer.from_pretrained(model_folder)
    own_tokenizer = Tokenizer.load(model_folder / "tokenizer.json", add_chat_tokens=False)
    found = hub_tokenizer.apply_chat_template(
        build_messages(dialogue), return_dict=True, return_assistant_tokens_mask=True
    )
    ids, labels = encode_training_row(dialogue, own_tokenizer)
    assert found["input_ids"] == ids
    assert found["assistant_masks"] == [int(label != IGNORE_INDEX) for label in labels]
    asked = hub_tokenizer.apply_chat_template(
        build_messages(dialogue), add_generation_prompt=True, return_dict=True
    )
    assert asked["input_ids"] == encode_prompt(dialogue, ChatMLTemplate(own_tokenizer))


def test_the_chat_template_agrees_on_ordinary_text(model_folder: Path) -> None:
    from transformers import AutoTokenizer

    hub_tokenizer: Any = AutoTokenizer.from_pretrained(model_folder)
    own_tokenizer = Tokenizer.load(model_folder / "tokenizer.json", add_chat_tokens=False)
    tried = 0
    for dialogue in generate_dialogues(Random(1), 3000):
        texts = [dialogue.system, *(turn.text for turn in dialogue.turns)]
        if any("<" in text or text.lstrip() != text for text in texts):
            continue
        tried += 1
        found = hub_tokenizer.apply_chat_template(
            build_messages(dialogue), add_generation_prompt=True, return_dict=True
        )
        assert found["input_ids"] == encode_prompt(dialogue, ChatMLTemplate(own_tokenizer))
    assert tried > 100


def test_unknown_roles_are_refused(model_folder: Path) -> None:
    from jinja2 import TemplateError
    from transformers import AutoTokenizer

    hub_tokenizer: Any = AutoTokenizer.from_pretrained(model_folder)
    with pytest.raises(TemplateError, match="roles are"):
        hub_tokenizer.apply_chat_template([{"role": "tool", "content": "x"}])


def test_the_end_of_an_answer_is_in_every_config(model_folder: Path) -> None:
    generation = json.loads((model_folder / "generation_config.json").read_text())
    assert generation["eos_token_id"] == [1027, 0]
    assert json.loads((model_folder / "config.json").read_text())["eos_token_id"] == 1027
    assert Tokenizer.load(model_folder / "tokenizer.json", add_chat_tokens=False).has_chat_tokens


def test_the_2023_format_is_written(model_folder: Path) -> None:
    found = json.loads((model_folder / "dialogue_template.json").read_text())
    assert (found["system"], found["messages"]) == ("", None)
    named = ("system_token", "user_token", "assistant_token", "end_token")
    assert tuple(found[name] for name in named) == CHAT_TOKENS
