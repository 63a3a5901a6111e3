"""Transformers' `Trainer` for packed trees: loss, evaluation and checkpoints."""

from __future__ import annotations

import math
import shutil
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from transformers import PrinterCallback, Trainer

from train import atomic_files
from train.data.collator import Collator
from train.data.packing import PackedRow
from train.data.position_shift import shift_positions
from train.data.rows import RowDataset
from train.modeling import masks
from train.modeling.loss import total_weight
from train.modeling.loss_head import Batch, LossHead
from train.runtime import checkpoint
from train.train_errors import SaveError


class FineTuner(Trainer):
    """Trainer of packed rows.

    Every row has its weight however the rows are distributed: the loss of a step is the sum over
    all micro-batches and processes, divided by their total weight.

    `shift` is the window within which rows may start anywhere (`position_shift`); 0 disables that.
    """

    loss_is_scaled_for_ga = True

    def __init__(
        self,
        *,
        rows: Sequence[PackedRow],
        held_out: Sequence[PackedRow],
        collator: Collator,
        keep: int,
        shift: int = 0,
        **given: Any,
    ) -> None:
        super().__init__(train_dataset=RowDataset(rows), data_collator=collator, **given)
        # It prints to stdout, which is reserved for the result.
        self.remove_callback(PrinterCallback)
        self._keep = keep
        self._held_out = list(held_out)
        self._collator = collator
        self._shift = shift
        self._sharded = bool(self.is_deepspeed_enabled or self.is_fsdp_enabled)
        whole = self.accelerator.unwrap_model(self.model)
        self._head = LossHead(whole, sharded=self._sharded)
        self.tokens = 0
        """Tokens this process has read in training."""
        self.seconds = 0.0
        """Time spent on evaluation and checkpoints."""
        self._began = time.monotonic()
        self._earlier: dict[str, float] | None = None
        """Last log entry before this process took over, with tokens and seconds."""
        self.save_dtype: torch.dtype | None = None
        """Number format of saved weights; None leaves them as they are."""

    def _get_num_items_in_batch(
        self, batch_samples: list[Any], device: torch.device
    ) -> torch.Tensor | None:
        """Return the weight of a step, over micro-batches and processes."""
        if not batch_samples:
            return None
        each = [total_weight(batch["labels"], batch["weights"]) for batch in batch_samples]
        total = torch.stack(each).sum().to(device)
        if self.args.world_size > 1:
            total = self.accelerator.reduce(total, "sum")
        # A step without learned tokens has loss 0, not 0 / 0.
        return total.clamp_min(torch.finfo(total.dtype).tiny)

    def compute_loss(
        self,
        model: Any,
        inputs: Batch,
        return_outputs: bool = False,
        num_items_in_batch: torch.Tensor | int | None = None,
    ) -> torch.Tensor:
        """Return a micro-batch's loss, such that the mean over processes is the step's."""
        assert num_items_in_batch is not None
        assert not return_outputs
        self.tokens += inputs["input_ids"].numel()
        if self._shift:
            seed = self.args.seed + self.state.global_step
            inputs = {
                **inputs,
                "position_ids": shift_positions(inputs, window=self._shift, seed=seed),
            }
        total, _ = self._sum_losses(model, inputs)
        # DDP and ZeRO average gradients over processes, which the factor turns back into a sum.
        loss: torch.Tensor = total / num_items_in_batch * self.accelerator.num_processes
        return loss

    def _sum_losses(self, model: Any, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the weighted sum of a batch's losses, and its weight: float32 scalars."""
        masked = dict(batch)
        if "exits" in masked:
            masked["attention_mask"] = masks.build_block_mask(masked.pop("exits"))
        return self._head.sum_losses(model, masked), total_weight(batch["labels"], batch["weights"])

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Log; a step's loss with the tokens read and seconds of training so far."""
        if "loss" in logs:
            if self._earlier is None:
                logged = [one for one in self.state.log_history if "tokens" in one]
                self._earlier = logged[-1] if logged else {"tokens": 0, "seconds": 0.0}
            spent = time.monotonic() - self._began - self.seconds
            tokens = self._earlier["tokens"] + self.tokens * self.args.world_size
            seconds = self._earlier["seconds"] + spent
            logs = {**logs, "tokens": tokens, "seconds": round(seconds, 1)}
        super().log(logs, start_time)

    def evaluate(self, *args: Any, **kwargs: Any) -> dict[str, float]:
        """Return the mean loss of the held-out assistant tokens, and its perplexity."""
        began = time.monotonic()
        model = self.model_wrapped
        model.eval()
        # float64: the sum runs over every held-out token, and its last digits are compared.
        sums = torch.zeros(2, dtype=torch.float64, device=self.args.device)
        with torch.no_grad():
            for batch in self._eval_batches():
                sums += torch.stack(self._sum_losses(model, self._prepare_inputs(batch))).double()
        model.train()
        if self.args.world_size > 1:
            sums = self.accelerator.reduce(sums, "sum")
        loss = float(sums[0] / sums[1])
        metrics = {
            "eval_loss": loss,
            "eval_perplexity": math.exp(min(loss, 700.0)),
            "eval_seconds": time.monotonic() - began,
        }
        self.log(metrics)
        self.control = self.callback_handler.on_evaluate(
            self.args, self.state, self.control, metrics
        )
        self.seconds += time.monotonic() - began
        return metrics

    def _eval_batches(self) -> Iterator[Batch]:
        """Yield this process's batches, equally many for every process.

        Sharded weights make every forward pass a collective. Where the rows do not divide evenly,
        earlier ones are repeated with weight 0.
        """
        size, world = self.args.per_device_train_batch_size, self.args.world_size
        whole = math.ceil(len(self._held_out) / (size * world))
        for number in range(whole):
            first = (number * world + self.args.process_index) * size
            places = range(first, first + size)
            rows = [self._held_out[at % len(self._held_out)] for at in places]
            batch = self._collator(rows)
            batch["weights"][[at >= len(self._held_out) for at in places]] = 0
            yield batch

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        """Write a checkpoint and seal it; on a full disk, remove it again."""
        began = time.monotonic()
        output = Path(str(self.args.output_dir))
        folder = output / f"checkpoint-{self.state.global_step}"
        if self.is_world_process_zero():
            shutil.rmtree(folder, ignore_errors=True)
        self.accelerator.wait_for_everyone()
        try:
            with atomic_files.translate_disk_errors(output):
                super()._save_checkpoint(model, trial)
        except SaveError:
            if self.is_world_process_zero():
                shutil.rmtree(folder, ignore_errors=True)
            raise
        # The seal lists the files of all processes, so every one must have finished.
        self.accelerator.wait_for_everyone()
        if self.is_world_process_zero():
            facts = {
                "step": self.state.global_step,
                "processes": self.args.world_size,
                "sharded": self._sharded,
            }
            checkpoint.seal_checkpoint(folder, facts)
            # `save_total_limit` would delete an old one before this one is complete.
            checkpoint.keep_newest(output, self._keep)
        self.accelerator.wait_for_everyone()
        self.seconds += time.monotonic() - began

    def _save(self, output_dir: str | None = None, state_dict: Any = None) -> None:
        """Write weights and config only; an adapter without the embedding of its base."""
        if not self.args.should_save:
            return
        assert output_dir is not None
        Path(output_dir).mkdir(parents=True, exist_ok=True)
        model = self.accelerator.unwrap_model(self.model)
        if hasattr(model, "peft_config"):
            model.save_pretrained(output_dir, state_dict=state_dict, save_embedding_layers=False)
            return
        if self.save_dtype is not None:
            state_dict = convert_dtype(state_dict or model.state_dict(), self.save_dtype)
        model.save_pretrained(output_dir, state_dict=state_dict)


def convert_dtype(state: dict[str, torch.Tensor], dtype: torch.dtype) -> dict[str, torch.Tensor]:
    """Return the tensors in another number format; shared tensors stay shared."""
    made: dict[int, torch.Tensor] = {}
    for tensor in state.values():
        if tensor.is_floating_point() and tensor.data_ptr() not in made:
            made[tensor.data_ptr()] = tensor.detach().to(dtype)
    return {name: made.get(tensor.data_ptr(), tensor) for name, tensor in state.items()}
