"""The rows that the ChatML stage learns: every dialogue, whole, in ChatML, within the block."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from starchat_tui.dialogue import Dialogue
from starchat_tui.templates.chatml import ChatMLTemplate, encode_training_row
from starchat_tui.templates.template import IGNORE_INDEX, encode_prompt
from starchat_tui.templates.tokenizer import Tokenizer
from train.data.filters import Filters
from train.data.schemas import find_schema
from train.demo.conversations import SYSTEMS, generate_conversations, to_dialogue
from train.demo.sizes import FinetuneRun
from train.demo.tasks.family import Sample

BLOCK = 512


def sizes(passes: int = 1, alone: float = 0.35) -> FinetuneRun:
    rates = {"muon_rate": 0.01, "learning_rate": 0.001}
    return FinetuneRun(block=BLOCK, batch_size=1, max_steps=1, passes=passes, alone=alone, **rates)


def test_a_thousand_dialogues_encode_and_come_back(
    samples: list[Sample], tokenizer: Tokenizer
) -> None:
    for sample in samples:
        ids, labels = encode_training_row(to_dialogue(sample), tokenizer)
        learned = [label for label in labels if label != IGNORE_INDEX]
        assert tokenizer.decode(learned) == "".join(e.answer for e in sample.exchanges)
        assert learned.count(tokenizer.end_id) == len(sample.exchanges)
        said = tokenizer.decode(ids)
        assert all(e.question in said for e in sample.exchanges)


def test_a_conversation_begins_as_a_prompt_does(
    samples: list[Sample], tokenizer: Tokenizer
) -> None:
    ids, _ = encode_training_row(to_dialogue(samples[0]), tokenizer)
    asked = Dialogue().with_message("user", samples[0].exchanges[0].question)
    prompt = encode_prompt(asked, ChatMLTemplate(tokenizer))
    assert ids[: len(prompt)] == prompt


@pytest.mark.parametrize("passes", [1, 2])
def test_every_dialogue_is_there_once_in_each_pass(
    samples: list[Sample], tokenizer: Tokenizer, passes: int
) -> None:
    made = list(generate_conversations(samples, tokenizer, sizes(passes), seed=1))
    said = Counter(one["content"] for row in made for one in row["messages"])
    asked = Counter(e.question for sample in samples for e in sample.exchanges)
    answered = Counter(e.answer for sample in samples for e in sample.exchanges)
    for text, count in (asked + answered).items():
        assert said[text] == passes * count
    assert len({len(row["messages"]) for row in made}) > 4


def test_rows_fit_the_block_unless_one_dialogue_does_not(
    samples: list[Sample], tokenizer: Tokenizer
) -> None:
    longest = max(len(encode_training_row(to_dialogue(s), tokenizer)[0]) for s in samples)
    systems = 0
    for row in generate_conversations(samples, tokenizer, sizes(), seed=1):
        schema = find_schema(row)
        assert schema is not None
        (tree,) = schema.parse(
            [("here", row)], Filters(), lambda reason, where: pytest.fail(reason)
        )
        dialogue = Dialogue(tree.system)
        for message in tree.messages:
            dialogue = dialogue.with_message(message.role, message.text)
        assert len(encode_training_row(dialogue, tokenizer)[0]) <= max(BLOCK, longest)
        assert tree.system in ("", *SYSTEMS)
        systems += bool(tree.system)
    assert systems > 20


def test_as_many_conversations_stand_alone_as_are_asked_for(
    samples: list[Sample], tokenizer: Tokenizer
) -> None:
    found = [
        len(list(generate_conversations(samples, tokenizer, sizes(alone=share), seed=1)))
        for share in (1.0, 0.5, 0.0)
    ]
    assert found[0] == len(samples) > found[1] > 1.2 * found[2]


def test_the_same_seed_gives_the_same_rows(samples: list[Sample], tokenizer: Tokenizer) -> None:
    made = [
        list(generate_conversations(samples[:50], tokenizer, sizes(2), seed=seed))
        for seed in (1, 1, 2)
    ]
    assert made[0] == made[1]
    assert made[0] != made[2]


def test_the_recipe_of_the_demo_models_is_a_recipe_of_the_fine_tune() -> None:
    from train import config as configs
    from train.demo import chat_stage

    found = configs.load_config(Path(chat_stage.ROOT / chat_stage.RECIPE))
    assert (found.paths, found.shift, found.saved) == (True, True, "fp16")
