"""Transformers' `Trainer` for packed trees: its loss, its evaluation, its checkpoints."""

from __future__ import annotations

import math
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn
from transformers import PrinterCallback, Trainer

from starchat_tui.templates.template import IGNORED
from train.data.collator import Collator, Rows, shifted
from train.data.packing import Row
from train.modeling import masks
from train.modeling.loss import summed, weight_of
from train.runtime import checkpoint
from train.train_errors import CannotSave

Batch = dict[str, torch.Tensor]


class LossHead:
    """Lets a model give the loss of what is learned instead of the scores of everything.

    The scores of all tokens are the largest tensor of a small model, and of a large vocabulary, and
    a fifth to a half of them belongs to tokens that nothing is learned from. While a batch is set,
    the head is asked only about the hidden states that are learned, and a plain matrix gives their
    loss at once (`loss.summed`). One that is sharded, or that PEFT put in its place, gives scores
    [N, V].
    """

    def __init__(self, model: Any, *, sharded: bool) -> None:
        self._batch: Batch | None = None
        self._head: nn.Module = model.get_output_embeddings()
        plain = type(self._head) is nn.Linear and self._head.bias is None
        self._plain = plain and not sharded
        if self._plain:
            self._scores = self._head.forward
            self._head.forward = self._loss
        else:
            self._head.register_forward_pre_hook(self._pick)

    def loss(self, model: Callable[..., Any], batch: Batch) -> torch.Tensor:
        """Weighted sum of the losses of a batch, a float32 scalar."""
        self._batch = batch
        try:
            kept = ("input_ids", "position_ids", "attention_mask")
            given = {name: batch[name] for name in kept if name in batch}
            found: torch.Tensor = model(**given, use_cache=False).logits
        finally:
            self._batch = None
        if self._plain:
            return found
        labels, weights = targets(batch)
        each = nn.functional.cross_entropy(found.float(), labels, reduction="none")
        return (each * weights).sum()

    def _loss(self, hidden: torch.Tensor) -> torch.Tensor:
        if self._batch is None:
            scores: torch.Tensor = self._scores(hidden)
            return scores
        kind = hidden.device.type
        if torch.is_autocast_enabled(kind):
            hidden = hidden.to(torch.get_autocast_dtype(kind))
        head: torch.Tensor = self._head.weight  # type: ignore[assignment]
        return summed(hidden[:, :-1][learned(self._batch)], head, *targets(self._batch))

    def _pick(self, head: nn.Module, given: tuple[torch.Tensor, ...]) -> Any:
        if self._batch is None:
            return None
        return (given[0][:, :-1][learned(self._batch)], *given[1:])


def learned(batch: Batch) -> torch.Tensor:
    """Which of the positions [B, T - 1] have a next token that is learned."""
    return batch["labels"][:, 1:] != IGNORED


def targets(batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
    """The learned labels [N] of a batch, and their weights [N]."""
    chosen = learned(batch)
    return batch["labels"][:, 1:][chosen], batch["weights"][:, 1:][chosen]


class FineTuner(Trainer):
    """A trainer of packed rows.

    Every row weighs what it should however the rows are divided: the loss of a step is the sum over
    all micro-batches and processes, divided by the weight of them all.

    `shift` is the window that rows may begin anywhere in (`batches.shifted`); 0 leaves them alone.
    """

    loss_is_scaled_for_ga = True

    def __init__(
        self,
        *,
        rows: Sequence[Row],
        held_out: Sequence[Row],
        collator: Collator,
        keep: int,
        shift: int = 0,
        **given: Any,
    ) -> None:
        super().__init__(train_dataset=Rows(rows), data_collator=collator, **given)
        # It prints to stdout, which is the result's.
        self.remove_callback(PrinterCallback)
        self._keep = keep
        self._held_out = list(held_out)
        self._collator = collator
        self._shift = shift
        self._sharded = bool(self.is_deepspeed_enabled or self.is_fsdp_enabled)
        whole = self.accelerator.unwrap_model(self.model)
        self._head = LossHead(whole, sharded=self._sharded)
        self.tokens = 0
        """Tokens that this process has read in training."""
        self.seconds = 0.0
        """Time spent on anything but training: evaluation and checkpoints."""
        self._began = time.monotonic()
        self._earlier: dict[str, float] | None = None
        """What was logged last, with tokens and seconds, when this process took the run on."""
        self.saved: torch.dtype | None = None
        """The number format that weights are saved in; None leaves it as it is."""

    def _get_num_items_in_batch(
        self, batch_samples: list[Any], device: torch.device
    ) -> torch.Tensor | None:
        """The weight of a step, over micro-batches and processes."""
        if not batch_samples:
            return None
        each = [weight_of(batch["labels"], batch["weights"]) for batch in batch_samples]
        total = torch.stack(each).sum().to(device)
        if self.args.world_size > 1:
            total = self.accelerator.reduce(total, "sum")
        return total.clamp_min(torch.finfo(total.dtype).tiny)

    def compute_loss(
        self,
        model: Any,
        inputs: Batch,
        return_outputs: bool = False,
        num_items_in_batch: torch.Tensor | int | None = None,
    ) -> torch.Tensor:
        """The loss of a micro-batch, such that the mean over processes is the step's."""
        assert num_items_in_batch is not None
        assert not return_outputs
        self.tokens += inputs["input_ids"].numel()
        if self._shift:
            seed = self.args.seed + self.state.global_step
            inputs = {**inputs, "position_ids": shifted(inputs, window=self._shift, seed=seed)}
        total, _ = self._summed(model, inputs)
        loss: torch.Tensor = total / num_items_in_batch * self.accelerator.num_processes
        return loss

    def _summed(self, model: Any, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
        """Weighted sum of the losses of a batch, and its weight; both scalars in float32."""
        masked = dict(batch)
        if "exits" in masked:
            masked["attention_mask"] = masks.flex_block_mask(masked.pop("exits"))
        return self._head.loss(model, masked), weight_of(batch["labels"], batch["weights"])

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Log, and with a step's loss the tokens read and the seconds spent on training so far."""
        if "loss" in logs:
            if self._earlier is None:
                said = [one for one in self.state.log_history if "tokens" in one]
                self._earlier = said[-1] if said else {"tokens": 0, "seconds": 0.0}
            spent = time.monotonic() - self._began - self.seconds
            tokens = self._earlier["tokens"] + self.tokens * self.args.world_size
            seconds = self._earlier["seconds"] + spent
            logs = {**logs, "tokens": tokens, "seconds": round(seconds, 1)}
        super().log(logs, start_time)

    def evaluate(self, *args: Any, **kwargs: Any) -> dict[str, float]:
        """Mean loss of the held-out tokens that the assistant says, and its perplexity."""
        began = time.monotonic()
        model = self.model_wrapped
        model.eval()
        sums = torch.zeros(2, dtype=torch.float64, device=self.args.device)
        with torch.no_grad():
            for batch in self._eval_batches():
                sums += torch.stack(self._summed(model, self._prepare_inputs(batch))).double()
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
        """This process's share; every process gets as many, as sharded weights demand.

        Where the rows do not come out even, one that was there is read again and counts nothing.
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
        """Write a checkpoint and seal it; one that the disk has no room for leaves nothing."""
        began = time.monotonic()
        output = Path(str(self.args.output_dir))
        folder = output / f"checkpoint-{self.state.global_step}"
        if self.is_world_process_zero():
            shutil.rmtree(folder, ignore_errors=True)
        self.accelerator.wait_for_everyone()
        try:
            with checkpoint.disk(output):
                super()._save_checkpoint(model, trial)
        except CannotSave:
            if self.is_world_process_zero():
                shutil.rmtree(folder, ignore_errors=True)
            raise
        self.accelerator.wait_for_everyone()
        if self.is_world_process_zero():
            facts = {
                "step": self.state.global_step,
                "processes": self.args.world_size,
                "sharded": self._sharded,
            }
            checkpoint.seal(folder, facts)
            # Not by `save_total_limit`, which deletes an old one before this one is whole.
            checkpoint.keep_newest(output, self._keep)
        self.accelerator.wait_for_everyone()
        self.seconds += time.monotonic() - began

    def _save(self, output_dir: str | None = None, state_dict: Any = None) -> None:
        """Weights and config alone; an adapter without the embedding of its base."""
        if not self.args.should_save:
            return
        assert output_dir is not None
        Path(output_dir).mkdir(parents=True, exist_ok=True)
        model = self.accelerator.unwrap_model(self.model)
        if hasattr(model, "peft_config"):
            model.save_pretrained(output_dir, state_dict=state_dict, save_embedding_layers=False)
            return
        if self.saved is not None:
            state_dict = converted(state_dict or model.state_dict(), self.saved)
        model.save_pretrained(output_dir, state_dict=state_dict)


def converted(state: dict[str, torch.Tensor], dtype: torch.dtype) -> dict[str, torch.Tensor]:
    """The tensors in another number format; those that are one stay one."""
    made: dict[int, torch.Tensor] = {}
    for tensor in state.values():
        if tensor.is_floating_point() and tensor.data_ptr() not in made:
            made[tensor.data_ptr()] = tensor.detach().to(dtype)
    return {name: made.get(tensor.data_ptr(), tensor) for name, tensor in state.items()}
