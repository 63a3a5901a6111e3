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
from torch.utils.hooks import RemovableHandle
from transformers import PrinterCallback, Trainer

from starchat_tui.template import IGNORED
from train import masks, saving
from train.batches import Collator, Rows
from train.errors import CannotSave
from train.loss import weight_of
from train.packing import Row

Batch = dict[str, torch.Tensor]


class LearnedOnly:
    """Lets a model score the tokens that are learned, and no others.

    The scores of all tokens are the largest tensor of a small model, and of a large vocabulary: a
    fifth to a half of them belongs to tokens that nothing is learned from. While `learned` is set,
    the head is given the hidden states [N, D] that it picks of [B, T, D], and gives scores [N, V].
    """

    def __init__(self, model: Any) -> None:
        self.learned: torch.Tensor | None = None
        head: nn.Module = model.get_output_embeddings()
        self.handle: RemovableHandle = head.register_forward_pre_hook(self._pick)

    def _pick(self, head: nn.Module, given: tuple[torch.Tensor, ...]) -> Any:
        if self.learned is None:
            return None
        return (given[0][:, :-1][self.learned], *given[1:])

    def scores(self, model: Callable[..., Any], batch: Batch) -> torch.Tensor:
        """Scores [N, V] of the labels [B, T] that `targets` gives, in the same order."""
        self.learned = batch["labels"][:, 1:] != IGNORED
        try:
            kept = ("input_ids", "position_ids", "attention_mask")
            given = {name: batch[name] for name in kept if name in batch}
            found: torch.Tensor = model(**given, use_cache=False).logits
        finally:
            self.learned = None
        return found


def targets(batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
    """The learned labels [N] of a batch, and their weights [N]."""
    labels = batch["labels"][:, 1:]
    learned = labels != IGNORED
    return labels[learned], batch["weights"][:, 1:][learned]


class FineTuner(Trainer):
    """A trainer of packed rows.

    Every row weighs what it should however the rows are divided: the loss of a step is the sum over
    all micro-batches and processes, divided by the weight of them all.
    """

    loss_is_scaled_for_ga = True

    def __init__(
        self,
        *,
        rows: Sequence[Row],
        held_out: Sequence[Row],
        collator: Collator,
        keep: int,
        **given: Any,
    ) -> None:
        super().__init__(train_dataset=Rows(rows), data_collator=collator, **given)
        # It prints to stdout, which is the result's.
        self.remove_callback(PrinterCallback)
        self._keep = keep
        self._held_out = list(held_out)
        self._collator = collator
        self.head = LearnedOnly(self.accelerator.unwrap_model(self.model))
        self.tokens = 0
        """Tokens that this process has read in training."""
        self.seconds = 0.0
        """Time spent on anything but training: evaluation and checkpoints."""
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
        total, _ = self._summed(model, inputs)
        loss: torch.Tensor = total / num_items_in_batch * self.accelerator.num_processes
        return loss

    def _summed(self, model: Any, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
        """Weighted sum of the losses of a batch, and its weight; both scalars in float32."""
        masked = dict(batch)
        if "exits" in masked:
            masked["attention_mask"] = masks.flex_block_mask(masked.pop("exits"))
        labels, weights = targets(batch)
        scores = self.head.scores(model, masked)
        each = nn.functional.cross_entropy(scores.float(), labels, reduction="none")
        return (each * weights).sum(), weights.sum()

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
            with saving.disk(output):
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
                "sharded": self.is_deepspeed_enabled or self.is_fsdp_enabled,
            }
            saving.seal(folder, facts)
            # Not by `save_total_limit`, which deletes an old one before this one is whole.
            saving.keep_newest(output, self._keep)
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
