"""Fine-tune a causal language model on dialogues.

    python -m train.finetune train/configs/demo.yaml [--key value ...]
    torchrun --nproc_per_node=8 -m train.finetune train/configs/starchat.yaml \\
        --deepspeed train/configs/zero3.json [--key value ...]

The finished model is OUTPUT/model; its path is the only output on stdout. Exit codes: 2, 78 wrong
command line or configuration; 65 malformed data or checkpoint; 69 no such model, or not enough
memory; 73 no space on the disk; 75 the output folder is in use; 143 stopped by SIGTERM after a
checkpoint was saved. `torchrun` exits with 1 whatever its processes exit with.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from time import monotonic
from typing import Any

import torch
from transformers import TrainingArguments

from starchat_tui.cli import error_boundary
from starchat_tui.errors import OutOfMemory, StarChatError, Terminated, UsageError
from train import atomic_files
from train import config as configs
from train.config import Config
from train.data.collator import Collator
from train.data.dataset import TrainingData, prepare_data
from train.modeling import model_loading, optimizers, tokenizer_extension, tokenizer_files
from train.modeling.masks import MASK_FORMS
from train.modeling.tokenizer_extension import ExtendedTokenizer
from train.publish import hub, model_card, model_files
from train.run_setup import ModelShape, TrainingSetup
from train.runtime import distributed, memory, model_shape, output_lock, resume
from train.runtime.callbacks import (
    IntervalCallback,
    ProgressCallback,
    SampleCallback,
    StopOnSignal,
    print_progress,
)
from train.runtime.checkpoint import Checkpoint
from train.runtime.disk_space import predict_disk_bytes
from train.runtime.distributed import ProcessInfo
from train.runtime.memory_plan import choose_checkpointing, format_need, suggest_changes
from train.runtime.trainer import FineTuner
from train.runtime.training_arguments import create_arguments
from train.train_errors import SaveError

FORMATS = {"bf16": torch.bfloat16, "fp16": torch.float16, "fp32": torch.float32}


def main(argv: Sequence[str]) -> int:
    """Run one fine-tune and return the exit code."""
    if not argv or argv[0] in ("-h", "--help"):
        print(f"{__doc__}\nKeys and their defaults:\n\n{configs.describe_keys()}")
        return 0 if argv else UsageError.exit_code
    config = configs.load_config(Path(argv[0]), argv[1:])
    process = distributed.current_process()
    distributed.check_support(config, process)
    hub.check_upload(config)
    with ExitStack() as stack:
        if process.is_first:
            stack.enter_context(output_lock.lock_output(Path(config.output)))
        folder = finetune(config, process)
    if process.is_first:
        print(folder, flush=True)
        if config.push_to_hub:
            print_progress(f"uploaded to {hub.upload_model(folder, config.hub_id)}")
    distributed.leave_process_group()
    return 0


def finetune(config: Config, process: ProcessInfo) -> Path:
    """Run the whole recipe and return the folder of the finished model."""
    distributed.silence_libraries()

    # The shape of the model, its tokenizer with the four control tokens, the rows to learn.
    base = model_shape.load_model_config(config.model)
    text = base.get_text_config(decoder=True)
    window = int(text.max_position_embeddings)
    extended = tokenizer_extension.extend_tokenizer(
        tokenizer_files.find_tokenizer(config.model),
        rows=int(text.vocab_size),
        keep_ids=config.keep_ids,
    )
    text.vocab_size = extended.rows
    step = config.batch_size * config.accumulation * process.processes
    data = prepare_data(config, extended.tokenizer, window=window, step=step)

    # Everything that can fail is checked before the weights are loaded, which takes minutes.
    checkpoint, notes = resume.find_checkpoint(
        config, processes=process.processes, fingerprint=data.fingerprint
    )
    shape = model_shape.measure_shape(base, config)
    setup = plan_memory(config, shape, process)
    if process.is_first:
        for note in (*summarize_data(config, data), *notes):
            print_progress(note)
        needed = predict_disk_bytes(shape, setup, checkpoints=config.keep)
        resume.check_disk_space(config, checkpoint, needed)
        resume.record_run(config, processes=process.processes, fingerprint=data.fingerprint)

    # The arguments come before the model: creating them forms the process group, and under ZeRO-3
    # transformers shards the weights while it reads them.
    args = create_arguments(config, setup, process)
    source = config.model
    if setup.sharding == "zero3":
        source = save_extended_base(config, args, extended, process, keep=checkpoint is not None)
    model = model_loading.load_model(source, config, setup, extended)
    trainer = FineTuner(
        model=model,
        args=args,
        rows=data.rows,
        held_out=data.held_out,
        collator=create_collator(config, model, extended),
        keep=config.keep,
        shift=window if config.shift else 0,
        optimizers=(optimizers.create_optimizer(model, config), None),
    )
    for callback in create_callbacks(trainer, config, data, extended, window=window, step=step):
        trainer.add_callback(callback)
    began = monotonic()
    run_training(trainer, checkpoint, shape, setup)

    facts = collect_facts(config, data, shape, process, trainer, monotonic() - began)
    folder = Path(config.output) / resume.MODEL
    save_finished_model(
        trainer, folder, config, setup, extended, facts, window=window, process=process
    )
    return folder


def summarize_data(config: Config, data: TrainingData) -> list[str]:
    """Return progress lines about the data: what is learned, refused and dropped."""
    refused = [f"{count} rows refused: {reason}" for reason, count in data.refused.items()]
    cut = [f"{data.cut:,} tokens beyond `block` are dropped"] if data.cut else []
    share = data.learned / data.tokens
    return [
        f"{config.model}: {data.trees:,} trees, {data.tokens:,} tokens in rows of "
        f"{config.block}, {share:.0%} learned; {data.held_out_trees:,} trees held out",
        *refused,
        *cut,
    ]


def plan_memory(config: Config, shape: ModelShape, process: ProcessInfo) -> TrainingSetup:
    """Return the setup of the run, with checkpointing decided.

    Raises `OutOfMemory` with suggestions if it does not fit.
    """
    host = memory.available_memory() // process.local_processes
    capacity = torch.cuda.mem_get_info(process.local)[0] if process.gpu else host
    setup = memory.create_setup(
        config, devices=process.processes, capacity=capacity, host=host, gpu=process.gpu
    )
    setup, need = choose_checkpointing(shape, setup, config.checkpointing)
    if process.is_first:
        print_progress(f"predicted memory of each of {process.processes} x {process.device}:")
        print_progress("\n".join(format_need(need, setup)))
    return setup


def save_extended_base(
    config: Config,
    args: TrainingArguments,
    extended: ExtendedTokenizer,
    process: ProcessInfo,
    *,
    keep: bool,
) -> str:
    """Write the base model with all rows of its embedding, and return its folder.

    The first process writes it for all of them. `keep` reuses an existing copy, which is right only
    if the run is resumed: any other may belong to a different model.
    """
    folder = Path(config.output) / resume.BASE
    if process.is_first:
        with distributed.load_unsharded(args):
            tokenizer_extension.save_extended_model(
                config.model, folder, extended.rows, seed=config.seed, keep=keep
            )
    distributed.wait_for_all(process)
    return str(folder)


def create_collator(config: Config, model: Any, extended: ExtendedTokenizer) -> Collator:
    """Return the collator for the form of mask that the model's attention takes."""
    form = MASK_FORMS[model.config._attn_implementation]
    pad = extended.tokenizer.end_of_text_id
    return Collator(config.block, pad, form=form, fixed=form == "exits")


def create_callbacks(
    trainer: FineTuner,
    config: Config,
    data: TrainingData,
    extended: ExtendedTokenizer,
    *,
    window: int,
    step: int,
) -> list[Any]:
    """Return the callbacks of a run: intervals, progress, TensorBoard and the sample answer.

    Args:
        trainer: The trainer they report on.
        config: The configuration.
        data: Rows of the run.
        extended: Tokenizer of the model.
        window: Positions that the model has.
        step: Rows per optimizer step over all processes.
    """
    board = None
    found: list[Any] = [
        IntervalCallback(config, epoch=len(data.rows) // step, held_out=bool(data.held_out)),
        ProgressCallback(trainer),
    ]
    if trainer.is_world_process_zero():
        from torch.utils.tensorboard import SummaryWriter
        from transformers.integrations.integration_utils import TensorBoardCallback

        board = SummaryWriter(str(Path(config.output) / "runs"))
        found.append(TensorBoardCallback(board))  # type: ignore[no-untyped-call]
    found.append(SampleCallback(trainer, extended.tokenizer, config, window=window, board=board))
    return found


def run_training(
    trainer: FineTuner, checkpoint: Checkpoint | None, shape: ModelShape, setup: TrainingSetup
) -> None:
    """Train, from `checkpoint` if there is one.

    Raises `Terminated` after SIGTERM, and `OutOfMemory` with suggestions.
    """
    stopper = StopOnSignal()
    # The last callback: it overrides what the others asked for after a step.
    trainer.add_callback(stopper)
    try:
        with stopper.handle_sigterm():
            trainer.train(resume_from_checkpoint=str(checkpoint.folder) if checkpoint else None)
    except torch.OutOfMemoryError as error:
        raise OutOfMemory(
            "The device ran out of memory, contrary to the prediction",
            suggest_changes(shape, setup),
        ) from error
    if stopper.stopped:
        raise Terminated(
            f"Stopped after step {trainer.state.global_step}, which is saved",
            "the same command with `--resume` continues from there",
        )


def collect_facts(
    config: Config,
    data: TrainingData,
    shape: ModelShape,
    process: ProcessInfo,
    trainer: FineTuner,
    seconds: float,
) -> model_card.RunFacts:
    """Return what the model card reports about the run."""
    return model_card.RunFacts(
        config=config,
        trees=data.trees,
        held_out=data.held_out_trees,
        rows=len(data.rows),
        tokens=data.tokens,
        learned=data.learned,
        refused=data.refused,
        parameters=shape.parameters,
        trained=shape.adapter or shape.parameters,
        processes=process.processes,
        device=process.device,
        steps=trainer.state.global_step,
        seconds=seconds,
        log=trainer.state.log_history,
    )


def save_finished_model(
    trainer: FineTuner,
    folder: Path,
    config: Config,
    setup: TrainingSetup,
    extended: ExtendedTokenizer,
    facts: model_card.RunFacts,
    *,
    window: int,
    process: ProcessInfo,
) -> None:
    """Write the complete model next to its destination, then move it there atomically.

    Args:
        trainer: The trainer, which gathers sharded weights.
        folder: Destination.
        config: The configuration.
        setup: Setup of the run.
        extended: Tokenizer of the model.
        facts: Contents of the model card.
        window: Positions that the model has.
        process: This process; all of them must call this, since gathering is a collective.
    """
    # Without a dtype the weights are saved as they were trained.
    named = config.saved if config.saved != "auto" else ("bf16" if setup.half else "")
    trainer.save_dtype = FORMATS.get(named)
    if process.is_first:
        atomic_files.begin_folder(folder)
    distributed.wait_for_all(process)
    part = atomic_files.part_path(folder)
    try:
        with atomic_files.translate_disk_errors(folder.parent):
            trainer.save_model(str(part), _internal_call=True)
            if process.is_first:
                base = Path(config.model) if Path(config.model).is_dir() else None
                model_files.write_model_files(
                    part, extended, window=window, base=base, dtype=trainer.save_dtype
                )
                model_card.write_card(part, facts, config.hub_id or folder.parent.name)
                atomic_files.commit_folder(folder)
    except StarChatError:
        if process.is_first:
            atomic_files.discard_part(folder)
        raise
    distributed.wait_for_all(process)
    if process.is_first:
        shutil.rmtree(folder.parent / resume.BASE, ignore_errors=True)


def run_secondary_process(process: ProcessInfo) -> int:
    """Run `main` in a process that is not the first of its machine, mostly without messages.

    Most errors stop every process, and the first one reports them. Memory and disk may run out in
    one process alone, whereupon torchrun ends the others, so those errors are reported by each.
    """
    try:
        return main(sys.argv[1:])
    except (OutOfMemory, SaveError) as error:
        return error_boundary.print_error(
            error, program="train", context=f"process {process.rank}: "
        )
    except StarChatError as error:
        return error.exit_code
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    process = distributed.current_process()
    distributed.exit_process(
        error_boundary.report_errors(lambda: main(sys.argv[1:]), program="train")
        if process.local == 0
        else run_secondary_process(process),
        process,
    )
