"""Callbacks of a run: intervals, progress, a sample answer, and stopping on SIGTERM."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Container, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from transformers import TrainerCallback, TrainerControl, TrainerState

from starchat_tui.dialogue import Dialogue
from starchat_tui.sanitize import sanitize_text
from starchat_tui.templates.chatml import ChatMLTemplate
from starchat_tui.templates.template import encode_prompt
from starchat_tui.templates.tokenizer import Tokenizer
from train.config import Config
from train.runtime.trainer import FineTuner


class IntervalCallback(TrainerCallback):
    """Evaluate and save every so many steps or once an epoch; evaluate at the end as well."""

    def __init__(self, config: Config, *, epoch: int, held_out: bool) -> None:
        self._evaluate = (config.eval_steps or epoch) if held_out else 0
        self._save = config.save_steps or epoch

    def on_step_end(
        self, args: Any, state: TrainerState, control: TrainerControl, **given: Any
    ) -> None:
        """Request what is due after this step."""
        last = state.global_step >= state.max_steps
        if self._evaluate:
            control.should_evaluate = last or state.global_step % self._evaluate == 0
        # The last step is saved as the finished model, not as a checkpoint.
        control.should_save = not last and state.global_step % self._save == 0


class StopOnSignal(TrainerCallback):
    """Save a checkpoint after the current step and end the run on SIGTERM."""

    def __init__(self) -> None:
        self.requested = False
        self.stopped = False
        """True if the run was ended early."""

    @contextmanager
    def handle_sigterm(self) -> Iterator[None]:
        """Treat SIGTERM as a request to stop, within the block."""
        before = signal.signal(signal.SIGTERM, self._request_stop)
        try:
            yield
        finally:
            signal.signal(signal.SIGTERM, before)

    def _request_stop(self, number: int, frame: object) -> None:
        # Only a flag: a signal handler may interrupt anything, a collective or a write included.
        self.requested = True

    def on_step_end(
        self, args: Any, state: TrainerState, control: TrainerControl, **given: Any
    ) -> None:
        """Stop if any process was signalled; all of them must stop after the same step."""
        # A scheduler may signal the processes at different steps; a save is a collective.
        requested = torch.tensor(float(self.requested), device=args.device)
        if args.world_size > 1:
            torch.distributed.all_reduce(requested, torch.distributed.ReduceOp.MAX)
        if bool(requested) and state.global_step < state.max_steps:
            self.stopped = control.should_save = control.should_training_stop = True
            # An unlogged loss would be lost; an evaluation may take longer than the grace period.
            control.should_log, control.should_evaluate = True, False


class ProgressCallback(TrainerCallback):
    """Print one line on stderr for each logged step, evaluation and checkpoint."""

    def __init__(self, trainer: FineTuner) -> None:
        self._trainer = trainer
        self._at = self._began = time.monotonic()
        self._tokens = self._first = 0
        self._aside = 0.0

    def on_train_begin(
        self, args: Any, state: TrainerState, control: TrainerControl, **given: Any
    ) -> None:
        """Start the clock."""
        self._at = self._began = time.monotonic()
        self._first = state.global_step

    def on_log(
        self,
        args: Any,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, float] | None = None,
        **given: Any,
    ) -> None:
        """Print step, loss, rate, speed and the remaining time."""
        if not logs or "loss" not in logs or not state.is_world_process_zero:
            return
        now, tokens = time.monotonic(), self._trainer.tokens
        # Evaluations and checkpoints since the last line are no time of training.
        spent = now - self._at - (self._trainer.seconds - self._aside)
        speed = (tokens - self._tokens) * args.world_size / max(spent, 1e-9)
        self._at, self._tokens, self._aside = now, tokens, self._trainer.seconds
        done = state.global_step - self._first
        # From the steps of this process: a resumed run has an earlier, unknown speed behind it.
        left = (now - self._began) / max(done, 1) * (state.max_steps - state.global_step)
        print_progress(
            f"step {state.global_step} of {state.max_steps}  epoch {state.epoch or 0:.2f}  "
            f"loss {logs['loss']:.4f}  rate {logs.get('learning_rate', 0):.2e}  "
            f"{speed:,.0f} tokens/s  {left / 60:.1f} min left"
        )

    def on_evaluate(
        self,
        args: Any,
        state: TrainerState,
        control: TrainerControl,
        metrics: dict[str, float] | None = None,
        **given: Any,
    ) -> None:
        """Print the held-out loss and its perplexity."""
        if metrics and state.is_world_process_zero:
            print_progress(
                f"evaluation at step {state.global_step}: loss {metrics['eval_loss']:.4f}, "
                f"perplexity {metrics['eval_perplexity']:.3f}"
            )

    def on_save(
        self, args: Any, state: TrainerState, control: TrainerControl, **given: Any
    ) -> None:
        """Print the path of a checkpoint."""
        if state.is_world_process_zero:
            print_progress(f"saved {Path(args.output_dir) / f'checkpoint-{state.global_step}'}")


class SampleCallback(TrainerCallback):
    """Let the model answer a question after each evaluation."""

    def __init__(
        self,
        trainer: FineTuner,
        tokenizer: Tokenizer,
        config: Config,
        *,
        window: int,
        board: Any,
    ) -> None:
        self._trainer = trainer
        self._tokenizer = tokenizer
        self._question = config.sample
        self._most = config.sample_tokens
        self._window = window
        self._board = board

    def on_evaluate(
        self, args: Any, state: TrainerState, control: TrainerControl, **given: Any
    ) -> None:
        """Answer the question greedily; every process takes part, the first one prints."""
        if not self._question or not self._most:
            return
        began = time.monotonic()
        template = ChatMLTemplate(self._tokenizer)
        prompt = encode_prompt(Dialogue().with_message("user", self._question), template)
        model = self._trainer.model_wrapped
        most = min(self._most, self._window - len(prompt))
        ids = generate_greedily(model, prompt, template.get_stops().ids, most, args)
        self._trainer.seconds += time.monotonic() - began
        if not state.is_world_process_zero:
            return
        text = self._tokenizer.decode(ids)
        print_progress(
            "\n".join(f"  | {line}" for line in (sanitize_text(text).splitlines() or [""]))
        )
        if self._board is not None:
            self._board.add_text("sample", f"{self._question}\n\n{text}", state.global_step)


@torch.no_grad()
def generate_greedily(
    model: Any, prompt: list[int], stops: Container[int], most: int, args: Any
) -> list[int]:
    """Return the most likely tokens after `prompt`, generated without a KV cache.

    Every process computes the same, and the first one's choice counts: otherwise rounding could let
    one process stop while another waits for it.

    Args:
        model: The model, possibly sharded.
        prompt: Ids of the prompt.
        stops: Ids that end the answer.
        most: Most tokens of the answer.
        args: Transformers' arguments, for the device and the number of processes.
    """
    model.eval()
    ids = torch.tensor([prompt], device=args.device)
    generated: list[int] = []
    while len(generated) < most:
        logits = model(input_ids=ids, use_cache=False, logits_to_keep=1).logits
        token = logits[:, -1].argmax(-1, keepdim=True)
        if args.world_size > 1:
            # Sharded weights make every forward a collective, so all must generate the same length.
            torch.distributed.broadcast(token, 0)
        if int(token) in stops:
            break
        generated.append(int(token))
        ids = torch.cat([ids, token], 1)
    model.train()
    return generated


def print_progress(text: str) -> None:
    """Print a line on stderr; stdout is for the result."""
    print(text, file=sys.stderr, flush=True)
