"""What is written is there whole or not at all, and what is saved is a complete model."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import Any

import pytest

from starchat_tui.dialogue import Dialogue, Turn
from starchat_tui.errors import ConfigError, Unavailable, UsageError
from starchat_tui.templates.template import IGNORED, ChatML, prompt_ids, training_ids
from starchat_tui.templates.tokenizer import CHAT_TOKENS, Vocabulary
from tests.train.small import ROWS, save_base
from tests.vocabularies import byte_level, dialogues, write
from train.config import Config
from train.modeling import vocabulary
from train.publish import hub, model_card, model_files
from train.runtime import checkpoint as saving
from train.runtime import resume
from train.train_errors import CannotSave, InUse, Torn

ROOT = Path(__file__).parents[3]


def test_a_folder_takes_its_place_all_at_once(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    for text in ("old", "new"):
        with saving.whole(folder) as part:
            (part / "a").write_text(text)
            assert not folder.exists() or (folder / "a").read_text() == "old"
    assert (folder / "a").read_text() == "new"
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_a_folder_that_is_not_finished_leaves_the_old_one(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    with saving.whole(folder) as part:
        (part / "a").write_text("old")
    with pytest.raises(KeyError):
        half_written(folder)
    assert (folder / "a").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def half_written(folder: Path) -> None:
    with saving.whole(folder) as part:
        (part / "a").write_text("half")
        raise KeyError


def checkpoint(output: Path, step: int, **facts: Any) -> Path:
    folder = output / f"checkpoint-{step}"
    (folder / "deep").mkdir(parents=True)
    (folder / "weights").write_bytes(b"w" * 1000)
    (folder / "deep" / "optimizer").write_bytes(b"o" * 3000)
    saving.seal(folder, {"step": step, "processes": 1, "sharded": False, **facts})
    return folder


def test_the_newest_whole_checkpoint_is_found(tmp_path: Path) -> None:
    for step in (5, 10, 20):
        checkpoint(tmp_path, step)
    found, torn = saving.last_whole(tmp_path)
    assert (found.step, torn) == (20, [])
    saving.keep_newest(tmp_path, 2)
    assert [path.name for path in saving.checkpoints(tmp_path)] == [
        "checkpoint-20",
        "checkpoint-10",
    ]


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (lambda f: os.truncate(f / "deep" / "optimizer", 1500), r"1,500 of 3,000 bytes"),
        (lambda f: (f / "weights").unlink(), r"weights.*nothing"),
        (lambda f: (f / saving.SEAL).unlink(), "not written to its end"),
        (lambda f: os.truncate(f / saving.SEAL, 20), "damaged"),
        (lambda f: (f / saving.SEAL).write_text("[]"), "damaged"),
    ],
)
def test_a_torn_checkpoint_is_passed_over_and_named(tmp_path: Path, harm: Any, said: str) -> None:
    checkpoint(tmp_path, 10)
    harm(checkpoint(tmp_path, 20))
    found, torn = saving.last_whole(tmp_path)
    assert found.step == 10
    with pytest.raises(Torn, match=said):
        raise torn[0]
    saving.keep_newest(tmp_path, 1)
    assert (tmp_path / "checkpoint-10").exists(), "the torn one does not count"


def test_where_none_is_whole_the_run_cannot_go_on(tmp_path: Path) -> None:
    os.truncate(checkpoint(tmp_path, 10) / "weights", 1)
    with pytest.raises(Torn, match="No checkpoint") as caught:
        saving.last_whole(tmp_path)
    assert caught.value.exit_code == 65
    with pytest.raises(ConfigError, match="no checkpoint to resume from"):
        saving.last_whole(tmp_path / "other")


def test_one_process_writes_to_a_folder(tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from train.runtime import checkpoint as saving\n"
        "with saving.locked(Path(sys.argv[1])): print('held', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"held\n"
        with (
            pytest.raises(InUse, match="another process trains") as caught,
            saving.locked(tmp_path),
        ):
            pass
        other.communicate()
    assert caught.value.exit_code == 75
    with saving.locked(tmp_path):
        pass


def test_a_folder_that_cannot_be_made_is_a_typed_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(CannotSave, match="cannot be written to"),
        saving.locked(tmp_path / "file" / "out"),
    ):
        pass


def test_a_disk_without_room_is_refused_beforehand(tmp_path: Path) -> None:
    with pytest.raises(CannotSave, match=r"has .* free, and this run writes") as caught:
        saving.check_room(tmp_path, 10**18)
    assert caught.value.exit_code == 73
    saving.check_room(tmp_path, 1)


FULL_DISK = """
import sys
from pathlib import Path
import torch
from safetensors.torch import save_file
from train.runtime import checkpoint as saving
from train.train_errors import CannotSave

here = Path(sys.argv[1])
with saving.whole(here / "model") as part:
    (part / "a").write_text("old")
big = torch.zeros(3_000_000)
for save in (
    lambda path: torch.save(big, path),
    lambda path: save_file({"big": big}, path),
    lambda path: path.write_bytes(bytes(12_000_000)),
):
    try:
        with saving.whole(here / "model") as part:
            save(part / "b")
    except CannotSave as error:
        print(error.exit_code, error.message)
    assert [path.name for path in here.iterdir()] == ["model"], list(here.iterdir())
    assert (here / "model" / "a").read_text() == "old"
"""


def on_a_small_disk(megabytes: int, folder: Path, *command: str) -> list[str]:
    """The command line that runs `command` with a tmpfs of that size in the place of `folder`."""
    room = str(megabytes * 2**20)
    return [
        *("bwrap", "--dev-bind", "/", "/", "--size", room, "--tmpfs", str(folder)),
        *("--die-with-parent", "--", *command),
    ]


@pytest.mark.bwrap
def test_a_full_disk_leaves_what_was_there(tmp_path: Path) -> None:
    folder = tmp_path / "disk"
    folder.mkdir()
    ran = subprocess.run(
        on_a_small_disk(8, folder, sys.executable, "-c", FULL_DISK, str(folder)),
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.splitlines() == [f"73 No space is left on the disk of `{folder}`"] * 3


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_base(tmp_path_factory.mktemp("base"))


def test_the_vocabulary_is_grown_and_filled_up(base: Path) -> None:
    found = vocabulary.read(base / "tokenizer.json", rows=ROWS)
    assert found.control_ids == [1024, 1025, 1026, 1027]
    assert found.rows == 1088
    assert found.rows % vocabulary.MULTIPLE == 0
    again = vocabulary.read(base / "tokenizer.json", rows=2000)
    assert again.rows == 2000, "rows that are there already are left as they are"


def test_new_rows_are_the_same_wherever_they_are_made(base: Path, tmp_path: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM

    copy = vocabulary.grown_copy(str(base), tmp_path / "grown", 1088, seed=7)
    one: Any = AutoModelForCausalLM.from_pretrained(copy)
    other: Any = AutoModelForCausalLM.from_pretrained(base)
    old = other.get_input_embeddings().weight.clone()
    torch.manual_seed(99)
    vocabulary.grow(other, 1088, seed=7)
    rows = one.get_input_embeddings().weight
    assert torch.equal(rows, other.get_input_embeddings().weight)
    assert torch.equal(rows[:1024], old)
    assert len({tuple(row.tolist()) for row in rows[1024:]}) == 64
    assert one.get_output_embeddings().weight is rows


def test_a_copy_of_an_earlier_run_is_taken_only_where_that_run_goes_on(
    base: Path, tmp_path: Path
) -> None:
    import torch
    from safetensors.torch import load_file

    def embedding(folder: Path) -> torch.Tensor:
        return load_file(folder / "model.safetensors")["transformer.wte.weight"][:ROWS].clone()

    def copied(model: Path, *, keep: bool) -> torch.Tensor:
        folder = tmp_path / "base"
        return embedding(vocabulary.grown_copy(str(model), folder, 1088, seed=7, keep=keep))

    other = save_base(tmp_path / "other", seed=1)
    assert torch.equal(copied(base, keep=True), embedding(base)), "made where there is none"
    assert torch.equal(copied(other, keep=True), embedding(base))
    assert torch.equal(copied(other, keep=False), embedding(other))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["base", "other"]


def test_tokens_under_other_ids_are_refused(tmp_path: Path) -> None:
    from tokenizers import AddedToken

    system, user, assistant, end = CHAT_TOKENS
    order = (system, assistant, user, end)
    path = write(
        byte_level(*(AddedToken(token, special=True) for token in order)), tmp_path / "t.json"
    )
    with pytest.raises(ConfigError, match="under other ids") as caught:
        vocabulary.read(path, rows=1088)
    assert "--keep-ids" in caught.value.hint
    found = vocabulary.read(path, rows=1088, keep_ids=True)
    assert found.control_ids == [1024, 1026, 1025, 1027]


def test_some_of_the_tokens_are_not_enough(tmp_path: Path) -> None:
    from tokenizers import AddedToken

    path = write(byte_level(AddedToken(CHAT_TOKENS[0], special=True)), tmp_path / "t.json")
    with pytest.raises(ConfigError, match="but not"):
        vocabulary.read(path, rows=1088)


@pytest.fixture(scope="module")
def released(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("released")
    grown = vocabulary.read(base / "tokenizer.json", rows=ROWS)
    (folder / "config.json").write_text(json.dumps({"model_type": "gpt_bigcode"}))
    model_files.complete(folder, grown, window=512, base=base)
    return folder


def messages(dialogue: Dialogue) -> list[dict[str, str]]:
    said = [{"role": turn.role, "content": turn.text} for turn in dialogue.turns]
    return [{"role": "system", "content": dialogue.system}, *said] if dialogue.system else said


SAID = (
    Dialogue("", (Turn("user", "How?"), Turn("assistant", "So:\n\n```python\nx = 1\n```"))),
    Dialogue("Be brief.", (Turn("user", "One"), Turn("assistant", ""), Turn("user", "Two 12"))),
    Dialogue("", (Turn("user", " a space"), Turn("assistant", "é 漢字 😀"), Turn("user", ""))),
    Dialogue("s", ()),
)


@pytest.mark.parametrize("dialogue", SAID)
def test_the_chat_template_gives_our_ids_and_our_labels(released: Path, dialogue: Dialogue) -> None:
    from transformers import AutoTokenizer

    theirs: Any = AutoTokenizer.from_pretrained(released)
    ours = Vocabulary.load(released / "tokenizer.json", grow=False)
    found = theirs.apply_chat_template(
        messages(dialogue), return_dict=True, return_assistant_tokens_mask=True
    )
    ids, labels = training_ids(dialogue, ours)
    assert found["input_ids"] == ids
    assert found["assistant_masks"] == [int(label != IGNORED) for label in labels]
    asked = theirs.apply_chat_template(
        messages(dialogue), add_generation_prompt=True, return_dict=True
    )
    assert asked["input_ids"] == prompt_ids(dialogue, ChatML(ours))


def test_the_chat_template_agrees_where_no_text_tampers(released: Path) -> None:
    from transformers import AutoTokenizer

    theirs: Any = AutoTokenizer.from_pretrained(released)
    ours = Vocabulary.load(released / "tokenizer.json", grow=False)
    tried = 0
    for dialogue in dialogues(Random(1), 3000):
        texts = [dialogue.system, *(turn.text for turn in dialogue.turns)]
        if any("<" in text or text.lstrip() != text for text in texts):
            continue
        tried += 1
        found = theirs.apply_chat_template(
            messages(dialogue), add_generation_prompt=True, return_dict=True
        )
        assert found["input_ids"] == prompt_ids(dialogue, ChatML(ours))
    assert tried > 100


def test_roles_that_there_are_not_are_refused(released: Path) -> None:
    from jinja2 import TemplateError
    from transformers import AutoTokenizer

    theirs: Any = AutoTokenizer.from_pretrained(released)
    with pytest.raises(TemplateError, match="roles are"):
        theirs.apply_chat_template([{"role": "tool", "content": "x"}])


def test_what_ends_an_answer_is_said_wherever_it_is_looked_for(released: Path) -> None:
    generation = json.loads((released / "generation_config.json").read_text())
    assert generation["eos_token_id"] == [1027, 0]
    assert json.loads((released / "config.json").read_text())["eos_token_id"] == 1027
    assert Vocabulary.load(released / "tokenizer.json", grow=False).chats


def test_readers_of_the_old_format_find_theirs(released: Path) -> None:
    found = json.loads((released / "dialogue_template.json").read_text())
    assert (found["system"], found["messages"]) == ("", None)
    named = ("system_token", "user_token", "assistant_token", "end_token")
    assert tuple(found[name] for name in named) == CHAT_TOKENS


def facts(**changes: Any) -> model_card.Facts:
    log = [{"step": at, "loss": 3 - at / 10} for at in range(1, 11)]
    log += [{"step": 10, "eval_loss": 2.1, "eval_perplexity": 8.17}]
    config = Config(model="bigcode/starcoderbase", dataset=("a/b", "x.jsonl"), output="o")
    known: dict[str, Any] = {
        "config": config,
        "trees": 90,
        "held_out": 10,
        "rows": 8,
        "tokens": 1000,
        "learned": 700,
        "refused": Counter({"another language": 3}),
        "parameters": 10**7,
        "trained": 10**7,
        "processes": 8,
        "device": "H100",
        "steps": 10,
        "seconds": 90.0,
        "log": log,
    }
    return model_card.Facts(**{**known, **changes})


def test_the_card_tells_data_parameters_curves_and_limits(tmp_path: Path) -> None:
    model_card.write(tmp_path, facts(), "me/mine")
    text = (tmp_path / "README.md").read_text()
    for said in (
        "base_model: bigcode/starcoderbase",
        "- a/b",
        "| another language | 3 |",
        "70% of them learned",
        "| `learning_rate` | 2e-05 |",
        "| 10 | 2.1000 | 8.170 |",
        "8 × H100",
        "## Limits",
        model_card.CURVE,
    ):
        assert said in text, said
    assert "x.jsonl" not in text.split("---")[1], "a file is no data set of the Hub"
    drawing = (tmp_path / model_card.CURVE).read_text()
    assert drawing.count("<polyline") == 2
    assert len(json.loads((tmp_path / "history.json").read_text())) == 11


def test_a_card_without_measurements_says_so() -> None:
    assert "Nothing was held out" in model_card.text(facts(log=[]), "m")
    assert model_card.curve([]) == ""


def begin(tmp_path: Path, **changes: Any) -> Config:
    config = Config(model="m", dataset=("d",), output=str(tmp_path), **changes)
    resume.record(config, processes=2, fingerprint="f")
    checkpoint(tmp_path, 4, processes=2, sharded=bool(config.deepspeed))
    return config


def again(config: Config, **changes: Any) -> Config:
    from dataclasses import replace

    return replace(config, resume=True, **changes)


def test_a_folder_that_holds_a_run_is_not_written_over(tmp_path: Path) -> None:
    config = begin(tmp_path)
    with pytest.raises(UsageError, match="holds a run") as caught:
        resume.checkpoint_of(config, processes=2, fingerprint="f")
    assert "--resume" in caught.value.hint
    found, _ = resume.checkpoint_of(again(config), processes=2, fingerprint="f")
    assert found is not None
    assert found.step == 4


def test_a_run_goes_on_only_as_it_began(tmp_path: Path) -> None:
    config = begin(tmp_path)
    with pytest.raises(ConfigError, match="began with `block: 2048`"):
        resume.checkpoint_of(again(config, block=512), processes=2, fingerprint="f")
    with pytest.raises(ConfigError, match="data are not those"):
        resume.checkpoint_of(again(config), processes=2, fingerprint="other")
    with pytest.raises(ConfigError, match="written by 2 processes") as caught:
        resume.checkpoint_of(again(config), processes=1, fingerprint="f")
    assert "start 2" in caught.value.hint
    resume.checkpoint_of(again(config, keep=9, log_steps=3), processes=2, fingerprint="f")


def test_a_sharded_run_of_another_size_is_shown_the_way(tmp_path: Path) -> None:
    zero = tmp_path / "zero.json"
    zero.write_text(json.dumps({"zero_optimization": {"stage": 3}}))
    config = begin(tmp_path, deepspeed=str(zero))
    with pytest.raises(ConfigError) as caught:
        resume.checkpoint_of(again(config), processes=4, fingerprint="f")
    assert "ds_to_universal" in caught.value.hint
    assert "global_step4" in caught.value.hint
    (tmp_path / "checkpoint-4" / "latest_universal").write_text("universal")
    zero.write_text(json.dumps({"checkpoint": {"load_universal": True}}))
    found, _ = resume.checkpoint_of(again(config), processes=4, fingerprint="f")
    assert found is not None


def test_a_deepspeed_file_is_read_with_care_where_a_run_goes_on(tmp_path: Path) -> None:
    zero = tmp_path / "zero.json"
    config = begin(tmp_path, deepspeed=str(zero))
    (tmp_path / "checkpoint-4" / "latest_universal").write_text("universal")
    for text in ("{", "[]"):
        zero.write_text(text)
        with pytest.raises(ConfigError, match=r"zero\.json"):
            resume.checkpoint_of(again(config), processes=4, fingerprint="f")


def test_a_run_that_goes_on_needs_no_room_for_what_it_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A checkpoint of 4,000 bytes and a seal, a base of 2,000, and 1,000 free."""
    config = begin(tmp_path, deepspeed="zero.json")
    (tmp_path / resume.BASE).mkdir()
    (tmp_path / resume.BASE / "weights").write_bytes(b"b" * 2000)
    free = SimpleNamespace(free=1000)
    monkeypatch.setattr("train.runtime.checkpoint.shutil.disk_usage", lambda folder: free)
    found, _ = saving.last_whole(tmp_path)
    resume.check_room(config, found, 7000)
    with pytest.raises(CannotSave):
        resume.check_room(config, found, 8000)
    checkpoint(tmp_path, 2)
    with pytest.raises(CannotSave):
        resume.check_room(again(config, keep=1), found, 8000)


def test_what_was_never_sealed_is_taken_away_before_a_run_goes_on(tmp_path: Path) -> None:
    config = begin(tmp_path)
    older, torn, begun = (checkpoint(tmp_path, step) for step in (2, 6, 8))
    os.truncate(torn / "weights", 1)
    for folder in (older, begun):
        (folder / saving.SEAL).unlink()
    found, _ = saving.last_whole(tmp_path)
    assert found.step == 4
    resume.check_room(config, found, 0)
    left = [path.name for path in saving.checkpoints(tmp_path)]
    assert left == ["checkpoint-6", "checkpoint-4", "checkpoint-2"], "what was sealed stays"


class Hub:
    """The Hub as huggingface_hub's client would see it."""

    def __init__(self, fails: bool = False) -> None:
        self.calls: list[str] = []
        self.fails = fails

    def create_repo(self, name: str, *, exist_ok: bool) -> None:
        self.calls.append(f"create {name}")

    def upload_folder(self, *, repo_id: str, folder_path: str, commit_message: str) -> Any:
        if self.fails:
            raise OSError("no route")
        self.calls.append(f"upload {Path(folder_path).name} to {repo_id}")
        return SimpleNamespace(__str__=lambda: "there")


def test_an_upload_needs_a_token_before_anything_is_trained(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = Config(push_to_hub=True, hub_id="me/mine")
    monkeypatch.setattr("huggingface_hub.get_token", lambda: None)
    with pytest.raises(ConfigError, match="needs a token"):
        hub.check(asked)
    hub.check(Config())
    monkeypatch.setattr("huggingface_hub.get_token", lambda: "secret")
    hub.check(asked)


def test_an_upload_that_fails_leaves_the_model_and_says_how_to_try_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    good, bad = Hub(), Hub(fails=True)
    monkeypatch.setattr("huggingface_hub.HfApi", lambda: good)
    hub.push(tmp_path, "me/mine")
    assert good.calls == ["create me/mine", f"upload {tmp_path.name} to me/mine"]
    monkeypatch.setattr("huggingface_hub.HfApi", lambda: bad)
    with pytest.raises(Unavailable, match="could not be uploaded") as caught:
        hub.push(tmp_path, "me/mine")
    assert "hf upload" in caught.value.hint
