"""Configuration of a fine-tune: typed, with misspelled keys refused."""

from __future__ import annotations

from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from starchat_tui.errors import ConfigError, UsageError
from train.config import HARMLESS, Config, describe_keys, list_changed_keys, load_config

ROOT = Path(__file__).parents[2]
WHOLE = {"model": "m", "dataset": "d.jsonl", "output": "o"}


def config(tmp_path: Path, *overrides: str, **keys: Any) -> Config:
    path = tmp_path / "run.yaml"
    path.write_text(yaml.safe_dump({**WHOLE, **keys}))
    return load_config(path, overrides)


def test_flags_override_the_file(tmp_path: Path) -> None:
    found = config(tmp_path, "--block", "4096", "--learning-rate=1e-4", "--resume", block=512)
    assert (found.block, found.learning_rate, found.resume) == (4096, 1e-4, True)
    assert found.dataset == ("d.jsonl",)


def test_a_boolean_flag_does_not_consume_the_next(tmp_path: Path) -> None:
    found = config(tmp_path, "--fsdp", "--seed", "7")
    assert found.fsdp
    assert found.seed == 7


@pytest.mark.parametrize("text", ["Explain this: x", "0123", "on", "# 1", "[a", ""])
def test_a_string_flag_is_not_parsed_as_yaml(tmp_path: Path, text: str) -> None:
    assert config(tmp_path, "--sample", text).sample == text


def test_lists_have_two_spellings(tmp_path: Path) -> None:
    assert config(tmp_path, "--dataset", "a.jsonl, b.jsonl").dataset == ("a.jsonl", "b.jsonl")
    assert config(tmp_path, dataset=["a", "b"]).dataset == ("a", "b")


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ("learning-rat", "learning_rate"),
        ("blok", "block"),
        ("lora_r", "lora_rank"),
        ("batchsize", "batch_size"),
        ("epoch", "epochs"),
    ],
)
def test_an_unknown_key_suggests_the_nearest(tmp_path: Path, wrong: str, right: str) -> None:
    for given in (("--" + wrong, "1"), ()):
        with pytest.raises(ConfigError, match="Unknown key") as caught:
            config(tmp_path, *given, **({} if given else {wrong: 1}))
        assert caught.value.hint == f"did you mean `{right}`?"
        assert caught.value.exit_code == 78


def test_a_key_without_a_neighbour_lists_all_keys(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        config(tmp_path, "--zzzzqqqq", "1")
    assert all(field.name in caught.value.hint for field in fields(Config))


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("block", "long"),
        ("block", 2.5),
        ("block", True),
        ("learning_rate", "fast"),
        ("learning_rate", float("nan")),
        ("resume", "perhaps"),
        ("model", ["a"]),
        ("dataset", {"a": 1}),
    ],
)
def test_a_value_of_the_wrong_type_names_the_expected_one(
    tmp_path: Path, key: str, value: object
) -> None:
    with pytest.raises(ConfigError, match=f"`{key}` is") as caught:
        config(tmp_path, **{key: value})
    assert caught.value.hint.startswith("it must be")


@pytest.mark.parametrize(
    ("key", "value"), [("block", 0), ("epochs", 0), ("warmup", 1.5), ("seed", -1), ("keep", 0)]
)
def test_a_value_out_of_range_is_refused(tmp_path: Path, key: str, value: object) -> None:
    with pytest.raises(ConfigError, match=f"`{key}` is") as caught:
        config(tmp_path, **{key: value})
    assert "number from" in caught.value.hint


@pytest.mark.parametrize("key", ["weights", "optimizer", "precision", "attention", "schedule"])
def test_an_unknown_choice_lists_the_choices(tmp_path: Path, key: str) -> None:
    with pytest.raises(ConfigError) as caught:
        config(tmp_path, **{key: "other"})
    assert str(getattr(Config(), key)) in caught.value.hint


@pytest.mark.parametrize("key", ["model", "dataset", "output"])
def test_required_keys(tmp_path: Path, key: str) -> None:
    with pytest.raises(ConfigError, match=f"`{key}` is not set"):
        config(tmp_path, **{key: None})


@pytest.mark.parametrize(
    "keys",
    [
        {"deepspeed": "z.json", "fsdp": True},
        {"optimizer": "muon"},
        {"optimizer": "muon", "muon_rate": 0.01, "deepspeed": "z.json"},
        {"optimizer": "muon", "muon_rate": 0.01, "lora_rank": 4},
        {"optimizer": "muon", "muon_rate": 0.01, "weight_decay": 0.1},
        {"optimizer": "in_backward"},
        {"optimizer": "in_backward", "clip": 0, "accumulation": 2},
        {"push_to_hub": True},
        {"push_to_hub": True, "hub_id": "name"},
    ],
)
def test_keys_that_exclude_each_other_are_refused(tmp_path: Path, keys: dict[str, Any]) -> None:
    with pytest.raises(ConfigError) as caught:
        config(tmp_path, **keys)
    assert caught.value.hint


def test_yaml_booleans_are_switches(tmp_path: Path) -> None:
    path = tmp_path / "run.yaml"
    path.write_text("model: m\ndataset: d\noutput: o\ncheckpointing: on\nresume: yes\n")
    assert (load_config(path).checkpointing, load_config(path).resume) == ("on", True)
    path.write_text("model: m\ndataset: d\noutput: o\ncheckpointing: off\n")
    assert load_config(path).checkpointing == "off"


@pytest.mark.parametrize("text", ["[1, 2]", "a: [", "just words", "\xff"])
def test_a_file_that_is_not_a_mapping_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "run.yaml"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(ConfigError, match=r"run\.yaml"):
        load_config(path)


def test_a_missing_file_points_to_the_examples(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load_config(tmp_path / "none.yaml")
    assert "train/configs" in caught.value.hint


@pytest.mark.parametrize("words", [("block", "1"), ("--", "x"), ("--block",)])
def test_words_that_are_not_flags_are_refused(tmp_path: Path, words: tuple[str, ...]) -> None:
    with pytest.raises(UsageError):
        config(tmp_path, *words)


def test_keys_that_do_not_affect_the_numbers_may_change(tmp_path: Path) -> None:
    began = asdict(config(tmp_path))
    began = yaml.safe_load(yaml.safe_dump(began | {"dataset": list(began["dataset"])}))
    began["lora_targets"], began["languages"] = list(began["lora_targets"]), ["en"]
    began["eval_dataset"] = []
    assert list_changed_keys(config(tmp_path, keep=9, sample="hm", resume=True), began) == []
    assert list_changed_keys(replace(config(tmp_path), block=512), began) == ["block"]
    assert {field.name for field in fields(Config)} >= HARMLESS


@pytest.mark.parametrize("path", sorted((ROOT / "train" / "configs").glob("*.yaml")))
def test_the_recipes_are_valid(path: Path) -> None:
    found = load_config(path)
    said = yaml.safe_load(path.read_text())
    assert set(said) <= {field.name for field in fields(Config)}
    assert found.output


def test_help_names_every_key() -> None:
    assert all(f"  {field.name} " in describe_keys() for field in fields(Config))
