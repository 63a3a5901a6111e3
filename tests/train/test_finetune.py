"""The whole recipe: ZeRO-3 in two processes, resuming, LoRA, and bad input."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from starchat_tui.cli import error_boundary
from starchat_tui.client.protocol import Delta, Progress, Request, Sampling, merge_deltas
from starchat_tui.dialogue import Dialogue
from starchat_tui.engine.serving.completion import Completion
from starchat_tui.engine.serving.model_pool import ModelPool
from starchat_tui.templates.chatml import ChatMLTemplate
from starchat_tui.templates.template import encode_prompt
from tests.train.small_run import (
    WINDOW,
    example_dialogue,
    read_losses,
    save_base,
    save_config,
    save_dialogues,
    small_disk_command,
)
from train import config as configs
from train import finetune
from train.data import dataset
from train.modeling import model_loading, tokenizer_extension
from train.run_setup import TrainingSetup

pytestmark = [
    # Libraries below say what will change one day.
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]
ROOT = Path(__file__).parents[2]
STEPS = 20
QUESTION = Dialogue().with_message("user", "What follows 7?")
SEVERAL = {"block": 128, "max_steps": STEPS, "save_steps": 10}


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_base(tmp_path_factory.mktemp("base"))


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_dialogues(tmp_path_factory.mktemp("data") / "dialogues.jsonl")


def build_environment() -> dict[str, str]:
    return {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}


def run_two_processes(config: Path, *flags: str) -> subprocess.CompletedProcess[str]:
    """Run the recipe under torchrun, with ZeRO-3 over gloo."""
    return run_processes(2, config, "--deepspeed", "train/configs/zero3.json", *flags)


def run_processes(count: int, config: Path, *flags: str) -> subprocess.CompletedProcess[str]:
    launch = ["-m", "torch.distributed.run", "--standalone", f"--nproc_per_node={count}"]
    recipe = ["-m", "train.finetune", str(config), *flags]
    return subprocess.run(
        [sys.executable, *launch, *recipe],
        cwd=ROOT,
        env=build_environment(),
        capture_output=True,
        text=True,
        check=False,
    )


def run_recipe(config: Path, *flags: str) -> int:
    """Run the recipe in this process and return its exit code."""
    return error_boundary.report_errors(
        lambda: finetune.main([str(config), *flags]), program="train"
    )


@pytest.fixture(scope="module")
def sharded_run(base: Path, rows: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Output of two processes: twenty steps, with a checkpoint after ten."""
    folder = tmp_path_factory.mktemp("sharded")
    # A run_recipe with another model ended here before its first checkpoint.
    save_base(folder / "out" / "base", seed=1)
    config = save_config(folder, base, rows, **{**SEVERAL, "batch_size": 2})
    ran = run_two_processes(config)
    assert ran.returncode == 0, ran.stderr[-3000:]
    assert ran.stdout.splitlines()[-1] == str(folder / "out" / "model")
    return folder


@pytest.mark.slow
def test_zero3_in_two_processes_equals_one_plain_process(
    sharded_run: Path, base: Path, rows: Path, tmp_path: Path
) -> None:
    assert run_recipe(save_config(tmp_path, base, rows, **{**SEVERAL, "batch_size": 4})) == 0
    plain, dialogues = read_losses(tmp_path / "out"), read_losses(sharded_run / "out")
    assert len(plain) == len(dialogues) == STEPS
    assert max(abs(a - b) for a, b in zip(plain, dialogues, strict=True)) < 1e-5
    assert plain[-1] < plain[0] - 1, "and it learns"
    measured = [read_evaluations(folder / "out") for folder in (tmp_path, sharded_run)]
    assert measured[0] == pytest.approx(measured[1], abs=1e-5)


def read_evaluations(output: Path) -> list[float]:
    history = json.loads((output / "model" / "history.json").read_text())
    return [entry["eval_loss"] for entry in history if "eval_loss" in entry]


@pytest.mark.slow
def test_a_resumed_run_is_bit_identical(sharded_run: Path, tmp_path: Path) -> None:
    whole = sharded_run / "out"
    output = tmp_path / "out"
    output.mkdir()
    shutil.copy(whole / "run.json", output)
    shutil.copytree(whole / "checkpoint-10", output / "checkpoint-10")
    ran = run_two_processes(sharded_run / "run.yaml", "--output", str(output), "--resume")
    assert ran.returncode == 0, ran.stderr[-3000:]
    assert "resuming from" in ran.stderr
    assert "step 10 of" not in ran.stderr
    assert read_losses(output) == read_losses(whole)
    weights = [load_file(folder / "model" / "model.safetensors") for folder in (output, whole)]
    assert weights[0].keys() == weights[1].keys()
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])


@pytest.mark.slow
def test_a_sharded_run_needs_the_same_number_of_processes(
    sharded_run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.rmtree(sharded_run / "other", ignore_errors=True)
    shutil.copytree(sharded_run / "out", sharded_run / "other")
    shutil.rmtree(sharded_run / "other" / "model")
    config = sharded_run / "run.yaml"
    flags = (
        "--output",
        str(sharded_run / "other"),
        "--resume",
        "--deepspeed",
        "train/configs/zero3.json",
    )
    assert run_recipe(config, *flags) == 78
    expected_text = capsys.readouterr().err
    assert "written by 2 processes" in expected_text
    assert "ds_to_universal" in expected_text


@pytest.mark.slow
def test_a_universal_checkpoint_resumes_with_another_number_of_processes(
    sharded_run: Path, tmp_path: Path
) -> None:
    """The steps are those of the error message: convert, adapt the file, keep the rows per step."""
    output = tmp_path / "out"
    shutil.copytree(sharded_run / "out", output)
    shutil.rmtree(output / "model")
    held = output / "checkpoint-10"
    convert = ["-m", "deepspeed.checkpoint.ds_to_universal"]
    folders = ["--input_folder", held / "global_step10", "--output_folder", held / "universal"]
    subprocess.run(
        [sys.executable, *convert, *folders],
        check=True,
        capture_output=True,
        env=build_environment(),
    )
    printed = json.loads((ROOT / "train" / "configs" / "zero3.json").read_text())
    universal = tmp_path / "universal.json"
    universal.write_text(json.dumps({**printed, "checkpoint": {"load_universal": True}}))
    ran = run_processes(
        1,
        sharded_run / "run.yaml",
        *("--deepspeed", str(universal), "--resume", "--output", str(output), "--batch-size", "4"),
    )
    assert ran.returncode == 0, ran.stderr[-3000:]
    assert "resuming from" in ran.stderr
    found, whole = read_losses(output), read_losses(sharded_run / "out")
    assert found[:10] == whole[:10], "what was logged before"
    assert found[10:12] == pytest.approx(whole[10:12], abs=1e-4)
    assert found[12:] == pytest.approx(whole[12:], abs=0.02)


@pytest.mark.slow
def test_the_consolidated_model_is_complete(sharded_run: Path, tmp_path: Path) -> None:
    model = sharded_run / "out" / "model"
    assert_generates_like_transformers(model, tmp_path)
    held = load_file(model / "model.safetensors")
    assert "lm_head.weight" not in held, "the head is the embedding"
    assert held["transformer.wte.weight"].shape[0] == 1088
    assert not (sharded_run / "out" / "base").exists()


def assert_generates_like_transformers(model: Path, tmp_path: Path) -> None:
    """Compare our engine with transformers' `generate` and the model's chat template."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer: Any = AutoTokenizer.from_pretrained(model)
    theirs: Any = AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32)
    theirs.eval()
    asked = [{"role": "user", "content": QUESTION.turns[0].text}]
    given = tokenizer.apply_chat_template(
        asked, add_generation_prompt=True, return_tensors="pt", return_dict=True
    )
    made = theirs.generate(**given, max_new_tokens=24, do_sample=False)
    expected = made[0, given["input_ids"].shape[1] :].tolist()
    ours = generate_answer(ModelPool(device="cpu", cache_dir=tmp_path / "cache"), model)
    ends = theirs.generation_config.eos_token_id
    assert ours == [token for token in expected if token not in ends]
    assert theirs.config.use_cache


def generate_answer(shelf: ModelPool, model: Path) -> list[int]:
    loaded = shelf.get_model(str(model), lambda stage, done, total: None)
    template = ChatMLTemplate(loaded.tokenizer)
    expected_text: list[Delta] = []

    def emit(event: Delta | Progress) -> None:
        if isinstance(event, Delta):
            expected_text.append(event)

    stops = tuple(token for token in template.get_stops().ids)
    request = Request(
        str(model),
        tuple(encode_prompt(QUESTION, template)),
        Sampling(max_tokens=24, temperature=0),
        stop_ids=stops,
    )
    last = Completion(loaded, request, keep_going=lambda: True).run(emit)
    return list(merge_deltas([*expected_text, last]).ids)


def test_a_plain_run_makes_a_complete_model(
    base: Path, rows: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = save_config(tmp_path, base, rows, sample="What follows 7?", eval_steps=2)
    assert run_recipe(config, "--saved", "fp16") == 0
    printed = capsys.readouterr()
    assert printed.out.strip() == str(tmp_path / "out" / "model")
    for expected_text in (
        "predicted memory",
        "% learned",
        "step 4 of 4",
        "perplexity",
        "tokens/s",
        "  | ",
    ):
        assert expected_text in printed.err, expected_text
    model = tmp_path / "out" / "model"
    assert {path.name for path in model.iterdir()} == {
        *("config.json", "generation_config.json", "model.safetensors", "tokenizer.json"),
        *("tokenizer_config.json", "chat_template.jinja", "dialogue_template.json"),
        *("README.md", "history.json", "loss.svg"),
    }
    assert {tensor.dtype for tensor in load_file(model / "model.safetensors").values()} == {
        torch.float16
    }
    assert json.loads((model / "config.json").read_text())["dtype"] == "float16"
    assert_generates_like_transformers(model, tmp_path)
    assert list((tmp_path / "out" / "runs").glob("events.*")), "TensorBoard has its curves"
    assert len(read_evaluations(tmp_path / "out")) == 2
    assert run_recipe(config) == 2, "the output holds a run"
    assert "--resume" in capsys.readouterr().err


def test_the_distribution_of_rows_changes_nothing(base: Path, rows: Path, tmp_path: Path) -> None:
    found = []
    for batch, accumulation in ((4, 1), (2, 2), (1, 4)):
        folder = tmp_path / str(batch)
        folder.mkdir()
        flags = ("--batch-size", str(batch), "--accumulation", str(accumulation))
        assert run_recipe(save_config(folder, base, rows, block=96), *flags) == 0
        found.append(read_losses(folder / "out"))
    assert found[1] == pytest.approx(found[0], abs=1e-5)
    assert found[2] == pytest.approx(found[0], abs=1e-5)


def test_recomputing_activations_changes_nothing(base: Path, rows: Path, tmp_path: Path) -> None:
    found = []
    for switch in ("on", "off"):
        folder = tmp_path / switch
        folder.mkdir()
        assert run_recipe(save_config(folder, base, rows), "--checkpointing", switch) == 0
        found.append(read_losses(folder / "out"))
    assert found[0] == found[1]


def test_blockwise_attention_changes_nothing(base: Path, rows: Path, tmp_path: Path) -> None:
    found = []
    for kind in ("sdpa", "blockwise"):
        folder = tmp_path / kind
        folder.mkdir()
        assert run_recipe(save_config(folder, base, rows, block=400), "--attention", kind) == 0
        found.append([*read_losses(folder / "out"), *read_evaluations(folder / "out")])
    assert found[0] == pytest.approx(found[1], abs=1e-5)


def test_shifted_rows_train_other_positions(base: Path, rows: Path, tmp_path: Path) -> None:
    found, moved = [], []
    for shift in ("true", "false"):
        folder = tmp_path / shift
        folder.mkdir()
        config = save_config(folder, base, rows, block=64, batch_size=8, max_steps=6)
        assert run_recipe(config, "--shift", shift) == 0
        found.append(read_losses(folder / "out"))
        places = load_file(folder / "out" / "model" / "model.safetensors")
        before = load_file(base / "model.safetensors")
        name = "transformer.wpe.weight"
        moved.append((places[name] != before[name]).any(1).nonzero().max())
    assert found[0] != found[1]
    assert moved[0] > WINDOW // 2
    assert moved[1] < 64


def test_the_history_counts_tokens_and_seconds_across_a_resumption(
    base: Path, rows: Path, tmp_path: Path
) -> None:
    config = save_config(tmp_path, base, rows, max_steps=4, save_steps=2)
    history = tmp_path / "out" / "model" / "history.json"

    def tokens() -> list[int]:
        return [entry["tokens"] for entry in json.loads(history.read_text()) if "loss" in entry]

    assert run_recipe(config) == 0
    first = tokens()
    assert first == sorted(set(first))
    shutil.rmtree(history.parent)
    assert run_recipe(config, "--resume") == 0
    assert tokens() == first
    seconds = [one["seconds"] for one in json.loads(history.read_text()) if "loss" in one]
    assert seconds == sorted(seconds)


@pytest.mark.parametrize("weights", ["leaves", "once"])
def test_the_first_loss_equals_that_of_separate_dialogues(
    weights: str, base: Path, tmp_path: Path
) -> None:
    """Reference: one dialogue at a time, no mask, scores of every token."""
    dialogues = [example_dialogue(1), example_dialogue(1)]
    dialogues[1]["messages"][3]["content"] = "Any time, really."
    dialogues.append(example_dialogue(2))
    rows = tmp_path / "rows.jsonl"
    rows.write_text("".join(json.dumps(row) + "\n" for row in dialogues))
    path = save_config(
        tmp_path, base, rows, weights=weights, max_steps=1, batch_size=1, eval_share=0
    )
    assert run_recipe(path) == 0
    grown = tokenizer_extension.extend_tokenizer(base / "tokenizer.json", rows=1024)
    setup = TrainingSetup(1, 1, 1, False, False, 1, 1, masked=True)
    model = model_loading.load_model(str(base), configs.load_config(path), setup, grown).eval()
    total, count = score_separately(model, dialogues, grown, weights)
    assert read_losses(tmp_path / "out")[0] == pytest.approx(total / count, rel=1e-5)


def score_separately(
    model: Any, dialogues: list[dict[str, Any]], grown: Any, weights: str
) -> tuple[float, float]:
    from starchat_tui.templates.chatml import encode_training_row

    total = count = 0.0
    known: set[tuple[int, ...]] = set()
    for row in dialogues:
        expected_text = Dialogue()
        for one in row["messages"]:
            expected_text = expected_text.with_message(one["role"], one["content"])
        ids, labels = encode_training_row(expected_text, grown.tokenizer)
        with torch.no_grad():
            scores = model(input_ids=torch.tensor([ids]), use_cache=False).logits[0].log_softmax(-1)
        for at in range(1, len(ids)):
            prefix = tuple(ids[: at + 1])
            if labels[at] >= 0 and (weights == "leaves" or prefix not in known):
                total -= float(scores[at - 1, labels[at]])
                count += 1
            known.add(prefix)
    return total, count


def test_the_model_is_called_with_a_full_mask_and_no_cache(
    base: Path, rows: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from transformers import GPTBigCodeForCausalLM

    forward = GPTBigCodeForCausalLM.forward
    calls: list[dict[str, Any]] = []

    def record_call(self: Any, *args: Any, **given: Any) -> Any:
        if self.training:
            calls.append(given)
        return forward(self, *args, **given)

    monkeypatch.setattr(GPTBigCodeForCausalLM, "forward", record_call)
    assert run_recipe(save_config(tmp_path, base, rows, max_steps=1)) == 0
    (call,) = calls
    mask = call["attention_mask"]
    assert call["use_cache"] is False
    assert (mask.dtype, mask.ndim, mask.shape[1]) == (torch.bool, 4, 1)
    assert mask.shape[2] == mask.shape[3] == call["input_ids"].shape[1]
    positions = call["position_ids"]
    assert int((positions == 0).sum()) > len(positions), "a row holds several dialogues"
    for row, at in (positions[:, 1:] == 0).nonzero().tolist():
        assert not mask[row, 0, at + 1 :, : at + 1].any(), "none of them sees one before it"


@pytest.mark.slow
def test_a_stopped_run_resumes(base: Path, rows: Path, tmp_path: Path) -> None:
    config = save_config(tmp_path, base, rows, max_steps=60)
    program = [sys.executable, "-m", "train.finetune", str(config), "--eval-share", "0"]
    with StoppedRun(program) as (code, expected_text):
        assert code == 143, expected_text
        assert "Stopped after step" in expected_text
    assert run_recipe(config, "--eval-share", "0", "--resume") == 0
    (tmp_path / "whole").mkdir()
    whole = save_config(tmp_path / "whole", base, rows, max_steps=60)
    assert run_recipe(whole, "--eval-share", "0") == 0
    assert read_losses(tmp_path / "out") == read_losses(tmp_path / "whole" / "out")


class StoppedRun:
    """Context of a program that gets SIGTERM after its first step: exit code and stderr."""

    def __init__(self, program: list[str]) -> None:
        self.program = program

    def __enter__(self) -> tuple[int, str]:
        with subprocess.Popen(
            self.program, cwd=ROOT, env=build_environment(), stderr=subprocess.PIPE, text=True
        ) as process:
            assert process.stderr is not None
            printed = []
            for line in process.stderr:
                printed.append(line)
                if line.startswith("step 1 of"):
                    process.send_signal(signal.SIGTERM)
        return process.returncode, "".join(printed)

    def __exit__(self, *error: object) -> None:
        """Do nothing: the program has ended."""


FILL_DISK = """
"$@" 2> "$WORDS" &
until grep -q "^saved .*checkpoint-1$" "$WORDS"; do kill -0 $! || exit 99; sleep 0.1; done
dd if=/dev/zero of="$DISK/filler" bs=4096 2> /dev/null
wait $!
code=$?
rm "$DISK/filler"
echo $code; ls "$DISK/out"
"""


@pytest.mark.bwrap
@pytest.mark.slow
def test_a_full_disk_ends_the_run_and_keeps_complete_checkpoints(
    base: Path, rows: Path, tmp_path: Path
) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    config = save_config(tmp_path, base, rows, max_steps=100_000, save_steps=1, keep=1)
    program = [sys.executable, "-m", "train.finetune", str(config), "--output", str(disk / "out")]
    words = tmp_path / "words"
    words.touch()
    ran = subprocess.run(
        small_disk_command(8, disk, "sh", "-c", FILL_DISK, "sh", *program),
        cwd=ROOT,
        env={**build_environment(), "DISK": str(disk), "WORDS": str(words)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "No space left" in words.read_text(), words.read_text()[-2000:]
    assert ran.stdout.split()[0] == "73", ran.stdout
    assert "checkpoint-" in ran.stdout
    assert ".part" not in ran.stdout


def test_a_truncated_checkpoint_is_not_resumed_from(
    base: Path, rows: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = save_config(tmp_path, base, rows, max_steps=5, save_steps=2)
    assert run_recipe(config) == 0
    output = tmp_path / "out"
    first = read_losses(output)
    shutil.rmtree(output / "model")
    os.truncate(output / "checkpoint-4" / "optimizer.pt", 5000)
    assert run_recipe(config, "--resume") == 0
    expected_text = capsys.readouterr().err
    assert "skipped:" in expected_text
    assert "optimizer.pt` is incomplete: 5,000 of" in expected_text
    assert read_losses(output) == first
    shutil.rmtree(output / "model")
    for folder in output.glob("checkpoint-*"):
        os.truncate(folder / "model.safetensors", 5000)
    assert run_recipe(config, "--resume") == 65
    assert "No checkpoint" in capsys.readouterr().err


@pytest.fixture
def adapter(base: Path, rows: Path, tmp_path: Path) -> Path:
    config = save_config(tmp_path, base, rows, max_steps=10, lora_rank=4, learning_rate=1e-2)
    assert run_recipe(config) == 0
    return tmp_path / "out" / "model"


def test_an_adapter_is_saved_without_its_base(adapter: Path, base: Path) -> None:
    held = load_file(adapter / "adapter_model.safetensors")
    assert not (adapter / "model.safetensors").exists()
    assert not [name for name in held if "lora_" not in name and "trainable_tokens" not in name]
    (rows,) = (tensor for name, tensor in held.items() if "trainable_tokens" in name)
    assert rows.shape == (4, 32)
    printed = json.loads((adapter / "adapter_config.json").read_text())
    assert printed["base_model_name_or_path"] == str(base)
    found = read_losses(adapter.parent)
    assert found[-1] < found[0] - 0.2
    assert (adapter / "README.md").read_text().count("PeftModel") == 2


def test_an_adapter_for_an_untied_head_is_refused(
    rows: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """An adapter would lose the rows of the four tokens; the whole model can be trained."""
    config = save_config(tmp_path, save_base(tmp_path / "untied", tied=False), rows)
    assert run_recipe(config, "--lora-rank", "4") == 78
    assert "head is not tied" in capsys.readouterr().err
    assert run_recipe(config) == 0
    held = load_file(tmp_path / "out" / "model" / "model.safetensors")
    assert held["lm_head.weight"].shape[0] == 1088


def test_the_engine_serves_an_adapter_and_its_base(
    adapter: Path, base: Path, tmp_path: Path
) -> None:
    from peft import PeftModel
    from transformers import AutoModelForCausalLM, AutoTokenizer

    shelf = ModelPool(device="cpu", cache_dir=tmp_path / "cache")
    before = compute_logits(shelf, base)
    expected_text = generate_answer(shelf, adapter)
    assert torch.equal(compute_logits(shelf, base), before)
    assert generate_answer(shelf, adapter) == expected_text
    tokenizer: Any = AutoTokenizer.from_pretrained(adapter)
    whole: Any = AutoModelForCausalLM.from_pretrained(base)
    whole.resize_token_embeddings(len(tokenizer))
    model: Any = PeftModel.from_pretrained(whole, str(adapter)).eval()
    given = tokenizer.apply_chat_template(
        [{"role": "user", "content": QUESTION.turns[0].text}],
        add_generation_prompt=True,
        return_tensors="pt",
        return_dict=True,
    )
    ends = json.loads((adapter / "generation_config.json").read_text())["eos_token_id"]
    made = model.generate(**given, max_new_tokens=24, do_sample=False, eos_token_id=ends)
    theirs = made[0, given["input_ids"].shape[1] :].tolist()
    assert expected_text == [token for token in theirs if token not in ends]


def compute_logits(shelf: ModelPool, model: Path) -> torch.Tensor:
    found = shelf.get_model(str(model), lambda stage, done, total: None).model
    return found.forward([5, 6, 7], found.new_cache())


def test_an_adapter_resumes_bit_identically(base: Path, rows: Path, tmp_path: Path) -> None:
    config = save_config(tmp_path, base, rows, max_steps=4, save_steps=2, lora_rank=4)
    assert run_recipe(config) == 0
    first = load_file(tmp_path / "out" / "model" / "adapter_model.safetensors")
    shutil.rmtree(tmp_path / "out" / "model")
    assert run_recipe(config, "--resume") == 0
    again = load_file(tmp_path / "out" / "model" / "adapter_model.safetensors")
    assert all(torch.equal(first[name], again[name]) for name in first)


def test_muon_trains_and_resumes_bit_identically(base: Path, rows: Path, tmp_path: Path) -> None:
    flags = ["--optimizer", "muon", "--muon-rate", "0.01", "--floor", "0.02", "--paths", "--shift"]
    config = save_config(tmp_path, base, rows, max_steps=8, save_steps=4)
    assert run_recipe(config, *flags) == 0
    first = read_losses(tmp_path / "out")
    assert first[-1] < first[0] - 0.2
    shutil.rmtree(tmp_path / "out" / "model")
    assert run_recipe(config, *flags, "--resume") == 0
    assert read_losses(tmp_path / "out") == first


def write_bad_rows(folder: Path, *documents: Any) -> str:
    path = folder / "bad.jsonl"
    path.write_text("".join(json.dumps(one) + "\n" for one in documents))
    return str(path)


def test_bad_input_has_a_message_and_an_exit_code(
    base: Path, rows: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = save_config(tmp_path, base, rows)
    user = {"messages": [{"role": "user", "content": "hello?"}]}
    german = {"lang": "de", **example_dialogue(1)}
    unlike = {"question": "a", "reply": "b"}
    long = {"messages": [{"role": r, "content": "word " * 600} for r in ("user", "assistant")]}
    cases: list[tuple[tuple[str, ...], int, str]] = [
        (("--blok", "3"), 78, "did you mean `block`?"),
        (("--dataset", str(tmp_path / "none.jsonl")), 2, "none.jsonl"),
        (("--dataset", write_bad_rows(tmp_path, user)), 65, "no assistant turn"),
        (("--model", str(tmp_path)), 69, "cannot be loaded"),
        (("--resume",), 78, "no checkpoint to resume from"),
        (("--deepspeed", str(tmp_path / "none.json")), 78, "none.json"),
        (("--fsdp",), 78, "needs several GPUs"),
        (("--attention", "flex"), 78, "without a GPU"),
        (("--lora-rank", "4", "--lora-targets", "q_proj"), 78, "has no `q_proj`"),
        (("--push-to-hub", "--hub-id", "me/mine"), 78, "needs a Hub token"),
        (("--output", str(rows / "x")), 73, "is not writable"),
    ]
    for flags, code, expected_text in cases:
        found = run_recipe(config, *flags)
        printed = capsys.readouterr().err
        assert (found, expected_text in printed) == (code, True), f"{flags}: {found}\n{printed}"
    for rows_, code, expected_text in (
        (unlike, 65, "known schema"),
        (german, 65, "nothing to learn"),
        (long, 78, "`--block 512`"),
    ):
        found = run_recipe(config, "--dataset", write_bad_rows(tmp_path, rows_), "--block", "4096")
        printed = capsys.readouterr().err
        assert (found, expected_text in printed) == (code, True), f"{rows_}: {found}\n{printed}"


def test_a_missing_configuration_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_recipe(Path("nowhere.yaml")) == 78
    assert "nowhere.yaml" in capsys.readouterr().err
    assert finetune.main(["--help"]) == 0
    assert "--deepspeed" in capsys.readouterr().out
    assert finetune.main([]) == 2


def test_rows_are_filled_up_to_whole_steps(base: Path, rows: Path, tmp_path: Path) -> None:
    config = configs.load_config(save_config(tmp_path, base, rows))
    grown = tokenizer_extension.extend_tokenizer(base / "tokenizer.json", rows=1024)
    found = dataset.prepare_data(config, grown.tokenizer, window=512, step=7)
    assert len(found.rows) % 7 == 0
    fillers = [row for row in found.rows if not row.learned_count]
    assert len(fillers) < 7
    assert all(len(row) == 1 for row in fillers)
    assert found.tokens == sum(map(len, found.rows)) - len(fillers)
    assert (
        found.fingerprint
        == dataset.prepare_data(config, grown.tokenizer, window=512, step=3).fingerprint
    )
