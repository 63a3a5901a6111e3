"""Transformers' TrainingArguments of a configuration."""

from __future__ import annotations

from typing import Any

from transformers import TrainingArguments

from train.config import Config
from train.run_setup import TrainingSetup
from train.runtime import distributed
from train.runtime.callbacks import (
    print_progress,
)
from train.runtime.distributed import ProcessInfo


def create_arguments(
    config: Config, setup: TrainingSetup, process: ProcessInfo
) -> TrainingArguments:
    """Return transformers' arguments for a configuration, and form the process group.

    Every process agrees on the same arguments, whatever memory each one has.
    """
    schedule: dict[str, Any] = {"lr_scheduler_type": config.schedule}
    if config.schedule == "constant":
        schedule = {"lr_scheduler_type": "constant_with_warmup"}
    elif config.schedule == "cosine" and config.floor:
        schedule = {
            "lr_scheduler_type": "cosine_with_min_lr",
            "lr_scheduler_kwargs": {"min_lr_rate": config.floor},
        }
    # PEFT under ZeRO-3 works with reentrant checkpointing only.
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
        # Below 1, transformers reads it as a share of the steps.
        warmup_steps=config.warmup,
        weight_decay=config.weight_decay,
        max_grad_norm=config.clip,
        optim="adamw_torch_fused",
        seed=config.seed,
        data_seed=config.seed,
        # in_backward keeps the weights themselves in bfloat16, so autocast has nothing to cast.
        bf16=setup.half and not setup.in_backward,
        activation_checkpointing=setup.checkpointing,
        activation_checkpointing_kwargs={"use_reentrant": reentrant},
        logging_steps=config.log_steps,
        # The filter would hide a diverged loss behind the last finite one.
        logging_nan_inf_filter=False,
        # Evaluation and checkpoints have callbacks and formats of their own.
        eval_strategy="no",
        save_strategy="no",
        report_to="none",
        disable_tqdm=True,
        log_level="error",
        remove_unused_columns=False,
        dataloader_pin_memory=process.gpu,
        **schedule,
        **distributed.join_process_group(config, process),
    )
    distributed.agree_on_arguments(args, process)
    if process.is_first and args.activation_checkpointing != setup.checkpointing:
        print_progress("another process has less memory: activations are recomputed")
    return args
