"""Fine-tune a causal language model on dialogues, as one configuration says.

    python -m train.finetune train/configs/demo.yaml [--key value ...]
    torchrun --nproc_per_node=8 -m train.finetune train/configs/starchat.yaml \\
        --deepspeed train/configs/zero3.json [--key value ...]

The finished model is OUTPUT/model, and its path is all that stdout gets. Exit codes: 2, 78 a wrong
command line or configuration; 65 wrong data, or a torn checkpoint; 69 no such model, or too little
memory; 73 no space on the disk; 75 the output is in use; 143 stopped by SIGTERM, after a checkpoint
was saved. `torchrun` ends with 1 whatever its processes end with.
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

from starchat_tui.errors import OutOfMemory, StarChatError, Terminated, UsageError
from train import command_line
from train import config as configs
from train.config import Config
from train.data.collator import Collator
from train.data.dataset import Lessons, read
from train.modeling import model_loading, optimizers, vocabulary
from train.modeling.masks import FORMS
from train.modeling.vocabulary import Grown
from train.publish import hub, model_card, model_files
from train.runtime import checkpoint as saving
from train.runtime import distributed, memory, resume
from train.runtime.callbacks import Progress, Rhythm, Sample, Stopper, say
from train.runtime.distributed import Place
from train.runtime.memory_plan import Setup, Shape, decided, lines, plan, written
from train.runtime.trainer import FineTuner
from train.train_errors import CannotSave

FORMATS = {"bf16": torch.bfloat16, "fp16": torch.float16, "fp32": torch.float32}


def main(argv: Sequence[str]) -> int:
    """Run one fine-tune; the exit code."""
    if not argv or argv[0] in ("-h", "--help"):
        print(f"{__doc__}\nKeys and their defaults:\n\n{configs.described()}")
        return 0 if argv else UsageError.exit_code
    config = configs.load(Path(argv[0]), argv[1:])
    here = distributed.place()
    distributed.check(config, here)
    hub.check(config)
    with ExitStack() as stack:
        if here.first:
            stack.enter_context(saving.locked(Path(config.output)))
        folder = finetune(config, here)
    if here.first:
        print(folder, flush=True)
        if config.push_to_hub:
            say(f"uploaded to {hub.push(folder, config.hub_id)}")
    distributed.leave()
    return 0


def finetune(config: Config, here: Place) -> Path:
    """The recipe, from a configuration to the folder of the finished model."""
    distributed.quiet()

    # What there is: the model's shape, its vocabulary with the four tokens, the rows to learn.
    base = memory.model_config(config.model)
    text = base.get_text_config(decoder=True)
    window = int(text.max_position_embeddings)
    tokenizer = model_loading.tokenizer_file(config.model)
    grown = vocabulary.read(tokenizer, rows=int(text.vocab_size), keep_ids=config.keep_ids)
    text.vocab_size = grown.rows
    step = config.batch_size * config.accumulation * here.processes
    lessons = read(config, grown, window=window, step=step)

    # Whether it can be done here: an earlier run, memory, the disk.
    checkpoint, notes = resume.checkpoint_of(
        config, processes=here.processes, fingerprint=lessons.fingerprint
    )
    shape = memory.shape_of(base, config)
    setup = fitted(config, shape, here)
    if here.first:
        for note in (*overview(config, lessons), *notes):
            say(note)
        resume.check_room(config, checkpoint, written(shape, setup, checkpoints=config.keep))
        resume.record(config, processes=here.processes, fingerprint=lessons.fingerprint)

    # The model. The arguments come first: with them the processes find each other, and DeepSpeed
    # shards the weights while they are read.
    args = arguments(config, setup, here)
    source = config.model
    if setup.sharding == "zero3":
        source = grown_base(config, args, grown, here, keep=checkpoint is not None)
    model = model_loading.load(source, config, setup, grown)

    # Training.
    trainer = FineTuner(
        model=model,
        args=args,
        rows=lessons.rows,
        held_out=lessons.held_out,
        collator=collator_of(config, model, grown),
        keep=config.keep,
        shift=window if config.shift else 0,
        optimizers=(optimizers.chosen(model, config), None),
    )
    stopper = Stopper()
    for callback in listeners(trainer, config, lessons, grown, window=window, step=step):
        trainer.add_callback(callback)
    trainer.add_callback(stopper)
    began = monotonic()
    with stopper.listening():
        run(trainer, str(checkpoint.folder) if checkpoint else None, shape, setup)
    if stopper.stopped:
        raise Terminated(
            f"Stopped after step {trainer.state.global_step}, which is saved",
            "the same command with `--resume` goes on from there",
        )

    # The finished model, whole or not at all.
    facts = facts_of(config, lessons, shape, here, trainer, monotonic() - began)
    folder = Path(config.output) / resume.MODEL
    save(trainer, folder, config, setup, grown, facts, window=window, here=here)
    return folder


def overview(config: Config, lessons: Lessons) -> list[str]:
    """What is learned, for a reader."""
    refused = [f"{count} rows not used: {reason}" for reason, count in lessons.refused.items()]
    cut = [f"{lessons.cut:,} tokens beyond `block` are cut"] if lessons.cut else []
    share = lessons.learned / lessons.tokens
    return [
        f"{config.model}: {lessons.trees:,} trees, {lessons.tokens:,} tokens in rows of "
        f"{config.block}, {share:.0%} learned; {lessons.held_out_trees:,} trees held out",
        *refused,
        *cut,
    ]


def fitted(config: Config, shape: Shape, here: Place) -> Setup:
    """How it is trained, with checkpointing decided; raises `OutOfMemory` with a plan."""
    host = memory.main_memory() // here.beside
    capacity = torch.cuda.mem_get_info(here.local)[0] if here.gpu else host
    setup = memory.setup_of(
        config, devices=here.processes, capacity=capacity, host=host, gpu=here.gpu
    )
    setup, need = decided(shape, setup, config.checkpointing)
    if here.first:
        say(f"memory of each of {here.processes} x {here.device}, as predicted:")
        say("\n".join(lines(need, setup)))
    return setup


def arguments(config: Config, setup: Setup, here: Place) -> TrainingArguments:
    """The configuration in transformers' words; making it forms the group of processes."""
    schedule: dict[str, Any] = {"lr_scheduler_type": config.schedule}
    if config.schedule == "constant":
        schedule = {"lr_scheduler_type": "constant_with_warmup"}
    elif config.schedule == "cosine" and config.floor:
        schedule = {
            "lr_scheduler_type": "cosine_with_min_lr",
            "lr_scheduler_kwargs": {"min_lr_rate": config.floor},
        }
    # peft under ZeRO-3 needs the older, reentrant kind.
    reentrant = bool(config.lora_rank) and setup.sharding == "zero3"
    if config.fsdp:
        schedule["fsdp"] = True
    args = TrainingArguments(
        output_dir=config.output,
        per_device_train_batch_size=config.batch_size,
        gradient_accumulation_steps=config.accumulation,
        num_train_epochs=config.epochs,
        max_steps=config.max_steps or -1,
        learning_rate=config.learning_rate,
        warmup_steps=config.warmup,
        weight_decay=config.weight_decay,
        max_grad_norm=config.clip,
        optim="adamw_torch_fused",
        seed=config.seed,
        data_seed=config.seed,
        bf16=setup.half and not setup.in_backward,
        activation_checkpointing=setup.checkpointing,
        activation_checkpointing_kwargs={"use_reentrant": reentrant},
        logging_steps=config.log_steps,
        logging_nan_inf_filter=False,
        eval_strategy="no",
        save_strategy="no",
        report_to="none",
        disable_tqdm=True,
        log_level="error",
        remove_unused_columns=False,
        dataloader_pin_memory=here.gpu,
        **schedule,
        **distributed.join(config, here),
    )
    distributed.agree(args, here)
    if here.first and args.activation_checkpointing != setup.checkpointing:
        say("another process has less memory: activations are recomputed")
    return args


def grown_base(
    config: Config, args: TrainingArguments, grown: Grown, here: Place, *, keep: bool
) -> str:
    """The folder of the base with every row it needs, which one process writes for all.

    `keep` takes the one that is there: a run that goes on made it. Any other may be of a model that
    was to be trained here before.
    """
    folder = Path(config.output) / resume.BASE
    if here.first:
        with distributed.unsharded(args):
            vocabulary.grown_copy(config.model, folder, grown.rows, seed=config.seed, keep=keep)
    distributed.wait(here)
    return str(folder)


def collator_of(config: Config, model: Any, grown: Grown) -> Collator:
    """Rows to batches, in the form of mask that the model's attention takes."""
    form = FORMS[model.config._attn_implementation]
    pad = grown.vocabulary.end_of_text_id
    return Collator(config.block, pad, form=form, fixed=form == "exits")


def listeners(
    trainer: FineTuner, config: Config, lessons: Lessons, grown: Grown, *, window: int, step: int
) -> list[Any]:
    """What listens to the run: its rhythm, progress, TensorBoard, and a sample answer."""
    board = None
    found: list[Any] = [
        Rhythm(config, epoch=len(lessons.rows) // step, held_out=bool(lessons.held_out)),
        Progress(trainer),
    ]
    if trainer.is_world_process_zero():
        from torch.utils.tensorboard import SummaryWriter
        from transformers.integrations.integration_utils import TensorBoardCallback

        board = SummaryWriter(str(Path(config.output) / "runs"))
        found.append(TensorBoardCallback(board))  # type: ignore[no-untyped-call]
    found.append(Sample(trainer, grown.vocabulary, config, window=window, board=board))
    return found


def run(trainer: FineTuner, checkpoint: str | None, shape: Shape, setup: Setup) -> None:
    """Train, from a checkpoint on where one is given; raises `OutOfMemory` with a plan."""
    try:
        trainer.train(resume_from_checkpoint=checkpoint)
    except torch.OutOfMemoryError as error:
        raise OutOfMemory(
            "The device had no memory left, against the prediction", plan(shape, setup)
        ) from error


def facts_of(
    config: Config, lessons: Lessons, shape: Shape, here: Place, trainer: FineTuner, seconds: float
) -> model_card.Facts:
    """What the card tells."""
    return model_card.Facts(
        config=config,
        trees=lessons.trees,
        held_out=lessons.held_out_trees,
        rows=len(lessons.rows),
        tokens=lessons.tokens,
        learned=lessons.learned,
        refused=lessons.refused,
        parameters=shape.parameters,
        trained=shape.adapter or shape.parameters,
        processes=here.processes,
        device=here.device,
        steps=trainer.state.global_step,
        seconds=seconds,
        log=trainer.state.log_history,
    )


def save(
    trainer: FineTuner,
    folder: Path,
    config: Config,
    setup: Setup,
    grown: Grown,
    facts: model_card.Facts,
    *,
    window: int,
    here: Place,
) -> None:
    """Write the complete model beside its place, and put it there in one piece."""
    named = config.saved if config.saved != "auto" else ("bf16" if setup.half else "")
    trainer.saved = FORMATS.get(named)
    if here.first:
        saving.begin(folder)
    distributed.wait(here)
    part = saving.part_of(folder)
    try:
        with saving.disk(folder.parent):
            trainer.save_model(str(part), _internal_call=True)
            if here.first:
                base = Path(config.model) if Path(config.model).is_dir() else None
                model_files.complete(part, grown, window=window, base=base, dtype=trainer.saved)
                model_card.write(part, facts, config.hub_id or folder.parent.name)
                saving.commit(folder)
    except StarChatError:
        if here.first:
            saving.abandon(folder)
        raise
    distributed.wait(here)
    if here.first:
        shutil.rmtree(folder.parent / resume.BASE, ignore_errors=True)


def silent(here: Place) -> int:
    """`main` where another process of this machine speaks: most of what stops one stops all.

    Memory and disk may be short in one process alone, and torchrun ends the others for it.
    """
    try:
        return main(sys.argv[1:])
    except (OutOfMemory, CannotSave) as error:
        command_line.tell(error, f"process {here.rank}: ")
        return error.exit_code
    except StarChatError as error:
        return error.exit_code
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    here = distributed.place()
    distributed.end(
        command_line.told(lambda: main(sys.argv[1:])) if here.local == 0 else silent(here), here
    )
